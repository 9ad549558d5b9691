"""CampaignSpec: one goal pursued in rounds, read from one YAML file.

Every part is a frozen pydantic model; an unknown key is refused and the nearest valid key is named.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, PositiveInt, ValidationError, model_validator

from gen2dft.errors import CampaignError, not_one_of
from gen2dft.properties import DEFAULT_TRANSPORT, PROPERTIES, TRANSPORT_DEFINITIONS

Fraction = Annotated[float, Field(ge=0, le=1)]
NonNegative = Annotated[float, Field(ge=0)]

PUBLISHED_LABELS = "ricci2017"
LABEL_FILE = ".jsonl"  # of computed labels, as `gen2dft data label` writes them


class Part(BaseModel):
    """Base of every part of a campaign file: immutable, unknown keys refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class Target(Part):
    """What one property of a hit must be: near a value, within bounds, or as large or small as can be."""

    property: str = Field(description="name of a property, see `gen2dft.properties`")
    near: tuple[float, ...] = Field((), description="wanted values in the property's unit; any of them will do")
    tolerance: PositiveFloat | None = Field(None, description="largest distance to a wanted value, property's unit")
    min: float | None = Field(None, description="lower bound, property's unit")
    max: float | None = Field(None, description="upper bound, property's unit")
    optimise: Literal["maximise", "minimise"] | None = Field(None, description="direction, beside or without bounds")

    @model_validator(mode="before")
    @classmethod
    def _one_value_is_a_list(cls, data: Any) -> Any:
        if isinstance(data, Mapping) and isinstance(data.get("near"), int | float):
            return {**data, "near": (data["near"],)}
        return data

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.property not in PROPERTIES:
            raise ValueError(not_one_of("property", self.property, PROPERTIES))
        if bool(self.near) != (self.tolerance is not None):
            raise ValueError(f"target {self.property!r}: `near` and `tolerance` go together")
        if not self.near and self.min is None and self.max is None and self.optimise is None:
            raise ValueError(f"target {self.property!r} asks for nothing: give near, min, max or optimise")
        if self.min is not None and self.max is not None and self.min > self.max:
            raise ValueError(f"target {self.property!r}: min {self.min} is above max {self.max}")
        return self


class DatasetSpec(Part):
    """Where the known crystals come from and which of them are taken."""

    source: str = Field("starter", description="`starter`, `vanadium-oxides`, `materials-project`, or a file or folder")
    columns: dict[str, str] = Field({}, description="label columns of a file: property name to column name")
    labels: tuple[str, ...] = Field(
        (),
        description="labels to join: `ricci2017`, the published table, by mp-id, or files of `gen2dft data label`",
    )
    num_elements: tuple[PositiveInt, ...] = Field((2, 3), description="numbers of elements taken")
    max_sites: PositiveInt = Field(20, description="largest number of sites in a cell")
    max_e_above_hull: NonNegative | None = Field(None, description="eV/atom; crystals further above are left out")
    max_crystals: PositiveInt | None = Field(None, description="a seeded random part of this size, to save time")
    min_labels: PositiveInt = Field(50, description="a property head needs as many labels as this")
    few_labels: Literal["refuse", "leave-open"] = Field(
        "refuse",
        description="what a campaign does about a target with fewer labels: refuse to begin, or leave it open until "
        "an engine has labelled enough crystals; an open target is neither predicted nor missed",
    )

    @model_validator(mode="after")
    def _labels_are_known(self) -> Self:
        for name in self.labels:
            if name != PUBLISHED_LABELS and not name.endswith(LABEL_FILE):
                choices = not_one_of("table of labels", name, [PUBLISHED_LABELS])
                raise ValueError(f"{choices} A file of labels ends in {LABEL_FILE}")
        return self


