"""The documents of the database: one pydantic model per collection.

Big arrays (weights, training sets, latent vectors) live in the blob store; documents carry their
blob ids. Every document names the schema version and the code version that wrote it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationInfo,
    model_serializer,
    model_validator,
)

from gen2dft import __version__
from gen2dft.funnel import StageCount
from gen2dft.store.crystal_fields import CrystalFields
from gen2dft.store.shapes import (
    FROM_LIST,
    READING,
    CrystalDict,
    DecodedDict,
    HistoryList,
    ProgressDict,
    SpecDict,
    StateText,
    TrainingDict,
)
from gen2dft.store.states import State

SCHEMA_VERSION = 1

CampaignState = Literal["running", "paused", "finished"]
RoundState = Literal["proposing", "validating", "closed"]
Evidence = Literal["dft", "mixed", "surrogate"]
PREDICTED = "predicted"  # basis of a value that the property heads predict
OPEN = "open"  # basis of a target that nothing has labelled or predicted yet


def now() -> datetime:
    """The present moment, in UTC."""
    return datetime.now(UTC)


def weight_of(weighed: Mapping[str, float]) -> float:
    """The product of the ratios of gates that weighed a crystal; 1 without any."""
    return math.prod(weighed.values())


class Document(BaseModel):
    """Base of all documents; `id` is MongoDB's `_id`."""

    model_config = ConfigDict(extra="forbid")

    id: str
    schema_version: int = SCHEMA_VERSION
    code_version: str = __version__
    created: datetime = Field(default_factory=now)

    def to_mongo(self) -> dict[str, Any]:
        """Plain values, with `_id`."""
        data = self.model_dump()
        data["_id"] = data.pop("id")
        return data

    @classmethod
    def from_mongo(cls, data: Mapping[str, Any]) -> Self:
        """Inverse of `to_mongo`; no text is taken for a number, and no number for another kind."""
        fields = {name: value for name, value in data.items() if name != "_id"}
        return cls.model_validate({"id": data["_id"], **fields}, strict=True, context=READING)


class RefusedSymmetry(BaseModel):
    """A more symmetric cell that a crystal was not given."""

    model_config = ConfigDict(extra="allow")

    space_group: str = Field(description="international symbol")
    tolerance: float = Field(description="Angstrom within which the crystal has this symmetry")
    energy_difference: float | None = Field(
        None, description="eV/atom above the cell as relaxed; None if its relaxation failed"
    )
    reason: str = Field(description="`costs_energy`, `lost_symmetry` or why the relaxation failed")


class SymmetryRecord(BaseModel):
    """What became of the symmetry of a screened crystal, see gen2dft.screening.symmetrise."""

    model_config = ConfigDict(extra="allow")

    space_group_before: str = Field(
        description="international symbol of the cell as relaxed, within 0.01 Angstrom"
    )
    space_group: str = Field(description="international symbol of the verdict's structure")
    num_sites_before: int = Field(description="atoms in the cell as relaxed")
    num_sites: int = Field(description="atoms in the verdict's structure")
    tolerance: float | None = Field(
        None,
        description="Angstrom within which the crystal as relaxed has the symmetry; None: it kept "
        "its cell",
    )
    energy_difference: float | None = Field(
        None, description="eV/atom that the verdict's structure lies above the cell as relaxed"
    )
    refused: list[RefusedSymmetry] = Field([], description="higher symmetries, highest first")
    structure_as_relaxed: dict[str, Any] | None = Field(
        None, description="before it was symmetrised, pymatgen dictionary; None: it kept its cell"
    )
    seconds: float = Field(0.0, description="wall seconds that the attempts took")

    @property
    def kept(self) -> bool:
        """Whether the crystal kept the cell as relaxed."""
        return self.structure_as_relaxed is None


class StabilityRecord(BaseModel):
    """What a potential's distance to the hull is worth, see gen2dft.thermo.stability."""

    model_config = ConfigDict(extra="allow")

    potential: float = Field(description="eV/atom above the hull, as the potential gives it")
    corrected: float = Field(description="eV/atom above the hull that DFT is expected to find")
    error: float = Field(description="eV/atom, one standard deviation of `corrected`")
    chance: float = Field(description="probability that DFT finds at most `most`")
    most: float = Field(
        description="eV/atom above the hull that the target accepts, or the gate of the screen "
        "where there is no target"
    )
    unlike: bool = Field(
        False, description="the model has seen nothing like this composition: `error` is wider"
    )
    known: bool = Field(
        False, description="the hull has this formula: `corrected` is the potential's own distance"
    )
    model: str = Field(description="name of the correction")
    model_hash: str = Field(description="hash of its content")
    refined_by: int = Field(0, description="DFT labels of the campaign that have refined it")

    @property
    def correction(self) -> float:
        """What the correction adds to energies of the potential, eV/atom."""
        return self.corrected - self.potential


