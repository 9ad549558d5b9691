"""From a structure to its power factor: static -> uniform bands -> transport.

Blind to which engine it is.

Bands are computed on the preset's mesh first, then on finer ones until the power factor stands
still, by the error that they state (`gen2dft.transport.convergence`). A metal is found out by its
coarse density already.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gen2dft.flows.common import memory_store, run_here
from jobflow import CURRENT_JOB, Flow, Job, Maker, OnMissing, Response, job
from pymatgen.core import Structure

from gen2dft.campaign import TransportSpec
from gen2dft.datasets.computed_labels import METAL
from gen2dft.definitions import definition_of
from gen2dft.doubts import is_unfit
from gen2dft.engines import load_engine
from gen2dft.engines.base import CalculationDoc, CalculationFailure
from gen2dft.engines.kit import bands_of
from gen2dft.engines.makers import makers_of
from gen2dft.engines.spent import Meter
from gen2dft.errors import CalculationFailed, CampaignError
from gen2dft.properties import DEFAULT_TRANSPORT, PROPERTIES
from gen2dft.property_steps import Compute, PropertyStep
from gen2dft.rounds.power_factors import gives_bands, kept_outcome, program_is_here
from gen2dft.transport import POWER_FACTOR
from gen2dft.transport.compute import PUBLISHED_DOPING, transport_within_bands
from gen2dft.transport.convergence import step_of, summary_of
from gen2dft.transport.document import ConvergenceStep, TransportDoc
from gen2dft.transport.doubts import doubts_of
from gen2dft.transport.settings import TransportSettings
from gen2dft.workers import limited_cpu

if TYPE_CHECKING:
    from jobflow import JobStore

# Spacing of one mesh in units of that of the next coarser one.
REFINEMENT = 0.7
METAL_AS_GIVEN = "metal_as_given"

Outcome = TransportDoc | CalculationFailure


@dataclass
class TransportMaker(Maker):
    """Job from uniform bands to a TransportDoc, run where the files of the bands can be read.

    Parameters
    ----------
    name
        Name of the job.
    uniform_bands
        Maker of an engine, for finer meshes.
    definition
        Label definition whose power factor is followed.
    tolerance
        Relative change of the power factor at which the mesh is fine enough.
    meshes
        Meshes computed at most; one is the preset's alone.
    max_spacing
        Coarsest mesh of k-points that is accepted, 1/Angstrom, with 2 pi.
    program
        Computes transport from the bands: `gen2dft` or `boltztrap2`.
    reuses_density
        Whether finer bands start from the coarser ones, see `gen2dft.engines.base.Engine`, instead
        of the static calculation.
    """

    uniform_bands: Maker
    name: str = "transport"
    definition: str = DEFAULT_TRANSPORT
    tolerance: float = TransportSpec().tolerance
    meshes: int = TransportSpec().meshes
    max_spacing: float = TransportSettings.max_spacing
    program: str = TransportSettings.program
    reuses_density: bool = False

    def scale(self, step: int) -> float:
        """Spacing of the mesh of one step of the series, in units of the preset's."""
        return REFINEMENT**step

    @job
    def make(
        self,
        prev: CalculationDoc | CalculationFailure | None = None,
        static: CalculationDoc | None = None,
        coarser: Sequence[TransportDoc] = (),
    ) -> Outcome | Response[Outcome]:
        """Transport from the folder of `prev`, a calculation of uniform bands, whose failure is
        passed on.

        As long as the tolerance asks for it, it replaces itself by bands on a finer mesh and their
        transport; what it has is its output until then.

        Parameters
        ----------
        static
            What finer bands start from; without it there are none.
        coarser
            Outcomes of the coarser meshes.
        """
        spent = sum((doc.core_hours for doc in coarser), 0.0)
        if prev is not None:
            spent += prev.core_hours
        if not isinstance(prev, CalculationDoc):
            detail = "the calculation of bands left no result"
            no_bands = CalculationFailure(reason="no_bands", detail=detail)
            return without_finer(coarser, prev or no_bands, spent)
        try:
            doc = self._transport(prev)
        except CalculationFailed as error:
            failure = CalculationFailure.from_error(error)
            return without_finer(coarser, failure, spent)
        doc = self._with_error_estimate(doc, coarser)
        integrated = doc.transport_hours + transport_hours(coarser)
        spent_on = {"core_hours": spent, "transport_hours": integrated}
        outcome = doc.model_copy(update=spent_on)
        num_meshes = len(coarser) + 1
        if static is None or num_meshes >= self.meshes or self._is_settled(doc):
            return outcome
        before = prev if self.reuses_density else static
        finer = self._refine(before, static, [*coarser, doc])
        return Response(output=outcome, replace=finer)

    def _is_settled(self, doc: TransportDoc) -> bool:
        """Whether a finer mesh would change nothing: the last two agree, or the gap is so narrow
        that the functional decides the power factor, not the mesh.
        """
        series = doc.convergence
        if series is None or len(series.steps) < 2:
            return False
        doubts = doubts_of(doc, definition_of(self.definition).temperature)
        return series.converged or is_unfit(doubts)

    def _transport(self, bands: CalculationDoc) -> TransportDoc:
        """Transport from one calculation of bands, at the cost of that calculation."""
        definition = definition_of(self.definition)
        chosen = TransportSettings(max_spacing=self.max_spacing, program=self.program)
        settings = chosen.serving(definition)
        lowest, _ = definition.dopings
        needed = max(lowest, PUBLISHED_DOPING)
        meter = Meter(in_process=True)
        doc = transport_within_bands(bands_of(bands), settings, needed)
        costs = {"core_hours": bands.core_hours, "transport_hours": meter.core_hours}
        return doc.model_copy(update=costs)

    def _with_error_estimate(
        self, doc: TransportDoc, coarser: Sequence[TransportDoc]
    ) -> TransportDoc:
        """The document with the series so far; the same mesh again, by rounding, tells nothing."""
        steps: dict[tuple[int, ...], ConvergenceStep] = {}
        for known in [*coarser, doc]:
            mesh = tuple(known.mesh)
            steps[mesh] = step_of(known, self.definition)
        series = list(steps.values())
        summary = summary_of(series, self.definition, self.tolerance)
        return doc.model_copy(update={"convergence": summary})

    def _refine(
        self, before: CalculationDoc, static: CalculationDoc, coarser: list[TransportDoc]
    ) -> Flow:
        """Bands on the next mesh and their transport.

        They belong to what the present job belongs to.
        """
        flow = _bands_and_transport(self, before, static, coarser)
        present = CURRENT_JOB.job
        if present is not None:
            manager_config = present.config.manager_config
            flow.update_metadata(present.metadata)
            flow.update_config({"manager_config": manager_config})
        return flow


