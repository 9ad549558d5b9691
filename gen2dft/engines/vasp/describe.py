"""A preset in full, for people and as JSON; needs neither VASP nor its pseudopotentials."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gen2dft.engines.base import Task
from gen2dft.engines.vasp.corrections import HANDLERS, WALLTIME_HANDLER

if TYPE_CHECKING:
    from gen2dft.engines.vasp.presets import VaspPreset

# Tags whose values depend on the crystal; they are described in words or tables.
BY_CRYSTAL = frozenset({"LDAUJ", "LDAUL", "LDAUU", "LMAXMIX", "MAGMOM"})
OF_RELAXATIONS = frozenset({"EDIFFG", "IBRION", "ISIF", "POTIM"})


def incar_tags(preset: VaspPreset, task: Task, base: dict[str, Any]) -> dict[str, Any]:
    """INCAR of one task without the tags that depend on the crystal, in alphabetical order.

    Parameters
    ----------
    base
        MPRelaxSet's settings.
    """
    tags = {**base["INCAR"], **preset.tags(task)}
    if tags.get("EDIFF") is not None:
        tags.pop("EDIFF_PER_ATOM", None)
    left_out = BY_CRYSTAL if tags["NSW"] else BY_CRYSTAL | OF_RELAXATIONS
    return {key: tags[key] for key in sorted(tags) if key not in left_out and tags[key] is not None}


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


def contents(preset: VaspPreset, tasks: tuple[Task, ...], base: dict[str, Any]) -> dict[str, Any]:
    """All that a preset says, as plain values."""
    return {
        "description": preset.description,
        "settings_hash": preset.settings_hash,
        "functional": "PBE+U (Dudarev)" if preset.uses_u else "PBE",
        "INCAR": {task: incar_tags(preset, task, base) for task in tasks},
        "KPOINTS": {task: mesh_rule(preset, task) for task in tasks},
        "POTCAR": {"functional": base["POTCAR_FUNCTIONAL"], **preset.pseudopotentials},
        "U - J (eV)": preset.hubbard_u(),
        "moments": _moments(preset, base),
        "custodian": [*HANDLERS, f"{WALLTIME_HANDLER} (where the queue tells when it ends)"],
        "attempts": f"a stopped relaxation goes on from its CONTCAR, {preset.attempts} attempts in "
        "all",
    }


def _moments(preset: VaspPreset, base: dict[str, Any]) -> str:
    oxygen = "pure oxygen: ISPIN 2 and 1 Bohr magneton per atom (O2 is a triplet)"
    if preset.incar.get("ISPIN", base["INCAR"]["ISPIN"]) == 1:
        return f"none; {oxygen}"
    listed = {s: m for s, m in base["INCAR"]["MAGMOM"].items() if s in preset.pseudopotentials}
    text = ", ".join(f"{symbol} {moment:g}" for symbol, moment in sorted(listed.items()))
    kept = "those of the calculation before are kept unless they fell to zero"
    return f"ferromagnetic start, Bohr magnetons: {text}, others 0.6; {kept}; {oxygen}"
