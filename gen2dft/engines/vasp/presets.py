"""Presets of engine `vasp`: named settings, frozen under a version, built on the Materials
Project's MPRelaxSet.

A preset is what is changed of MPRelaxSet (pseudopotentials, U and initial moments are its own, A.
Jain et al., Comput. Mater. Sci. 50, 2295 (2011) and APL Materials 1, 011002 (2013)). A new wish is
a new name.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType
from typing import Any

from gen2dft.engines.base import Task
from gen2dft.engines.vasp.corrections import HANDLERS, WALLTIME_HANDLER
from gen2dft.errors import CampaignError, not_one_of
from gen2dft.hashing import content_hash

TASKS: tuple[Task, ...] = ("relax", "static", "uniform_bands")

# Gaussian smearing that is right for metals and insulators alike: tetrahedra give wrong forces in
# metals, and a handler that changes the smearing where it meets a metal would make two data sets of
# one.
SMEARING = {"ISMEAR": 0, "SIGMA": 0.05}
# The V-O data: both relaxations and statics at the same cut-off and mesh, so that all energies are
# comparable.
VANADIUM_OXIDES = {
    "ALGO": "Fast",
    "EDIFF": 1e-5,
    "EDIFFG": -0.05,
    "ENCUT": 500,
    "IBRION": 2,
    "ISIF": 3,
    **SMEARING,
    "LCHARG": False,
    "LREAL": False,
    "LWAVE": False,
    "NSW": 99,
    "PREC": "Accurate",
}
# None takes a tag of MPRelaxSet away. U is left to MPRelaxSet otherwise: a setting `LDAU = True` of
# one's own would switch on a default U in the metal and in O2.
NO_U = {
    "LDAU": None,
    "LDAUJ": None,
    "LDAUL": None,
    "LDAUPRINT": None,
    "LDAUTYPE": None,
    "LDAUU": None,
}
NO_SPIN = {"ISPIN": 1, "MAGMOM": None}
PLAIN_MP = {**SMEARING, "LCHARG": False, "LWAVE": False}
STATIC = {"EDIFF": 1e-6, "LCHARG": True, "LREAL": False, "NSW": 0}
UNIFORM = {**STATIC, "ICHARG": 11, "LCHARG": False}

NBANDS_FACTOR = 1.5  # bands of a transport calculation over those of the static one
# Tags whose values depend on the crystal; they are described in words or tables.
BY_CRYSTAL = frozenset({"LDAUJ", "LDAUL", "LDAUU", "LMAXMIX", "MAGMOM"})
OF_RELAXATIONS = frozenset({"EDIFFG", "IBRION", "ISIF", "POTIM"})


@dataclass(frozen=True)
class VaspPreset:
    """Settings of relaxation, static calculation and uniform bands that belong together.

    Parameters
    ----------
    name
        Name in the registry, with a version.
    description
        What it is for, in one sentence.
    incar
        INCAR tags of the relaxation that differ from MPRelaxSet; None takes a tag away.
    kspacing
        Largest distance of neighbouring k-points, 1/Angstrom with 2 pi, for relaxation and static
        calculation; the mesh is Gamma-centred. None: MPRelaxSet's density instead.
    uniform_kspacing
        The same for the uniform bands, which transport needs dense.
    elements
        Symbols it was made for; empty means all that MPRelaxSet has pseudopotentials of.
    density
        Without `kspacing`: k-points per 1/Angstrom^3 of reciprocal cell in relaxation and static
        calculation.
    attempts
        How often a relaxation may start, the first time included, before it is given up. Does not
        decide the result.
    """

    name: str
    description: str
    incar: Mapping[str, Any]
    kspacing: float | None
    uniform_kspacing: float = 0.12
    elements: tuple[str, ...] = ()
    density: tuple[int, int] = (64, 100)
    attempts: int = field(default=3, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "incar", MappingProxyType(dict(self.incar)))  # frozen all through

    def tags(self, task: Task) -> dict[str, Any]:
        """INCAR tags of one task that differ from MPRelaxSet."""
        extra: Mapping[str, Any] = {"relax": {}, "static": STATIC, "uniform_bands": UNIFORM}[task]
        return {**self.incar, **extra}

    @property
    def uses_u(self) -> bool:
        """Whether MPRelaxSet's U is applied."""
        return "LDAUU" not in self.incar

    @property
    def pseudopotentials(self) -> dict[str, str]:
        """Symbol to name of the PAW data set, of every element that the preset is for."""
        table = base_settings()["POTCAR"]
        symbols = self.elements or sorted(table)
        return {symbol: table[symbol] for symbol in symbols}

    def hubbard_u(self) -> dict[str, dict[str, float]]:
        """Anion to metal to U - J, eV; empty if the preset uses none."""
        if not self.uses_u:
            return {}
        known = self.pseudopotentials
        given = base_settings()["INCAR"]["LDAUU"]
        table: dict[str, dict[str, float]] = {}
        for anion, by_metal in given.items():
            if anion in known:
                table[anion] = {metal: float(u) for metal, u in by_metal.items() if metal in known}
        return table

    @cached_property
    def settings_hash(self) -> str:
        """Hash of all that decides the result, what it takes from MPRelaxSet included.

        12 hexadecimal digits.
        """
        base = base_settings()
        tags = {task: self.tags(task) for task in TASKS}
        potcar = [base["POTCAR_FUNCTIONAL"], self.pseudopotentials]
        meshes = [self.kspacing, self.uniform_kspacing, self.density]
        content = {
            "tasks": tags,
            "base": base["INCAR"],
            "potcar": potcar,
            "k-points": meshes,
            "bands": NBANDS_FACTOR,
        }
        text = json.dumps(content, sort_keys=True)
        return content_hash(text, digits=12)

    def contents(self) -> dict[str, Any]:
        """All that it sets, as plain values."""
        return contents(self)


