"""Named settings of engine `gpaw`, and what they become for one crystal."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pymatgen.core import Lattice, Structure

from gen2dft.engines.installed import versions_of_packages
from gen2dft.errors import CampaignError, not_one_of
from gen2dft.hashing import content_hash
from gen2dft.transport.symmetry import point_group, symmetric_mesh

PACKAGES = ("gpaw", "gpaw-data", "ase")
# Elements whose 2p states make forces, stresses and bands need a harder cutoff.
HARD = frozenset({"N", "O", "F"})
# Hubbard U on d states in oxides and fluorides, eV, of the Materials Project (Jain et al., Phys.
# Rev. B 84, 045115).
HUBBARD_U: Mapping[str, float] = {
    "Co": 3.32,
    "Cr": 3.7,
    "Fe": 5.3,
    "Mn": 3.9,
    "Mo": 4.38,
    "Ni": 6.2,
    "V": 3.25,
    "W": 6.2,
}
# Moments that spin-polarised calculations start from, Bohr magnetons; crystals without these
# elements have no spin.
MOMENTS: Mapping[str, float] = {
    **dict.fromkeys(("Co", "Cr", "Fe", "Mn", "Mo", "Ni", "V", "W", "Ce"), 5.0),
    "Eu": 7.0,
    "Gd": 7.0,
}
OTHER_MOMENT = 0.6
NO_MOMENT = 0.01  # a crystal whose largest moment is not above has none


@dataclass(frozen=True)
class GPAWPreset:
    """Settings of GPAW in plane-wave mode.

    Parameters
    ----------
    name, description
        In the engine's registry, and what it is good for.
    xc
        Exchange-correlation functional.
    plus_u
        Whether oxides and fluorides get the U of `HUBBARD_U`.
    cutoff, hard_cutoff
        Plane-wave cutoff of relaxation and energy, eV, without and with N, O, F: stresses need so
        much.
    bands_cutoff, hard_bands_cutoff
        The same of uniform bands, eV: eigenvalues need less.
    spacing
        Largest spacing of the k-points of relaxation and energy, 1/Angstrom, with 2 pi.
    bands_spacing
        The same of uniform bands.
    smearing
        Width of the Fermi-Dirac distribution, eV.
    fmax
        Relaxation ends when every (generalised) force is below, eV/Angstrom.
    max_steps
        Ionic steps at most; a structure that needs more comes back with `converged=False`.
    cell_fmax
        A structure as given counts as relaxed if its forces are below `fmax` and the generalised
        forces on its cell (volume per atom times stress) below this, eV; None: `fmax`. With B the
        bulk modulus, the lattice constant is then off by `cell_fmax` / (3 B V/N), and B V/N is 7 to
        10 eV in most semiconductors (AlAs 10, PbTe 8): 0.1 eV means less than 0.5 %.
    even
        Whether meshes of relaxation and energy have even sizes, and multiples of 6 in the plane of
        hexagonal cells: they hold the points (L, X, M; K) where band edges often lie. Odd meshes
        miss them and find gaps where there are none.
    bands_residual
        Residual of uniform bands at fixed density, eV^2 per electron: 1e-4 leaves power factors
        equal to three decimals.
    few_bands
        Whether uniform bands reach as far as 1e20 carriers per cm^3 at 1300 K need, not further.
    """

    name: str
    description: str
    spacing: float
    bands_spacing: float
    fmax: float
    xc: str = "PBE"
    plus_u: bool = True
    cutoff: float = 500.0
    hard_cutoff: float = 700.0
    bands_cutoff: float = 300.0
    hard_bands_cutoff: float = 600.0
    smearing: float = 0.05
    max_steps: int = 60
    cell_fmax: float | None = None
    even: bool = False
    bands_residual: float = 1e-6
    few_bands: bool = False

    @property
    def settings_hash(self) -> str:
        """Hash of the settings and of GPAW's version; 12 hexadecimal digits."""
        content = {**self.contents(), "versions": versions()}
        del content["description"]
        text = json.dumps(content, sort_keys=True)
        return content_hash(text, digits=12)

    def contents(self) -> dict[str, Any]:
        """All that it sets, as plain values."""
        hubbard = dict(HUBBARD_U) if self.plus_u else {}
        fixed = {
            "optimizer": "BFGS/FrechetCellFilter/FixSymmetry",
            "hubbard_u": hubbard,
            "moments": dict(MOMENTS),
        }
        return {**self._settings(), **fixed}

    def _settings(self) -> dict[str, Any]:
        """Fields and values, without later fields at their defaults: the hash of a preset names
        its labels, so it must not change with a new version of gen2dft.
        """
        settings = asdict(self)
        for field in fields(self):
            if field.name in LATER_FIELDS and settings[field.name] == field.default:
                del settings[field.name]
        return settings


