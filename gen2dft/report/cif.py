"""Crystals as CIF files that say where they come from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gen2dft.properties import PROPERTIES
from gen2dft.report.output import write_file
from gen2dft.report.wording import Known, basis_text, remark_text, round_title, value_text

if TYPE_CHECKING:
    from gen2dft.store.documents import HitDoc


def hit_cif(hit: HitDoc, surrogates: Iterable[str], known: Known = PROPERTIES) -> str:
    """A hit's structure, exactly as stored (P1), under comments with its values, their units and
    their basis.
    """
    comments = _comments_of(hit, set(surrogates), known)
    return structure_cif(hit.structure, comments)


def _comments_of(hit: HitDoc, surrogates: set[str], known: Known) -> Iterator[str]:
    """Origin of a hit, then one line per value."""
    crystal = f"{hit.formula}, space group {hit.spacegroup}"
    yield f"{crystal}, found by gen2dft {hit.code_version}"
    round_ = round_title(hit.round_index)
    yield f"campaign {hit.campaign_id}, {round_}, candidate {hit.candidate_id}"
    yield f"e_above_hull is measured against hull {hit.hull_id}"
    if hit.remarks:
        yield f"remark: {remark_text(hit.remarks)}"
    for name, value in hit.values.items():
        unit = known[name].unit
        number = value_text(name, value, known)
        basis = basis_text(hit.basis[name], surrogates)
        yield f"{name} = {number} {unit}, {basis}"


def structure_cif(structure: dict[str, Any], comments: Iterable[str]) -> str:
    """A structure (pymatgen dictionary) as CIF text, exactly as stored, under one comment line
    each.
    """
    from pymatgen.core import Structure

    crystal = Structure.from_dict(structure)
    head = "".join(map(_comment, comments))
    return head + str(crystal.to(fmt="cif"))


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
