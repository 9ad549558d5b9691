"""Everything that engine `vasp` finds on a machine with VASP, made of stand-ins: command, POTCARs,
quick custodian.
"""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path

import pytest

COMMAND = shlex.join([sys.executable, str(Path(__file__).with_name("stand_in_vasp.py"))])
# VASP's name of a data set, and valence electrons: what every vasprun.xml tells.
DATA_SETS = {
    "V": ("V_pv 07Sep2000", 11),
    "O": ("O 08Apr2002", 6),
    "Cs": ("Cs_sv 08Apr2002", 9),
    "Cl": ("Cl 06Sep2000", 7),
    "Na": ("Na_pv 05Jan2001", 7),
    "K": ("K_sv 06Sep2000", 9),
    "Rb": ("Rb_sv 06Sep2000", 9),
    "Br": ("Br 06Sep2000", 7),
    "F": ("F 08Apr2002", 7),
}
HEADER = """ PAW_PBE {name}
 {valence:.1f}
 parameters from PSCTR are:
   VRHFIN ={symbol}: stand-in
   LEXCH  = PE
   EATOM  =     0.0000 eV,    0.0000 Ry

   TITEL  = PAW_PBE {name}
   POMASS =    1.000; ZVAL   = {valence:8.3f}    mass and valenz
   RCORE  =    1.500    outmost cutoff radius
   ENMAX  =  400.000; ENMIN  =  300.000 eV
 END of PSCTR-controll parameters
 header of a stand-in, not a pseudopotential
   0.0  1.0
 End of Dataset
"""

# What a real run may warn of, and stand-ins always do.
WARNINGS = (
    "ignore:.*is an unconverged VASP run:Warning",
    "ignore:POTCAR data with symbol:Warning",
)


def write_potcars(root: Path) -> Path:
    """Write headers that pymatgen reads as POTCARs; nothing of VASP's data is in them."""
    folder = root / "POT_GGA_PAW_PBE"
    folder.mkdir(parents=True)
    for symbol, (name, valence) in DATA_SETS.items():
        text = HEADER.format(symbol=symbol, name=name, valence=valence)
        (folder / f"POTCAR.{name.split()[0]}").write_text(text)
    return root


def install(
    monkeypatch: pytest.MonkeyPatch, folder: Path, plan: dict[str, tuple[str, int]] | None = None
) -> None:
    """Let engine `vasp` find the stand-in and its POTCARs in this process and in those that it
    starts.

    Parameters
    ----------
    plan
        Formula, symbols in alphabetical order, to a fault and the number of runs that meet it.
    """
    import atomate2
    import pymatgen.core

    from gen2dft.engines.vasp import run

    potcars = str(write_potcars(folder / "potcars"))
    monkeypatch.setenv("PMG_VASP_PSP_DIR", potcars)
    monkeypatch.setitem(pymatgen.core.SETTINGS, "PMG_VASP_PSP_DIR", potcars)
    monkeypatch.setattr(atomate2.SETTINGS, "VASP_CMD", COMMAND)
    monkeypatch.setitem(run.POLLING, "polling_time_step", 0.1)
    monkeypatch.setitem(run.POLLING, "monitor_freq", 5)
    for name in ("JOB_END_TIME", "SLURM_JOB_END_TIME", "PBS_WALLTIME", "SBATCH_TIMELIMIT"):
        monkeypatch.delenv(name, raising=False)
    # Custodian sets this one by itself; so it is taken away again after the test.
    monkeypatch.setenv("CUSTODIAN_WALLTIME_START", "Sun Nov 01 00:00:00 UTC 2026")
    plan_file = folder / "plan" / "plan.json"
    plan_file.parent.mkdir()
    plan_file.write_text(json.dumps(plan or {}))
    monkeypatch.setenv("STAND_IN_VASP_PLAN", str(plan_file))
