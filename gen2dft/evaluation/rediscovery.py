"""Table 3: which test formulas sampling comes upon, and how close the crystals are (Table 1 of the
paper).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gen2dft.crystals import CrystalTable
from gen2dft.evaluation.matching import matched_rmsd
from gen2dft.evaluation.reconstruction import (
    CHUNK,
    MATCH_COLUMNS,
    MATRIX_COLUMNS,
    NO_ERRORS,
    as_seen,
    match_figures,
)
from gen2dft.evaluation.setting import Setting
from gen2dft.evaluation.tables import Column, Row, Table, share
from gen2dft.evaluation.ways import Vectors, Way, all_ways
from gen2dft.generators.base import LatentGenerator
from gen2dft.generators.ftcp.accuracy import MatrixErrors, matrix_errors
from gen2dft.streams import EvaluationStream

if TYPE_CHECKING:
    from gen2dft.generators.ftcp.generator import FTCPGenerator

COLUMNS = (
    Column("rediscovered", "test formulas rediscovered", ".2%"),
    Column("rediscovered_new", "of those not in training", ".2%"),
    *(
        c
        for c in MATRIX_COLUMNS
        if c.key in {"sites_right", "length_pmae", "angle_pmae", "coordinate_mae"}
    ),
    *MATCH_COLUMNS,
)


def rediscovery_table(setting: Setting) -> Table:
    """The table of all variants and ways of sampling, each with the same number of latent
    points.
    """
    rows = []
    ways = all_ways(setting.budget.scales)
    for variant in setting.specs:
        generator = setting.generator(variant)
        latents = generator.encode(setting.train.crystals)
        for place, way in enumerate(ways):
            task = f"rediscover, {way.name}"
            setting.progress(task, 0, 1)
            decoded = _samples(setting, generator, latents, way, place)
            figures = _figures(setting, generator, decoded)
            rows.append(Row(f"{variant}, {way.name}", figures))
            setting.progress(task, 1, 1)
    note = (
        f"{_num_points(setting):,} latent points for each way, {setting.budget.points} for each "
        "training crystal. A test formula counts once, whatever its polymorphs. Errors: of the "
        "closest sample of a test crystal's formula, mean over the test crystals that have one."
    )
    return Table("rediscovery", "Rediscovery", COLUMNS, rows, (note,))


def _num_points(setting: Setting) -> int:
    """Latent points of each way of sampling."""
    return setting.budget.points * len(setting.train)


def _samples(
    setting: Setting, generator: LatentGenerator, latents: Vectors, way: Way, place: int
) -> CrystalTable:
    """Crystals that one way of sampling gives, with every training crystal a seed."""
    rng = setting.rng(EvaluationStream.REDISCOVERY, place)
    seeds = np.arange(len(latents))
    points = way.draw(latents, seeds, _num_points(setting), rng)
    return generator.decode(points).crystals


def _figures(
    setting: Setting, generator: LatentGenerator, samples: CrystalTable
) -> dict[str, float | None]:
    """Figures of the crystals that were sampled."""
    test = setting.test.crystals
    found = rediscover(samples, test, setting.train.crystals)
    errors, rmsds = closest_errors(generator, samples, test, found.pairs)
    return {**found.figures(), **errors.figures(), **match_figures(rmsds)}


@dataclass(frozen=True)
class Rediscovery:
    """What was found again.

    Parameters
    ----------
    num_formulas, num_found
        Different formulas of the test set, and how many of them were sampled.
    num_new, num_new_found
        The same of formulas that no training crystal has.
    pairs
        Row of a test crystal to rows of the samples that have its formula.
    """

    num_formulas: int
    num_found: int
    num_new: int
    num_new_found: int
    pairs: Mapping[int, Sequence[int]]

    def figures(self) -> dict[str, float | None]:
        """Shares; None where there was nothing to find."""
        return {
            "rediscovered": share(self.num_found, self.num_formulas),
            "rediscovered_new": share(self.num_new_found, self.num_new),
        }


def rediscover(samples: CrystalTable, test: CrystalTable, train: CrystalTable) -> Rediscovery:
    """Compare reduced formulas."""
    rows_of: dict[str, list[int]] = {}
    for row, formula in enumerate(samples.formulas()):
        rows_of.setdefault(formula, []).append(row)
    pairs = {}
    formulas = test.formulas()
    for row, formula in enumerate(formulas):
        if formula in rows_of:
            pairs[row] = rows_of[formula]
    wanted = set(formulas)
    new = wanted - set(train.formulas())
    found = wanted & set(rows_of)
    new_found = new & found
    return Rediscovery(len(wanted), len(found), len(new), len(new_found), pairs)


def closest_errors(
    generator: LatentGenerator,
    samples: CrystalTable,
    test: CrystalTable,
    pairs: Mapping[int, Sequence[int]],
) -> tuple[MatrixErrors, list[float | None]]:
    """Errors of the closest sample of each test crystal: right species first, then the least sum of
    relative errors.

    Returns
    -------
    errors
        One row per test crystal of `pairs`; empty for generators without FTCP matrices.
    rmsds
        Of the same samples (of the first sample where there are no matrices), Angstrom; None
        without a match.
    """
    from gen2dft.generators.ftcp.generator import FTCPGenerator

    errors = NO_ERRORS
    closest = {row: found[0] for row, found in pairs.items()}
    if isinstance(generator, FTCPGenerator) and pairs:
        errors, closest = _closest(generator, samples, test, pairs)
    rmsds = []
    for row, sample in closest.items():
        rmsd = matched_rmsd(test.structure(row), samples.structure(sample))
        rmsds.append(rmsd)
    return errors, rmsds


def _closest(
    generator: FTCPGenerator,
    samples: CrystalTable,
    test: CrystalTable,
    pairs: Mapping[int, Sequence[int]],
) -> tuple[MatrixErrors, dict[int, int]]:
    """Errors of the closest sample of each test crystal, and which it is."""
    sizes = [len(found) for found in pairs.values()]
    owners = np.repeat(list(pairs), sizes)
    rows = np.concatenate(list(pairs.values()))
    every = _compare(generator, test, samples, owners, rows)
    relative = every.length / 100 + every.angle / 100 + every.coordinate
    # Right species outweigh any error of the geometry.
    distance = relative - 10.0 * every.sites_right
    best = []
    for row in pairs:
        places = np.flatnonzero(owners == row)
        best.append(min(places, key=distance.__getitem__))
    closest = rows[best].tolist()
    sample_of = dict(zip(pairs, closest, strict=True))
    return every.select(np.array(best)), sample_of


def _compare(
    generator: FTCPGenerator,
    test: CrystalTable,
    samples: CrystalTable,
    owners: NDArray[np.int64],
    rows: NDArray[np.int64],
) -> MatrixErrors:
    """Errors of pairs of test crystal and sample, both in the cells that the networks see."""
    representation = generator.trained.representation
    parts = [NO_ERRORS]
    for start in range(0, len(owners), CHUNK):
        chunk = slice(start, start + CHUNK)
        wanted = as_seen(generator, test.select(owners[chunk]))
        sampled = as_seen(generator, samples.select(rows[chunk]))
        truth = representation.encode(wanted)
        found = representation.encode(sampled)
        parts.append(matrix_errors(representation, truth, found))
    return MatrixErrors.concatenate(parts)
