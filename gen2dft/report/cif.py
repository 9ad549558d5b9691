"""Crystals as CIF files that say where they come from."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gen2dft.properties import PROPERTIES
from gen2dft.report.output import write_file
from gen2dft.report.wording import Known, basis_text, round_title, value_text

if TYPE_CHECKING:
    from gen2dft.store.documents import HitDoc


def hit_cif(hit: HitDoc, surrogates: Iterable[str], known: Known = PROPERTIES) -> str:
    """A hit's structure, exactly as stored (P1), under comments with its values, their units and
    their basis.
    """
    values = (
        f"{name} = {value_text(name, hit.values[name], known)} {known[name].unit}, "
        f"{basis_text(hit.basis[name], surrogates)}"
        for name in hit.values
    )
    lines = (
        f"{hit.formula}, space group {hit.spacegroup}, found by gen2dft {hit.code_version}",
        f"campaign {hit.campaign_id}, {round_title(hit.round_index)}, candidate {hit.candidate_id}",
        f"e_above_hull is measured against hull {hit.hull_id}",
        *values,
    )
    return structure_cif(hit.structure, lines)


def structure_cif(structure: dict[str, Any], comments: Iterable[str]) -> str:
    """A structure (pymatgen dictionary) as CIF text, exactly as stored, under one comment line
    each.
    """
    from pymatgen.core import Structure

    one_line = (re.sub(r"\s+", " ", text).encode("ascii", "replace").decode() for text in comments)
    cif = str(Structure.from_dict(structure).to(fmt="cif"))
    return "".join(f"# {text}\n" for text in one_line) + cif


def cif_name(formula: str | None, candidate_id: str) -> str:
    """File name of a crystal: formula and id, nothing that a shell or file system minds."""
    plain = re.sub(r"[^A-Za-z0-9.]", "", formula or "") or "crystal"
    return f"{plain}_{re.sub(r'[^A-Za-z0-9]', '', candidate_id)}.cif"


def write_hit_cifs(
    hits: Iterable[HitDoc], surrogates: Iterable[str], folder: Path, known: Known = PROPERTIES
) -> list[Path]:
    """One CIF file per hit in `folder`; OutputError if it cannot be written."""
    not_dft, written = set(surrogates), []
    for hit in hits:
        path = folder / cif_name(hit.formula, hit.candidate_id)
        written.append(write_file(path, hit_cif(hit, not_dft, known).encode()))
    return written
