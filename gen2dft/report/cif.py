"""Crystals as CIF files that say where they come from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gen2dft.crystal_documents import structure_of
from gen2dft.properties import PROPERTIES
from gen2dft.report.chances import stability_text
from gen2dft.report.output import write_file
from gen2dft.report.wording import (
    Known,
    basis_text,
    remark_text,
    remarks_on,
    round_title,
    value_text,
)
from gen2dft.symmetry import BY_SYMPREC, TIGHT, standard_cell

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from gen2dft.store.documents import HitDoc

WRITTEN = 1e-4  # Angstrom; finer than the digits of the file


def hit_cif(hit: HitDoc, surrogates: Iterable[str], known: Known = PROPERTIES) -> str:
    """A hit's structure under comments with its values, their units and their basis."""
    comments = _comments_of(hit, set(surrogates), known)
    return structure_cif(hit.structure, comments)


def _comments_of(hit: HitDoc, surrogates: set[str], known: Known) -> Iterator[str]:
    """Origin of a hit, then one line per value."""
    crystal = f"{hit.formula}, space group {hit.spacegroup}"
    yield f"{crystal}, found by gen2dft {hit.code_version}"
    round_ = round_title(hit.round_index)
    yield f"campaign {hit.campaign_id}, {round_}, candidate {hit.candidate_id}"
    yield f"e_above_hull is measured against hull {hit.hull_id}"
    if remarks_on(hit):
        yield f"remark: {remark_text(remarks_on(hit))}"
    for name, value in hit.values.items():
        unit = known[name].unit
        number = value_text(name, value, known)
        basis = basis_text(hit.basis[name], surrogates)
        yield f"{name} = {number} {unit}, {basis}"
    yield f"evidence: {hit.evidence}"
    if hit.stability is not None:
        yield f"stability: {stability_text(hit.stability)}"


def structure_cif(structure: dict[str, Any], comments: Iterable[str]) -> str:
    """A structure (pymatgen dictionary) as CIF text, under one comment line each.

    It gives the space group within 0.01 Angstrom, its operations, the conventional cell and one
    site of each kind. A structure in which spglib finds no symmetry is written as stored.
    """
    crystal = structure_of(structure)
    head = "".join(map(_comment, comments))
    return head + _symmetric_cif(crystal)


def _symmetric_cif(crystal: Structure) -> str:
    from pymatgen.io.cif import CifWriter

    cell = standard_cell(crystal, TIGHT, primitive=False)
    if cell is None:
        return str(CifWriter(crystal))
    # The cell is exact already: no angle may be off, as the writer allows by default.
    return str(CifWriter(cell, symprec=WRITTEN, angle_tolerance=BY_SYMPREC))


def _comment(text: str) -> str:
    """A comment that no text can end early; CIF is ASCII."""
    one_line = re.sub(r"\s+", " ", text)
    plain = one_line.encode("ascii", "replace").decode()
    return f"# {plain}\n"


def cif_name(formula: str | None, candidate_id: str) -> str:
    """File name of a crystal: formula and id, without characters special to a shell."""
    plain = re.sub(r"[^A-Za-z0-9.]", "", formula or "") or "crystal"
    key = re.sub(r"[^A-Za-z0-9]", "", candidate_id)
    return f"{plain}_{key}.cif"


def write_hit_cifs(
    hits: Iterable[HitDoc], surrogates: Iterable[str], folder: Path, known: Known = PROPERTIES
) -> list[Path]:
    """One CIF file per hit in `folder`; OutputError if it cannot be written."""
    not_dft = set(surrogates)
    written = []
    for hit in hits:
        name = cif_name(hit.formula, hit.candidate_id)
        text = hit_cif(hit, not_dft, known)
        written.append(write_file(folder / name, text.encode()))
    return written
