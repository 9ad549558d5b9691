"""Engine `gpaw`: relaxation, energy and uniform bands by GPAW in plane waves, in this process.

Threads make plane-wave GPAW slower by orders of magnitude, so that each calculation keeps to one:
run one process per core. Energies of GPAW and VASP, with and without U, never share a hull.
"""

from __future__ import annotations

import functools
import tempfile
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import numpy as np
from pymatgen.core import Structure

from gen2dft.calculation import GAP, Calculation
from gen2dft.crystals import CrystalTable
from gen2dft.engines.base import Engine, without_references
from gen2dft.engines.bounds import PAW_ENERGY, Bounds
from gen2dft.engines.from_ase import (
    EV_PER_A3_IN_GPA,
    Ending,
    as_given,
    relaxed,
    structure_of,
)
from gen2dft.engines.gpaw.bands import (
    DENSITY_FILE,
    UNIFORM_FILE,
    Cell,
    gap_of,
    kept_density,
    reach_far_enough,
    read_bands,
)
from gen2dft.engines.gpaw.gaps import gap_on_mesh, is_metal_however_rough
from gen2dft.engines.gpaw.presets import (
    DEFAULT_PRESET,
    PACKAGES,
    PRESETS,
    GPAWPreset,
    get_preset,
    halved,
    hubbards,
    kpoint_mesh,
    parameters,
    run_type,
    starting_moments,
    versions,
)
from gen2dft.engines.guard import BANDS_NOT_CONVERGED, NOT_FINITE, SCF_NOT_CONVERGED
from gen2dft.errors import CalculationFailed, CampaignError, SettingsError
from gen2dft.geometry import closest_contacts
from gen2dft.transport.bands import TOUCHING, metal
from gen2dft.transport.convergence import mesh_of_spacing

P = ParamSpec("P")
T = TypeVar("T")
# Closer than this share of the covalent radii's sum the PAW spheres overlap beyond sense.
MIN_DISTANCE_RATIO = 0.5
METAL_ON_FEW_POINTS = "bands overlap on every other k-point of the mesh: no more was computed"


def on_one_thread(compute: Callable[P, T]) -> Callable[P, T]:
    """Let a function compute on one thread, whatever OMP_NUM_THREADS says."""

    @functools.wraps(compute)
    def alone(*args: P.args, **kwargs: P.kwargs) -> T:
        versions()
        import gpaw  # noqa: F401 - its libraries must be loaded before their threads can be limited
        from threadpoolctl import threadpool_limits

        with threadpool_limits(limits=1):
            return compute(*args, **kwargs)

    return alone


@on_one_thread
def relax(
    structure: Structure,
    preset: str | GPAWPreset = DEFAULT_PRESET,
    folder: Path | None = None,
    look: Calculation | None = None,
) -> Calculation:
    """Relax positions and cell, the symmetry kept.

    Parameters
    ----------
    folder
        Where GPAW's text goes; by default a temporary one.
    look
        Result of `static` for the same structure and preset, which is then not computed again.

    Raises
    ------
    CalculationFailed
        `disordered`, `atoms_too_close`, `element_not_supported`, `scf_not_converged`, `not_finite`,
        `gpaw_failed`.
    """
    from ase.constraints import FixSymmetry
    from ase.filters import FrechetCellFilter
    from ase.optimize import BFGS

    from gen2dft.engines.gpaw.known_start import KnownStart

    settings, begun = get_preset(preset), time.perf_counter()
    with _folder(folder) as place:
        atoms = _atoms(structure, settings, place / "relax.txt")
        atoms.set_constraint(FixSymmetry(atoms, symprec=1e-3, verbose=False))
        computing = atoms.calc
        if look is not None:
            atoms.calc = KnownStart(computing, atoms, look)
        cell = FrechetCellFilter(atoms)
        with BFGS(cell, logfile=None) as optimizer:
            _run(
                lambda: optimizer.run(fmax=settings.fmax, steps=settings.max_steps),
                structure,
                place,
            )
            steps = int(optimizer.nsteps)
        atoms.calc = computing
        _run(atoms.get_potential_energy, structure, place)
        max_force = float(np.linalg.norm(cell.get_forces(), axis=1).max())
        ending = Ending(steps, max_force, settings.fmax)
        told = _told(atoms, structure, settings, begun)
        told["ends_as_static"] = _same_mesh(structure, structure_of(atoms), settings)
        return relaxed(atoms, ending, values={GAP: gap_on_mesh(atoms.calc)}, **told)