class ImatgenSpec(Part):
    """What only the generator `imatgen` has: its images, their autoencoders, and its classifier."""

    elements: tuple[str, ...] = Field(("V", "O"), min_length=1, max_length=5, description="symbols; every crystal "
                                      "holds all of them and no other")  # fmt: skip
    max_sites: PositiveInt = Field(20, description="most atoms of a cell")
    channels: PositiveInt = Field(64, description="of the autoencoders' convolutions; the paper's are 64")
    autoencoder_epochs: PositiveInt = Field(20, description="epochs of the cell's and of the basis' autoencoder")
    autoencoder_crystals: PositiveInt | None = Field(
        None, description="train the autoencoders on a seeded part of this size, to save time; all unless given"
    )
    cell_batch: PositiveInt = Field(32, description="cell images per step")
    basis_batch: PositiveInt = Field(24, description="basis images per step")
    cell_rate: PositiveFloat = Field(1e-4, description="largest step of the cell's autoencoder")
    basis_rate: PositiveFloat = Field(3e-4, description="largest step of the basis' autoencoder")
    precision: Literal["float32", "mixed_bfloat16"] = Field(
        "float32", description="arithmetic of the autoencoders; mixed_bfloat16 saves time where the processor has it"
    )
    normalised_codes: bool = Field(
        True, description="scale the numbers of a code to variance 1 before their tanh; published: false"
    )
    image_loss: Literal["cross_entropy", "mse"] = Field(
        "cross_entropy", description="of images: binary cross-entropy, or the paper's mean squared error"
    )
    atom_weight: NonNegative = Field(
        5.0, description="a voxel of intensity x counts 1 + atom_weight x times in the loss; published: 0"
    )
    strain: NonNegative = Field(
        0.03,
        description="standard deviation of the strain of cells whose images are learnt, drawn anew each epoch; "
        "published: 0",
    )
    shift: NonNegative = Field(
        0.05, description="standard deviation (Angstrom) of positions of atoms whose images are learnt; published: 0"
    )
    least_peak: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.3, description="local maxima of decoded images below it are no atoms; published: 0.02"
    )
    pretrain_epochs: Annotated[int, Field(ge=0)] = Field(
        200, description="epochs on all crystals without classifier, before those on labelled ones"
    )
    delta: PositiveFloat = Field(1e-4, description="spread of the latent prior: z = delta (mu + sigma epsilon)")
    thresholds: dict[str, float] = Field(
        {},
        description="property to the value, in its unit, at or below which the classifier calls a crystal stable; the "
        "median of the training labels unless given",
    )

    @model_validator(mode="after")
    def _thresholds_of_properties(self) -> Self:
        for name in self.thresholds:
            if name not in PROPERTIES:
                raise ValueError(not_one_of("property", name, PROPERTIES))
        return self


# What a generator is trained with unless the campaign says otherwise, and what its variant `published` changes: for
# `ftcp` the settings of Ren et al., arXiv:2005.07609, for `imatgen` those of Noh et al., Matter 1, 1370 (2019), each
# with its published code.
GENERATOR_DEFAULTS: dict[str, dict[str, Any]] = {
    "imatgen": {"epochs": 200, "epochs_warm": 50, "batch_size": 64, "learning_rate": 1e-4, "latent_dim": 500}
    | {"beta": 1e-6, "property_weight": 5e-7},
}
PUBLISHED_DEFAULTS: dict[str, dict[str, Any]] = {
    "ftcp": {"epochs": 200, "epochs_warm": 50, "batch_size": 256, "learning_rate": 5e-4, "latent_dim": 256}
    | {"beta": 3e-5, "property_weight": 10.0},
}
PUBLISHED_IMATGEN = {"normalised_codes": False, "image_loss": "mse", "atom_weight": 0.0, "least_peak": 0.02} | {
    "strain": 0.0, "shift": 0.0,
}  # fmt: skip


