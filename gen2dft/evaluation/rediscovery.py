"""Table 3: which test formulas sampling comes upon, and how close the crystals are (Table 1 of the
paper).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from gen2dft.crystals import CrystalTable
from gen2dft.evaluation.matching import matched_rmsd
from gen2dft.evaluation.reconstruction import (
    MATCH_COLUMNS,
    MATRIX_COLUMNS,
    NO_ERRORS,
    match_figures,
)
from gen2dft.evaluation.setting import Setting
from gen2dft.evaluation.tables import Column, Row, Table
from gen2dft.evaluation.ways import all_ways
from gen2dft.generators.base import Generator
from gen2dft.generators.ftcp.accuracy import MatrixErrors, matrix_errors

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
    number = setting.budget.draws * len(setting.train)
    for variant in setting.specs:
        generator = setting.generator(variant)
        latents = generator.encode(setting.train.crystals)
        for place, way in enumerate(all_ways(setting.budget.scales)):
            setting.progress(f"rediscover, {way.name}", 0, 1)
            points = way.draw(latents, np.arange(len(latents)), number, setting.rng(3, place))
            decoded = generator.decode(points).crystals
            found = rediscover(decoded, setting.test.crystals, setting.train.crystals)
            errors, rmsds = closest_errors(generator, decoded, setting.test.crystals, found.pairs)
            figures = {**found.figures(), **errors.figures(), **match_figures(rmsds)}
            rows.append(Row(f"{variant}, {way.name}", figures))
            setting.progress(f"rediscover, {way.name}", 1, 1)
    notes = (
        f"{number:,} latent points for each way, {setting.budget.draws} for each training crystal. "
        "A test formula counts once, whatever its polymorphs. Errors: of the closest sample of a "
        "test crystal's "
        "formula, mean over the test crystals that have one.",
    )
    return Table("rediscovery", "Rediscovery", COLUMNS, rows, notes)


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
            "rediscovered": self.num_found / self.num_formulas if self.num_formulas else None,
            "rediscovered_new": self.num_new_found / self.num_new if self.num_new else None,
        }


def rediscover(samples: CrystalTable, test: CrystalTable, train: CrystalTable) -> Rediscovery:
    """Compare reduced formulas."""
    sampled: dict[str, list[int]] = {}
    for row, formula in enumerate(samples.formulas()):
        sampled.setdefault(formula, []).append(row)
    wanted = test.formulas()
    new = set(wanted) - set(train.formulas())
    pairs = {row: sampled[formula] for row, formula in enumerate(wanted) if formula in sampled}
    return Rediscovery(
        len(set(wanted)), len(set(wanted) & set(sampled)), len(new), len(new & set(sampled)), pairs
    )


def closest_errors(
    generator: Generator,
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

    closest = {row: found[0] for row, found in pairs.items()}
    errors = NO_ERRORS
    if isinstance(generator, FTCPGenerator) and pairs:
        owners, rows = zip(
            *((row, sample) for row, found in pairs.items() for sample in found), strict=True
        )
        every = _compare(generator, test, samples, np.array(owners), np.array(rows))
        distance = (
            every.length / 100 + every.angle / 100 + every.coordinate - 10.0 * every.sites_right
        )
        best = [
            min(np.flatnonzero(np.array(owners) == row), key=distance.__getitem__) for row in pairs
        ]
        errors = every.select(np.array(best))
        closest = {row: rows[place] for row, place in zip(pairs, best, strict=True)}
    rmsds = [
        matched_rmsd(test.structure(row), samples.structure(sample))
        for row, sample in closest.items()
    ]
    return errors, rmsds


def _compare(
    generator: Generator,
    test: CrystalTable,
    samples: CrystalTable,
    owners: np.ndarray,
    rows: np.ndarray,
    chunk: int = 512,
) -> MatrixErrors:
    """Errors of pairs of test crystal and sample, both in the cells that the networks see."""
    from gen2dft.generators.ftcp.generator import FTCPGenerator
    from gen2dft.generators.ftcp.variants import load_variant

    if not isinstance(generator, FTCPGenerator):
        raise TypeError(f"{type(generator).__name__} has no FTCP matrices")
    trained = generator.trained
    prepare = load_variant(trained.spec.variant).prepare
    parts = [NO_ERRORS]
    for start in range(0, len(owners), chunk):
        which = slice(start, start + chunk)
        tables = (test.select(owners[which]), samples.select(rows[which]))
        truth, found = (
            trained.representation.encode(prepare(trained.representation, table))
            for table in tables
        )
        parts.append(matrix_errors(trained.representation, truth, found))
    return MatrixErrors.concatenate(parts)
