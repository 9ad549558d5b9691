"""Table 1: how well test crystals come back from their latent vectors: Table 3 of the paper, and
what it leaves out.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gen2dft.crystals import CrystalTable
from gen2dft.evaluation.matching import matched_rmsd
from gen2dft.evaluation.setting import Progress, Setting, silent
from gen2dft.evaluation.tables import Column, Row, Table, mean
from gen2dft.generators.base import Generator
from gen2dft.generators.ftcp.accuracy import MatrixErrors, matrix_errors
from gen2dft.representations.base import DecodeResult

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
    for variant in setting.specs:
        for reads in READS:
            errors, rmsds = reconstruct(
                setting.generator(variant, reads), setting.test.crystals, setting.progress
            )
            rows.append(
                Row(f"{variant}, reads {reads}", {**errors.figures(), **match_figures(rmsds)})
            )
    notes = (
        f"{len(setting.test)} test crystals; their latent means are decoded. Lengths, angles and "
        "coordinates are "
        "compared in the cell that the networks see, structures with the crystal as it is in the "
        "dataset.",
    )
    return Table("reconstruction", "Reconstruction", COLUMNS, rows, notes)


def reconstruct(
    generator: Generator, crystals: CrystalTable, progress: Progress = silent
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
    for start in range(0, len(crystals), CHUNK):
        progress("reconstruct", start, len(crystals))
        part = crystals.select(np.arange(start, min(start + CHUNK, len(crystals))))
        chunk, decoded = _decoded_again(generator, part)
        errors.append(chunk)
        rmsds += match_rows(part, decoded)
    progress("reconstruct", len(crystals), len(crystals))
    return MatrixErrors.concatenate(errors), rmsds


def _decoded_again(
    generator: Generator, crystals: CrystalTable
) -> tuple[MatrixErrors, DecodeResult]:
    from gen2dft.generators.ftcp.generator import FTCPGenerator
    from gen2dft.generators.ftcp.variants import load_variant

    if not isinstance(generator, FTCPGenerator):
        return NO_ERRORS, generator.decode(generator.encode(crystals))
    trained = generator.trained
    representation = trained.representation
    representation.check(crystals)
    seen = load_variant(trained.spec.variant).prepare(representation, crystals)
    decoded = trained.decode_matrices(trained.encode_cells(seen))
    errors = matrix_errors(representation, representation.encode(seen), decoded)
    return errors, representation.decode(decoded)


def match_rows(crystals: CrystalTable, decoded: DecodeResult) -> list[float | None]:
    """RMSD of each crystal to its decoded self, Angstrom.

    None where they do not match or nothing was decoded.
    """
    rmsds: list[float | None] = [None] * len(crystals)
    for place, row in enumerate(decoded.kept):
        rmsds[row] = matched_rmsd(crystals.structure(int(row)), decoded.crystals.structure(place))
    return rmsds


def match_figures(rmsds: Sequence[float | None]) -> dict[str, float | None]:
    """Share of matches and their mean RMSD."""
    matched = [rmsd for rmsd in rmsds if rmsd is not None]
    return {"matched": len(matched) / len(rmsds) if len(rmsds) else None, "rmsd": mean(matched)}


def _no_errors() -> MatrixErrors:
    flags, values = np.zeros(0, dtype=bool), np.zeros(0)
    return MatrixErrors(
        flags, flags, flags, flags, values, values, values, values, np.zeros(0, dtype=np.int64)
    )


NO_ERRORS = _no_errors()
