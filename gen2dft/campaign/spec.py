"""CampaignSpec: one goal pursued in rounds.

Every part is a frozen pydantic model; an unknown key is refused and the nearest valid key is named.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import Field, field_validator, model_validator

from gen2dft.campaign.bounds import (
    CoreHours,
    Cores,
    Elements,
    EnergyDifference,
    Few,
    Gigabytes,
    Hours,
    Many,
    Minutes,
    PositiveValue,
    ReferenceEnergies,
    Scale,
    Seed,
    Sites,
    Value,
    Walltime,
    Weight,
)
from gen2dft.campaign.engine_defaults import EXTERNAL, default_preset, default_quorum, is_dft
from gen2dft.campaign.generator import GeneratorSpec
from gen2dft.campaign.hull import HullSpec
from gen2dft.campaign.part import LATER, Fraction, Part
from gen2dft.campaign.properties import PropertySpec, completed, defined
from gen2dft.campaign.screening import ScreeningSpec
from gen2dft.campaign.sources import (
    AnyGeneratorSpec,
    check_draws,
    latent_labels,
    shared_out,
)
from gen2dft.campaign.transport import TransportSpec
from gen2dft.errors import CampaignError, brief, not_one_of
from gen2dft.hashing import content_hash
from gen2dft.label_checks import check_names
from gen2dft.properties import ENERGIES, Properties

PUBLISHED_LABELS = "ricci2017"
LABEL_FILE = ".jsonl"  # of computed labels, as `gen2dft data label` writes them
Judge = Literal["engine", "screen", "both", "prediction"]
OF_THE_SCREEN = ("screen", "both")
OF_THE_ENGINE = (None, "engine", "both")  # None: where the engine computes the property


class Target(Part):
    """What one property of a hit must be: near a value, within bounds, or as large or small as can
    be.
    """

    property: str = Field(description="name of a property: built in, or see `properties`")
    near: tuple[Value, ...] = Field(
        (), description="wanted values in the property's unit; any of them will do"
    )
    tolerance: PositiveValue | None = Field(
        None, description="largest distance to a wanted value, property's unit"
    )
    min: Value | None = Field(None, description="lower bound, property's unit")
    max: Value | None = Field(None, description="upper bound, property's unit")
    optimise: Literal["maximise", "minimise"] | None = Field(
        None, description="direction, beside or without bounds"
    )
    by: Judge | None = Field(
        None,
        description="whose value counts: `engine`, the validation's engine or a property step on "
        "it; `screen`, the surrogate (formation_energy and e_above_hull alone); `both`, each of "
        "the two must meet the target; `prediction`, the property heads. Unless given: the engine "
        "where it or a step computes the property, else as validation.unlabelled_targets says",
        json_schema_extra=LATER,
    )

    @model_validator(mode="before")
    @classmethod
    def _one_value_is_a_list(cls, data: Any) -> Any:
        if isinstance(data, Mapping) and isinstance(data.get("near"), int | float | str):
            return {**data, "near": (data["near"],)}
        return data

    @model_validator(mode="after")
    def _check(self) -> Self:
        if bool(self.near) != (self.tolerance is not None):
            raise ValueError(f"target {self.property!r}: `near` and `tolerance` go together")
        if not self.near and self.min is None and self.max is None and self.optimise is None:
            raise ValueError(
                f"target {self.property!r} asks for nothing: give near, min, max or optimise"
            )
        return self

    @model_validator(mode="after")
    def _screen_knows_energies(self) -> Self:
        if self.by in OF_THE_SCREEN and self.property not in ENERGIES:
            raise ValueError(
                f"target {self.property!r}: the screen tells {' and '.join(ENERGIES)} alone, so "
                f"`by: {self.by}` has no value; choose by: engine or by: prediction"
            )
        return self


def _lowest_accepted(target: Target) -> float | None:
    """The lowest value that a target accepts, in the property's unit; None: there is none."""
    if target.near and target.tolerance is not None:
        return min(target.near) - target.tolerance
    return target.min


