"""Input files of a preset: MPRelaxSet with the preset's INCAR tags and explicit Gamma-centred
k-points.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from pymatgen.core import Structure
from pymatgen.io.vasp import Kpoints
from pymatgen.io.vasp.sets import MPRelaxSet

from gen2dft.engines.base import Task
from gen2dft.engines.vasp.presets import NBANDS_FACTOR, VaspPreset, get_preset

MOMENT_LOST = 0.1  # Bohr magnetons; a relaxation whose largest moment is below has lost them all


def gamma_mesh(structure: Structure, spacing: float) -> tuple[int, int, int]:
    """Subdivisions by the rule of VASP's KSPACING, for a Gamma-centred mesh.

    N_i = max(1, ceil(|b_i| / spacing)), |b_i| with 2 pi
    (https://www.vasp.at/wiki/index.php/KSPACING).

    Parameters
    ----------
    spacing
        1/Angstrom.
    """
    lengths = structure.lattice.reciprocal_lattice.abc
    first, second, third = (max(1, math.ceil(b / spacing - 1e-9)) for b in lengths)
    return first, second, third


@dataclass
class PresetInputSet(MPRelaxSet):
    """MPRelaxSet with the settings of a preset.

    The mesh is written into KPOINTS, never left to KSPACING, which handlers would rewrite for
    metals.

    Parameters
    ----------
    preset
        Name of a preset.
    task
        Which of the preset's calculations.
    scale
        Spacing of the k-points of uniform bands, in units of the preset's.
    """

    preset: str = "ggau-v1"
    task: Task = "relax"
    scale: float = 1.0
    force_gamma: bool = True  # Monkhorst-Pack meshes that are not Gamma-centred break BoltzTraP2
    inherit_incar: bool = False

    @property
    def incar_updates(self) -> dict[str, Any]:
        """Tags that differ from MPRelaxSet."""
        updates = get_preset(self.preset).tags(self.task)
        structure, static = self.structure, self.prev_vasprun
        if structure is not None and structure.composition.chemical_system == "O":
            # O2 is a triplet: without a moment its energy is far too high, and every formation
            # energy too low.
            updates["ISPIN"] = 2
            updates["MAGMOM"] = [1.0] * len(structure)
        if self.task == "uniform_bands" and static is not None:
            bands = NBANDS_FACTOR * static.parameters["NBANDS"]
            updates["NBANDS"] = math.ceil(bands)
        return updates

    @property
    def kpoints_updates(self) -> Kpoints | dict[str, Any]:
        """The explicit mesh."""
        return mesh_of(get_preset(self.preset), self.task, self.structure, self.scale)


def mesh_of(
    preset: VaspPreset, task: Task, structure: Structure | None, scale: float = 1.0
) -> Kpoints:
    """Gamma-centred k-points of a preset's task.

    Pymatgen's sets are built before they get their structure.
    """
    if structure is None:
        raise ValueError("the mesh of a preset depends on the cell: give the structure first")
    spacing = scale * preset.uniform_kspacing if task == "uniform_bands" else preset.kspacing
    if spacing is not None:
        return Kpoints.gamma_automatic(gamma_mesh(structure, spacing))
    density = preset.density[0 if task == "relax" else 1]
    return Kpoints.automatic_density_by_vol(structure, density, force_gamma=True)


def with_initial_moments(structure: Structure) -> Structure:
    """The structure to start from, with its moments if the calculation before has kept any.

    Moments that have fallen to zero would stay at zero; without them the preset's own are set anew.
    """
    moments = structure.site_properties.get("magmom")
    if moments is None:
        return structure
    largest = np.abs(np.array(moments, dtype=float)).max()
    if largest >= MOMENT_LOST:
        return structure
    fresh = structure.copy()
    fresh.remove_site_property("magmom")
    return fresh