# Fields that the first version of the presets did not have.
LATER_FIELDS = frozenset({"cell_fmax", "even", "bands_residual", "few_bands"})
DEFAULT_PRESET = "gpaw-quick-v2"
PRESETS: dict[str, GPAWPreset] = {
    preset.name: preset
    for preset in (
        GPAWPreset(
            "gpaw-quick-v1",
            "PBE(+U) for many crystals: coarser k-points; power factors within some 10 % of finer "
            "meshes",
            spacing=0.35,
            bands_spacing=0.15,
            fmax=0.05,
        ),
        GPAWPreset(
            "gpaw-v1",
            "PBE(+U) for labels: uniform bands fine enough for power factors within some 2 % of "
            "finer meshes",
            spacing=0.25,
            bands_spacing=0.12,
            fmax=0.03,
        ),
        GPAWPreset(
            "gpaw-quick-v2",
            "PBE(+U) for many crystals: as gpaw-quick-v1 on even meshes, without what power "
            "factors do not need",
            spacing=0.35,
            bands_spacing=0.15,
            fmax=0.05,
            cell_fmax=0.1,
            even=True,
            bands_residual=1e-4,
            few_bands=True,
        ),
        GPAWPreset(
            "gpaw-v2",
            "PBE(+U) for labels: as gpaw-v1 on even meshes, without what power factors do not need",
            spacing=0.25,
            bands_spacing=0.12,
            fmax=0.03,
            cell_fmax=0.06,
            even=True,
            bands_residual=1e-4,
            few_bands=True,
        ),
    )
}


def get_preset(preset: str | GPAWPreset) -> GPAWPreset:
    """The preset itself, or the registered one of that name; CampaignError names the choices."""
    if isinstance(preset, GPAWPreset):
        return preset
    if preset not in PRESETS:
        raise CampaignError(not_one_of("preset of engine 'gpaw'", preset, PRESETS))
    return PRESETS[preset]


def versions() -> dict[str, str]:
    """Versions of the programs that decide the result; SettingsError if they are not installed."""
    return versions_of_packages(PACKAGES, "gpaw", "make gpaw")


def parameters(
    structure: Structure,
    preset: GPAWPreset,
    bands: bool,
    mesh: tuple[int, int, int] | None = None,
) -> dict[str, Any]:
    """Keywords of GPAW's self-consistent calculation for one crystal.

    Parameters
    ----------
    bands
        Whether uniform bands follow: with the lower cutoff and without regard to stress.
    mesh
        Of k-points; by default the preset's.
    """
    size = mesh or kpoint_mesh(structure, preset.spacing, preset.even)
    keywords: dict[str, Any] = {
        "mode": {"name": "pw", "ecut": _cutoff(structure, preset, bands)},
        "xc": preset.xc,
        "kpts": {"size": size, "gamma": True},
        "occupations": {"name": "fermi-dirac", "width": preset.smearing},
        # By default only occupied bands are converged, which leaves the gap open to anything. Bands
        # must reach beyond the energy that is asked for, or self-consistency never ends: a negative
        # number counts empty ones.
        "nbands": -empty_bands(len(structure)),
        "convergence": {"bands": "CBM+0.5"},
    }
    hubbard = hubbards(structure, preset)
    if hubbard:
        keywords["setups"] = {symbol: f":d,{u}" for symbol, u in hubbard.items()}
    if starting_moments(structure) is not None:
        keywords["spinpol"] = True
    return keywords


def _cutoff(structure: Structure, preset: GPAWPreset, bands: bool) -> float:
    """Plane-wave cutoff, eV."""
    symbols = {site.specie.symbol for site in structure}
    if symbols & HARD:
        return preset.hard_bands_cutoff if bands else preset.hard_cutoff
    return preset.bands_cutoff if bands else preset.cutoff


