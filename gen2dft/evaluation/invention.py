"""Table 4: how many sampled crystals are valid, unique, novel and stable."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gen2dft.campaign import ScreeningSpec
from gen2dft.crystals import CrystalTable
from gen2dft.dataset import Dataset
from gen2dft.engines import load_engine
from gen2dft.errors import DatasetError
from gen2dft.evaluation.journal import Journal, Relax
from gen2dft.evaluation.matching import displacement_rmsd
from gen2dft.evaluation.setting import Setting
from gen2dft.evaluation.tables import Column, Row, Table, mean, share
from gen2dft.evaluation.ways import Way, all_ways
from gen2dft.generators.base import LatentGenerator
from gen2dft.screening.duplicates import duplicate_gate
from gen2dft.screening.geometry import geometry_gate
from gen2dft.screening.novelty import StructureIndex
from gen2dft.screening.surrogate import surrogate_screen
from gen2dft.streams import EvaluationStream

if TYPE_CHECKING:
    from pymatgen.core import Structure

WANTED = -0.5  # eV/atom; the training crystals nearest it are the seeds, as in the paper
NUM_SEEDS = 100
PER = 1000
COLUMNS = (
    Column("decoded", "decoded", ".0f"),
    Column("valid", "valid", ".0f"),
    Column("unique", "valid, unique", ".0f"),
    Column("novel", "valid, novel", ".0f"),
    Column("new", "valid, unique, novel", ".0f"),
    Column("relaxed", "relaxations", ".0f"),
    Column("stable", "stable, of those relaxed", ".1%"),
    Column("sun", "S.U.N.", ".1f"),
    Column("sun_error", "\u00b1", ".1f"),
    Column("rmsd", "RMSD to the relaxed structure, \u00c5", ".3f"),
)


def invention_table(setting: Setting) -> Table:
    """The table of all variants and ways of sampling."""
    seeds = seed_rows(setting.train)
    known = StructureIndex.from_table(setting.known)
    relax = surrogate_journal(setting)
    ways = all_ways(setting.budget.scales)
    rows = []
    for variant, spec in setting.specs.items():
        generator = setting.generator(variant)
        for place, way in enumerate(ways):
            samples = _sample(setting, generator, way, seeds, place)
            sieve = sift(samples, spec.screening, known)
            new = samples.select(sieve.new)
            outcome = _relaxed(setting, new, relax, known, way, place)
            figures = invention_figures(setting.budget.samples, sieve, outcome)
            rows.append(Row(f"{variant}, {way.name}", figures))
    notes = (_note(setting, len(seeds)),)
    return Table("invention", "Invention", COLUMNS, rows, notes)


def _relaxed(
    setting: Setting,
    new: CrystalTable,
    relax: Relax,
    known: StructureIndex,
    way: Way,
    place: int,
) -> Outcome:
    """Relaxations of one way of sampling, within the budget."""
    rng = setting.rng(EvaluationStream.INVENTION_RELAXATION, place)
    progress = functools.partial(setting.progress, f"relax, {way.name}")
    return relax_some(new, relax, known, setting.budget.relaxations, rng, progress)


def _note(setting: Setting, num_seeds: int) -> str:
    """The note below the table."""
    surrogate = setting.any_spec.screening.surrogate
    engine = f"{surrogate.engine} ({surrogate.preset})"
    samples = setting.budget.samples
    num_known = len(setting.known)
    return (
        f"Per {PER:,} of {samples:,} samples. Seeds: the {num_seeds} training crystals nearest "
        f"{WANTED} eV/atom. Stable: relaxed by {engine} to at most "
        f"{surrogate.max_e_above_hull:g} eV/atom above the hull of all {num_known:,} crystals of "
        f"the source, and not below {surrogate.min_e_above_hull:g}. S.U.N.: stable, and as relaxed "
        "unique and novel. Where not every new crystal was relaxed, stable and S.U.N. are "
        "estimates from a random part, \u00b1 the standard error of that choice."
    )


def surrogate_journal(setting: Setting) -> Journal:
    """Relaxation by the campaign's surrogate; verdicts are kept where the generators are."""
    surrogate = setting.any_spec.screening.surrogate
    engine = load_engine(surrogate.engine)
    preset = engine.preset(surrogate.preset)
    dumped = surrogate.model_dump(mode="json")
    # The dump leaves the switch out where it has its default, also in journals of versions without.
    symmetry = {"symmetrise": surrogate.symmetrise}
    settings = [dumped, preset.settings_hash, setting.hull.hull_hash, symmetry]
    folder = setting.snapshot_dir
    path = folder / "relaxations.jsonl" if folder else None
    relax = functools.partial(surrogate_screen, spec=surrogate, hull=setting.hull)
    return Journal(path, relax, json.dumps(settings))


def seed_rows(train: Dataset, wanted: float = WANTED, number: int = NUM_SEEDS) -> NDArray[np.int64]:
    """Rows of the crystals whose formation energy is nearest a wanted one, eV/atom.

    DatasetError without labels.
    """
    distance = np.abs(train.label("formation_energy") - wanted)
    labelled = np.isfinite(distance)
    if not labelled.any():
        raise DatasetError(
            "table invention starts from crystals near a formation energy, and no training crystal "
            "is labelled with one; name the column with --set "
            "dataset.columns={formation_energy: NAME} or leave the table out"
        )
    order = np.argsort(distance, kind="stable")  # NaN comes last
    available = int(labelled.sum())
    return order[: min(number, available)]


