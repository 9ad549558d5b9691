"""Which reference phases a campaign's engine must compute, and the structures to start from."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gen2dft.campaign import CampaignSpec
from gen2dft.datasets import load_dataset
from gen2dft.engines import load_engine
from gen2dft.errors import DatasetError, ThermoError
from gen2dft.ground.hulls import computes_elements, dataset_hull
from gen2dft.screening.elements import allowed_elements
from gen2dft.thermo.corrections import get_correction
from gen2dft.thermo.hull import ON_HULL
from gen2dft.thermo.reference_phases import ReferencePhase, element_phase
from gen2dft.thermo.vanadium_oxides import ELEMENTS, OXIDES

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from gen2dft.dataset import Dataset
    from gen2dft.datasets.materials_project import Client

STRUCTURE_FILES = ("*.cif", "POSCAR*", "CONTCAR*", "*.vasp", "*.json")
LITERATURE = "literature"


@dataclass(frozen=True)
class Found:
    """A reference phase and the structure to start from.

    Parameters
    ----------
    name
        Id of the phase in its source.
    origin
        Where the structure is from: a file, `materials-project`, the literature, or the campaign's
        dataset.
    is_molecule
        Computed as it is, in a box.
    """

    formula: str
    name: str
    structure: Structure
    origin: str
    is_molecule: bool = False


def wanted_phases(
    spec: CampaignSpec,
    folder: Path | None = None,
    cache_dir: Path | None = None,
    client: Client | None = None,
) -> tuple[list[Found], list[ReferencePhase]]:
    """All reference phases of a campaign: those of its correction or its elements, and those of its
    engine's hull.

    Parameters
    ----------
    folder, client
        As for `find_structures`.
    cache_dir
        Folder for parsed files and downloads of the campaign's data.

    Returns
    -------
    What was found, and what has no structure.
    """
    if spec.hull.source != "engine":
        return find_structures(needed_phases(spec), folder, client)
    dataset = load_dataset(
        spec.dataset, seed=spec.seed, cache_dir=cache_dir, properties=spec.properties
    )
    symbols = candidate_elements(spec, dataset)
    stable, needed = stable_phases(spec, dataset, symbols, cache_dir), needed_phases(spec, symbols)
    if computes_elements(spec):  # an element that the data hold is taken from there
        needed = tuple(
            phase for phase in needed if phase.formula not in {found.formula for found in stable}
        )
    found, missing = find_structures(needed, folder, client)
    asked = {phase.formula for phase in needed}
    return found + [phase for phase in stable if phase.formula not in asked], missing


def candidate_elements(spec: CampaignSpec, dataset: Dataset) -> frozenset[str]:
    """Symbols of the elements that candidates may have."""
    from pymatgen.core import Element

    return frozenset(
        Element.from_Z(z).symbol for z in allowed_elements(spec.screening, dataset.crystals)
    )


def needed_phases(spec: CampaignSpec, symbols: Collection[str] = ()) -> tuple[ReferencePhase, ...]:
    """The phases that formation energies are measured against.

    None if the engine or the campaign brings them.

    Parameters
    ----------
    symbols
        Elements that candidates may have.
    """
    if get_correction(spec.validation.correction).is_fitted:
        # A surrogate brings references of the elements; DFT computes them.
        return (*OXIDES, *ELEMENTS) if load_engine(spec.validation.engine).is_dft else OXIDES
    return (
        tuple(element_phase(symbol) for symbol in sorted(symbols))
        if computes_elements(spec)
        else ()
    )


def find_structures(
    wanted: Sequence[ReferencePhase], folder: Path | None = None, client: Client | None = None
) -> tuple[list[Found], list[ReferencePhase]]:
    """Structures of reference phases: of the user's files, else of the Materials Project, else of
    the literature.

    Parameters
    ----------
    folder
        CIF, POSCAR or pymatgen JSON files; a file is known by the formula of its crystal.
    client
        The Materials Project; by default it is asked if a key is set.

    Returns
    -------
    What was found, and what was not.

    Raises
    ------
    DatasetError
        A folder that does not exist, a file that cannot be read, or two for one formula.
    """
    from gen2dft.datasets.materials_project import has_key, read_structures

    files = _structures_in(folder) if folder is not None else {}
    ids = [
        p.material_id
        for p in wanted
        if p.formula not in files and not p.is_molecule and p.is_online
    ]
    online = read_structures(ids, client) if ids and (client is not None or has_key()) else {}
    found, missing = [], []
    for phase in wanted:
        if phase.formula in files:
            structure, origin = files[phase.formula]
        elif phase.material_id in online:
            structure, origin = online[phase.material_id], "materials-project"
        elif phase.literature is not None:
            structure, origin = phase.literature(), f"{LITERATURE}: {phase.citation}"
        else:
            missing.append(phase)
            continue
        found.append(Found(phase.formula, phase.material_id, structure, origin, phase.is_molecule))
    return found, missing


def _structures_in(folder: Path) -> dict[str, tuple[Structure, str]]:
    """Reduced formula to crystal and file name, for every readable file of a folder."""
    from pymatgen.core import Structure

    if not folder.is_dir():
        raise DatasetError(f"folder of structures {folder} does not exist")
    files: dict[str, tuple[Structure, str]] = {}
    for path in sorted({path for pattern in STRUCTURE_FILES for path in folder.glob(pattern)}):
        try:
            structure = Structure.from_file(path)
        except (
            ValueError,
            KeyError,
            TypeError,
            IndexError,
        ) as err:  # what pymatgen's readers raise
            raise DatasetError(f"{path} holds no crystal that can be read: {err}") from err
        formula = structure.composition.reduced_formula
        if formula in files:
            raise DatasetError(
                f"{path} and {files[formula][1]} both hold {formula}: leave one of them"
            )
        files[formula] = (structure, str(path))
    return files


def refuse_missing(missing: Sequence[ReferencePhase]) -> None:
    """ThermoError that names the reference phases without a structure, and the ways to one."""
    if missing:
        named = ", ".join(f"{phase.formula} ({phase.material_id})" for phase in missing)
        online = "set MP_API_KEY, or " if any(phase.is_online for phase in missing) else ""
        raise ThermoError(
            f"no structure of {named}: {online}put CIF or POSCAR files into a folder and name it "
            "with --structures; "
            "--partial does without them"
        )


def stable_phases(
    spec: CampaignSpec, dataset: Dataset, symbols: Collection[str], cache_dir: Path | None = None
) -> list[Found]:
    """The phases of the campaign's data that are stable there: what the engine's own hull is made
    of.

    Parameters
    ----------
    symbols
        Elements that candidates may have; phases of others bound none of their systems.
    """
    energies = dataset.label("formation_energy")
    structures = list(dataset.crystals.structures())
    compositions = [dict(structure.composition.get_el_amt_dict()) for structure in structures]
    above = dataset_hull(spec, cache_dir).e_above_hull_many(compositions, energies)
    found: dict[str, Found] = {}
    for row, structure in enumerate(structures):
        formula = structure.composition.reduced_formula
        if (
            abs(above[row]) <= ON_HULL
            and formula not in found
            and set(compositions[row]) <= set(symbols)
        ):
            found[formula] = Found(
                formula, dataset.ids[row], structure, f"dataset {spec.dataset.source}"
            )
    return list(found.values())