class DatasetSpec(Part):
    """Where the known crystals come from and which of them are taken."""

    source: str = Field(
        "starter",
        min_length=1,
        description="`starter`, `prototypes`, `vanadium-oxides`, `materials-project`, the name of "
        "a set that `gen2dft data import` has kept, or a file or folder",
    )
    columns: dict[str, str] = Field(
        {},
        description="label columns of a file: property name to column name, with its unit if that "
        "is another one: `Ehull:meV/atom`",
    )
    labels: tuple[str, ...] = Field(
        (),
        description="labels to join: `ricci2017`, the published table, by mp-id, or files of "
        "`gen2dft data label`",
    )
    num_elements: tuple[Elements, ...] = Field(
        (2, 3), min_length=1, description="numbers of elements taken"
    )
    max_sites: Sites = Field(20, description="largest number of sites in a cell")
    max_e_above_hull: Annotated[float, Field(ge=0, le=100)] | None = Field(
        None, description="eV/atom; crystals further above are left out"
    )
    max_crystals: Many | None = Field(
        None, description="a seeded random part of this size, to save time"
    )
    min_labels: Many = Field(50, description="a property head needs as many labels as this")
    few_labels: Literal["refuse", "leave-open"] = Field(
        "refuse",
        description="what a campaign does about a target with fewer labels: refuse to begin, or "
        "leave it open until "
        "an engine has labelled enough crystals; an open target is neither predicted nor missed",
    )

    accept: tuple[str, ...] = Field(
        (),
        json_schema_extra=LATER,
        description="improbable labels that are right nevertheless, by the name that the refusal "
        "gives them, e.g. formation_energy.no_spread",
    )

    @field_validator("accept")
    @classmethod
    def _accepted_by_name(cls, given: tuple[str, ...]) -> tuple[str, ...]:
        check_names(given)
        return given

    @model_validator(mode="after")
    def _labels_are_known(self) -> Self:
        for name in self.labels:
            if name != PUBLISHED_LABELS and not name.endswith(LABEL_FILE):
                choices = not_one_of("table of labels", name, [PUBLISHED_LABELS])
                raise ValueError(f"{choices} A file of labels ends in {LABEL_FILE}")
        return self


SamplingMethod = Literal["local", "slerp", "random", "mixture"]


class SamplingSpec(Part):
    """One way of drawing latent points; a campaign may mix several."""

    method: SamplingMethod = Field(
        description="perturb seeds, interpolate pairs, or draw: from one normal distribution or "
        "from a mixture"
    )
    num_points: Many = Field(description="latent points per round")
    scale: Scale = Field(
        0.6,
        description="standard deviation of local perturbation or random draws, in units "
        "of each latent dimension's spread over the training set (mixture: over the component)",
    )
    num_seeds: Many = Field(
        100,
        description="training crystals nearest the targets to start from (mixture: a component is "
        "drawn from as often "
        "as they lie in it)",
    )
    steps: Annotated[int, Field(ge=2, le=10_000)] | None = Field(
        None,
        description="slerp alone: points at m / steps, m = 1 ... steps - 1, between all pairs of "
        "seeds, or a random "
        "part of them if there are more than num_points; unless given, random places between "
        "random pairs",
    )

    @model_validator(mode="after")
    def _steps_are_of_slerp(self) -> Self:
        if self.steps is not None and self.method != "slerp":
            raise ValueError(
                f"`steps` divides the way between two seeds: method {self.method!r} has none"
            )
        return self


