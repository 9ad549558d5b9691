"""How a reader may write formulas, chemical systems and symbols, and how documents spell them."""

from __future__ import annotations

from gen2dft.composition import CRYSTAL_SYSTEMS, formula_of
from gen2dft.errors import QueryError, not_one_of
from gen2dft.query.fields import FORMULAS


def spellings(name: str, given: str) -> list[str]:
    """The text that documents may hold for a text that a reader gives; the given one too.

    Raises
    ------
    QueryError
        For an element or a crystal system that there is none of.
    """
    if name in FORMULAS:
        return _both(given, formula_of(given))
    if name == "elements":
        _check_element(given)
    elif name == "chemsys":
        symbols = given.split("-")
        for symbol in symbols:
            _check_element(symbol)
        return ["-".join(sorted(set(symbols)))]
    elif name == "symmetry.crystal_system":
        return [_crystal_system(given)]
    return [given]


def _both(given: str, spelled: str | None) -> list[str]:
    """The formula as documents spell it, and as it was given, if that differs."""
    return [given] if spelled in (None, given) else [str(spelled), given]


def _check_element(symbol: str) -> None:
    from pymatgen.core import Element

    if not Element.is_valid_symbol(symbol):
        symbols = [element.symbol for element in Element]
        raise QueryError(not_one_of("element", symbol, symbols))


def _crystal_system(given: str) -> str:
    system = given.capitalize()
    if system not in CRYSTAL_SYSTEMS:
        raise QueryError(not_one_of("crystal system", given, CRYSTAL_SYSTEMS))
    return system
