"""Crystals from documents: pymatgen's dictionaries, read without letting them choose a class.

`Structure.from_dict` hands nested dictionaries to monty's decoder, which imports the module that a
dictionary names and calls its class. Data files, archives, results and the database come from
others, so this reader takes lattice, species, positions, charge and numeric site properties, and
leaves everything else where it is.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gen2dft.crystals import ISOTOPES
from gen2dft.errors import CrystalError

if TYPE_CHECKING:
    from pymatgen.core import Composition, Element, Lattice, PeriodicSite, Species, Structure

PERIODIC = (True, True, True)
CELL_PARAMETERS = ("a", "b", "c", "alpha", "beta", "gamma")
MANY_SPECIES = 1000
SAME_VOLUME = 0.01  # relative
SHOWN = 40  # characters of a wrong value that a message repeats


def structure_of(document: object) -> Structure:
    """The crystal of a document as `Structure.as_dict` writes it.

    Parameters
    ----------
    document
        `lattice` with a `matrix` (rows, Angstrom) or lengths and angles; `sites` with `species` and
        fractional `abc` each; `charge` (e), if it is not that of the species.

    Returns
    -------
    Structure
        Partly occupied sites are kept. Site properties are kept where they are numbers or nested
        lists of numbers. D is read as H.

    Raises
    ------
    CrystalError
        Something is missing, not finite, or no element.
    """
    from pymatgen.core import Structure

    fields = _mapping(document, "the crystal")
    lattice = _lattice(_field(fields, "lattice", "the crystal"))
    charge = _charge(fields.get("charge"))
    listed = _list(_field(fields, "sites", "the crystal"), "`sites`")
    if not listed:
        raise CrystalError("the crystal has no sites")
    crystal = Structure(lattice, [], [], charge=charge)
    # Twice as fast as to have Structure make each site.
    crystal.sites = _sites(listed, lattice)
    return crystal


def _sites(listed: Sequence[Any], lattice: Lattice) -> list[PeriodicSite]:
    from pymatgen.core import PeriodicSite

    places = [f"site {number}" for number in range(1, len(listed) + 1)]
    given = [_mapping(site, place) for site, place in zip(listed, places, strict=True)]
    species = [_species(site, place) for site, place in zip(given, places, strict=True)]
    positions = _positions(given, places)
    properties = _site_properties(given)
    sites = []
    for specie, position, values in zip(species, positions, properties, strict=True):
        site = PeriodicSite(specie, position, lattice, properties=values, skip_checks=True)
        sites.append(site)
    return sites


def _mapping(value: object, place: str) -> Mapping[str, Any]:
    if isinstance(value, dict):
        return value
    raise CrystalError(f"{place} is {_kind(value)}, but must be an object with named fields")


def _list(value: object, place: str) -> Sequence[Any]:
    if isinstance(value, list | tuple):
        return value
    raise CrystalError(f"{place} is {_kind(value)}, but must be a list")


def _field(fields: Mapping[str, Any], name: str, place: str) -> Any:
    if name not in fields:
        raise CrystalError(f"{place} has no `{name}`")
    return fields[name]


def _kind(value: object) -> str:
    """A wrong value in words, never as a whole: documents can be large."""
    if value is None:
        return "empty"
    if isinstance(value, str):
        return f"the text {value[:SHOWN]!r}"
    if isinstance(value, bool | int | float):
        return f"the number {value!r}"[:SHOWN]
    return {"list": "a list", "tuple": "a list", "dict": "an object"}.get(
        type(value).__name__, f"of the type {type(value).__name__}"
    )


def _lattice(value: object) -> Lattice:
    from pymatgen.core import Lattice

    fields = _mapping(value, "`lattice`")
    pbc = _periodicity(fields.get("pbc", PERIODIC))
    if "matrix" in fields:
        lattice = Lattice(_numbers(fields["matrix"], (3, 3), "`lattice.matrix`"), pbc=pbc)
        _refuse_contradiction(lattice, fields.get("volume"))
        return lattice
    named = [_field(fields, name, "`lattice`") for name in CELL_PARAMETERS]
    a, b, c, alpha, beta, gamma = _numbers(named, (6,), "`lattice`").tolist()
    if min(a, b, c) <= 0 or not all(0 < angle < 180 for angle in (alpha, beta, gamma)):
        raise CrystalError("`lattice` needs lengths above 0 and angles between 0 and 180 degrees")
    return Lattice.from_parameters(a, b, c, alpha, beta, gamma, pbc=pbc)


def _refuse_contradiction(lattice: Lattice, volume: object) -> None:
    """CrystalError if the volume that stands beside a matrix is that of another cell."""
    if isinstance(volume, bool) or not isinstance(volume, int | float) or not np.isfinite(volume):
        return
    if abs(volume - lattice.volume) > SAME_VOLUME * lattice.volume:
        raise CrystalError(
            f"`lattice.volume` is {volume:g} Angstrom^3, but `lattice.matrix` spans "
            f"{lattice.volume:g}: one of them was changed; correct it, or leave `volume` out"
        )


def _periodicity(value: object) -> tuple[bool, bool, bool]:
    flags = tuple(_list(value, "`lattice.pbc`"))
    if len(flags) != 3 or not all(isinstance(flag, bool) for flag in flags):
        raise CrystalError("`lattice.pbc` must be three times true or false")
    return flags


def _numbers(value: object, shape: tuple[int, ...], place: str) -> NDArray[np.float64]:
    """An array of finite numbers of this shape."""
    try:
        numbers = np.array(value)
    except (TypeError, ValueError, OverflowError):
        numbers = np.empty(0)
    # Text is no number, even where NumPy would read one in it.
    if numbers.dtype.kind not in "iuf" or numbers.shape != shape:
        size = " x ".join(map(str, shape))
        raise CrystalError(f"{place} must be {size} numbers")
    if not np.isfinite(numbers).all():
        raise CrystalError(f"{place} is not finite")
    return numbers.astype(np.float64)


def _positions(sites: Sequence[Mapping[str, Any]], places: Sequence[str]) -> NDArray[np.float64]:
    """(n, 3) fractional coordinates."""
    rows = [_field(site, "abc", place) for site, place in zip(sites, places, strict=True)]
    try:
        return _numbers(rows, (len(rows), 3), "the positions")
    except CrystalError:
        # Only now is it worth to look which.
        for row, place in zip(rows, places, strict=True):
            _numbers(row, (3,), f"`abc` of {place}")
        return np.empty((0, 3))


def _charge(value: object) -> float | None:
    return None if value is None else _number(value, "`charge`")


def _number(value: object, place: str) -> float:
    value = _plain(value)
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    # A float holds what lies below its largest number, an integer of Python may lie beyond.
    if not is_number or not -sys.float_info.max <= value <= sys.float_info.max:  # type: ignore[operator]
        raise CrystalError(f"{place} is {_kind(value)}, but must be a finite number")
    return value  # type: ignore[return-value]


def _species(site: Mapping[str, Any], place: str) -> Composition:
    listed = _list(_field(site, "species", place), f"`species` of {place}")
    if len(listed) == 1:
        entry = _mapping(listed[0], f"`species` of {place}")
        if _number(entry.get("occu", 1), f"`occu` of {place}") == 1:
            return _whole(_key(entry, place))
    return _shared(listed, place)


def _shared(listed: Sequence[Any], place: str) -> Composition:
    """Species and occupancies of a site that is partly empty or shared."""
    from pymatgen.core import Composition

    amounts: dict[Any, float] = {}
    for given in listed:
        entry = _mapping(given, f"`species` of {place}")
        occupancy = _number(_field(entry, "occu", place), f"`occu` of {place}")
        if occupancy < 0:
            raise CrystalError(f"`occu` of {place} is negative")
        specie = _specie(*_key(entry, place))
        amounts[specie] = amounts.get(specie, 0.0) + occupancy
    total = sum(amounts.values())
    if not 0 < total <= 1 + Composition.amount_tolerance:
        raise CrystalError(f"{place} is occupied {total:g} times, but at most once is possible")
    return Composition(amounts)


Key = tuple[str, float | None, float | None, bool]


def _key(entry: Mapping[str, Any], place: str) -> Key:
    """Symbol, oxidation state, spin, and whether it has such at all."""
    symbol = _field(entry, "element", place)
    if not isinstance(symbol, str):
        raise CrystalError(f"the element of {place} is {_kind(symbol)}")
    if "oxidation_state" not in entry:
        return _element_symbol(symbol, place), None, None, False
    state, spin = entry["oxidation_state"], entry.get("spin")
    state = None if state is None else _number(state, f"`oxidation_state` of {place}")
    spin = None if spin is None else _number(spin, f"`spin` of {place}")
    return _element_symbol(symbol, place), state, spin, True


def _element_symbol(symbol: str, place: str) -> str:
    known = element_symbol(symbol)
    if known is None:
        raise CrystalError(f"{place} holds {symbol[:SHOWN]!r}, which is no element")
    return known


@cache
def _symbols() -> dict[str, str]:
    from pymatgen.core import Element

    named = {element.symbol: element.symbol for element in Element}
    return named | ISOTOPES


def element_symbol(text: str) -> str | None:
    """The element of a symbol, H for D; None if there is none."""
    return _symbols().get(text)


@lru_cache(MANY_SPECIES)
def _specie(symbol: str, state: float | None, spin: float | None, ionic: bool) -> Element | Species:
    from pymatgen.core import Element, Species

    return Species(symbol, state, spin=spin) if ionic else Element(symbol)


# Few species make up many sites, and a Composition costs as much as the rest of a site.
@lru_cache(MANY_SPECIES)
def _whole(key: Key) -> Composition:
    """One whole atom of a species; Compositions cannot be changed, so sites may share them."""
    from pymatgen.core import Composition

    return Composition({_specie(*key): 1})


def _site_properties(sites: Sequence[Mapping[str, Any]]) -> list[dict[str, Any] | None]:
    """(n,) the numeric properties of each site; a name that one site has, all have, or None."""
    if not any(site.get("properties") for site in sites):
        return [None] * len(sites)
    read = [_numeric(site.get("properties")) for site in sites]
    names = dict.fromkeys(name for values in read for name in values)
    return [{name: values.get(name) for name in names} for values in read]


def _numeric(given: object) -> dict[str, Any]:
    if not given or not isinstance(given, dict):
        return {}
    plain = {str(name): _plain(value) for name, value in given.items()}
    return {name: value for name, value in plain.items() if _is_numeric(value)}


def _plain(value: object) -> object:
    """NumPy's numbers and arrays, which a dictionary that was never stored may hold, as lists."""
    return value.tolist() if isinstance(value, np.generic | np.ndarray) else value


def _is_numeric(value: object) -> bool:
    """Whether a value is a number, a truth value, or nested lists of such."""
    if isinstance(value, bool | int | float):
        return True
    return isinstance(value, list | tuple) and all(map(_is_numeric, value))