class StoredVerdict(BaseModel):
    """The surrogate's verdict on a candidate; its `reason` is None if the candidate passed.

    Older versions stored other keys. Every key may be missing, and unknown ones are kept, so that a
    document read and written again is the same.
    """

    model_config = ConfigDict(extra="allow")

    reason: str | None = Field(None, description="why the screen refused it")
    engine: str = Field("", description="engine that relaxed it")
    preset: str = Field("", description="settings of that engine")
    structure: DecodedDict | None = Field(
        None, description="relaxed structure, pymatgen dictionary; None if the relaxation failed"
    )
    energy_per_atom: float | None = Field(None, description="eV/atom on the engine's scale")
    formation_energy: float | None = Field(None, description="eV/atom")
    e_above_hull: float | None = Field(
        None,
        description="eV/atom, corrected where `stability` says so; None where the screen's hull "
        "does not cover the system",
    )
    converged: bool = False
    max_force: float | None = Field(None, description="eV/Angstrom")
    steps: int | None = None
    seconds: float | None = Field(None, description="wall seconds of the relaxation")
    detail: str | None = Field(None, description="what went wrong, for people")
    symmetry: SymmetryRecord | None = Field(
        None, description="None for a crystal that was not symmetrised"
    )
    remark: str | None = Field(
        None, description="what holds of it although it passed: `hull_incomplete`"
    )
    hull_remarks: Annotated[tuple[str, ...], FROM_LIST] = Field(
        (),
        description="what the hull rests on: `hull_mixes_r2scan`, `hull_of_older_phases`",
    )
    stability: StabilityRecord | None = Field(
        None, description="None where no correction of the potential's distance is in force"
    )

    @classmethod
    def of(cls, stored: Mapping[str, Any] | None) -> Self:
        """The verdict in a document of which some fields were asked for; empty without any."""
        return cls.model_validate(stored or {})

    @property
    def values(self) -> dict[str, float | None]:
        """Properties that the screen computes, in their units."""
        return {"formation_energy": self.formation_energy, "e_above_hull": self.e_above_hull}

    @property
    def errors(self) -> dict[str, float]:
        """Property to the error that its value states, in its unit."""
        return {} if self.stability is None else {"e_above_hull": self.stability.error}

    @property
    def own_distance(self) -> float | None:
        """Distance to the hull as the potential gives it, eV/atom."""
        return self.e_above_hull if self.stability is None else self.stability.potential

    @model_serializer(mode="wrap")
    def _as_stored(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without the keys that the stored document lacked."""
        found: dict[str, Any] = serialize(self)
        return {key: value for key, value in found.items() if key in self.model_fields_set}


class CampaignDoc(Document):
    """One campaign: its resolved spec and where it stands."""

    name: str
    spec: SpecDict = Field(description="the resolved CampaignSpec")
    spec_hash: str
    dataset_id: str = Field(description="blob id of the base training set")
    dataset_hash: str
    hull_id: str = Field(
        description="hull that every e_above_hull of this campaign is measured against"
    )
    screen_hull_id: str | None = Field(
        None, description="the screen's hull, if the surrogate is on another scale"
    )
    calibration_ids: dict[str, str] = Field(
        {}, description="preset to the calibration of its correction"
    )
    elements: dict[str, dict[str, float]] = Field(
        {},
        description="preset to energies of the elements, eV/atom, that the engine computed for its "
        "own hull",
    )
    packages: dict[str, str] = Field(
        {},
        description="what plugins bring to it, such as `gate rare-earth`, to name and version of "
        "the package",
    )
    state: CampaignState = "running"
    stop_reason: str | None = Field(None, description="why it is finished or paused")
    recovered: datetime | None = Field(
        None, description="when a worker last looked for lost runs of others"
    )
    lease: dict[str, Any] = Field(
        {}, description="who is advancing the campaign just now, and until when"
    )


class Refinement(BaseModel):
    """What the campaign's own DFT makes of a correction, see gen2dft.thermo.refinement."""

    model_config = ConfigDict(extra="allow")

    num_labels: int = Field(0, description="DFT labels that it rests on")
    shift: float = Field(0.0, description="eV/atom added to the corrected distance")
    scale: float = Field(1.0, description="factor of the correction's error")


class RoundDoc(Document):
    """One round of a campaign: counters, funnel, snapshot, times."""

    campaign_id: str
    index: int = Field(description="0, 1, 2, ...")
    state: RoundState = "proposing"
    funnel: list[StageCount] = Field(
        [], description="gates from sampling to selection, and validation once closed"
    )
    repairs: dict[str, int] = Field(
        {}, description="what was put right in decoded crystals, and how often"
    )
    snapshot_id: str | None = Field(None, description="of the first source")
    snapshot_ids: dict[str, str] = Field(
        {}, description="source to snapshot, in a campaign with several sources"
    )
    head_ids: dict[str, str] = Field(
        {}, description="source to the blob id of the head that the round has fitted"
    )
    hull_id: str | None = Field(
        None, description="the round's own hull, where labels of earlier rounds have joined"
    )
    refinement: Refinement | None = Field(
        None,
        description="what DFT labels of earlier rounds make of the correction of the surrogate's "
        "distances; None until the round asks, in the first round, and without a correction",
    )
    learnt: list[str] | None = Field(
        None, description="properties that the round's heads predict; not said by older versions"
    )
    training: TrainingDict = Field(
        {}, description="history, held-out figures and counts of the first source's training"
    )
    trainings: dict[str, TrainingDict] = Field(
        {}, description="the same of further sources, by source"
    )
    latents_id: str | None = Field(
        None, description="blob id of the round's latent points and training map"
    )
    batch_id: str | None = Field(
        None, description="blob id of the selection: who was chosen, by what, and why"
    )
    dispatched: datetime | None = None
    closed: datetime | None = None
    seconds: dict[str, float] = Field({}, description="wall seconds per stage")
    progress: ProgressDict = Field(
        {}, description="stage under way: stage, done, total, since, message"
    )
    dispatch_size: int = Field(0, description="candidates sent to validation")
    dispatched_to: str = Field(
        "", description="candidates up to this id have had their turn to get a firework"
    )
    dispatch_complete: bool = Field(False, description="whether each of them has its firework")
    suspects: list[str] = Field(
        [],
        description="the last candidates in a row that the engine itself failed for, see "
        "gen2dft.rounds.breaker",
    )

    @property
    def snapshots(self) -> list[str]:
        """Ids of the snapshots of all sources."""
        first = [] if self.snapshot_id is None else [self.snapshot_id]
        return list(dict.fromkeys([*first, *self.snapshot_ids.values()]))

    def snapshot_of(self, source: str | None) -> str | None:
        """Id of a source's snapshot; None before it is trained."""
        # A campaign with one source keeps it in `snapshot_id`, as the first version did.
        return self.snapshot_ids.get(source or "") or self.snapshot_id


class CandidateDoc(Document):
    """One decoded crystal; `id` is `<campaign_id>:<candidate_id>`."""

    campaign_id: str
    round_index: int
    candidate_id: str = Field(
        description="content hash of snapshot, latent vector and decoder settings, or of source, "
        "settings, seed and draw"
    )
    source: str | None = Field(
        None, description="label of the generator that drew it; None: the campaign's only one"
    )
    sampler: str = Field(description="way of drawing")
    parents: list[str] = Field(description="ids of the training crystals it was drawn from")
    latent_row: int | None = Field(
        None,
        description="row in the round's latent points; None for a source without a latent space",
    )
    state: StateText = Field("sampled", description="text of a `gen2dft.store.states.State`")
    origin: str | None = Field(
        None, description="file that it was given in; None: a generator made it"
    )
    recipe: str | None = Field(
        None, description="how it was made of its parents, for people; None: by a latent vector"
    )
    formula: str | None = None
    structure: DecodedDict | None = Field(
        None, description="decoded structure, pymatgen dictionary"
    )
    predicted: dict[str, float] = Field({}, description="property heads, in the properties' units")
    surrogate: StoredVerdict | None = Field(None, description="the last screen's verdict")
    score: float | None = Field(None, description="acquisition value; larger is better")
    selected_by: str | None = Field(
        None, description="`acquisition`, `audit`, or `gate-audit`: a reject of the screen"
    )
    arm: str = Field(
        "learning", description="`learning`, or `control`: from the first round's generator"
    )
    also_from: list[str] = Field([], description="other sources that drew the same crystal")
    weighed: dict[str, float] = Field(
        {}, description="reason of a gate that weighs, to what its chance is multiplied by"
    )
    snapshot_id: str | None = Field(
        None, description="what decoded it, where that is not the round's snapshot"
    )
    attempts: int = Field(0, description="how often a worker began to validate it")
    failure: str | None = Field(
        None, description="why it was given up or could not be used, for people"
    )
    lost_core_hours: float = Field(0.0, description="spent on calculations that gave no label")
    lost_costs: dict[str, float] = Field(
        {}, description="the same by step: `look`, `relax`, `static`, `bands`, ... to core-hours"
    )
    history: HistoryList = []
    changed: datetime | None = Field(
        default_factory=now, description="when a field of it was last set"
    )

    @classmethod
    def from_mongo(cls, data: Mapping[str, Any]) -> Self:
        """Inverse of `to_mongo`; candidates of older versions do not say when they changed."""
        return super().from_mongo({"changed": None, **data})

    @property
    def weight(self) -> float:
        """What weighing gates leave of its chance; 1 without any."""
        return weight_of(self.weighed)

    @property
    def verdict(self) -> StoredVerdict:
        """The last screen's verdict; an empty one before the first screen."""
        return self.surrogate or StoredVerdict()

    @property
    def standing(self) -> State:
        """Where it stands: kind and reason of its state."""
        return State.parse(self.state)


class TallyDoc(Document):
    """The states of a part of a round's candidates, see gen2dft.store.tally.

    Candidates themselves hold.
    """

    campaign_id: str
    round_index: int
    states: dict[str, StateText] = Field({}, description="candidate id to state")
    given_up: dict[str, datetime | None] = Field(
        {}, description="candidate id to when it was given up"
    )


class CompetingPhase(BaseModel):
    """One product of a decomposition, and what the candidate's own engine computed of it."""

    model_config = ConfigDict(extra="forbid")

    formula: str = Field(description="every element with its number of atoms, `Li2 O1`")
    share: float = Field(description="of the atoms, 0 to 1")
    energy_per_atom: float | None = Field(
        None, description="eV/atom, by the engine and preset of the label; None: not computed"
    )
    reference_id: str | None = Field(None, description="the computed phase")
    name: str | None = Field(None, description="id of the phase in its source")
    origin: str | None = Field(None, description="where its structure is from")
    problem: str | None = Field(None, description="why there is no energy, for people")


class Decomposition(BaseModel):
    """Energy of a candidate against the phases into which it would decompose.

    All energies are of one engine and preset; no references of elements enter.
    """

    model_config = ConfigDict(extra="forbid")

    hull_id: str = Field(description="hull that names the products")
    products: list[CompetingPhase] = Field([], description="the largest share first")
    energy: float | None = Field(
        None, description="eV/atom above the products, negative below; None: a product is missing"
    )
    problem: str | None = Field(None, description="why there are no products, for people")
    failed: list[str] = Field(
        [], description="ids of phases whose calculation failed for this candidate"
    )
    replaced: float | None = Field(
        None, description="e_above_hull that the label would carry otherwise, eV/atom"
    )
    replaced_basis: str | None = Field(None, description="engine of that value")

    @property
    def missing(self) -> list[CompetingPhase]:
        """The products without an energy."""
        return [product for product in self.products if product.energy_per_atom is None]


class LabelDoc(CrystalFields, Document):
    """What one engine computed for one candidate.

    `id` is a hash of candidate, engine and settings.
    """

    candidate_id: str
    campaign_id: str
    round_index: int
    engine: str
    is_dft: bool
    preset: str
    settings_hash: str
    values: dict[str, float] = Field(description="property name to value in the property's unit")
    basis: dict[str, str] = Field(
        {},
        description="property to the engine of its value, where that is not the label's own: "
        "energies of the screen's surrogate beside what DFT computed",
    )
    errors: dict[str, float] = Field(
        {}, description="property to the error that its value states, in its unit"
    )
    doubts: list[str] = Field(
        [], description="why a value may mean nothing, see gen2dft.doubts: `narrow_gap`, ..."
    )
    structure: CrystalDict = Field(description="relaxed structure, pymatgen dictionary")
    energy_per_atom: float | None = Field(
        description="eV/atom on the engine's own scale; None: only bands were computed"
    )
    hull_id: str
    corrections: list[str] = Field([], description="named energy corrections, already applied")
    adjustments: dict[str, float] = Field(
        {}, description="part of a correction to what it adds, eV/atom"
    )
    adjustment_uncertainty: float | None = Field(
        None, description="of the corrections, eV/atom; None: not known"
    )
    run_type: str | None = Field(None, description="functional and U; None for a surrogate")
    decomposition: Decomposition | None = Field(
        None,
        description="competing phases by the label's own engine, where the campaign or the user "
        "asked for them; its energy is then the label's e_above_hull",
    )
    other_hulls: dict[str, float] = Field(
        {}, description="hull to the distance to it, eV/atom (`gen2dft rehull`)"
    )
    custodian: list[dict[str, Any]] = Field(
        [],
        description="corrections custodian made while it ran: preset, task, handler, errors, "
        "actions",
    )
    settings_changed: bool = Field(
        False,
        description="custodian changed settings that the energy depends on: it belongs to the "
        "changed ones",
    )
    warnings: list[str] = []
    core_hours: float = 0.0
    costs: dict[str, float] = Field(
        {},
        description="step (look, relax, static, bands, transport, ...) to core-hours; their sum is "
        "`core_hours`; empty in labels of older versions",
    )
    by_hand: bool = Field(
        False,
        description="made of bands that were computed outside of the campaign's validation "
        "(`gen2dft power-factor`), whose cost the power factor keeps",
    )
    reused_from: str | None = Field(
        None,
        description="label of the same crystal whose calculations were taken over; None: it was "
        "computed",
    )
    stability: StabilityRecord | None = Field(
        None, description="behind an e_above_hull of a potential; None: DFT's, or not corrected"
    )
    provenance: dict[str, Any] = {}

    @property
    def own_values(self) -> dict[str, float]:
        """The values that the label's own engine computed."""
        return {name: value for name, value in self.values.items() if name not in self.basis}

    @property
    def own_distance(self) -> float | None:
        """Distance to the hull before the correction of a potential, eV/atom."""
        if self.stability is not None and not self.is_decomposed:
            return self.stability.potential
        return self.values.get("e_above_hull")

    @property
    def hull_energy(self) -> float:
        """Formation energy with which the crystal may join the hull, eV/atom: a potential's is
        corrected as its distance is.

        Raises
        ------
        KeyError
            If the label has none.
        """
        energy = self.values["formation_energy"]
        return energy if self.stability is None else energy + self.stability.correction

    @property
    def is_decomposed(self) -> bool:
        """Whether its e_above_hull is a decomposition energy by its own engine."""
        return self.decomposition is not None and self.decomposition.energy is not None


class CalculationsDoc(Document):
    """The calculations behind one label, for candidates of any campaign that are the same
    crystal.
    """

    engine: str
    settings_hash: str = Field(description="of the first stage")
    formula: str = Field(description="reduced formula")
    start: CrystalDict = Field(description="structure they began with, pymatgen dictionary")
    calculations: list[dict[str, Any]] = Field(description="CalculationDocs of the first stage")
    refined: list[dict[str, Any]] = Field(
        [], description="those of the second stage, if the candidate went on to it"
    )
    label_id: str


COMPUTED = ("power_factor", "band_gap")  # from bands, unless they tell why not


class PowerFactorDoc(Document):
    """A power factor computed from bands.

    `id` as that of a label with the same candidate, engine and settings.

    Constant-relaxation-time approximation.
    """

    campaign_id: str
    candidate_id: str
    formula: str
    engine: str
    is_dft: bool
    preset: str
    settings_hash: str
    definition: str = Field(
        description="which power factor `values` holds: temperature, doping and average"
    )
    values: dict[str, float] = Field(
        {}, description="band_gap (on the mesh) and power_factor, in their units"
    )
    errors: dict[str, float] = Field(
        {}, description="property to the error that its value states, in its unit"
    )
    doubts: list[str] = Field(
        [], description="why a value may mean nothing, see gen2dft.doubts: `narrow_gap`, ..."
    )
    power_factors: dict[str, float] = Field(
        {},
        description="by the published definitions and that of the campaign, uW cm^-1 K^-2 at tau "
        "= 1e-14 s",
    )
    carrier: Literal["p", "n"] | None = Field(
        None, description="carriers of `values`: those that the definition asks for, or the better"
    )
    temperature: float | None = Field(None, description="K, of `values`")
    doping: float | None = Field(
        None,
        description="carriers per cm^3 of `values`: stated by the definition, or found to be best",
    )
    scissor: float = Field(0.0, description="eV by which conduction bands were raised")
    relaxation_time: float | None = Field(None, description="s")
    program: str | None = Field(
        None,
        description="program behind it: gen2dft or boltztrap2; None in documents of older versions "
        "(gen2dft) and where there is no power factor",
    )
    program_version: str | None = None
    mesh: Annotated[tuple[int, int, int], FROM_LIST] | None = Field(
        None, description="k-points along each reciprocal axis"
    )
    spacing: float | None = Field(None, description="1/Angstrom, with 2 pi")
    relative_error: float | None = Field(
        None,
        description="stated error of the power factor, see gen2dft.transport.convergence; None: "
        "there was one mesh. In documents of version 0.1.0 the change from the mesh before",
    )
    converged: bool | None = Field(
        None, description="whether that error is below the campaign's tolerance"
    )
    core_hours: float = Field(0.0, description="of bands and transport")
    costs: dict[str, float] = Field({}, description="the same by step, core-hours")
    warnings: list[str] = []
    reason: str | None = Field(
        None, description="why there is no power factor: `metal`, or what failed"
    )
    detail: str | None = Field(None, description="the same for people")
    transport_id: str | None = Field(None, description="blob id of the TransportDoc, as JSON")

    @model_validator(mode="after")
    def _has_values_or_a_reason(self, info: ValidationInfo) -> Self:
        if info.context and self.reason is None and not {*COMPUTED} <= set(self.values):
            raise ValueError(f"values: {' and '.join(COMPUTED)} are needed, or a reason")
        return self


class HitDoc(CrystalFields, Document):
    """A candidate that meets the targets; `id` as the candidate's."""

    campaign_id: str
    round_index: int
    candidate_id: str
    formula: str
    spacegroup: str
    values: dict[str, float | None] = Field(
        description="value of every target, in the property's unit; None if open"
    )
    basis: dict[str, str] = Field(
        description="where each value is from: an engine's name, `predicted`, or `open`"
    )
    is_dft: bool = Field(description="whether DFT computed the value of every target")
    evidence: Evidence = Field(
        description="`dft`: DFT computed the value of every target; `mixed`: of some; "
        "`surrogate`: of none"
    )
    errors: dict[str, float] = Field(
        {}, description="property to the error that its value states, in its unit"
    )
    doubts: list[str] = Field([], description="of the label, see gen2dft.doubts")
    label_id: str
    hull_id: str
    structure: CrystalDict
    same_as: str | None = Field(
        None,
        description="once the round is closed: the earlier hit whose crystal this one has relaxed "
        "to as well, or "
        "`known:` and the id of a crystal of the dataset; None for a crystal of its own",
    )
    remarks: list[str] = Field(
        [],
        description="doubts that a reader must know, in snake case: `hull_incomplete` where it "
        "lies so far below the hull that the hull lacks phases, `hull_mixes_r2scan` where it "
        "would fall apart into a phase with an energy of the mixed scale, `hull_of_older_phases` "
        "where the hull knows no newer phase of one of its elements",
    )
    known_formula: bool | None = Field(
        None, description="whether training set or hull hold its formula; None: not looked up"
    )
    other_hulls: dict[str, str] = Field(
        {},
        description="verdict by other hulls, by hull id: `hit` or `misses_<property>`; see "
        "`gen2dft rehull --apply`",
    )
    compounds: int | None = Field(
        None,
        description="number of compounds that the hull knows of its elements; None: not looked up",
    )
    stability: StabilityRecord | None = Field(
        None, description="of the potential that judged its e_above_hull; None: DFT, or older"
    )

    @model_validator(mode="after")
    def _says_where_values_are_from(self, info: ValidationInfo) -> Self:
        if info.context and set(self.basis) != set(self.values):
            raise ValueError("basis: each value needs one, and nothing else has one")
        return self

    @model_validator(mode="before")
    @classmethod
    def _evidence_of_older_versions(cls, data: Any) -> Any:
        if not isinstance(data, Mapping) or "evidence" in data:
            return data
        return {**data, "evidence": stored_evidence(data)}


def stored_evidence(hit: Mapping[str, Any]) -> Evidence:
    """Evidence of a stored hit; one of version 0.1.0 says it by `is_dft` and `basis`.

    An engine of another package that judged a part of the targets then counts as a surrogate: the
    lesser claim.
    """
    if "evidence" in hit:
        evidence: Evidence = hit["evidence"]
        return evidence
    if hit.get("is_dft"):
        return "dft"
    by_dft = DFT_ENGINES_OF_VERSION_1.intersection(hit.get("basis", {}).values())
    return "mixed" if by_dft else "surrogate"


DFT_ENGINES_OF_VERSION_1 = frozenset({"gpaw", "vasp"})
EVIDENCE_FIELDS = ("evidence", "is_dft", "basis")  # what `stored_evidence` asks for


class SnapshotDoc(Document):
    """A trained generator; `id` is the content hash of its blob."""

    blob_id: str
    generator: str
    properties: list[str]
    training_set_hash: str
    parent_id: str | None = None
    ensemble_id: str | None = Field(
        None, description="blob id of the ensemble of property heads on its latent vectors"
    )


class HullDoc(Document):
    """A frozen set of reference entries; `id` is its hash."""

    blob_id: str
    source: str
    num_entries: int
    scale: str | None = Field(
        None, description="what its energies are measured on; None if the source does not say"
    )


class ReferenceDoc(Document):
    """A reference phase computed by an engine; `id` is a hash of structure, engine and settings."""

    formula: str
    name: str = Field(description="id of the phase in its source, e.g. mp-25620")
    origin: str = Field(description="where its structure is from")
    known_stable: bool = Field(description="whether its source calls it stable")
    engine: str
    preset: str
    settings_hash: str
    structure: CrystalDict = Field(description="relaxed structure, pymatgen dictionary")
    energy_per_atom: float = Field(description="uncorrected, eV/atom")
    run_type: str | None = None
    hubbards: dict[str, float] = {}
    warnings: list[str] = []
    core_hours: float = Field(0.0, description="of its calculations; 0 in older versions")


class CalibrationDoc(Document):
    """The fit of a correction to reference phases computed by an engine.

    `id` is a hash of its content. Fields that a correction has no number for are not stored.
    """

    correction: str
    engine: str
    is_dft: bool
    preset: str
    settings_hash: str
    de_v: float | None = Field(None, description="of noh2019-v1, eV per V atom")
    standard_error: float | None = Field(
        None, description="of the parameter (de_v: eV per V atom), in its unit"
    )
    confidence: float | None = Field(
        None, description="half width of the 95 % interval of the parameter, in its unit"
    )
    rms: float | None = Field(None, description="what the fit leaves, eV/atom")
    parameters: dict[str, float] = Field({}, description="other fitted numbers, by name")
    elements: dict[str, float] = Field(
        {}, description="computed energies, eV/atom; empty: the engine's own references"
    )
    rows: list[dict[str, Any]] = Field(
        description="per reference: formula, the fit's numbers (energies in eV/atom), origin"
    )
    complete: bool = Field(description="whether all references of the correction are among them")

    @property
    def values(self) -> dict[str, float]:
        """All fitted numbers, by name."""
        found = dict(self.parameters)
        for name in FITTED_FIELDS:
            value = getattr(self, name)
            if value is not None:
                found[name] = value
        return found

    @model_serializer(mode="wrap")
    def _as_stored(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Without the numbers that the correction has none of."""
        stored: dict[str, Any] = serialize(self)
        if not self.parameters:
            stored.pop("parameters", None)
        return {name: value for name, value in stored.items() if value is not None}


FITTED_FIELDS = ("de_v", "standard_error", "confidence", "rms")
"""Fitted numbers that have fields of their own in a CalibrationDoc."""


def fitted_fields(values: Mapping[str, float]) -> dict[str, Any]:
    """Fields of a CalibrationDoc for fitted numbers, given by name."""
    fields: dict[str, Any] = {"parameters": {}}
    for name, value in values.items():
        place = fields if name in FITTED_FIELDS else fields["parameters"]
        place[name] = value
    return fields
