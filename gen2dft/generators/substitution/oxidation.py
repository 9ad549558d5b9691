"""Oxidation states of known crystals, guessed from their formulas."""

from __future__ import annotations

import functools

# Formulas of which a guess is kept in memory.
KEPT = 100_000


@functools.lru_cache(maxsize=KEPT)
def oxidation_states(numbers: tuple[int, ...], counts: tuple[int, ...]) -> tuple[int, ...] | None:
    """The likeliest oxidation state of each element, by pymatgen's statistics of the ICSD.

    None where no states make the formula neutral, as in intermetallics, or where an element would
    have several.

    Parameters
    ----------
    numbers, counts
        Atomic numbers, and atoms per formula unit.
    """
    from pymatgen.core import Composition, Element

    symbols = [Element.from_Z(number).symbol for number in numbers]
    composition = Composition(dict(zip(symbols, counts, strict=True)))
    guesses = composition.oxi_state_guesses()
    if not guesses:
        return None
    states = [guesses[0][symbol] for symbol in symbols]
    if not all(float(state).is_integer() for state in states):
        return None
    return tuple(int(state) for state in states)
