"""Competing phases of a candidate: their structures, and what the candidate's own engine has
computed of them.

The whole hull of the Materials Project names the phases. Their energies are the engine's own: the
hull's never enter, and nor do references of elements from elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from gen2dft.crystal_documents import structure_of
from gen2dft.engines import load_engine
from gen2dft.errors import CampaignError, DatasetError
from gen2dft.ground.calibrate import Reference, reference_key
from gen2dft.ground.phases import LITERATURE, Found, structures_in
from gen2dft.ground.roles import FREE_DFT
from gen2dft.screening.same import same_crystal
from gen2dft.symmetry import idealised_primitive
from gen2dft.thermo.decomposition import holds, products_of
from gen2dft.thermo.formulas import Formula, formula_text, reduced
from gen2dft.thermo.materials_project import whole_hull
from gen2dft.thermo.reference_phases import element_phase

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from gen2dft.campaign import CampaignSpec
    from gen2dft.dataset import Dataset
    from gen2dft.datasets.materials_project import Client
    from gen2dft.store.documents import ReferenceDoc
    from gen2dft.store.store import Store

NO_STRUCTURE = (
    "no structure: neither the dataset nor a folder (validation.competing_structures, "
    "--structures) nor the Materials Project (MP_API_KEY) gave one"
)
# eV/atom that a crystal of the dataset may lie above the phase that the hull means; more is
# another polymorph, against which a candidate would look too stable.
SAME_PHASE = 0.03
OF_MATERIALS_PROJECT = "mp-"
SYMPREC = 0.01  # Angstrom


@dataclass(frozen=True)
class Competitor:
    """One product of a decomposition.

    Parameters
    ----------
    formula
        Elements in alphabetical order.
    share
        Of the atoms, 0 to 1.
    computed
        Lowest computed crystal of it; None: there is none.
    reference
        What may be computed; None: it is computed, or has no structure.
    problem
        Why it has no structure.
    """

    formula: Formula
    share: float
    computed: ReferenceDoc | None = None
    reference: Reference | None = None
    problem: str | None = None

    @property
    def name(self) -> str:
        """`Li2 O1`."""
        return formula_text(self.formula)


@dataclass(frozen=True)
class Sources:
    """Where structures of competing phases come from, in this order.

    Parameters
    ----------
    dataset
        Crystals of the campaign; None: there is no campaign.
    folder
        Files of the user, each known by its formula.
    client
        The Materials Project; by default it is asked if a key is set.
    """

    dataset: Dataset | None = None
    folder: Path | None = None
    client: Client | None = None

    @cached_property
    def files(self) -> dict[str, tuple[Structure, str]]:
        """Reduced formula to crystal and path of the folder's files."""
        return {} if self.folder is None else structures_in(self.folder)


@dataclass(frozen=True)
class Method:
    """An engine and its settings, whose energies alone are compared."""

    engine: str
    preset: str
    settings_hash: str

    @classmethod
    def of(cls, engine: str, preset: str) -> Self:
        """A preset of an engine as it is here."""
        return cls(engine, preset, load_engine(engine).preset(preset).settings_hash)


def check_competing(spec: CampaignSpec) -> None:
    """Refuse competing phases that could not be computed.

    Raises
    ------
    CampaignError
        If the validation's engine is a surrogate.
    DatasetError
        A folder that does not exist, a file in it that cannot be read, or two for one formula.
    """
    validation = spec.validation
    if not validation.competing:
        return
    must_be_dft(validation.engine)
    if validation.competing_structures is not None:
        structures_in(Path(validation.competing_structures))


def must_be_dft(engine: str) -> None:
    """CampaignError for a surrogate, whose decomposition energies are no evidence."""
    if load_engine(engine).is_dft:
        return
    raise CampaignError(
        f"competing phases are computed for evidence by DFT, and engine {engine!r} is a surrogate: "
        f"choose a DFT engine, such as {FREE_DFT}, or set validation.competing: false"
    )


def sources_of(spec: CampaignSpec, dataset: Dataset) -> Sources:
    """Where a campaign's structures of competing phases come from."""
    folder = spec.validation.competing_structures
    return Sources(dataset, None if folder is None else Path(folder))


def competitors(
    store: Store, method: Method, composition: Mapping[Any, float], sources: Sources | None
) -> list[Competitor]:
    """The phases into which a composition would decompose, the largest share first.

    Parameters
    ----------
    sources
        None: structures are not looked for, only what is computed already.

    Raises
    ------
    ThermoError
        If the whole hull does not cover the chemical system.
    DatasetError
        A folder or a file that cannot be read.
    """
    computed = _computed(store, method)
    found = []
    for product in products_of(whole_hull(), composition):
        formula, share = product.composition, product.share
        known = computed.get(formula, [])
        lowest = min(known, key=lambda document: document.energy_per_atom, default=None)
        if sources is None:
            found.append(Competitor(formula, share, lowest))
            continue
        phase, problem = _structure_of(formula, product.formation_energy, sources)
        reference = None if phase is None else _not_computed(method, phase, known)
        if phase is None and lowest is None:
            found.append(Competitor(formula, share, problem=problem or NO_STRUCTURE))
        elif reference is None:
            found.append(Competitor(formula, share, lowest))
        else:
            found.append(Competitor(formula, share, reference=reference))
    return found