def incar_tags(preset: VaspPreset, task: Task, base: dict[str, Any]) -> dict[str, Any]:
    """INCAR of one task without the tags that depend on the crystal, in alphabetical order.

    Parameters
    ----------
    base
        MPRelaxSet's settings.
    """
    tags = {**base["INCAR"], **preset.tags(task)}
    if tags.get("EDIFF") is not None:  # then pymatgen ignores the one per atom
        tags.pop("EDIFF_PER_ATOM", None)
    left_out = BY_CRYSTAL
    if not tags["NSW"]:
        left_out = BY_CRYSTAL | OF_RELAXATIONS
    named = sorted(key for key, value in tags.items() if value is not None)
    return {key: tags[key] for key in named if key not in left_out}


def mesh_rule(preset: VaspPreset, task: Task) -> str:
    """How the k-points of one task are chosen."""
    spacing = preset.uniform_kspacing if task == "uniform_bands" else preset.kspacing
    if spacing is not None:
        return (
            f"Gamma-centred, N_i = max(1, ceil(|b_i| / {spacing:g} 1/Angstrom)), |b_i| with 2 "
            "pi; written as "
            "KPOINTS"
        )
    density = preset.density[0 if task == "relax" else 1]
    return (
        f"Gamma-centred, {density} k-points per 1/Angstrom^3 of the reciprocal cell; written "
        "as KPOINTS"
    )


def contents(preset: VaspPreset) -> dict[str, Any]:
    """All that a preset says, as plain values; needs neither VASP nor its pseudopotentials."""
    base = base_settings()
    walltime = f"{WALLTIME_HANDLER} (where the queue tells when it ends)"
    attempts = f"a stopped relaxation goes on from its CONTCAR, {preset.attempts} attempts in all"
    functional = "PBE+U (Dudarev)" if preset.uses_u else "PBE"
    potcars = {"functional": base["POTCAR_FUNCTIONAL"], **preset.pseudopotentials}
    tags = {task: incar_tags(preset, task, base) for task in TASKS}
    meshes = {task: mesh_rule(preset, task) for task in TASKS}
    return {
        "description": preset.description,
        "settings_hash": preset.settings_hash,
        "functional": functional,
        "INCAR": tags,
        "KPOINTS": meshes,
        "POTCAR": potcars,
        "U - J (eV)": preset.hubbard_u(),
        "moments": _moments(preset, base),
        "custodian": [*HANDLERS, walltime],
        "attempts": attempts,
    }


def _moments(preset: VaspPreset, base: dict[str, Any]) -> str:
    oxygen = "pure oxygen: ISPIN 2 and 1 Bohr magneton per atom (O2 is a triplet)"
    if preset.incar.get("ISPIN", base["INCAR"]["ISPIN"]) == 1:
        return f"none; {oxygen}"
    known = preset.pseudopotentials
    listed = sorted(base["INCAR"]["MAGMOM"].items())
    text = ", ".join(f"{symbol} {moment:g}" for symbol, moment in listed if symbol in known)
    kept = "those of the calculation before are kept unless they fell to zero"
    return f"ferromagnetic start, Bohr magnetons: {text}, others 0.6; {kept}; {oxygen}"


def base_settings() -> dict[str, Any]:
    """MPRelaxSet's settings as pymatgen ships them."""
    from pymatgen.io.vasp.sets import MPRelaxSet

    return dict(MPRelaxSet.CONFIG)


PRESETS: dict[str, VaspPreset] = {
    preset.name: preset
    for preset in (
        VaspPreset(
            "vo-pbe-v1",
            "V-O data set: PBE without U or spin (O2 is a triplet), k-points 0.5 1/Angstrom apart",
            {**VANADIUM_OXIDES, **NO_U, **NO_SPIN},
            kspacing=0.5,
            elements=("O", "V"),
        ),
        VaspPreset(
            "ggau-v1",
            "generated V-O candidates: spin-polarised PBE with Materials Project's U, k-points 0.5 "
            "1/Angstrom apart",
            {**VANADIUM_OXIDES, "ISPIN": 2},
            kspacing=0.5,
            elements=("O", "V"),
        ),
        VaspPreset(
            "ggau-refine-v1",
            "refinement of ggau-v1 near the hull: the same with k-points 0.25 1/Angstrom apart",
            {**VANADIUM_OXIDES, "ISPIN": 2},
            kspacing=0.25,
            elements=("O", "V"),
        ),
        VaspPreset(
            "mp-ggau-v1",
            "all other chemistries: Materials Project's relaxation settings with Gaussian smearing",
            PLAIN_MP,
            kspacing=None,
        ),
    )
}


def get_preset(name: str) -> VaspPreset:
    """The preset of that name; CampaignError names the choices."""
    if name not in PRESETS:
        message = not_one_of("preset of engine 'vasp'", name, PRESETS)
        raise CampaignError(message)
    return PRESETS[name]
