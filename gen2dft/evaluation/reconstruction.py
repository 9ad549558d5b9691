"""Table 1: how well test crystals come back from their latent vectors: Table 3 of the paper, and
what it leaves out.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from gen2dft.crystals import CrystalTable
from gen2dft.evaluation.matching import matched_rmsd
from gen2dft.evaluation.setting import Progress, Setting, silent
from gen2dft.evaluation.tables import Column, Row, Table, mean, share
from gen2dft.generators.base import LatentGenerator
from gen2dft.generators.ftcp.accuracy import MatrixErrors, matrix_errors
from gen2dft.representations.base import DecodeResult

if TYPE_CHECKING:
    from gen2dft.generators.ftcp.generator import FTCPGenerator

CHUNK = 512
MATRIX_COLUMNS = (
    Column("elements_right", "all elements right", ".1%"),
    Column("elements_named", "the same, none taken for empty", ".1%"),
    Column("sites_right", "every site's species right", ".1%"),
    Column("num_sites_right", "number of sites right", ".1%"),
    Column("length_pmae", "lengths, PMAE %", ".2f"),
    Column("angle_pmae", "angles, PMAE %", ".2f"),
    Column("coordinate_mae", "coordinates, MAE", ".4f"),
    Column("coordinate_mae_periodic", "the same, short way round", ".4f"),
)
MATCH_COLUMNS = (
    Column("matched", "matched, StructureMatcher", ".1%"),
    Column("rmsd", "RMSD of the matches, \u00c5", ".3f"),
)
COLUMNS = (*MATRIX_COLUMNS, *MATCH_COLUMNS)
READS = ("both", "real")


def reconstruction_table(setting: Setting) -> Table:
    """The table of all variants, reading the whole matrix and its real-space part alone."""
    rows = []
    crystals = setting.test.crystals
    for variant, reads in itertools.product(setting.specs, READS):
        generator = setting.generator(variant, reads)
        errors, rmsds = reconstruct(generator, crystals, setting.progress)
        figures = {**errors.figures(), **match_figures(rmsds)}
        rows.append(Row(f"{variant}, reads {reads}", figures))
    note = (
        f"{len(setting.test)} test crystals; their latent means are decoded. Lengths, angles and "
        "coordinates are compared in the cell that the networks see, structures with the crystal "
        "as it is in the dataset."
    )
    return Table("reconstruction", "Reconstruction", COLUMNS, rows, (note,))


def reconstruct(
    generator: LatentGenerator, crystals: CrystalTable, progress: Progress = silent
) -> tuple[MatrixErrors, list[float | None]]:
    """Encode and decode crystals.

    Returns
    -------
    errors
        Of the matrices, for the FTCP generator; empty for generators that have none.
    rmsds
        One per crystal, see `matched_rmsd`; None where original and decoded crystal do not match.
    """
    errors, rmsds = [NO_ERRORS], []
    total = len(crystals)
    for start in range(0, total, CHUNK):
        progress("reconstruct", start, total)
        end = min(start + CHUNK, total)
        part = crystals.select(np.arange(start, end))
        chunk, decoded = _decoded_again(generator, part)
        errors.append(chunk)
        rmsds += match_rows(part, decoded)
    progress("reconstruct", total, total)
    return MatrixErrors.concatenate(errors), rmsds


def _decoded_again(
    generator: LatentGenerator, crystals: CrystalTable
) -> tuple[MatrixErrors, DecodeResult]:
    from gen2dft.generators.ftcp.generator import FTCPGenerator

    if not isinstance(generator, FTCPGenerator):
        latents = generator.encode(crystals)
        return NO_ERRORS, generator.decode(latents)
    trained = generator.trained
    representation = trained.representation
    representation.check(crystals)
    seen = as_seen(generator, crystals)
    decoded = trained.decode_matrices(trained.encode_cells(seen))
    truth = representation.encode(seen)
    errors = matrix_errors(representation, truth, decoded)
    return errors, representation.decode(decoded)


def as_seen(generator: FTCPGenerator, crystals: CrystalTable) -> CrystalTable:
    """Crystals in the cells that the networks of the generator's variant see."""
    from gen2dft.generators.ftcp.variants import load_variant

    trained = generator.trained
    variant = load_variant(trained.spec.variant)
    return variant.prepare(trained.representation, crystals)


def match_rows(crystals: CrystalTable, decoded: DecodeResult) -> list[float | None]:
    """RMSD of each crystal to its decoded self, Angstrom.

    None where they do not match or nothing was decoded.
    """
    rmsds: list[float | None] = [None] * len(crystals)
    for place, row in enumerate(decoded.kept):
        original = crystals.structure(int(row))
        again = decoded.crystals.structure(place)
        rmsds[row] = matched_rmsd(original, again)
    return rmsds


def match_figures(rmsds: Sequence[float | None]) -> dict[str, float | None]:
    """Share of matches and their mean RMSD."""
    matched = [rmsd for rmsd in rmsds if rmsd is not None]
    return {"matched": share(len(matched), len(rmsds)), "rmsd": mean(matched)}


def _no_errors() -> MatrixErrors:
    flags = np.zeros(0, dtype=bool)
    values = np.zeros(0)
    counts = np.zeros(0, dtype=np.int64)
    return MatrixErrors(flags, flags, flags, flags, values, values, values, values, counts)


NO_ERRORS = _no_errors()