def _sample(
    setting: Setting, generator: LatentGenerator, way: Way, seeds: NDArray[np.int64], place: int
) -> CrystalTable:
    latents = generator.encode(setting.train.crystals)
    rng = setting.rng(EvaluationStream.INVENTION_SAMPLING, place)
    points = way.draw(latents, seeds, setting.budget.samples, rng)
    return generator.decode(points).crystals


@dataclass(frozen=True, eq=False)
class Sieve:
    """What became of decoded crystals; rows of their table.

    Parameters
    ----------
    num_decoded
        Crystals in all.
    valid
        Those that pass the geometry gate.
    unique, novel
        Of the valid ones: first of their structure, and unlike any known structure.
    """

    num_decoded: int
    valid: NDArray[np.int64]
    unique: NDArray[np.int64]
    novel: NDArray[np.int64]

    @property
    def new(self) -> NDArray[np.int64]:
        """Valid, unique and novel."""
        return np.intersect1d(self.unique, self.novel)

    def counts(self) -> dict[str, int]:
        """Number of crystals by column of the table."""
        return {
            "decoded": self.num_decoded,
            "valid": len(self.valid),
            "unique": len(self.unique),
            "novel": len(self.novel),
            "new": len(self.new),
        }


def sift(crystals: CrystalTable, spec: ScreeningSpec, known: StructureIndex) -> Sieve:
    """Validity by the geometry gate of the campaign.

    Uniqueness and novelty by pymatgen's StructureMatcher.
    """
    valid = np.flatnonzero(_passes(geometry_gate(crystals, spec)))
    table = crystals.select(valid)
    is_first = _passes(duplicate_gate(table, []))
    formulas = enumerate(table.formulas())
    is_novel = [not known.matches_row(table, row, formula) for row, formula in formulas]
    unique = valid[is_first]
    novel = valid[np.array(is_novel, dtype=bool)]
    return Sieve(len(crystals), valid, unique, novel)


def _passes(reasons: Iterable[str | None]) -> NDArray[np.bool_]:
    """(n,) whether a gate gave no reason against a crystal."""
    passes = [reason is None for reason in reasons]
    return np.array(passes, dtype=bool)


@dataclass(frozen=True)
class Outcome:
    """What relaxations found out.

    Parameters
    ----------
    num_relaxed, num_stable, num_sun
        Crystals that were to be relaxed; of these stable; of these, as relaxed, unique and novel.
    rmsds
        Displacements of those whose relaxation came to an end, Angstrom.
    """

    num_relaxed: int
    num_stable: int
    num_sun: int
    rmsds: Sequence[float]


def relax_some(
    crystals: CrystalTable,
    relax: Relax,
    known: StructureIndex,
    limit: int | None,
    rng: np.random.Generator,
    progress: Callable[[int, int], None] = lambda _, __: None,
) -> Outcome:
    """Relax new crystals, or a random part of them.

    Parameters
    ----------
    crystals
        Valid, unique and novel crystals.
    relax
        From structure to verdict; no reason means stable.
    known
        Structures that a novel one must not match.
    limit
        Relaxations at most; None relaxes all. A smaller part is part of every larger one.
    """
    rows = _chosen(len(crystals), limit, rng)
    total = len(rows)
    stable: list[Structure] = []
    rmsds: list[float] = []
    for done, row in enumerate(rows):
        progress(done, total)
        before = crystals.structure(int(row))
        verdict = relax(before)
        after = verdict.as_relaxed
        if after is None:
            continue
        rmsds.append(displacement_rmsd(before, after))
        if verdict.is_stable:
            stable.append(after)
    progress(total, total)
    # Two crystals may relax to one, and a new one to a known one.
    table = CrystalTable.from_structures(stable)
    is_new = _passes(duplicate_gate(table, [("known", known)]))
    num_sun = int(is_new.sum())
    return Outcome(total, len(stable), num_sun, rmsds)


def _chosen(count: int, limit: int | None, rng: np.random.Generator) -> NDArray[np.int64]:
    """Rows of at most `limit` of `count` crystals, ascending."""
    rows = np.arange(count)
    if limit is None or limit >= count:
        return rows
    drawn = rng.permutation(rows)
    return np.sort(drawn[:limit])


def invention_figures(num_samples: int, sieve: Sieve, outcome: Outcome) -> dict[str, float | None]:
    """Figures per 1,000 samples; shares of relaxations where the column says so."""
    per = PER / num_samples
    figures: dict[str, float | None] = {}
    for name, count in sieve.counts().items():
        figures[name] = per * count
    num_new = len(sieve.new)
    new = per * num_new
    relaxed = outcome.num_relaxed
    sun_share = share(outcome.num_sun, relaxed)
    if num_new == 0:  # none can be S.U.N.
        sun_share = 0.0
    error = standard_error(sun_share or 0.0, relaxed, num_new)
    figures["relaxed"] = relaxed
    figures["stable"] = share(outcome.num_stable, relaxed)
    figures["sun"] = None if sun_share is None else new * sun_share
    figures["sun_error"] = new * error
    figures["rmsd"] = mean(outcome.rmsds)
    return figures


def standard_error(share: float, drawn: int, total: int) -> float:
    """Standard error of a share that was measured on `drawn` of `total` things.

    0 if on all of them.

    sqrt(p (1 - p) / (n - 1) * (1 - n / N)), simple random sampling without replacement.
    """
    p, n = share, drawn
    if n < 2 or n >= total:
        return 0.0
    variance = p * (1 - p) / (n - 1)
    finite_population = 1 - n / total
    return float(np.sqrt(variance * finite_population))
