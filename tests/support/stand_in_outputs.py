"""What the stand-in for VASP writes: vasprun.xml, OUTCAR, OSZICAR, CONTCAR, CHGCAR and WAVECAR,
marked as stand-in.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stand_in_vasp import Crystal, Frame

NAME, VERSION = "gen2dft stand-in, not VASP", "0.0 stand-in"
MAX_KPOINTS = 20
BAND_WIDTH = 0.3  # eV
HOP_REACH = 1.7  # of the shortest lattice vector
KILOBAR_PER_EV_A3 = 1602.1766208
DEFAULTS = {
    "EDIFF": "1e-4",
    "EDIFFG": "-0.05",
    "GGA": "--",
    "IBRION": "-1",
    "ISIF": "2",
    "ISMEAR": "0",
    "ISPIN": "1",
    "LASPH": "F",
    "LDAU": "F",
    "LHFCALC": "F",
    "LORBIT": "0",
    "NELM": "60",
    "NSW": "0",
    "SIGMA": "0.05",
}
INTEGERS = {
    "IBRION",
    "ICHARG",
    "ISIF",
    "ISMEAR",
    "ISPIN",
    "ISTART",
    "ISYM",
    "LDAUPRINT",
    "LDAUTYPE",
    "LMAXMIX",
    "LORBIT",
    "NBANDS",
    "NELM",
    "NELMIN",
    "NEDOS",
    "NSW",
    "ISEARCH",
}
INTEGER_LISTS, FLOAT_LISTS = {"LDAUL"}, {"LDAUU", "LDAUJ", "MAGMOM"}
NONMETALS = {"H", "N", "O", "F", "P", "S", "Cl", "Se", "Br", "I"}


def hops(lattice: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(n, 3) short lattice vectors in units of the rows of a lattice, and their weights, 1 in all.

    Weights depend on the length alone and vanish smoothly, so that bands made of them have every
    symmetry that the lattice has.
    """
    steps = np.stack(np.meshgrid(*[np.arange(-2, 3)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    lengths = np.linalg.norm(steps @ lattice, axis=1)
    shortest = lengths[lengths > 0].min()
    weights = np.clip(HOP_REACH - lengths / shortest, 0, None) ** 2
    weights[lengths == 0] = 0
    kept = weights > 0
    return steps[kept], weights[kept] / weights.sum()


@dataclass
class Run:
    """A finished run and what it started from."""

    incar: dict[str, str]
    mesh: tuple[int, int, int]
    titles: list[str]
    valences: list[float]
    frames: list[Frame]
    is_relaxed: bool
    is_stopped: bool = False
    electronic_steps: int = 3

    def half(self) -> Run:
        """The same run when half of its ionic steps were done."""
        return replace(self, frames=self.frames[: max(1, len(self.frames) // 2)], is_relaxed=False)

    def write(self, *, truncated: bool = False) -> None:
        """Write all files; `truncated` as a program leaves them that dies."""
        text = self.vasprun()
        Path("vasprun.xml").write_text(text[: len(text) * 2 // 3] if truncated else text)
        outcar = self.outcar()
        Path("OUTCAR").write_text(outcar[: len(outcar) * 2 // 3] if truncated else outcar)
        Path("OSZICAR").write_text(self.oszicar())
        poscar = poscar_text(self.frames[-1].crystal)
        Path("CONTCAR").write_text(poscar)
        Path("CHGCAR").write_text(f"{poscar}\n   1   1   1\n {self.num_electrons:.10E}\n")
        Path("WAVECAR").write_text(NAME)
        print(f"running on    1 total cores: {NAME}", *self.oszicar().splitlines()[-1:], sep="\n")

    @property
    def num_electrons(self) -> float:
        counts = [count for _, count in self.frames[0].crystal.runs]
        return sum(count * valence for count, valence in zip(counts, self.valences, strict=True))

    @property
    def num_spins(self) -> int:
        return int(self.incar.get("ISPIN", "1"))

    @property
    def num_bands(self) -> int:
        return int(self.incar.get("NBANDS", math.ceil(self.num_electrons / 2) + 4))

    @property
    def gap(self) -> float:
        """Band gap, eV: none without a non-metal, else by the share of non-metals."""
        symbols = self.frames[0].crystal.symbols
        return round(4.0 * sum(symbol in NONMETALS for symbol in symbols) / len(symbols), 4)

    def kpoints(self) -> np.ndarray:
        """(k, 3) Gamma-centred mesh, one of each pair k and -k.

        Of a self-consistent run only some, to save time.
        """
        axes = [np.arange(n) / n for n in self.mesh]
        mesh = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
        mesh = (mesh + 0.5) % 1 - 0.5
        mirrored = (-mesh + 0.5) % 1 - 0.5
        first = [
            tuple(k) <= tuple(m) for k, m in zip(mesh.round(9), mirrored.round(9), strict=True)
        ]
        return mesh[first][: None if self.incar.get("ICHARG") == "11" else MAX_KPOINTS]

    def bands(self, kpoints: np.ndarray) -> np.ndarray:
        """(k, bands) energies, eV: cosine bands with the symmetry of the lattice, the occupied ones
        below 0 with their top at Gamma.
        """
        occupied = math.ceil(self.num_electrons / 2)
        vectors, weights = hops(self.frames[-1].crystal.lattice)
        wave = (1 - np.cos(2 * np.pi * kpoints @ vectors.T)) @ weights  # 0 at Gamma
        spread = BAND_WIDTH * wave[:, None]
        below = -0.4 * np.arange(occupied)[::-1] - spread
        above = self.gap + 0.4 * np.arange(self.num_bands - occupied) + spread
        return np.concatenate([below, above - (0.5 if self.gap == 0 else 0.0)], axis=1)

    def vasprun(self) -> str:
        start, end = self.frames[0].crystal, self.frames[-1].crystal
        kpoints = self.kpoints()
        generator = {
            "program": NAME,
            "version": VERSION,
            "subversion": "pair potential",
            "platform": "none",
            "date": "2000 01 01",
            "time": "00:00:00",
        }
        strings = "".join(
            f'<i name="{key}" type="string">{value}</i>' for key, value in generator.items()
        )
        parameters = {
            **DEFAULTS,
            **self.incar,
            "NBANDS": str(self.num_bands),
            "NELECT": str(self.num_electrons),
        }
        parts = [
            '<?xml version="1.0" encoding="ISO-8859-1"?>',
            "<modeling>",
            f"<generator>{strings}</generator>",
        ]
        parts += [
            "<incar>",
            *(_tag(*item) for item in self.incar.items()),
            "</incar>",
            self._kpoints_xml(kpoints),
        ]
        parts += ["<parameters>", *(_tag(*item) for item in parameters.items()), "</parameters>"]
        parts += [self._atoms_xml(), _structure_xml(start, "initialpos")]
        for number, frame in enumerate(self.frames, start=1):
            parts += self._step_xml(frame, kpoints if number == len(self.frames) else None)
        return "\n".join([*parts, _structure_xml(end, "finalpos"), "</modeling>"]) + "\n"

    def _kpoints_xml(self, kpoints: np.ndarray) -> str:
        mesh = " ".join(map(str, self.mesh))
        weights = np.full((len(kpoints), 1), 1 / len(kpoints))
        return (f'<kpoints><generation param="Gamma"><v type="int" name="divisions">{mesh}</v>'
                f'<v name="usershift">0.0 0.0 0.0</v></generation>{_varray("kpointlist", kpoints)}'
                f'{_varray("weights", weights)}</kpoints>')  # fmt: skip

    def _atoms_xml(self) -> str:
        runs = self.frames[0].crystal.runs
        sites = [
            f"<rc><c>{s}</c><c>{i}</c></rc>"
            for i, (s, n) in enumerate(runs, start=1)
            for _ in range(n)
        ]
        types = [
            f"<rc><c>{n}</c><c>{s}</c><c>1.0</c><c>{z}</c><c>{escape(title)}</c></rc>"
            for (s, n), z, title in zip(runs, self.valences, self.titles, strict=True)
        ]
        return (f'<atominfo><atoms>{len(sites)}</atoms><types>{len(types)}</types><array '
                'name="atoms"><set>'
                f'{"".join(sites)}</set></array><array '
                f'name="atomtypes"><set>{"".join(types)}</set></array>'
                "</atominfo>")  # fmt: skip

    def _step_xml(self, frame: Frame, kpoints: np.ndarray | None) -> list[str]:
        is_last = kpoints is not None
        steps = self.electronic_steps if is_last else 3
        energy = "".join(f'<i name="{key}">{frame.energy:.8f}</i>' for key in ENERGIES)
        parts = ["<calculation>"] + [f"<scstep><energy>{energy}</energy></scstep>"] * steps
        parts += [_structure_xml(frame.crystal), _varray("forces", frame.forces)]
        parts += [
            _varray("stress", -frame.stress * KILOBAR_PER_EV_A3),
            f"<energy>{energy}</energy>",
        ]
        if kpoints is not None:
            parts += [self._eigenvalues_xml(kpoints), self._dos_xml()]
        return [*parts, "</calculation>"]

    def _eigenvalues_xml(self, kpoints: np.ndarray) -> str:
        points = []
        for number, row in enumerate(self.bands(kpoints), start=1):
            filled = np.arange(len(row)) < math.ceil(self.num_electrons / 2)
            lines = "\n".join(
                f"<r>{e:.4f} {float(f):.4f}</r>" for e, f in zip(row, filled, strict=True)
            )
            points.append(f'<set comment="kpoint {number}">{lines}</set>')
        spins = (
            f'<set comment="spin {s + 1}">{"".join(points)}</set>' for s in range(self.num_spins)
        )
        return f"<eigenvalues><array><set>{''.join(spins)}</set></array></eigenvalues>"

    def _dos_xml(self) -> str:
        lines = "".join(f"<r>{e:.2f} 0.0 0.0</r>" for e in np.linspace(-5, 5, 11))
        spins = "".join(f'<set comment="spin {s + 1}">{lines}</set>' for s in range(self.num_spins))
        return (
            f'<dos><i name="efermi">{self.fermi:.8f}</i><total><array><set>{spins}</set>'
            "</array></total></dos>"
        )

    @property
    def fermi(self) -> float:
        return self.gap / 2

    def oszicar(self) -> str:
        lines, last = [], 0.0
        for number, frame in enumerate(self.frames, start=1):
            steps = self.electronic_steps if number == len(self.frames) else 3
            lines.append(
                "       N       E                     dE             d eps       ncg     rms       "
                "   rms(c)"
            )
            lines += [
                f"DAV: {i:3d}    {frame.energy:.12E}    0.1E-06   0.1E-06   100   0.1E-06"
                for i in range(1, steps + 1)
            ]
            lines.append(
                f"{number:4d} F= {frame.energy:.8E} E0= {frame.energy:.8E}  d E "
                f"={frame.energy - last:.6E}"
            )
            last = frame.energy
        return "\n".join(lines) + "\n"

    def outcar(self) -> str:
        kpoints, sites = self.kpoints(), len(self.frames[0].crystal.symbols)
        lines = [f" {NAME}", " running on    1 total cores", f"   ISPIN  = {self.num_spins:6d}"]
        lines += [
            f"   k-points  NKPTS = {len(kpoints):6d}   number of bands    NBANDS= "
            f"{self.num_bands:6d}"
        ]
        lines += [
            "   total plane-waves  NPLWV =     10",
            f"   IBRION = {int(self.incar.get('IBRION', '-1')):6d}",
        ]
        lines += ["", "", "-" * 104, "", ""]
        lines += [
            f" k-point {i:4d} :  0.0000 0.0000 0.0000  plane waves:     10"
            for i in range(1, len(kpoints) + 1)
        ]
        lines += [
            "",
            " maximum and minimum number of plane-waves per node :        10       10",
            "",
        ]
        for number, frame in enumerate(self.frames, start=1):
            lines += [f"------ Iteration {number:6d}(   1)  ------", "  entropy T*S    EENTRO =    "
                                                                     "    -0.00000000",
                      " aborting loop because EDIFF is reached", "    total drift:      0.0000   "
                                                                 "0.0000   0.0000",
                      f"  free  energy   TOTEN  =    {frame.energy:16.8f} eV",
                      f"  energy  without entropy= {frame.energy:.8f}  energy(sigma->0) = "
                      f"{frame.energy:.8f}",
                      "     LOOP+:  cpu time    0.0100: real time    0.0100"]  # fmt: skip
        lines += [f" E-fermi : {self.fermi:9.4f}     XC(G=0):   0.0000     alpha+bet :   0.0000"]
        lines += [
            f" number of electron   {self.num_electrons:.7f} magnetization   "
            f"{sum(self.moments()):.7f}"
        ]
        if self.num_spins == 2:
            lines += [
                "",
                " magnetization (x)",
                "",
                "# of ion       s       p       d       tot",
                "-" * 42,
            ]
            lines += [
                f"  {i:4d}    0.000   0.000  {m:7.3f}  {m:7.3f}"
                for i, m in enumerate(self.moments(), start=1)
            ]
            lines += [
                "-" * 42,
                f"tot      0.000   0.000  {sum(self.moments()):7.3f}  {sum(self.moments()):7.3f}",
                "",
            ]
        if self.is_stopped:
            lines.append(" soft stop encountered!  aborting job ...")
        elif self.is_relaxed:
            lines.append(" reached required accuracy - stopping structural energy minimisation")
        clock = ("Total CPU time used", "User time", "System time", "Elapsed time")
        lines += [f"          {name} (sec):        {0.01 * sites:.3f}" for name in clock]
        return "\n".join(lines) + "\n"

    def moments(self) -> list[float]:
        """Moment of each site: what MAGMOM began with, 1 Bohr magneton at most."""
        if self.num_spins == 1:
            return [0.0] * len(self.frames[0].crystal.symbols)
        return [min(value, 1.0) for value in _numbers(self.incar["MAGMOM"])]


ENERGIES = ("e_fr_energy", "e_wo_entrp", "e_0_energy")


def poscar_text(crystal: Crystal) -> str:
    """A crystal as POSCAR."""
    runs = crystal.runs
    rows: Iterable[Any] = [*crystal.lattice, *crystal.frac]
    lines = ["  ".join(f"{x:19.15f}" for x in row) for row in rows]
    head = [" ".join(s for s, _ in runs), " ".join(str(n) for _, n in runs), "Direct"]
    return "\n".join([NAME, "1.0", *lines[:3], *head, *lines[3:]]) + "\n"


def _numbers(text: str) -> list[float]:
    """Numbers as an INCAR lists them, `2*5.0 4*0.6`."""
    found: list[float] = []
    for word in text.split():
        count, star, value = word.rpartition("*")
        found += [float(value)] * (int(count) if star else 1)
    return found


def _tag(key: str, value: str) -> str:
    if key in FLOAT_LISTS:
        return f'<v name="{key}">{" ".join(map(str, _numbers(value)))}</v>'
    if key in INTEGER_LISTS:
        return f'<v type="int" name="{key}">{" ".join(str(int(x)) for x in _numbers(value))}</v>'
    if key in INTEGERS:
        return f'<i type="int" name="{key}">{int(float(value))}</i>'
    if value.strip(".").upper() in ("T", "F", "TRUE", "FALSE"):
        return f'<i type="logical" name="{key}">{value.strip(".").upper()[0]}</i>'
    try:
        return f'<i name="{key}">{float(value):.10g}</i>'
    except ValueError:
        return f'<i type="string" name="{key}">{escape(value)}</i>'


def _varray(name: str, rows: np.ndarray) -> str:
    lines = "".join(f"<v>{' '.join(map(_fortran, row))}</v>" for row in rows)
    return f'<varray name="{name}">{lines}</varray>'


def _fortran(value: float) -> str:
    """A number as Fortran prints it, which fills its column with asterisks if it does not fit."""
    return "*" * 16 if math.isinf(value) else f"{value:.10f}"


def _structure_xml(crystal: Crystal, name: str | None = None) -> str:
    label = f' name="{name}"' if name else ""
    basis = _varray("basis", crystal.lattice)
    return (
        f"<structure{label}><crystal>{basis}</crystal>"
        f"{_varray('positions', crystal.frac)}</structure>"
    )