def _same_mesh(first: Structure, second: Structure, settings: GPAWPreset) -> bool:
    """Whether two stages of a relaxation have the same mesh of k-points, so that the energy of the
    last step is that of a static calculation.
    """
    meshes = [kpoint_mesh(cell, settings.spacing, settings.even) for cell in (first, second)]
    return meshes[0] == meshes[1]


@on_one_thread
def static(
    structure: Structure, preset: str | GPAWPreset = DEFAULT_PRESET, folder: Path | None = None
) -> Calculation:
    """Energy, forces, stress, moments and gap of a structure as it is; fails as `relax` does."""
    settings, begun = get_preset(preset), time.perf_counter()
    with _folder(folder) as place:
        atoms = _atoms(structure, settings, place / "static.txt")
        _run(atoms.get_potential_energy, structure, place)
        told = _told(atoms, structure, settings, begun)
        told["ends_as_static"] = True
        return as_given(atoms, structure, values={GAP: gap_on_mesh(atoms.calc)}, **told)


@on_one_thread
def look(
    structure: Structure, preset: str | GPAWPreset = DEFAULT_PRESET, folder: Path | None = None
) -> Calculation:
    """As `static`; but what is a metal on every other k-point already is computed on those alone.

    The points of the halved mesh are among those of the whole one, where bands that overlap still
    do. Such a result has the gap 0 and a rough energy, and neither forces nor stress.
    """
    settings, begun = get_preset(preset), time.perf_counter()
    with _folder(folder) as place:
        atoms = _metal_on_few_points(structure, settings, place)
        if atoms is None:
            return static(structure, settings, place)
        told = _told(atoms, structure, settings, begun)
        return Calculation(
            structure=structure,
            energy_per_atom=float(atoms.get_potential_energy()) / len(atoms),
            values={GAP: 0.0},
            converged=True,
            warnings=[METAL_ON_FEW_POINTS],
            **told,
        )


def _metal_on_few_points(structure: Structure, settings: GPAWPreset, place: Path) -> Any:
    """Atoms with a self-consistent density on the halved mesh, if that shows a metal; else None."""
    mesh = kpoint_mesh(structure, settings.spacing, settings.even)
    few = halved(mesh)
    if not settings.even or few == mesh:
        return None
    atoms = _atoms(structure, settings, place / "few.txt", bands=True, mesh=few)
    _run(atoms.get_potential_energy, structure, place)
    return atoms if is_metal_however_rough(atoms.calc) else None


def at_rest(look: Calculation, preset: str | GPAWPreset) -> bool:
    """Whether forces and stress of a structure as given ask for no relaxation, see
    `GPAWPreset.cell_fmax`.
    """
    settings = get_preset(preset)
    if look.max_force is None or look.stress is None:
        return False
    volume_per_atom = look.structure.volume / len(look.structure)
    stress = np.array(look.stress) / EV_PER_A3_IN_GPA
    on_cell = float(np.linalg.norm(volume_per_atom * stress, axis=1).max())
    limit = settings.fmax if settings.cell_fmax is None else settings.cell_fmax
    return look.max_force < settings.fmax and on_cell < limit


@on_one_thread
def uniform_bands(
    structure: Structure,
    preset: str | GPAWPreset,
    folder: Path,
    spacing: float | None = None,
    coarser: Path | None = None,
) -> Calculation:
    """Bands on a uniform mesh, written to `uniform.gpw` in the folder, which `read_bands` reads.

    A self-consistent density on the coarse mesh, then bands at that density on the fine one, both
    with the cutoff that eigenvalues need. What is a metal on the coarse mesh is one on every mesh:
    its bands are not computed.

    Parameters
    ----------
    spacing
        Of the fine mesh, 1/Angstrom, with 2 pi; by default the preset's.
    coarser
        Folder of bands of the same structure on a coarser mesh, whose density serves again; it is
        computed anew if the file is gone.

    Raises
    ------
    CalculationFailed
        As `relax`, and `metal` and `bands_not_converged`.
    """
    settings, begun = get_preset(preset), time.perf_counter()
    atoms = kept_density(coarser, folder)
    if atoms is None:
        atoms = _density(structure, settings, folder)
    cell = Cell(atoms, structure, settings, folder)
    _compute_bands(cell, spacing or settings.bands_spacing)
    told = _told(atoms, structure, settings, begun)
    told["energy_per_atom"] = float(atoms.get_potential_energy()) / len(atoms)
    told["values"] = {GAP: gap_of(folder)}
    return Calculation(structure=structure, converged=True, max_force=0.0, **told)


