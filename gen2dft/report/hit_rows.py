"""Hits as tables of pages show them: picture, values, and where each value is from."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gen2dft.crystal_documents import structure_of
from gen2dft.doubts import doubts_of, doubts_text
from gen2dft.properties import PROPERTIES
from gen2dft.report.chances import chance_text, potential_text
from gen2dft.report.picture import crystal_svg
from gen2dft.report.wording import Known, basis_text, with_error
from gen2dft.store.documents import OPEN, PREDICTED

if TYPE_CHECKING:
    from markupsafe import Markup

    from gen2dft.store.documents import HitDoc


@dataclass(frozen=True)
class HitRow:
    """A hit with its picture as SVG.

    Parameters
    ----------
    cells
        Per property: value, basis, and the style of the basis (`dft`, `surrogate` or none).
    """

    hit: HitDoc
    picture: Markup
    cells: list[tuple[str, str, str]]

    @property
    def by_the_potential(self) -> str:
        """Its distance to the hull before the correction, eV/atom; a dash without one."""
        return potential_text(self.hit.stability)

    @property
    def chance(self) -> str:
        """The chance that DFT confirms its stability; a dash where nobody tells."""
        return chance_text(self.hit.stability)

    @property
    def is_unlike(self) -> bool:
        """Whether the correction has seen nothing like it."""
        return self.hit.stability is not None and self.hit.stability.unlike


def hit_row(
    hit: HitDoc, names: Iterable[str], surrogates: set[str], known: Known = PROPERTIES
) -> HitRow:
    """A hit with its values of the properties named.

    Parameters
    ----------
    surrogates
        Engines that are not DFT.
    known
        What the properties are.
    """
    from markupsafe import Markup

    key = re.sub("[^0-9a-zA-Z]", "", hit.candidate_id)
    picture = crystal_svg(structure_of(hit.structure), f"c{key}")
    cells = [_cell(hit, name, surrogates, known) for name in names]
    # Numbers, element symbols and escaped text.
    return HitRow(hit, Markup(picture), cells)  # noqa: S704


def _cell(hit: HitDoc, name: str, surrogates: set[str], known: Known) -> tuple[str, str, str]:
    basis = hit.basis[name]
    value = with_error(name, hit.values[name], hit.errors.get(name), known)
    doubts = doubts_of(name, hit.doubts)
    if doubts:
        value = f"{value} ({doubts_text(doubts)})"
    return value, basis_text(basis, surrogates), _style(basis, surrogates)


def _style(basis: str, surrogates: set[str]) -> str:
    """No engine has computed what is predicted or open, so neither looks like a result."""
    if basis in (PREDICTED, OPEN):
        return ""
    return "surrogate" if basis in surrogates else "dft"