def _not_computed(method: Method, phase: Found, known: Sequence[ReferenceDoc]) -> Reference | None:
    """What is to be computed of a crystal; None if it is among those that are computed."""
    key = reference_key(load_engine(method.engine), method.preset, phase)
    ids = {document.id for document in known}
    if key in ids or _same_among(phase, known) is not None:
        return None
    return Reference(key, phase, method.engine, method.preset)


def known_formula(composition: Mapping[Any, float]) -> bool:
    """Whether the whole hull holds a compound of the composition, which its products leave out."""
    return holds(whole_hull(), composition)


def _computed(store: Store, method: Method) -> dict[Formula, list[ReferenceDoc]]:
    """What an engine has computed with a preset, by formula."""
    from pymatgen.core import Composition

    found: dict[Formula, list[ReferenceDoc]] = {}
    for document in store.references(method.engine, method.settings_hash):
        formula = reduced(Composition(document.formula))
        found.setdefault(formula, []).append(document)
    return found


def computed_before(store: Store, method: Method, structure: Structure) -> ReferenceDoc | None:
    """The stored phase that is the crystal itself."""
    known = _computed(store, method).get(reduced(structure.composition), [])
    return _same_among(Found("", "", structure, ""), known)


def _same_among(phase: Found, known: Sequence[ReferenceDoc]) -> ReferenceDoc | None:
    """The document of a crystal that has been computed, under its name or another."""
    for document in known:
        # Names of files may mean anything.
        is_named = phase.name.startswith(OF_MATERIALS_PROJECT) and document.name == phase.name
        if is_named or same_crystal(phase.structure, structure_of(document.structure)):
            return document
    return None


def _structure_of(
    formula: Formula, hull_energy: float, sources: Sources
) -> tuple[Found | None, str | None]:
    """A crystal to start from, or why there is none.

    Parameters
    ----------
    hull_energy
        Formation energy of the phase that the hull means, eV/atom.
    """
    too_high = None
    if sources.dataset is not None:
        found, above = _lowest_in(sources.dataset, formula, hull_energy)
        if found is not None and above <= SAME_PHASE:
            return found, None
        if found is not None:
            too_high = (
                f"no structure of the phase: {found.name} of the dataset is another polymorph, "
                f"{above:.2f} eV/atom higher"
            )
    try:
        return _from_elsewhere(formula, sources), too_high
    except DatasetError as err:
        return None, str(err)


def _lowest_in(
    dataset: Dataset, formula: Formula, hull_energy: float
) -> tuple[Found | None, float]:
    """The lowest crystal of a formula, and how far it lies above the phase that the hull means,
    eV/atom, as the dataset's own distances tell; 0 where they do not.
    """
    wanted = formula_text(formula)
    rows = [row for row, name in enumerate(dataset.crystals.formulas()) if name == wanted]
    if not rows:
        return None, math.inf
    energies = np.nan_to_num(dataset.label("formation_energy")[rows], nan=math.inf)
    row = rows[int(np.argmin(energies))]
    structure = dataset.crystals.structure(row)
    name = structure.composition.reduced_formula
    found = Found(name, dataset.ids[row], _primitive(structure), "dataset")
    above = dataset.label("e_above_hull")[row]
    if math.isnan(above):
        return found, 0.0
    of_the_phase = whole_hull().e_above_hull(dict(formula), hull_energy)
    return found, float(above) - max(of_the_phase, 0.0)


def _primitive(structure: Structure) -> Structure:
    """The smallest cell, in which a calculation costs least."""
    return idealised_primitive(structure, SYMPREC)


def _from_elsewhere(formula: Formula, sources: Sources) -> Found | None:
    """A crystal of the folder, the Materials Project, or, of an element, the literature."""
    from pymatgen.core import Composition

    name = Composition(dict(formula)).reduced_formula
    if name in sources.files:
        structure, path = sources.files[name]
        return Found(name, Path(path).stem, _primitive(structure), path)
    element = element_phase(formula[0][0]) if len(formula) == 1 else None
    # A gas is computed as a molecule; the crystals of it in databases are another matter.
    if element is None or not element.is_molecule:
        online = _online(name, sources.client)
        if online is not None:
            return online
    if element is None or element.literature is None:
        return None
    origin = f"{LITERATURE}: {element.citation}"
    structure = element.literature()
    return Found(element.formula, element.material_id, structure, origin, element.is_molecule)


def _online(name: str, client: Client | None) -> Found | None:
    """The lowest crystal of a formula in the Materials Project, where it can be asked."""
    from gen2dft.datasets.materials_project import has_key, read_lowest_structures

    if client is None and not has_key():
        return None
    for material_id, structure in read_lowest_structures([name], client).values():
        return Found(name, material_id, _primitive(structure), "materials-project")
    return None