class RefineSpec(Part):
    """Second stage of validation: candidates near the hull are computed again with finer
    settings.
    """

    preset: str = Field(description="named settings of the validation's engine")
    max_e_above_hull: EnergyDifference | dict[str, EnergyDifference] = Field(
        description="eV/atom after the first stage up to which a candidate goes on; one number, or "
        "one per sampling method, such as {slerp: 0.1, random: 0.2} (Noh et al., Matter 1, 1370 "
        "(2019)), and per generator without a latent space"
    )
    references: ReferenceEnergies = Field(
        {},
        description="as validation.references, computed with the preset of this stage; they go "
        "together",
    )

    def check_ways(self, ways: Collection[str]) -> None:
        """ValueError unless there is a limit for each way of drawing, and none for others."""
        if isinstance(self.max_e_above_hull, float):
            return
        missing = sorted(set(ways) - set(self.max_e_above_hull))
        if missing:
            raise ValueError(
                "validation.refine.max_e_above_hull has no limit for sampling by "
                f"{', '.join(missing)}"
            )
        choices = {*get_args(SamplingMethod), *ways}
        for name in self.max_e_above_hull:
            if name not in choices:
                where = "validation.refine.max_e_above_hull: way of sampling"
                raise ValueError(not_one_of(where, name, choices))

    def limit(self, method: str, source: str | None = None) -> float:
        """The largest distance to the hull, eV/atom, at which a candidate goes on.

        Parameters
        ----------
        method
            How it was drawn.
        source
            Label of the generator that drew it; None: the campaign's only one.
        """
        limits = self.max_e_above_hull
        if isinstance(limits, float):
            return limits
        return limits[method] if method in limits else limits[str(source)]


class ValidationSpec(Part):
    """What computes the labels of selected candidates."""

    engine: str = Field("mlip", description="name of a registered engine")
    preset: str = Field(
        "chgnet-v1",
        description="named settings of that engine; unless given, the engine's default",
    )
    correction: str = Field("none", description="named energy correction, see docs/corrections.md")
    refine: RefineSpec | None = Field(
        None, description="second stage with finer settings; none by default"
    )
    attempts: Few = Field(2, description="tries of one candidate before it is given up")
    pause_after: Many | None = Field(
        10,
        description="so many candidates in a row (or all of a smaller round) that fail because the "
        "engine itself does "
        "not work pause the campaign; null: never",
    )
    cpu_minutes: Minutes | None = Field(
        None,
        json_schema_extra=LATER,
        description="CPU minutes that the calculations of one candidate may use together, for "
        "engines that compute in the worker's process: beyond, it is given up as `too_expensive`, "
        "or the finest mesh that is finished counts; null: no limit",
    )
    unlabelled_targets: Literal["predicted", "miss"] = Field(
        "predicted",
        description="a target without `by` that neither the engine nor a step computes is judged "
        "by the generator's prediction, and marked so, or counts as missed",
    )
    references: ReferenceEnergies = Field(
        {},
        description="eV/atom of each element in its reference phase, computed with this engine and "
        "preset; for an "
        "engine that has no elemental references of its own",
    )

    competing: bool = Field(
        False,
        json_schema_extra=LATER,
        description="whether a DFT engine also computes the phases into which a candidate would "
        "decompose, so that e_above_hull is DFT's; see docs/hits.md#stability-by-dft",
    )
    competing_structures: str | None = Field(
        None,
        json_schema_extra=LATER,
        description="folder of CIF, POSCAR or JSON files of competing phases that the dataset "
        "lacks, each known by its formula",
    )

    @field_validator("competing_structures")
    @classmethod
    def _found_from_any_folder(cls, given: str | None) -> str | None:
        # Workers run in folders of their own.
        try:
            return None if given is None else str(Path(given).expanduser().absolute())
        except RuntimeError as err:  # `~name` of nobody
            raise ValueError(f"{brief(str(given))} is in the home folder of nobody here") from err

    @model_validator(mode="after")
    def _structures_are_for_competing_phases(self) -> Self:
        if self.competing_structures is not None and not self.competing:
            raise ValueError(
                "`competing_structures` is read only where competing phases are computed: set "
                "competing: true, or leave the folder out"
            )
        return self

    @model_validator(mode="before")
    @classmethod
    def _preset_of_the_engine(cls, data: Any) -> Any:
        if not isinstance(data, Mapping) or data.get("preset") is not None:
            return data
        given = {key: value for key, value in data.items() if key != "preset"}
        preset = default_preset(given["engine"]) if "engine" in given else None
        return given if preset is None else {**given, "preset": preset}

    @model_validator(mode="after")
    def _references_of_both_stages(self) -> Self:
        if self.refine is not None and bool(self.references) != bool(self.refine.references):
            raise ValueError(
                "`references` and `refine.references` go together: the energies of the elements, "
                "too, differ between "
                f"presets {self.preset!r} and {self.refine.preset!r}"
            )
        return self

    def references_of(self, preset: str) -> dict[str, float]:
        """The given energies of the elements with the preset of one stage, eV/atom.

        Empty: none are given.
        """
        if self.refine is not None and preset == self.refine.preset:
            return self.refine.references
        return self.references


