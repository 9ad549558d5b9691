"""What DFT says of a potential's distance to the hull: extra trees fitted to published crystals.

The trees learn the difference (DFT - potential) of composition, energies and volume. Their error is
made of the trees' spread and of a noise that the fit finds out on crystals that its trees have not
seen.
"""

from __future__ import annotations

import dataclasses
import functools
import gzip
from collections.abc import Collection, Sequence
from dataclasses import dataclass, fields
from importlib import resources
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from gen2dft.chemistry import has_closed_shell, is_charge_balanced
from gen2dft.crystals import CrystalTable
from gen2dft.errors import DatasetError, SnapshotError
from gen2dft.generators.snapshot import write_archive
from gen2dft.geometry import COVALENT_RADII
from gen2dft.hashing import content_hash
from gen2dft.heads.composition import composition_features
from gen2dft.heads.element_table import element_table
from gen2dft.heads.forest import Forest
from gen2dft.heads.stored import damage_named, read_head
from gen2dft.thermo.stability import Estimate, StabilityModel

if TYPE_CHECKING:
    from pymatgen.core import Structure

Array = NDArray[np.float64]

FORMAT = "stability-trees-1"
FILES = ("chgnet-2025.npz.gz",)  # those that ship
TREES = 128
LEAST_LEAF = 3
FOLDS = 5
MIN_CRYSTALS = 50
STABLE = 0.1
"""eV/atom: the usual bound of what may be made (Sun et al., Sci. Adv. 2, e1600225 (2016))"""
NOISES = np.arange(0.02, 0.2, 0.005)
"""eV/atom that are tried"""
WITHIN_ONE = 0.683
"""share of a normal distribution within one standard deviation"""
FEW = 10
"""crystals with an element below which the model does not know it"""
UNLIKE_WIDER = 1.25
"""by how much errors are wider with elements that the model has not seen, a margin: leaving all
crystals of one element out of the fit raises its error 1.04 times (mean of 25 elements), since
others are like it"""
PARTS = tuple(part.name for part in fields(Forest))


@dataclass(frozen=True)
class Potential:
    """Whose distances a model corrects.

    Parameters
    ----------
    engine
        Name of the engine.
    presets
        Its presets with this potential.
    """

    engine: str
    presets: tuple[str, ...]


@dataclass(frozen=True)
class Known:
    """Crystals with a distance to one hull by a potential and by DFT.

    Parameters
    ----------
    crystals
        n crystals as the potential relaxed them.
    formation_energies, e_above_hulls
        (n,) by the potential, eV/atom.
    e_above_hulls_by_dft
        (n,) eV/atom.
    """

    crystals: CrystalTable
    formation_energies: Array
    e_above_hulls: Array
    e_above_hulls_by_dft: Array

    def __len__(self) -> int:
        return len(self.e_above_hulls)

    def select(self, which: NDArray[Any]) -> Known:
        """The crystals of these rows, or where the mask is true."""
        return Known(
            self.crystals.select(which),
            self.formation_energies[which],
            self.e_above_hulls[which],
            self.e_above_hulls_by_dft[which],
        )

    def systems(self) -> NDArray[np.str_]:
        """(n,) chemical systems."""
        names: list[str] = []
        for i in range(len(self)):
            elements = np.unique(self.crystals.numbers[self.crystals.sites(i)])
            names.append("-".join(map(str, elements)))
        return np.array(names)


