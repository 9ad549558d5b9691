"""The closed loop simulated: an ML potential as oracle, rounds of sampling, choosing, asking and
retraining.
"""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gen2dft import learning, sampling, targets
from gen2dft.acquisition import Beliefs, load_acquisition
from gen2dft.campaign import Target
from gen2dft.crystals import CrystalTable
from gen2dft.dataset import Dataset
from gen2dft.errors import DatasetError
from gen2dft.evaluation.journal import Relax
from gen2dft.evaluation.setting import Setting, training_key
from gen2dft.generators import load_generator_class
from gen2dft.generators.base import Generator
from gen2dft.generators.snapshot import from_bytes, to_bytes
from gen2dft.heads.latent_ensemble import HeadEnsemble
from gen2dft.report.output import write_file
from gen2dft.screening.elements import element_counts
from gen2dft.screening.gates import run_gates, screening_gates
from gen2dft.screening.novelty import StructureIndex

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from gen2dft.screening.surrogate import SurrogateVerdict

ENERGY, DISTANCE = "formation_energy", "e_above_hull"  # what the oracle tells
MAX_DRAWS = 10  # of a round, until enough crystals pass the gates
# of an oracle's answer among training crystals: it is about decoded crystals, as are the questions
IMPORTANCE = 20.0


@dataclass(frozen=True)
class Plan:
    """One way of spending oracle calls.

    Parameters
    ----------
    variant
        Of the generator.
    acquisition
        Name of a registered acquisition function.
    scale
        Of local perturbation, in units of each latent dimension's spread.
    learns
        Whether rounds retrain generator and ensemble; otherwise all calls are spent in one round.
    mixture
        Whether every second point is drawn by `sampling.mixture`, as the campaigns that ship do.
    """

    variant: str
    acquisition: str
    scale: float
    learns: bool = False
    mixture: bool = True


ACQUISITIONS_COMPARED = ("greedy", "probability", "ucb", "thompson", "diverse")
# `published` samples as the paper does, and validates what passes the gates as it comes.
PLANS: dict[str, Plan] = {
    "published": Plan("published", "random", 0.6, mixture=False),
    "gen2dft": Plan("gen2dft", "random", 0.8),
    "gen2dft-greedy": Plan("gen2dft", "greedy", 0.8),
    "gen2dft-probability": Plan("gen2dft", "probability", 0.8),
    **{f"loop-{name}": Plan("gen2dft", name, 0.8, learns=True) for name in ACQUISITIONS_COMPARED},
}