class GeneratorSpec(Part):
    """Which generator, and how it is trained."""

    name: str = Field("ftcp", description="name of a registered generator; changes the defaults below")
    variant: Literal["gen2dft", "published"] = Field(
        "gen2dft", description="`published`: networks, loss and training as in the paper; changes the defaults below"
    )
    fourier: Literal["modulus", "published_code"] = Field(
        "modulus", description="reciprocal part: abs(F(hkl)), or the term without exponential of the published code"
    )
    reads: Literal["both", "real", "reciprocal"] = Field(
        "both", description="parts of the matrix that the encoder sees; the others serve comparisons"
    )
    imatgen: ImatgenSpec = Field(ImatgenSpec(), description="settings of `imatgen` alone")
    properties: tuple[str, ...] = Field((), description="property heads besides those of the targets")
    latent_dim: PositiveInt = Field(192, description="dimensions of the latent space")
    epochs: PositiveInt = Field(80, description="epochs of the first round")
    epochs_warm: PositiveInt = Field(20, description="epochs of later rounds, which start from the last snapshot")
    batch_size: Annotated[int, Field(ge=2)] = Field(128, description="crystals per step")
    learning_rate: PositiveFloat = Field(1e-3, description="largest step of the optimiser")
    beta: NonNegative = Field(
        1e-2, description="weight of the KL term per crystal, summed over latent dimensions (imatgen: their mean)"
    )
    property_weight: NonNegative = Field(
        100.0, description="weight (lambda) of the masked property loss (imatgen: of the classifier's cross-entropy)"
    )
    holdout: Annotated[float, Field(gt=0, lt=1)] = Field(0.1, description="share of crystals kept from training")

    @model_validator(mode="before")
    @classmethod
    def _defaults_of_generator_and_variant(cls, data: Any) -> Any:
        if not isinstance(data, Mapping):
            return data
        name, defaults = data.get("name", "ftcp"), GENERATOR_DEFAULTS.get(data.get("name", ""), {})
        if data.get("variant") != "published":
            return {**defaults, **data}
        own = data.get("imatgen", {})
        if name == "imatgen" and isinstance(own, Mapping):
            data = {**data, "imatgen": {**PUBLISHED_IMATGEN, **own}}
        return {**defaults, **PUBLISHED_DEFAULTS.get(name, {}), **data}

    def total_epochs(self, *, warm: bool) -> int:
        """Epochs of a whole training, those of all networks together."""
        if warm:
            return self.epochs_warm
        if self.name != "imatgen":
            return self.epochs
        return 2 * self.imatgen.autoencoder_epochs + self.imatgen.pretrain_epochs + self.epochs


SamplingMethod = Literal["local", "slerp", "random", "mixture"]


class SamplingSpec(Part):
    """One way of drawing latent points; a campaign may mix several."""

    method: SamplingMethod = Field(
        description="perturb seeds, interpolate pairs, or draw: from one normal distribution or from a mixture"
    )
    num_points: PositiveInt = Field(description="latent points per round")
    scale: PositiveFloat = Field(
        0.6,
        description="standard deviation of local perturbation or random draws, in units "
        "of each latent dimension's spread over the training set (mixture: over the component)",
    )
    num_seeds: PositiveInt = Field(
        100,
        description="training crystals nearest the targets to start from (mixture: a component is drawn from as often "
        "as they lie in it)",
    )
    steps: Annotated[int, Field(ge=2)] | None = Field(
        None,
        description="slerp alone: points at m / steps, m = 1 ... steps - 1, between all pairs of seeds, or a random "
        "part of them if there are more than num_points; unless given, random places between random pairs",
    )

    @model_validator(mode="after")
    def _steps_are_of_slerp(self) -> Self:
        if self.steps is not None and self.method != "slerp":
            raise ValueError(f"`steps` divides the way between two seeds: method {self.method!r} has none")
        return self


class SurrogateSpec(Part):
    """Last gate before validation: relax with an ML potential and measure the distance to the hull."""

    engine: str = Field("mlip", description="name of a registered engine")
    preset: str = Field("chgnet-screen-v1", description="named settings of that engine")
    max_e_above_hull: float = Field(0.1, description="eV/atom above the dataset's hull")
    min_e_above_hull: float = Field(
        -0.3,
        description="eV/atom; what lies further below the hull says that the hull lacks phases, not that it is stable",
    )
    chunk: PositiveInt = Field(16, description="crystals per firework")
    max_relaxations: PositiveInt | None = Field(
        None, description="relax only this many per round, best predicted first"
    )


class ScreeningSpec(Part):
    """Gates between decoding and validation, in the order given here."""

    min_distance_ratio: PositiveFloat = Field(0.6, description="shortest distance over the sum of covalent radii")
    min_distance: PositiveFloat = Field(0.7, description="shortest distance, Angstrom")
    volume_per_atom: tuple[PositiveFloat, PositiveFloat] = Field((4.0, 120.0), description="Angstrom^3 per atom")
    angles: tuple[PositiveFloat, PositiveFloat] = Field((25.0, 155.0), description="cell angles, degree")
    charge_balance: bool = Field(
        True, description="refuse compounds without neutral common oxidation states; compounds of metals alone pass"
    )
    allowed_elements: tuple[str, ...] = Field((), description="symbols; empty means all of the training set's")
    excluded_elements: tuple[str, ...] = Field((), description="symbols never wanted")
    novelty: Literal["formula", "structure"] = Field(
        "formula", description="formula: the reduced formula is new, as in the FTCP paper; structure: no known match"
    )
    surrogate: SurrogateSpec = SurrogateSpec()