class BudgetSpec(Part):
    """What a campaign may spend on validation."""

    oracle_calls: Many | None = Field(None, description="validated candidates over all rounds")
    core_hours: CoreHours | None = Field(
        None, description="core-hours of validation over all rounds"
    )


class LearningSpec(Part):
    """Which candidates are validated, when a round closes, and when the campaign stops."""

    rounds: Few = Field(2, description="rounds at most")
    batch: Many = Field(24, description="candidates validated per round")
    acquisition: str = Field(
        "probability",
        description="name of a registered acquisition function: probability, greedy, ucb, "
        "thompson, diverse, random",
    )
    exploration: Weight = Field(1.0, description="weight of the uncertainty in `ucb`")
    ensemble: Annotated[int, Field(ge=2, le=10_000)] = Field(
        8, description="property heads whose spread is the uncertainty"
    )
    cost_weight: Weight = Field(
        1.0,
        description="1: value per predicted core-hour; 0: the value alone. Needs a few finished "
        "calculations",
    )
    diversity: Weight = Field(
        0.3, description="weight of the latent distance to those already chosen"
    )
    audit: Fraction = Field(
        0.1, description="share of the batch chosen at random, to check the acquisition"
    )
    gate_audit: Fraction = Field(
        0.0,
        description="share of the batch drawn from what the ML potential rejected, to measure its "
        "false negatives",
    )
    control: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.0,
        description="share of points and batch, from the second round on, that stays with the "
        "first round's "
        "generator and training set: what the campaign would find without learning",
    )
    quorum: Annotated[float, Field(gt=0, le=1)] | None = Field(
        None,
        description="share of finished candidates at which a round may close; unless given, 0.8 "
        "with a DFT engine and 1 with a surrogate",
    )
    deadline_hours: Hours | None = Field(None, description="close a round this long after dispatch")
    corrected_labels: Literal["include", "exclude"] = Field(
        "include",
        description="whether the generator learns from labels whose settings custodian had to "
        "change; they are marked",
    )
    doubtful_labels: Literal["exclude", "include"] = Field(
        "exclude",
        json_schema_extra=LATER,
        description="whether heads and generator learn power factors that their label doubts "
        "because the gap is narrow",
    )
    patience: Few | None = Field(None, description="stop after this many rounds without a new hit")
    hits: Many | None = Field(None, description="stop when so many hits are found")
    hits_evidence: Literal["any", "mixed", "dft"] = Field(
        "any",
        description="least evidence of the hits that `hits` and `patience` count",
        json_schema_extra=LATER,
    )
    budget: BudgetSpec = BudgetSpec()

    @model_validator(mode="after")
    def _shares_fit_the_batch(self) -> Self:
        shares = self.audit + self.gate_audit
        if shares > 1:
            raise ValueError(
                f"audit and gate_audit are shares of one batch, and add up to {shares:g}: they may "
                "add up to 1 at most"
            )
        return self

    @model_validator(mode="after")
    def _diverse_needs_diversity(self) -> Self:
        if self.acquisition == "diverse" and not self.diversity:
            raise ValueError(
                "acquisition `diverse` goes by the latent distance alone: `diversity` must be "
                "above 0"
            )
        return self


class StageResources(Part):
    """What one firework of a stage asks of the queue."""

    cores: Cores = 1
    walltime: Walltime = Field("24:00:00", description="h:mm:ss")
    memory_gb: Gigabytes | None = None
    category: str | None = Field(
        None, description="FireWorks category, to send the stage to certain workers"
    )