@dataclass(frozen=True, eq=False)
class StabilityTrees:
    """A `gen2dft.thermo.stability.StabilityModel` of trees.

    Parameters
    ----------
    name
        What documents call it.
    potential
        Whose distances it corrects.
    origin
        Of the crystals that it was fitted to: source and licence.
    elements
        (119, q) properties of the elements, kept with the trees.
    seen
        (119,) crystals with each element, by atomic number.
    forest
        Trees for (DFT - potential), eV/atom.
    noise
        eV/atom, what the trees' spread does not know of.
    """

    name: str
    potential: Potential
    origin: str
    elements: Array
    seen: NDArray[np.int64]
    forest: Forest
    noise: float

    @classmethod
    def fit(
        cls, known: Known, name: str, potential: Potential, origin: str, rng: np.random.Generator
    ) -> Self:
        """Fit to crystals with published energies; the same crystals and randomness give the same
        trees.

        Raises
        ------
        DatasetError
            Fewer than `MIN_CRYSTALS` crystals, or an energy that is no number.
        """
        _require_numbers(known)
        elements = element_table()
        difference = known.e_above_hulls_by_dft - known.e_above_hulls
        x = _features(known.crystals, known.formation_energies, known.e_above_hulls, elements)
        noise = _noise(x, difference, known, rng)
        forest = _grown(x, difference, rng)
        seen = _seen(known.crystals)
        return cls(name, potential, origin, elements, seen, forest, noise)

    @functools.cached_property
    def model_hash(self) -> str:
        """Hash of the content; 16 hexadecimal digits."""
        return content_hash(self.to_bytes(), digits=16)

    def estimate(
        self,
        structures: Sequence[Structure],
        formation_energies: Sequence[float],
        e_above_hulls: Sequence[float],
    ) -> list[Estimate]:
        """What DFT is expected to say of crystals, see `StabilityModel.estimate`."""
        crystals = CrystalTable.from_structures(structures)
        distances = np.asarray(e_above_hulls, dtype=np.float64)
        expected, error = self.arrays(crystals, np.asarray(formation_energies), distances)
        unlike = self.unlike(crystals)
        estimates: list[Estimate] = []
        for value, deviation, is_unlike in zip(expected, error, unlike, strict=True):
            estimate = Estimate(float(value), float(deviation), bool(is_unlike))
            estimates.append(estimate)
        return estimates

    def arrays(
        self, crystals: CrystalTable, formation_energies: Array, e_above_hulls: Array
    ) -> tuple[Array, Array]:
        """(n,) distances that DFT is expected to find, and their errors, eV/atom."""
        x = _features(crystals, formation_energies, e_above_hulls, self.elements)
        mean, spread = _mean_and_spread(self.forest, x)
        wider = np.where(self.unlike(crystals), UNLIKE_WIDER, 1.0)
        return e_above_hulls + mean, wider * np.hypot(spread, self.noise)

    def unlike(self, crystals: CrystalTable) -> NDArray[np.bool_]:
        """(n,) whether a crystal has an element that fewer than `FEW` fitted crystals have."""
        rare = self.seen[crystals.numbers] < FEW
        found = np.zeros(len(crystals), dtype=bool)
        np.logical_or.at(found, crystals.owners, rare)
        return found

    def to_bytes(self) -> bytes:
        """The model as bytes; equal models give equal bytes."""
        header = {
            "format": FORMAT,
            "name": self.name,
            "engine": self.potential.engine,
            "presets": list(self.potential.presets),
            "origin": self.origin,
            "noise": self.noise,
        }
        arrays: dict[str, NDArray[Any]] = {"elements": self.elements, "seen": self.seen}
        arrays |= {part: getattr(self.forest, part) for part in PARTS}
        return write_archive(header, arrays)

    @classmethod
    def from_bytes(cls, data: bytes, origin: str) -> Self:
        """Inverse of `to_bytes`; SnapshotError if the data are damaged or of another format."""
        with damage_named(origin):
            header, arrays = read_head(data, origin, FORMAT)
            forest = Forest(**{part: arrays[part] for part in PARTS})
            potential = Potential(header["engine"], tuple(header["presets"]))
            return cls(
                name=header["name"],
                potential=potential,
                origin=header["origin"],
                elements=arrays["elements"],
                seen=arrays["seen"],
                forest=forest,
                noise=float(header["noise"]),
            )


def packed(model: StabilityTrees) -> bytes:
    """The content of the file of a model; equal models give equal bytes."""
    return gzip.compress(model.to_bytes(), compresslevel=9, mtime=0)


def unpacked(data: bytes, origin: str) -> StabilityTrees:
    """Inverse of `packed`; SnapshotError if the data are damaged or of another format."""
    try:
        content = gzip.decompress(data)
    except (OSError, EOFError) as err:
        raise SnapshotError(
            f"{origin} cannot be read ({err}): install gen2dft again, or build it: gen2dft data "
            "build stability --source TABLE"
        ) from err
    return StabilityTrees.from_bytes(content, origin)


@functools.cache
def shipped_models() -> tuple[StabilityTrees, ...]:
    """The models that ship; SnapshotError if a file of them is damaged."""
    folder = resources.files("gen2dft.heads")
    models: list[StabilityTrees] = []
    for name in FILES:
        file = folder / name
        model = unpacked(file.read_bytes(), f"stability model {name}")
        models.append(model)
    return tuple(models)


def stability_model(engine: str, preset: str) -> StabilityModel | None:
    """The model that ships for the potential of an engine's preset; None: there is none."""
    for model in shipped_models():
        potential = model.potential
        if engine == potential.engine and preset in potential.presets:
            return model
    return None


def folds_of(systems: NDArray[np.str_], rng: np.random.Generator) -> NDArray[np.int64]:
    """(n,) number of the fold of each crystal: those of one chemical system share one."""
    names, system_of = np.unique(systems, return_inverse=True)
    order = rng.permutation(len(names))
    return order[system_of] % FOLDS