class RefineSpec(Part):
    """Second stage of validation: candidates near the hull are computed again with finer settings."""

    preset: str = Field(description="named settings of the validation's engine")
    max_e_above_hull: float | dict[SamplingMethod, float] = Field(
        description="eV/atom after the first stage up to which a candidate goes on; one number, or one per sampling "
        "method, such as {slerp: 0.1, random: 0.2} (Noh et al., Matter 1, 1370 (2019))"
    )
    references: dict[str, float] = Field(
        {}, description="as validation.references, computed with the preset of this stage; they go together"
    )

    def limit(self, method: str) -> float:
        """The largest distance to the hull, eV/atom, at which a candidate of a sampling method goes on."""
        if isinstance(self.max_e_above_hull, dict):
            return next(value for name, value in self.max_e_above_hull.items() if name == method)
        return self.max_e_above_hull


class ValidationSpec(Part):
    """What computes the labels of selected candidates."""

    engine: str = Field("mlip", description="name of a registered engine")
    preset: str = Field("chgnet-v1", description="named settings of that engine")
    correction: str = Field("none", description="named energy correction, see docs/corrections.md")
    refine: RefineSpec | None = Field(None, description="second stage with finer settings; none by default")
    attempts: PositiveInt = Field(2, description="tries of one candidate before it is given up")
    pause_after: PositiveInt | None = Field(
        10,
        description="so many candidates in a row (or all of a smaller round) that fail because the engine itself does "
        "not work pause the campaign; null: never",
    )
    unlabelled_targets: Literal["predicted", "miss"] = Field(
        "predicted",
        description="a target that the engine cannot label is judged by the generator's prediction, "
        "and marked so, or counts as missed",
    )
    references: dict[str, float] = Field(
        {},
        description="eV/atom of each element in its reference phase, computed with this engine and preset; for an "
        "engine that has no elemental references of its own",
    )

    @model_validator(mode="after")
    def _references_of_both_stages(self) -> Self:
        if self.refine is not None and bool(self.references) != bool(self.refine.references):
            raise ValueError(
                "`references` and `refine.references` go together: the energies of the elements, too, differ between "
                f"presets {self.preset!r} and {self.refine.preset!r}"
            )
        return self

    def references_of(self, preset: str) -> dict[str, float]:
        """The given energies of the elements with the preset of one stage, eV/atom; empty: none are given."""
        if self.refine is not None and preset == self.refine.preset:
            return self.refine.references
        return self.references


class HullSpec(Part):
    """The frozen phases that distances to the hull are measured against; see docs/corrections.md."""

    source: str = Field(
        "dataset",
        description="`dataset` (formation energies of the campaign's data source), `materials-project` (its stable "
        "phases), `vanadium-oxides` (the five oxides of Noh et al., which ship), `engine` (phases that the campaign's "
        "own engine has computed, see `gen2dft calibrate`), or a file: a hull as `gen2dft hull --save` writes it, or a "
        "dataset",
    )
    thermo_type: str = Field("GGA_GGA+U", description="family of the Materials Project's energies, pinned")
    scale: str | None = Field(
        None, description="what the energies of a file are measured on, e.g. materials-project; unknown: not checked"
    )
    coverage: Literal["elements", "compounds"] = Field(
        "elements",
        description="a chemical system counts as covered if all its elements occur in the reference, or if moreover "
        "a compound of them does; beyond that no distance is given",
    )
    own_phases: bool = Field(False, description="labels of earlier rounds join the hull of later ones")
    tolerance: PositiveFloat = Field(
        0.01, description="eV/atom within which the reference's known stable phases must come back at 0"
    )


class TransportSpec(Part):
    """What a computed power factor means."""

    definition: str = Field(
        DEFAULT_TRANSPORT, description="label definition: temperature, doping and average, see docs/transport.md"
    )
    tolerance: PositiveFloat = Field(
        0.05, description="relative change of the power factor at which the mesh of k-points is fine enough"
    )
    meshes: PositiveInt = Field(
        3,
        description="meshes computed for one crystal at most: a coarser one, the preset's, then finer ones as long as "
        "the tolerance asks for it; 1: the preset's alone, without an estimate of the error",
    )

    @model_validator(mode="after")
    def _definition_exists(self) -> Self:
        if self.definition not in TRANSPORT_DEFINITIONS:
            raise ValueError(not_one_of("transport definition", self.definition, TRANSPORT_DEFINITIONS))
        return self