def _density(structure: Structure, settings: GPAWPreset, folder: Path) -> Any:
    """Atoms with a self-consistent density, written to the folder for finer bands; `metal`."""
    atoms = _atoms(structure, settings, folder / "density.txt", bands=True)
    _run(atoms.get_potential_energy, structure, folder)
    _refuse_metal(atoms.calc, structure, folder)
    atoms.calc.write(str(folder / DENSITY_FILE))
    return atoms


def _compute_bands(cell: Cell, spacing: float) -> None:
    """Write bands on a mesh to the folder: few ones where they reach far enough, else more."""
    if cell.settings.few_bands:
        _bands_at_density(cell, cell.narrow, spacing)
        if reach_far_enough(cell.folder):
            return
    _bands_at_density(cell, cell.wide, spacing)


def _bands_at_density(cell: Cell, bands: tuple[int, int], spacing: float) -> None:
    """Write bands on a mesh at the density of a finished calculation to its folder.

    `bands` counts those to compute and those to converge.
    """
    count, converged = bands
    mesh = mesh_of_spacing(cell.structure, spacing)
    residual = cell.settings.bands_residual
    fine = _run(
        lambda: cell.atoms.calc.fixed_density(
            kpts={"size": mesh, "gamma": True},
            nbands=count,
            convergence={"bands": converged, "eigenstates": residual},
            txt=str(cell.folder / "uniform.txt"),
            update_fermi_level=True,
        ),
        cell.structure,
        cell.folder,
        BANDS_NOT_CONVERGED,
    )
    fine.write(str(cell.folder / UNIFORM_FILE))


def bands(
    structure: Structure, preset: str, folder: Path, scale: float, coarser: Path | None = None
) -> Calculation:
    """Bands with the spacing of the preset's mesh times `scale`; see `uniform_bands`."""
    spacing = scale * get_preset(preset).bands_spacing
    return uniform_bands(structure, preset, folder, spacing, coarser)


def _refuse_metal(calculator: Any, structure: Structure, folder: Path) -> None:
    """CalculationFailed `metal` if the bands of a finished calculation overlap or touch on its own
    mesh.

    Its empty bands are not converged, so they lie too high: what overlaps does so all the more.
    """
    if gap_on_mesh(calculator) < TOUCHING:
        raise metal(
            str(folder), structure, "occupied and empty bands overlap or touch on the coarse mesh"
        )


@contextmanager
def _folder(given: Path | None) -> Iterator[Path]:
    if given is not None:
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="gpaw_") as name:
        yield Path(name)


def _atoms(
    structure: Structure,
    settings: GPAWPreset,
    text: Path,
    bands: bool = False,
    mesh: tuple[int, int, int] | None = None,
) -> Any:
    """ASE atoms with a calculator of their own, once the structure has been found possible; on the
    preset's mesh of k-points unless another is given.
    """
    versions()
    _refuse_impossible(structure)

    from ase import Atoms
    from gpaw import GPAW

    atoms = Atoms(
        numbers=[site.specie.Z for site in structure],
        scaled_positions=structure.frac_coords,
        cell=structure.lattice.matrix,
        pbc=True,
        magmoms=starting_moments(structure),
    )
    keywords = parameters(structure, settings, bands, mesh)
    atoms.calc = GPAW(**keywords, txt=str(text))
    return atoms


def _refuse_impossible(structure: Structure) -> None:
    if not structure.is_ordered:
        raise CalculationFailed("disordered", f"{structure.formula} has partially occupied sites")
    contacts = closest_contacts(CrystalTable.from_structures([structure]))
    ratio = float(contacts.ratio[0])
    if ratio < MIN_DISTANCE_RATIO:
        detail = f"{structure.formula}: {ratio:.2f} of the covalent radii's sum at the closest"
        raise CalculationFailed("atoms_too_close", detail)