def _bands_and_transport(
    transport: TransportMaker, prev: Any, static: Any, coarser: list[TransportDoc]
) -> Flow:
    scale = transport.scale(len(coarser))
    bands = transport.uniform_bands.make(prev=prev, scale=scale)
    outcome = transport.make(prev=bands.output, static=static, coarser=coarser)
    # A calculation that crashed leaves nothing; the rest still runs, so that there is a reason.
    for later in (bands, outcome):
        later.config.on_missing_references = OnMissing.NONE
    return Flow([bands, outcome], output=outcome.output, name="bands and transport")


def without_finer(
    coarser: Sequence[TransportDoc], failure: CalculationFailure, spent: float
) -> Outcome:
    """The outcome of the finest mesh there is, if a finer one failed.

    What is a metal on the finer mesh is a metal.

    Parameters
    ----------
    spent
        What the bands of all meshes cost, core-hours.
    """
    integrated = transport_hours(coarser)
    if not coarser or failure.reason == METAL:
        costs = {"bands": spent, "transport": integrated}
        return failure.model_copy(update={"core_hours": spent + integrated, "costs": costs})
    finest = coarser[-1]
    said = f"no finer mesh: {failure.reason}: {failure.detail}"
    warnings = (*finest.warnings, said)
    spent_on = {"core_hours": spent, "transport_hours": integrated}
    return finest.model_copy(update={"warnings": warnings, **spent_on})


def transport_hours(coarser: Sequence[TransportDoc]) -> float:
    """What interpolation and integrals of a series of meshes have cost, core-hours."""
    return sum((doc.transport_hours for doc in coarser), 0.0)