class BudgetSpec(Part):
    """What a campaign may spend on validation."""

    oracle_calls: PositiveInt | None = Field(None, description="validated candidates over all rounds")
    core_hours: PositiveFloat | None = Field(None, description="core-hours of validation over all rounds")


class LearningSpec(Part):
    """Which candidates are validated, when a round closes, and when the campaign stops."""

    rounds: PositiveInt = Field(2, description="rounds at most")
    batch: PositiveInt = Field(24, description="candidates validated per round")
    acquisition: str = Field(
        "greedy", description="name of a registered acquisition function: greedy, ucb, thompson, diverse, random"
    )
    exploration: NonNegative = Field(1.0, description="weight of the uncertainty in `ucb`")
    ensemble: Annotated[int, Field(ge=2)] = Field(8, description="property heads whose spread is the uncertainty")
    cost_weight: NonNegative = Field(
        1.0, description="1: value per predicted core-hour; 0: the value alone. Needs a few finished calculations"
    )
    diversity: NonNegative = Field(0.3, description="weight of the latent distance to those already chosen")
    audit: Fraction = Field(0.1, description="share of the batch chosen at random, to check the acquisition")
    gate_audit: Fraction = Field(
        0.0, description="share of the batch drawn from what the ML potential rejected, to measure its false negatives"
    )
    control: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.0,
        description="share of points and batch, from the second round on, that stays with the first round's "
        "generator and training set: what the campaign would find without learning",
    )
    quorum: Annotated[float, Field(gt=0, le=1)] = Field(
        1.0, description="share of finished candidates at which a round may close"
    )
    deadline_hours: PositiveFloat | None = Field(None, description="close a round this long after dispatch")
    corrected_labels: Literal["include", "exclude"] = Field(
        "include",
        description="whether the generator learns from labels whose settings custodian had to change; they are marked",
    )
    patience: PositiveInt | None = Field(None, description="stop after this many rounds without a new hit")
    hits: PositiveInt | None = Field(None, description="stop when so many hits are found")
    budget: BudgetSpec = BudgetSpec()

    @model_validator(mode="after")
    def _diverse_needs_diversity(self) -> Self:
        if self.acquisition == "diverse" and not self.diversity:
            raise ValueError("acquisition `diverse` goes by the latent distance alone: `diversity` must be above 0")
        return self


class StageResources(Part):
    """What one firework of a stage asks of the queue."""

    cores: PositiveInt = 1
    walltime: Annotated[str, Field(pattern=r"^\d{1,3}:\d{2}:\d{2}$")] = Field("24:00:00", description="h:mm:ss")
    memory_gb: PositiveFloat | None = None
    category: str | None = Field(None, description="FireWorks category, to send the stage to certain workers")


class ResourcesSpec(Part):
    """Resources per stage."""

    train: StageResources = StageResources(cores=2)
    screen: StageResources = StageResources()
    validate_: StageResources = Field(StageResources(), alias="validate")


class CampaignSpec(Part):
    """One goal pursued in rounds.

    Raises
    ------
    pydantic.ValidationError
        Use `load_campaign` or `parse_campaign`, which turn it into a CampaignError that names the place.
    """

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{1,47}$")] = Field(description="short name, in every id")
    description: str = ""
    seed: Annotated[int, Field(ge=0)] = 0
    targets: tuple[Target, ...] = Field(min_length=1)
    dataset: DatasetSpec = DatasetSpec()
    generator: GeneratorSpec = GeneratorSpec()
    sampling: tuple[SamplingSpec, ...] = Field(min_length=1)
    screening: ScreeningSpec = ScreeningSpec()
    hull: HullSpec = HullSpec()
    validation: ValidationSpec = ValidationSpec()
    transport: TransportSpec = TransportSpec()
    learning: LearningSpec = LearningSpec()
    resources: ResourcesSpec = ResourcesSpec()

    @model_validator(mode="after")
    def _targets_are_distinct(self) -> Self:
        names = [target.property for target in self.targets]
        if len(set(names)) < len(names):
            raise ValueError(f"targets name a property twice: {names}")
        return self

    @model_validator(mode="after")
    def _refinement_knows_all_methods(self) -> Self:
        refine = self.validation.refine
        if refine is not None and isinstance(refine.max_e_above_hull, dict):
            missing = sorted({part.method for part in self.sampling} - set(refine.max_e_above_hull))
            if missing:
                raise ValueError(
                    f"validation.refine.max_e_above_hull has no limit for sampling by {', '.join(missing)}"
                )
        return self

    @model_validator(mode="after")
    def _power_factors_mean_the_same(self) -> Self:
        mixed = set(self.dataset.labels) & {PUBLISHED_LABELS} - {self.transport.definition}
        if mixed:
            raise ValueError(
                f"dataset.labels {sorted(mixed)} and transport.definition {self.transport.definition!r} define the "
                "power factor differently; use one definition for published and computed labels"
            )
        return self

    @property
    def head_properties(self) -> tuple[str, ...]:
        """Properties that the generator predicts: the targets' and those it is asked for besides."""
        return tuple(dict.fromkeys([t.property for t in self.targets] + list(self.generator.properties)))

    def content_hash(self) -> str:
        """Hash of everything that decides the results (resources do not); 12 hexadecimal digits."""
        content = self.model_dump(mode="json", by_alias=True, exclude={"resources", "description"})
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]