class ValidateResources(StageResources):
    """Who computes the labels, and what one firework of it asks of the queue."""

    told: bool = Field(
        False,
        json_schema_extra=LATER,
        description="whether results are told (`gen2dft ask`, `gen2dft tell`) instead of computed "
        "by gen2dft's workers; always so for engine `external`",
    )


class ResourcesSpec(Part):
    """Resources per stage."""

    train: StageResources = StageResources(cores=2)
    screen: StageResources = StageResources()
    validate_: ValidateResources = Field(ValidateResources(), alias="validate")


class CampaignSpec(Part):
    """One goal pursued in rounds.

    Raises
    ------
    pydantic.ValidationError
        Use `load_campaign` or `parse_campaign`, which turn it into a CampaignError that names the
        place.
    """

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{1,47}$")] = Field(
        description="short name, in every id"
    )
    description: str = ""
    seed: Seed = 0
    targets: tuple[Target, ...] = Field(min_length=1)
    properties: dict[str, PropertySpec] = Field(
        {},
        description="properties of your own, and columns and settings for others, by name; "
        "docs/properties.md",
        json_schema_extra=LATER,
    )
    dataset: DatasetSpec = DatasetSpec()
    generator: AnyGeneratorSpec | None = Field(
        None,
        json_schema_extra=LATER,  # the first version always wrote it
        description="the one source of crystals; `ftcp` with its defaults unless given",
    )
    generators: tuple[AnyGeneratorSpec, ...] = Field(
        (), json_schema_extra=LATER, description="several sources, in the place of `generator`"
    )
    sampling: tuple[SamplingSpec, ...] = Field(
        (),
        json_schema_extra=LATER,
        min_length=1,
        description="for generators with a latent space: how points are drawn, by all of them "
        "together",
    )
    draws: Many | None = Field(
        None,
        json_schema_extra=LATER,
        description="for generators without a latent space alone: draws per round, by all of them "
        "together",
    )
    screening: ScreeningSpec = ScreeningSpec()
    hull: HullSpec = HullSpec()
    validation: ValidationSpec = ValidationSpec()
    transport: TransportSpec = TransportSpec()
    learning: LearningSpec = LearningSpec()
    resources: ResourcesSpec = ResourcesSpec()

    @model_validator(mode="before")
    @classmethod
    def _a_generator_unless_told(cls, data: Any) -> Any:
        if not isinstance(data, Mapping) or "generator" in data or "generators" in data:
            return data
        return {**data, "generator": {}}

    @field_validator("generators")
    @classmethod
    def _shared_out(cls, given: tuple[GeneratorSpec, ...]) -> tuple[GeneratorSpec, ...]:
        return shared_out(given) if given else given

    @model_validator(mode="after")
    def _one_generator_or_several(self) -> Self:
        if (self.generator is None) == (not self.generators):
            raise ValueError("give `generator` or `generators`, one of the two")
        if self.generator is not None and self.generator.share != 1:
            raise ValueError("`share` is a key of `generators`; the one `generator` has it all")
        return self

    @model_validator(mode="after")
    def _number_of_draws_is_told(self) -> Self:
        check_draws(self.sources, sampled=bool(self.sampling), draws=self.draws)
        return self

    @model_validator(mode="after")
    def _quorum_of_the_engine(self) -> Self:
        if self.learning.quorum is None:
            quorum = default_quorum(self.validation.engine)
            learning = self.learning.model_copy(update={"quorum": quorum})
            # As below: the spec is stored with the number, whatever the default of later versions.
            object.__setattr__(self, "learning", learning)
        return self

    @model_validator(mode="after")
    def _hull_of_the_data(self) -> Self:
        # As the quorum: the spec is stored with the hull's name, whatever later versions prefer.
        object.__setattr__(self, "hull", self.hull.resolved(self.dataset.source))
        return self

    @model_validator(mode="after")
    def _targets_are_distinct(self) -> Self:
        names = [target.property for target in self.targets]
        if len(set(names)) < len(names):
            raise ValueError(f"targets name a property twice: {names}")
        return self

    @model_validator(mode="after")
    def _properties_are_defined(self) -> Self:
        # The model is frozen for those who hold it; it is completed before anybody does.
        object.__setattr__(self, "properties", completed(self.properties, self.head_properties))
        return self

    @model_validator(mode="after")
    def _refinement_knows_all_methods(self) -> Self:
        refine, latent = self.validation.refine, latent_labels(self.sources)
        if refine is None or latent is None:
            return self
        ways: set[str] = {part.method for part in self.sampling}
        ways |= {source.label for source in self.sources if source.label not in latent}
        refine.check_ways(ways)
        return self

    @model_validator(mode="after")
    def _gap_is_a_number(self) -> Self:
        # The model is frozen for those who hold it; it is completed before anybody does.
        if self.transport.gap == "from_target":
            opened = self.transport.with_gap(self._lowest_gap())
            object.__setattr__(self, "transport", opened)
        return self

    def _lowest_gap(self) -> float:
        """The lowest gap that the target on the band gap accepts, eV; ValueError without one."""
        accepted = {target.property: _lowest_accepted(target) for target in self.targets}
        gap = accepted.get("band_gap")
        if gap is None or gap <= 0:
            raise ValueError(
                "transport.gap: from_target needs a target on band_gap with `near` or `min` that "
                "accepts gaps above some positive one: add it, or state the gap in eV"
            )
        return gap

    @model_validator(mode="after")
    def _transport_labels_mean_the_same(self) -> Self:
        mixed = set(self.dataset.labels) & {PUBLISHED_LABELS} - {self.transport.definition}
        if mixed:
            raise ValueError(
                f"dataset.labels {sorted(mixed)} and transport.definition "
                f"{self.transport.definition!r} define the "
                "power factor differently; use one definition for published and computed labels"
            )
        return self

    @property
    def head_properties(self) -> tuple[str, ...]:
        """Properties that the generator predicts: the targets' and those it is asked for
        besides.
        """
        wanted = [target.property for target in self.targets]
        for source in self.sources:
            wanted += source.properties
        return tuple(dict.fromkeys(wanted))

    @property
    def sources(self) -> tuple[GeneratorSpec, ...]:
        """The generators that serve the campaign, with their shares of draws and batch."""
        return self.generators if self.generator is None else (self.generator,)

    @property
    def has_several_sources(self) -> bool:
        """Whether tables name the source of a candidate."""
        return len(self.sources) > 1

    @property
    def only_generator(self) -> GeneratorSpec:
        """The generator of a campaign that has one; CampaignError if it has several."""
        if self.has_several_sources:
            labels = [source.label for source in self.sources]
            raise CampaignError(
                f"campaign {self.name!r} has the generators {labels}: give a campaign with one"
            )
        return self.sources[0]

    @property
    def quorum(self) -> float:
        """Share of finished candidates at which a round may close."""
        return self.learning.quorum or default_quorum(self.validation.engine)

    @property
    def validates_by_dft(self) -> bool:
        """Whether the validating engine is DFT; a worker that lacks it cannot tell, and says no."""
        return is_dft(self.validation.engine)

    @property
    def validates_elsewhere(self) -> bool:
        """Whether people or programs outside gen2dft tell the results, see docs/ask-and-tell.md."""
        return self.validation.engine == EXTERNAL or self.resources.validate_.told

    @property
    def num_draws(self) -> int:
        """Draws of a round, those of all sources together."""
        return self.draws or sum(part.num_points for part in self.sampling)

    @property
    def known_properties(self) -> Properties:
        """Every property that this campaign can speak of, its own among them."""
        return defined(self.properties)

    def content_hash(self) -> str:
        """Hash of everything that decides the results (resources do not); 12 hexadecimal digits."""
        content = self.model_dump(mode="json", by_alias=True, exclude={"resources", "description"})
        return content_hash(json.dumps(content, sort_keys=True), digits=12)