@dataclass
class PowerFactorMaker(Maker):
    """Flow from a structure to its transport.

    Parameters
    ----------
    static
        Maker of an engine; `make(structure, prev)` yields a CalculationDoc or a CalculationFailure.
    transport
        What follows the static calculation.
    relax
        Maker that relaxes the structure first; None: it is relaxed already, with this engine and
        preset.
    name
        Name of the flow.
    """

    static: Maker
    transport: TransportMaker
    relax: Maker | None = None
    name: str = "power factor"

    @classmethod
    def of_engine(
        cls, engine: str, preset: str, spec: TransportSpec | None = None, relax: bool = False
    ) -> PowerFactorMaker:
        """The Maker for an engine and a preset; CampaignError if the engine computes no bands."""
        known = load_engine(engine)
        makers = makers_of(known, preset)
        if makers.uniform_bands is None:
            raise CampaignError(
                f"engine {engine!r} computes no bands, so no power factors; use one that does"
            )
        if spec is None:
            spec = TransportSpec()
        transport = TransportMaker(
            makers.uniform_bands,
            definition=spec.definition,
            tolerance=spec.tolerance,
            meshes=spec.meshes,
            program=spec.program,
            reuses_density=known.reuses_density,
        )
        maker_of_relaxation = makers.relax if relax else None
        return cls(makers.static, transport, maker_of_relaxation)

    def make(self, structure: Structure) -> Flow:
        """The flow of one structure; its output is that of the transport job."""
        steps: list[Job | Flow] = []
        if self.relax is None:
            static = self.static.make(structure)
        else:
            relax = self.relax.make(structure)
            steps.append(relax)
            static = self.static.make(prev=relax.output)
        static.config.on_missing_references = OnMissing.NONE
        transport = self.after(static.output)
        steps += [static, transport]
        formula = structure.composition.reduced_formula
        return Flow(steps, output=transport.output, name=f"{self.name} {formula}")

    def after(self, static: Any) -> Flow:
        """Bands and transport of what a static calculation, given by its output, was made of."""
        return _bands_and_transport(self.transport, static, static, [])


def compute_from_bands(engine: str, preset: str, spec: TransportSpec) -> Compute:
    """What builds the jobs of the property step: bands and transport after a static calculation."""
    maker = PowerFactorMaker.of_engine(engine, preset, spec)
    return lambda static, _: maker.after(static)


STEP = PropertyStep(
    name=POWER_FACTOR,
    unit=PROPERTIES[POWER_FACTOR].unit,
    maker=compute_from_bands,
    title=PROPERTIES[POWER_FACTOR].title,
    transform=PROPERTIES[POWER_FACTOR].transform,
    key="transport",
    runs_on=gives_bands,
    check=program_is_here,
    keep=kept_outcome,
)


def compute_here(
    structure: Structure,
    spec: TransportSpec,
    engine: str,
    preset: str,
    folder: Path,
    cpu_limit: float,
    refuse_metals: bool = False,
) -> TransportDoc | CalculationFailure:
    """Relax a structure and compute its transport in this process, without a queue.

    Files go to the folder.

    After `cpu_limit` CPU seconds it ends with the finest mesh there is; CalculationFailure
    `too_expensive` without any.

    Parameters
    ----------
    refuse_metals
        Look at the structure as it is first: one that is a metal there is not relaxed, which costs
        most. That is CalculationFailure `metal_as_given`, since the relaxed one may have a gap.
    """
    maker = PowerFactorMaker.of_engine(engine, preset, spec, relax=True)
    store = memory_store()
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with limited_cpu(cpu_limit):
            if refuse_metals:
                as_given = maker.static.make(structure)
                _refuse_metal(run_here(as_given, folder, store))
            work = maker.make(structure)
            outcome = run_here(work, folder, store)
    except CalculationFailed as error:
        failure = CalculationFailure.from_error(error)
        return _so_far(store, failure)
    if outcome:
        return outcome
    return CalculationFailure(reason="no_bands", detail="the calculations left no result")


def _refuse_metal(static: CalculationDoc | CalculationFailure | None) -> None:
    """CalculationFailed if the bands of a static calculation overlap or touch."""
    if not isinstance(static, CalculationDoc) or static.band_gap != 0:
        return
    formula = static.structure.composition.reduced_formula
    detail = f"{formula} is a metal as it is, before its relaxation"
    raise CalculationFailed(METAL_AS_GIVEN, detail)


def _so_far(store: JobStore, failure: CalculationFailure) -> Outcome:
    """What the jobs in a store came to before there was no more time."""
    from monty.json import MontyDecoder

    documents = store.query(sort={"completed_at": 1}, load=True)
    decoder = MontyDecoder()
    meshes = []
    for document in documents:
        output = decoder.process_decoded(document["output"])
        if isinstance(output, TransportDoc):
            meshes.append(output)
    spent = meshes[-1].core_hours if meshes else 0.0
    return without_finer(meshes, failure, spent)