def builtin_campaigns() -> list[str]:
    """Names of the campaign files that ship with gen2dft."""
    folder = resources.files("gen2dft.flows") / "campaigns"
    return sorted(entry.name.removesuffix(".yaml") for entry in folder.iterdir() if entry.name.endswith(".yaml"))


def load_campaign(name_or_file: str, overrides: Mapping[str, Any] | None = None) -> CampaignSpec:
    """Read a campaign by its built-in name or from a YAML file.

    Parameters
    ----------
    name_or_file
        `thermoelectric`, or a path that ends in .yaml or .yml.
    overrides
        Dotted keys to values set after reading, e.g. `{"learning.rounds": 3}`.

    Raises
    ------
    CampaignError
        Unknown name, unreadable file or invalid content; the message names file, field and remedy.
    """
    if name_or_file.endswith((".yaml", ".yml")):
        path = Path(name_or_file)
        if not path.is_file():
            raise CampaignError(f"campaign file {path} does not exist")
        return parse_campaign(_read(path), str(path), overrides)
    if name_or_file not in builtin_campaigns():
        message = not_one_of("campaign", name_or_file, builtin_campaigns())
        raise CampaignError(f"{message} To use a file of your own: -f FILE.yaml")
    resource = resources.files("gen2dft.flows") / "campaigns" / f"{name_or_file}.yaml"
    return parse_campaign(resource.read_text(), f"campaign {name_or_file}", overrides)


def parse_campaign(text: str, origin: str, overrides: Mapping[str, Any] | None = None) -> CampaignSpec:
    """Parse the YAML text of a campaign; `origin` names it in messages."""
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as err:
        raise CampaignError(f"{origin} is not valid YAML: {err}") from err
    if not isinstance(data, dict):
        raise CampaignError(f"{origin} must be a mapping with keys like `name` and `targets`")
    for key, value in (overrides or {}).items():
        _set_dotted(data, key, value)
    try:
        return CampaignSpec.model_validate(data)
    except ValidationError as err:
        raise CampaignError(f"{origin} is not valid:\n" + "\n".join(_explain(err))) from err


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as err:
        raise CampaignError(f"cannot read campaign file {path}: {err}") from err


def _set_dotted(data: dict[str, Any], key: str, value: Any) -> None:
    *folders, last = key.split(".")
    for folder in folders:
        data = data.setdefault(folder, {})
    data[last] = value


def _explain(err: ValidationError) -> list[str]:
    """One line per problem: where, what, and for a misspelt key the nearest valid one."""
    lines = []
    for problem in err.errors():
        place = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            valid = _keys_at(CampaignSpec, problem["loc"][:-1])
            near = difflib.get_close_matches(str(problem["loc"][-1]), valid, n=1, cutoff=0.4)
            hint = f"did you mean {near[0]!r}?" if near else f"valid keys: {', '.join(sorted(valid))}"
            lines.append(f"  {place}: unknown key; {hint}")
        else:
            given = f" (given: {problem['input']!r})" if not isinstance(problem["input"], dict | list) else ""
            lines.append(f"  {place or 'file'}: {problem['msg'].removeprefix('Value error, ')}{given}")
    return lines


def _keys_at(model: type[BaseModel], place: Sequence[int | str]) -> list[str]:
    """Valid keys of the part at `place`."""
    for step in place:
        if isinstance(step, int):
            continue
        info = next(f for n, f in model.model_fields.items() if step in (n, f.alias))
        model = next(t for t in (info.annotation, *get_args(info.annotation)) if _is_model(t))
    return [field.alias or name for name, field in model.model_fields.items()]


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