def hubbards(structure: Structure, preset: GPAWPreset) -> dict[str, float]:
    """Symbol to U on its d states, eV.

    Empty without U: by the preset, or as neither oxide nor fluoride.
    """
    symbols = {site.specie.symbol for site in structure}
    is_oxide_or_fluoride = bool(symbols & {"O", "F"})
    if not preset.plus_u or not is_oxide_or_fluoride:
        return {}
    with_u = sorted(symbols & set(HUBBARD_U))
    return {symbol: HUBBARD_U[symbol] for symbol in with_u}


def run_type(structure: Structure, preset: GPAWPreset) -> str:
    """Functional, and whether U was used: `PBE`, `PBE+U`."""
    if hubbards(structure, preset):
        return f"{preset.xc}+U"
    return preset.xc


def starting_moments(structure: Structure) -> list[float] | None:
    """Moments to start from, Bohr magnetons: those of the structure, else by element.

    None without spin.
    """
    given = structure.site_properties.get("magmom")
    if given and None not in given:
        moments = np.array(given, dtype=float)
        largest = np.abs(moments).max()
        return moments.tolist() if largest > NO_MOMENT else None
    symbols = [site.specie.symbol for site in structure]
    if MOMENTS.keys().isdisjoint(symbols):
        return None
    return [MOMENTS.get(symbol, OTHER_MOMENT) for symbol in symbols]


def kpoint_mesh(structure: Structure, spacing: float, even: bool = False) -> tuple[int, int, int]:
    """Gamma-centred mesh at least as fine as the spacing (1/Angstrom, with 2 pi), with the symmetry
    of the crystal.

    A mesh with less symmetry than the crystal costs two to four times as many k-points.

    Parameters
    ----------
    even
        Even sizes only, and multiples of 6 in the plane of a hexagonal cell, see `GPAWPreset`.
    """
    lengths = np.array(structure.lattice.reciprocal_lattice.abc)
    exact = lengths / spacing
    # The margin keeps rounding from adding a point where the spacing fits exactly.
    points = np.ceil(exact - 1e-3).astype(np.int64).clip(1)
    if even:
        steps = _steps_of_even_meshes(structure.lattice)
        points = -(-points // steps) * steps
    return symmetric_mesh(points, point_group(structure))


def halved(mesh: tuple[int, int, int]) -> tuple[int, int, int]:
    """Half of every even size from 4 on: Gamma-centred, its points are among those of the mesh."""
    first, second, third = (size // 2 if size >= 4 and size % 2 == 0 else size for size in mesh)
    return first, second, third


def _steps_of_even_meshes(lattice: Lattice) -> NDArray[np.int64]:
    """(3,) numbers that the sizes of an even mesh are multiples of."""
    steps = np.full(3, 2)
    if lattice.is_hexagonal():
        angles = np.array(lattice.angles)
        # K lies at thirds of the two axes that enclose 60 or 120 degrees, not of the third one.
        out_of_plane = int(np.argmax(np.abs(angles - 90)))
        steps[np.arange(3) != out_of_plane] = 6
    return steps


def empty_bands(sites: int) -> int:
    """Empty bands to compute: enough for 1e22 electrons per cm^3 at 1300 K in most crystals."""
    return max(6, 3 * sites)


def bands_to_spare(electrons: float, sites: int, moment: float) -> tuple[int, int]:
    """Uniform bands to compute and to converge, enough for 1e20 electrons per cm^3 at 1300 K in
    most crystals; the highest two are left rough.

    Parameters
    ----------
    moment
        Of the cell, Bohr magnetons: half of it are more bands filled in one of the spins.
    """
    filled = int(np.ceil((electrons + abs(moment)) / 2 - 1e-2))
    count = filled + max(5, int(np.ceil(1.5 * sites)))
    return count, count - 2


def number_of_bands(electrons: float, sites: int, spin: bool) -> tuple[int, int]:
    """Uniform bands to compute and to converge; the highest two are left rough.

    With spin one band holds one electron, and moments shift bands between the spins.
    """
    filled = int(np.ceil(electrons / 2))
    count = filled + empty_bands(sites)
    if spin:
        count += 3 * sites
    return count, count - 2