@dataclass(frozen=True)
class LoopBudget:
    """What one run may spend.

    Parameters
    ----------
    calls, rounds
        Oracle calls of a run, and rounds among which a loop divides them.
    points
        Latent points drawn at once; a round draws again until enough crystals pass the gates.
    num_seeds
        Known crystals to sample around.
    epochs_warm
        Epochs of a retraining.
    """

    calls: int = 48
    rounds: int = 4
    points: int = 2000
    num_seeds: int = 100
    epochs_warm: int = 3

    def batches(self, plan: Plan) -> list[int]:
        """Calls of each round."""
        rounds = min(self.rounds, self.calls) if plan.learns else 1
        return [self.calls * (i + 1) // rounds - self.calls * i // rounds for i in range(rounds)]


@dataclass(frozen=True)
class Call:
    """One oracle call: what was asked and answered.

    Parameters
    ----------
    reason
        Why the oracle refuses the crystal; None if it is stable.
    values
        Property to value, eV/atom; empty if the calculation failed.
    hit
        Stable, meets the targets, and as relaxed unlike any known crystal and any earlier hit of
        the run.
    """

    plan: str
    seed: int
    round: int
    formula: str
    reason: str | None
    values: Mapping[str, float]
    hit: bool


@dataclass(eq=False)
class Run:
    """One run of one plan with one seed, as far as it has come.

    Parameters
    ----------
    taught
        Relaxed crystals with the oracle's values, from which the generator learns.
    asked, answers
        Decoded crystals asked for and their formation energies (NaN: failed), from which the
        ensemble learns.
    """

    name: str
    plan: Plan
    seed: int
    setting: Setting
    budget: LoopBudget
    oracle: Relax
    calls: list[Call] = field(default_factory=list)
    taught: list[tuple[Structure, dict[str, float], bool]] = field(default_factory=list)
    asked: list[Structure] = field(default_factory=list)
    answers: list[float] = field(default_factory=list)

    def rng(self, round_index: int, step: int) -> np.random.Generator:
        """Randomness of a step.

        Plans with the same seed and step draw the same, so that they can be compared.
        """
        return np.random.default_rng([self.seed, 77, round_index, step])

    @property
    def wanted(self) -> tuple[Target, ...]:
        """What makes a hit."""
        return self.setting.any_spec.targets


def check_targets(wanted: Sequence[Target]) -> None:
    """Refuse targets that the oracle does not tell of."""
    for target in wanted:
        if target.property not in (ENERGY, DISTANCE):
            raise DatasetError(
                f"the oracle of bench-loop tells {ENERGY} and {DISTANCE}, not {target.property}: "
                "take a campaign "
                "with targets on these"
            )


def simulate(run: Run) -> list[Call]:
    """All rounds of one run; the same seed, data and budget make the same calls.

    Raises
    ------
    DatasetError
        If not one crystal passes the gates.
    """
    generator = run.setting.generator(run.plan.variant)
    for index, size in enumerate(run.budget.batches(run.plan)):
        known = known_now(run)
        if index:
            generator = retrained(run, generator, known)
        candidates = propose(run, index, generator, known, size)
        for row in choose(run, index, generator, known, candidates, size):
            run.setting.progress(f"{run.name}, seed {run.seed}", len(run.calls), run.budget.calls)
            ask(run, index, candidates.structure(row))
    if not run.calls:
        raise DatasetError(
            f"plan {run.name}, seed {run.seed}: none of {run.budget.points} latent points per "
            "round passed the gates; "
            "give more --points, or loosen the screening"
        )
    return run.calls


def known_now(run: Run) -> Dataset:
    """Training crystals, then what the oracle has taught, in the order of the calls."""
    train, ids = run.setting.train, [f"oracle-{i}" for i in range(len(run.taught))]
    base = Dataset(
        train.crystals,
        train.ids,
        {name: train.label(name) for name in (*run.setting.properties, DISTANCE)},
    )
    if not ids:
        return base
    names = [*run.setting.properties, DISTANCE]
    values = {
        name: np.array([taught.get(name, np.nan) for _, taught, _ in run.taught]) for name in names
    }
    return base.extend(
        Dataset(CrystalTable.from_structures(s for s, _, _ in run.taught), tuple(ids), values)
    )


def retrained(run: Run, parent: Generator, known: Dataset) -> Generator:
    """The generator after some epochs more on all that is known.

    Kept, and found again by a later call.
    """
    setting, given = run.setting, run.setting.specs[run.plan.variant].generator
    spec = given.model_copy(update={"epochs_warm": run.budget.epochs_warm})
    content = to_bytes(parent) + training_key(spec, known, setting.properties, run.seed).encode()
    key = f"loop-{hashlib.sha256(content).hexdigest()[:16]}"
    file = setting.snapshot_dir / f"{key}.snapshot" if setting.snapshot_dir else None
    if file is not None and file.is_file():
        return from_bytes(file.read_bytes(), f"snapshot {file}")
    generator = load_generator_class(spec.name)()
    generator.fit(
        known,
        spec,
        setting.properties,
        seed=run.seed,
        warm_start=parent,
        may_hold_out=np.zeros(len(known), dtype=bool),
        on_epoch=lambda epoch, _: setting.progress(
            f"{run.name}, seed {run.seed}: retrain", epoch, spec.epochs_warm
        ),
    )
    if file is not None:
        write_file(file, to_bytes(generator))
    return generator


def propose(run: Run, index: int, generator: Generator, known: Dataset, size: int) -> CrystalTable:
    """Crystals decoded around the best known ones, hits of earlier rounds first, that pass the
    cheap gates.

    Points are drawn again until there are as many as may be asked for: the gates cost no oracle
    call.
    """
    latents = generator.encode(known.crystals)
    is_hit = np.zeros(len(known), dtype=bool)
    is_hit[len(run.setting.train) :] = [hit for _, _, hit in run.taught]
    # A distance that is not known is that of a training crystal, which the hull is made of.
    values = {ENERGY: known.label(ENERGY), DISTANCE: np.nan_to_num(known.label(DISTANCE))}
    rank = learning.seed_rank(targets.merit(run.wanted, values, spreads(run)), is_hit)
    seeds = np.argsort(-rank, kind="stable")[: run.budget.num_seeds]
    found = CrystalTable.from_structures([])
    for draw in range(MAX_DRAWS):
        crystals = generator.decode(
            draw_points(run, latents, seeds, run.rng(index, 100 + draw))
        ).crystals
        earlier = CrystalTable.concatenate([CrystalTable.from_structures(run.asked), found])
        kept, _, _ = run_gates(
            crystals, screening_gates(run.setting.any_spec.screening, source(run.setting), earlier)
        )
        found = CrystalTable.concatenate([found, crystals.select(kept)])
        if len(found) >= size:
            break
    return found


def draw_points(
    run: Run, latents: NDArray[np.float32], seeds: NDArray[np.int64], rng: np.random.Generator
) -> NDArray[np.float32]:
    """(p, d) latent points around seeds, which are rows of `latents`, as the plan samples."""
    drawn = run.budget.points // 2 if run.plan.mixture else 0
    spread = (run.plan.scale * latents.std(axis=0)).astype(np.float32)
    parts = [sampling.local(latents[seeds], run.budget.points - drawn, spread, rng).points]
    if drawn:
        parts.append(sampling.mixture(latents, seeds, drawn, 1.0, rng).points)
    return np.concatenate(parts)


def source(setting: Setting) -> Dataset:
    """All crystals of the source with as many elements as the training crystals have: what a new
    one is not.
    """
    counts = element_counts(setting.known)
    rows = np.flatnonzero(np.isin(counts, np.unique(element_counts(setting.train.crystals))))
    return Dataset(setting.known.select(rows), tuple(f"known-{row}" for row in rows), {})


def spreads(run: Run) -> dict[str, float]:
    """The unit in which each target counts: the spread of the training labels' energies, for both
    of them.
    """
    spread = float(np.nanstd(run.setting.train.label(ENERGY))) or 1.0
    return {ENERGY: spread, DISTANCE: spread}


def choose(
    run: Run, index: int, generator: Generator, known: Dataset, candidates: CrystalTable, size: int
) -> tuple[int, ...]:
    """Rows of the candidates to ask for.

    The screen's potential is the oracle here, so heads alone foretell.
    """
    if not len(candidates):
        return ()
    spec = run.setting.any_spec.learning.model_copy(
        update={"acquisition": run.plan.acquisition, "audit": 0.0}
    )
    latents = generator.encode(candidates)
    members = ensemble(run, index, generator, known).predict(latents)[ENERGY]
    beneath = run.setting.hull.energies_beneath(candidates)
    values = {ENERGY: members.mean(axis=0), DISTANCE: members.mean(axis=0) - beneath}
    wanted = (*run.wanted, targets.of_the_screen(run.setting.any_spec.screening.surrogate))
    beliefs = Beliefs.of(
        wanted, values, {ENERGY: members, DISTANCE: members - beneath}, spreads(run)
    )
    value = load_acquisition(run.plan.acquisition)(beliefs, spec, run.rng(index, 1))
    return learning.choose_batch(value, latents, spec, size, run.rng(index, 2)).rows


def ensemble(run: Run, index: int, generator: Generator, known: Dataset) -> HeadEnsemble:
    """Heads for the formation energy: of training crystals, and of decoded ones as the oracle
    relaxed them.
    """
    train = np.arange(len(run.setting.train))
    crystals = CrystalTable.concatenate(
        [known.crystals.select(train), CrystalTable.from_structures(run.asked)]
    )
    labels = np.concatenate([known.label(ENERGY)[train], np.array(run.answers, dtype=np.float64)])
    importance = np.where(np.arange(len(labels)) < len(train), 1.0, IMPORTANCE)
    members = run.setting.any_spec.learning.ensemble
    return HeadEnsemble.fit(
        generator.encode(crystals),
        labels[:, None],
        (ENERGY,),
        run.rng(index, 3),
        members=members,
        importance=importance,
    )


def ask(run: Run, index: int, structure: Structure) -> None:
    """One oracle call, and what it teaches."""
    verdict = run.oracle(structure)
    values = oracle_values(verdict)
    meets = verdict.reason is None and targets.missed_target(run.wanted, values) is None
    hit = meets and verdict.structure is not None and is_new(run, verdict.structure)
    run.calls.append(
        Call(run.name, run.seed, index, structure.reduced_formula, verdict.reason, values, hit)
    )
    run.asked.append(structure)
    run.answers.append(values.get(ENERGY, np.nan))
    if verdict.structure is not None and verdict.converged and DISTANCE in values:
        run.taught.append((verdict.structure, values, hit))


def oracle_values(verdict: SurrogateVerdict) -> dict[str, float]:
    """What a verdict tells, eV/atom."""
    found = {ENERGY: verdict.formation_energy, DISTANCE: verdict.e_above_hull}
    return {name: value for name, value in found.items() if value is not None}


def is_new(run: Run, relaxed: Structure) -> bool:
    """Whether a relaxed crystal is unlike the known ones and the hits so far."""
    hits = CrystalTable.from_structures(structure for structure, _, hit in run.taught if hit)
    return not known_structures(run.setting).contains(relaxed) and not StructureIndex.from_table(
        hits
    ).contains(relaxed)


@functools.lru_cache(maxsize=1)
def known_structures(setting: Setting) -> StructureIndex:
    """Index of all crystals of the source."""
    return StructureIndex.from_table(setting.known)
