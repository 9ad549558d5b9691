"""Table 4: how many sampled crystals are valid, unique, novel and stable."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Sequence
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
from gen2dft.evaluation.tables import Column, Row, Table, mean
from gen2dft.evaluation.ways import Way, all_ways
from gen2dft.generators.base import LatentGenerator
from gen2dft.screening.duplicates import duplicate_gate
from gen2dft.screening.geometry import geometry_gate
from gen2dft.screening.novelty import StructureIndex
from gen2dft.screening.surrogate import surrogate_screen
from gen2dft.streams import EvaluationStream

if TYPE_CHECKING:
    from pymatgen.core import Structure

WANTED, NUM_SEEDS = (
    -0.5,
    100,
)  # eV/atom, and how many training crystals nearest it are the seeds; as in the paper
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
    surrogate, relax = setting.any_spec.screening.surrogate, surrogate_journal(setting)
    rows = []
    for variant, spec in setting.specs.items():
        generator = setting.generator(variant)
        for place, way in enumerate(all_ways(setting.budget.scales)):
            samples = _sample(setting, generator, way, seeds, place)
            sieve = sift(samples, spec.screening, known)
            outcome = relax_some(
                samples.select(sieve.new),
                relax,
                known,
                setting.budget.relaxations,
                setting.rng(EvaluationStream.INVENTION_RELAXATION, place),
                functools.partial(setting.progress, f"relax, {way.name}"),
            )
            rows.append(
                Row(
                    f"{variant}, {way.name}",
                    invention_figures(setting.budget.samples, sieve, outcome),
                )
            )
    notes = (
        f"Per {PER:,} of {setting.budget.samples:,} samples. Seeds: the {len(seeds)} training "
        "crystals nearest "
        f"{WANTED} eV/atom. Stable: relaxed by {surrogate.engine} ({surrogate.preset}) to at most "
        f"{surrogate.max_e_above_hull:g} eV/atom above the hull of all {len(setting.known):,} "
        "crystals of the source, "
        f"and not below {surrogate.min_e_above_hull:g}. "
        "S.U.N.: stable, and as relaxed unique and novel. Where not every new crystal was relaxed, "
        "stable and S.U.N. are estimates from a random part, \u00b1 the standard error of that "
        "choice.",
    )
    return Table("invention", "Invention", COLUMNS, rows, notes)


def surrogate_journal(setting: Setting) -> Journal:
    """Relaxation by the campaign's surrogate; verdicts are kept where the generators are."""
    surrogate = setting.any_spec.screening.surrogate
    settings = [
        surrogate.model_dump(mode="json"),
        load_engine(surrogate.engine).preset(surrogate.preset).settings_hash,
        setting.hull.hull_hash,
    ]
    path = setting.snapshot_dir / "relaxations.jsonl" if setting.snapshot_dir else None
    return Journal(
        path,
        functools.partial(surrogate_screen, spec=surrogate, hull=setting.hull),
        json.dumps(settings),
    )


def seed_rows(train: Dataset, wanted: float = WANTED, number: int = NUM_SEEDS) -> NDArray[np.int64]:
    """Rows of the crystals whose formation energy is nearest a wanted one, eV/atom.

    DatasetError without labels.
    """
    distance = np.abs(train.label("formation_energy") - wanted)
    order = np.argsort(distance, kind="stable")  # NaN comes last
    rows = order[: min(number, int(np.isfinite(distance).sum()))]
    if not len(rows):
        raise DatasetError(
            "table invention starts from crystals near a formation energy, and no training crystal "
            "is labelled with "
            "one; name the column with --set dataset.columns={formation_energy: NAME} or leave the "
            "table out"
        )
    return rows


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


def sift(crystals: CrystalTable, spec: ScreeningSpec, known: StructureIndex) -> Sieve:
    """Validity by the geometry gate of the campaign.

    Uniqueness and novelty by pymatgen's StructureMatcher.
    """
    valid = np.flatnonzero([reason is None for reason in geometry_gate(crystals, spec)])
    table = crystals.select(valid)
    first = [reason is None for reason in duplicate_gate(table, [])]
    unlike = [
        not known.matches_row(table, row, formula) for row, formula in enumerate(table.formulas())
    ]
    return Sieve(
        len(crystals),
        valid,
        valid[np.array(first, dtype=bool)],
        valid[np.array(unlike, dtype=bool)],
    )


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
    rows = np.arange(len(crystals))
    if limit is not None and limit < len(rows):
        rows = np.sort(rng.permutation(rows)[:limit])
    stable: list[Structure] = []
    rmsds: list[float] = []
    for done, row in enumerate(rows):
        progress(done, len(rows))
        before = crystals.structure(int(row))
        verdict = relax(before)
        if verdict.structure is not None:
            rmsds.append(displacement_rmsd(before, verdict.structure))
        if verdict.reason is None and verdict.structure is not None:
            stable.append(verdict.structure)
    progress(len(rows), len(rows))
    reasons = duplicate_gate(CrystalTable.from_structures(stable), [("known", known)])
    return Outcome(len(rows), len(stable), sum(reason is None for reason in reasons), rmsds)


def invention_figures(num_samples: int, sieve: Sieve, outcome: Outcome) -> dict[str, float | None]:
    """Figures per 1,000 samples; shares of relaxations where the column says so."""
    per = PER / num_samples
    share = outcome.num_sun / outcome.num_relaxed if outcome.num_relaxed else 0.0
    return {
        "decoded": per * sieve.num_decoded,
        "valid": per * len(sieve.valid),
        "unique": per * len(sieve.unique),
        "novel": per * len(sieve.novel),
        "new": per * len(sieve.new),
        "relaxed": outcome.num_relaxed,
        "stable": outcome.num_stable / outcome.num_relaxed if outcome.num_relaxed else None,
        "sun": per * len(sieve.new) * share if outcome.num_relaxed or not len(sieve.new) else None,
        "sun_error": per
        * len(sieve.new)
        * standard_error(share, outcome.num_relaxed, len(sieve.new)),
        "rmsd": mean(outcome.rmsds),
    }


def standard_error(share: float, drawn: int, total: int) -> float:
    """Standard error of a share that was measured on `drawn` of `total` things.

    0 if on all of them.

    sqrt(p (1 - p) / (n - 1) * (1 - n / N)), simple random sampling without replacement.
    """
    if drawn < 2 or drawn >= total:
        return 0.0
    return float(np.sqrt(share * (1 - share) / (drawn - 1) * (1 - drawn / total)))