def _run(
    compute: Callable[[], T],
    structure: Structure,
    folder: Path,
    unconverged: str = SCF_NOT_CONVERGED,
) -> T:
    """Call GPAW; what it raises for a crystal it cannot do becomes a failure with its reason.

    Parameters
    ----------
    unconverged
        Reason where GPAW says that it did not converge.
    """
    from gpaw import KohnShamConvergenceError

    formula = structure.formula
    try:
        # The eigensolver divides zero by zero for bands that are converged already, which does no
        # harm.
        with np.errstate(invalid="ignore"):
            return compute()
    except KohnShamConvergenceError as err:
        # GPAW often says no more than the name of the error.
        said = str(err) or type(err).__name__
        detail = f"{formula}: GPAW did not converge ({said}); its text is in {folder}"
        raise CalculationFailed(unconverged, detail, folder) from err
    except FileNotFoundError as err:
        detail = f"GPAW has no data set for an element of {formula} ({err}); see `gpaw info`"
        raise CalculationFailed("element_not_supported", detail, folder) from err
    except (np.linalg.LinAlgError, ArithmeticError, AssertionError) as err:
        detail = f"{formula}: GPAW gave up ({type(err).__name__}: {err}); its text is in {folder}"
        raise CalculationFailed("gpaw_failed", detail, folder) from err
    except ValueError as err:
        if "NaN" not in str(err):
            raise
        raise CalculationFailed(NOT_FINITE, f"{formula}: GPAW says: {err}", folder) from err


def _told(atoms: Any, structure: Structure, settings: GPAWPreset, begun: float) -> dict[str, Any]:
    """Fields of a Calculation that every task tells alike, the time since `begun` among them."""
    told: dict[str, Any] = {"wall_seconds": time.perf_counter() - begun}
    told["run_type"] = run_type(structure, settings)
    told["hubbards"] = hubbards(structure, settings)
    if atoms.calc.get_number_of_spins() == 2:
        told["magmoms"] = atoms.get_magnetic_moments()
    elif structure.site_properties.get("magmom"):
        # Said to have none: what comes next must not begin with the moments of its elements.
        told["magmoms"] = [0.0] * len(structure)
    return told


def check(preset: str, symbols: Collection[str]) -> tuple[str, ...]:
    """What is missing on this machine: GPAW itself, or its data set of one of the elements.

    Raises
    ------
    CampaignError
        Unknown preset, or an element that GPAW's own data sets do not cover.
    """
    settings = get_preset(preset)
    try:
        versions()
    except SettingsError as err:
        return (str(err),)
    known = elements_with_data(settings.xc)
    if strangers := sorted(set(symbols) - known):
        raise CampaignError(
            f"engine 'gpaw' has no {settings.xc} data set of {', '.join(strangers)}: leave them "
            "out, "
            f"screening.excluded_elements: [{', '.join(strangers)}], or add the data sets to "
            "GPAW_SETUP_PATH"
        )
    return ()


def elements_with_data(xc: str) -> set[str]:
    """Symbols of the elements that GPAW finds a data set for."""
    from gpaw import setup_paths

    return {
        file.name.partition(".")[0]
        for folder in setup_paths
        for file in Path(folder).glob(f"*.{xc}*")
    }


@functools.cache
def valence_electrons(symbol: str, xc: str) -> float:
    """Electrons that an atom has outside the core of its data set.

    `element_not_supported` if there is none.
    """
    from gpaw.setup_data import SetupData

    try:
        return float(SetupData(symbol, xc).Nv)
    except FileNotFoundError as err:
        raise CalculationFailed(
            "element_not_supported", f"GPAW has no data set for {symbol} ({err})"
        ) from err


ENGINE = Engine(
    name="gpaw",
    is_dft=True,
    bounds=Bounds(energy_per_atom=PAW_ENERGY),
    provides=frozenset({"formation_energy", "e_above_hull", "band_gap"}),
    presets=PRESETS,
    default_preset=DEFAULT_PRESET,
    relax=relax,
    static=static,
    formation_energy=without_references("gpaw"),
    bands=bands,
    read_bands=read_bands,
    packages=PACKAGES,
    takes_folder=True,
    look=look,
    at_rest=at_rest,
    relaxes_from_look=True,
    in_process=True,
    reuses_density=True,
    check=check,
)
