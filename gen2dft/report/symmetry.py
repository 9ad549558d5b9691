"""The symmetry of a crystal in words, as command line and pages show it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gen2dft.report.wording import counted, words
from gen2dft.symmetry import TIGHT, space_group_symbol, standard_cell

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from gen2dft.store.documents import RefusedSymmetry, SymmetryRecord

MEV = 1000  # per eV


def conventional_text(structure: Structure) -> str:
    """Space group within 0.01 Angstrom, and lengths, angles and atoms of the conventional cell."""
    symbol = space_group_symbol(structure)
    cell = standard_cell(structure, TIGHT, primitive=False)
    if cell is None:
        return symbol
    lengths = ", ".join(f"{length:.3f}" for length in cell.lattice.abc)
    angles = ", ".join(f"{angle:.1f}" for angle in cell.lattice.angles)
    atoms = counted(len(cell), "atom")
    return f"{symbol}, conventional cell {lengths} \u00c5, {angles}\u00b0, {atoms}"


def symmetry_text(record: SymmetryRecord) -> str:
    """What the screen made of a crystal's symmetry."""
    if record.kept:
        atoms = counted(record.num_sites, "atom")
        text = f"{record.space_group} as relaxed, cell of {atoms}"
    else:
        text = _change(record)
    refused = [_refusal(trial) for trial in record.refused]
    return "; ".join([text, *refused])


def _change(record: SymmetryRecord) -> str:
    was, now = counted(record.num_sites_before, "atom"), counted(record.num_sites, "atom")
    return (
        f"was {record.space_group_before}, cell of {was}; is {record.space_group}, cell of {now}; "
        f"{_cost(record.energy_difference)}, found within {record.tolerance:g} \u00c5"
    )


def _refusal(trial: RefusedSymmetry) -> str:
    if trial.energy_difference is None:
        return f"not {trial.space_group}: {words(trial.reason)}"
    return f"not {trial.space_group}: {_cost(trial.energy_difference)}"


def _cost(difference: float | None) -> str:
    rounded = round(MEV * (difference or 0.0), 1)
    return f"{rounded + 0.0:+.1f} meV/atom"  # + 0.0 turns -0.0 into 0.0