def out_of_fold(
    known: Known, potential: Potential, rng: np.random.Generator
) -> tuple[Array, Array]:
    """(n,) expected distances and errors, eV/atom, each by a model without the crystal's system."""
    folds = folds_of(known.systems(), rng)
    expected, error = np.zeros(len(known)), np.zeros(len(known))
    for fold in range(FOLDS):
        rest, held = known.select(folds != fold), folds == fold
        model = StabilityTrees.fit(rest, "fold", potential, "", rng)
        asked = known.select(held)
        expected[held], error[held] = model.arrays(
            asked.crystals, asked.formation_energies, asked.e_above_hulls
        )
    return expected, error


def _require_numbers(known: Known) -> None:
    if len(known) < MIN_CRYSTALS:
        raise DatasetError(
            f"{len(known)} crystals with published energies; a correction needs {MIN_CRYSTALS}"
        )
    energies = (known.formation_energies, known.e_above_hulls, known.e_above_hulls_by_dft)
    broken = ~np.isfinite(energies).all(axis=0)
    if broken.any():
        rows = np.flatnonzero(broken)
        raise DatasetError(f"{len(rows)} crystals lack an energy, the first in row {rows[0]}")


def _features(
    crystals: CrystalTable, formation_energies: Array, e_above_hulls: Array, elements: Array
) -> Array:
    """(n, f) what the trees ask for.

    The volume is also given in units of the cubes of covalent radii; the hull's energy at the
    composition is the formation energy less the distance.
    """
    cubes = np.array(COVALENT_RADII)[crystals.numbers] ** 3
    per_crystal = np.bincount(crystals.owners, weights=cubes, minlength=len(crystals))
    volumes = crystals.volumes / crystals.num_sites
    hull_energies = formation_energies - e_above_hulls
    columns = [
        composition_features(crystals, elements),
        e_above_hulls,
        formation_energies,
        hull_energies,
        volumes,
        crystals.volumes / per_crystal,
        _neutral(crystals),
    ]
    return np.column_stack(columns)


def _neutral(crystals: CrystalTable) -> NDArray[np.bool_]:
    """(n, 2) whether common oxidation states add up to zero, and whether a valence shell is
    closed.
    """
    from pymatgen.core import Element

    found: list[tuple[bool, bool]] = []
    for i in range(len(crystals)):
        numbers, counts = np.unique(crystals.numbers[crystals.sites(i)], return_counts=True)
        per_unit = counts // np.gcd.reduce(counts)
        symbols = [Element.from_Z(number).symbol for number in numbers]
        formula = dict(zip(symbols, map(int, per_unit), strict=True))
        found.append((is_charge_balanced(formula), has_closed_shell(formula)))
    return np.array(found, dtype=bool).reshape(-1, 2)


def _seen(crystals: CrystalTable) -> NDArray[np.int64]:
    """(119,) crystals with each element."""
    pairs = np.unique(np.column_stack([crystals.owners, crystals.numbers]), axis=0)
    return np.bincount(pairs[:, 1], minlength=119)


def _grown(x: Array, difference: Array, rng: np.random.Generator) -> Forest:
    """Trees with numbers of single precision, which the file keeps in half the space."""
    forest = Forest.grow(x, difference, trees=TREES, least_leaf=LEAST_LEAF, rng=rng)
    single = forest.numbers.astype(np.float32)
    return dataclasses.replace(forest, numbers=single.astype(np.float64))


def _mean_and_spread(forest: Forest, x: Array) -> tuple[Array, Array]:
    by_tree = forest.predict(x)
    return by_tree.mean(axis=0), by_tree.std(axis=0)


def _noise(x: Array, difference: Array, known: Known, rng: np.random.Generator) -> float:
    """The least noise, eV/atom, with which 68 % of crystals of systems not seen lie within one
    error.
    """
    folds = folds_of(known.systems(), rng)
    expected, spread = np.zeros(len(x)), np.zeros(len(x))
    for fold in range(FOLDS):
        held = folds == fold
        forest = _grown(x[~held], difference[~held], rng)
        mean, spread[held] = _mean_and_spread(forest, x[held])
        expected[held] = known.e_above_hulls[held] + mean
    missed = np.abs(expected - known.e_above_hulls_by_dft)
    for noise in NOISES:
        within = missed <= np.hypot(spread, noise)
        if within.mean() >= WITHIN_ONE:
            break
    return float(noise)


def chances(expected: Array, error: Array, most: float = STABLE) -> Array:
    """(n,) probabilities that DFT finds at most `most` eV/atom."""
    return np.asarray(ndtr((most - expected) / error))


def brier(given: Array, found: Collection[bool] | NDArray[np.bool_]) -> float:
    """Mean squared difference of chances and outcomes (Brier, Mon. Weather Rev. 78, 1 (1950))."""
    return float(np.mean((given - np.asarray(found, dtype=np.float64)) ** 2))
