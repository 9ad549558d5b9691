#!/usr/bin/env python3
"""A stand-in for VASP: a pair potential that reads VASP's inputs and writes VASP's outputs.

Not DFT, and it says so.

It serves the tests of engine `vasp`: the real atomate2 and the real custodian run it. What it
writes names itself as a stand-in wherever VASP names its version, and documents made of it are
refused outside tests.

Faults are planned in the JSON file that $STAND_IN_VASP_PLAN names: reduced formula to fault and
number of runs that meet it, such as {"VO2": ["zbrent", 1]}; runs are counted beside the file.
"""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import time
from dataclasses import dataclass, replace
from math import gcd
from pathlib import Path

import numpy as np
import stand_in_outputs as outputs

PLAN = "STAND_IN_VASP_PLAN"
DEPTH, WIDTH, CUTOFF = 0.8, 1.6, 5.0  # eV, 1/Angstrom, Angstrom
RADII = {"V": 1.25, "O": 0.70, "Cs": 2.10, "Cl": 1.40}  # Angstrom; others by _radius
SPREAD = (
    1.8  # two non-metals in a compound only repel, from this many times the sum of their radii on
)
MAX_FRAMES = 5
WAIT = 30.0  # s, for a STOPCAR


@dataclass
class Crystal:
    """Lattice rows (3, 3) Angstrom, fractional coordinates (n, 3), and a symbol per site."""

    lattice: np.ndarray
    frac: np.ndarray
    symbols: list[str]

    @property
    def volume(self) -> float:
        return abs(float(np.linalg.det(self.lattice)))

    @property
    def runs(self) -> list[tuple[str, int]]:
        """Consecutive sites of one element, as POSCAR and POTCAR list them."""
        found: list[list] = []
        for symbol in self.symbols:
            if found and found[-1][0] == symbol:
                found[-1][1] += 1
            else:
                found.append([symbol, 1])
        return [(symbol, count) for symbol, count in found]

    @property
    def formula(self) -> str:
        """Symbols in alphabetical order with the smallest whole numbers."""
        counts = {symbol: self.symbols.count(symbol) for symbol in sorted(set(self.symbols))}
        divisor = gcd(*counts.values())
        return "".join(f"{s}{n // divisor if n // divisor > 1 else ''}" for s, n in counts.items())


@dataclass
class Frame:
    """One ionic step: energy in eV, forces (n, 3) eV/Angstrom, stress (3, 3) eV/Angstrom^3,
    dE/d(strain)/V.
    """

    crystal: Crystal
    energy: float
    forces: np.ndarray
    stress: np.ndarray


def read_incar() -> dict[str, str]:
    lines = (line.split("#")[0].partition("=") for line in Path("INCAR").read_text().splitlines())
    return {key.strip().upper(): value.strip() for key, equals, value in lines if equals}


def read_poscar() -> Crystal:
    lines = Path("POSCAR").read_text().splitlines()
    lattice = float(lines[1]) * np.array([line.split()[:3] for line in lines[2:5]], dtype=float)
    symbols = [
        s for s, n in zip(lines[5].split(), lines[6].split(), strict=True) for _ in range(int(n))
    ]
    if lines[7].strip()[:1].lower() != "d":
        sys.exit("stand-in: POSCAR must be in direct coordinates")
    frac = np.array([line.split()[:3] for line in lines[8 : 8 + len(symbols)]], dtype=float)
    return Crystal(lattice, frac, symbols)


def read_mesh() -> tuple[int, int, int]:
    lines = Path("KPOINTS").read_text().splitlines()
    if lines[2].strip()[:1].lower() != "g":
        sys.exit("stand-in: KPOINTS must be Gamma-centred")
    first, second, third = (int(word) for word in lines[3].split()[:3])
    return first, second, third


def read_potcar() -> tuple[list[str], list[float]]:
    """TITEL and valence electrons of each data set."""
    lines = [
        line
        for line in Path("POTCAR").read_text().splitlines()
        if "TITEL" in line or "ZVAL" in line
    ]
    titles = [line.partition("=")[2].strip() for line in lines if "TITEL" in line]
    return titles, [
        float(line.rpartition("ZVAL")[2].split("=")[1].split()[0])
        for line in lines
        if "ZVAL" in line
    ]


def _radius(symbol: str) -> float:
    return RADII.get(symbol, 0.8 + 0.05 * (sum(map(ord, symbol)) % 12))


def evaluate(crystal: Crystal) -> Frame:
    """Morse potential between all pairs closer than the cut-off, shifted to vanish there with its
    slope.
    """
    heights = 1 / np.linalg.norm(np.linalg.inv(crystal.lattice), axis=0)
    reach = [np.arange(-n, n + 1) for n in np.ceil(CUTOFF / heights).astype(int)]
    images = np.stack(np.meshgrid(*reach, indexing="ij"), axis=-1).reshape(-1, 3)
    radii = np.array([_radius(symbol) for symbol in crystal.symbols])
    is_compound = len(set(crystal.symbols)) > 1
    repels = np.array([symbol in outputs.NONMETALS and is_compound for symbol in crystal.symbols])
    delta = crystal.frac[None, :, None] - crystal.frac[:, None, None] + images[None, None]
    vectors = delta @ crystal.lattice  # (i, j, image, 3), from i to j
    lengths = np.linalg.norm(vectors, axis=-1)
    first, second, image = np.nonzero((lengths < CUTOFF) & (lengths > 1e-8))
    vectors, lengths = vectors[first, second, image], lengths[first, second, image]
    both = repels[first] & repels[second]
    best = (radii[first] + radii[second]) * np.where(both, SPREAD, 1.0)
    energies, slopes = _morse(lengths, best, ~both)
    edge, edge_slope = _morse(np.full_like(lengths, CUTOFF), best, ~both)
    pulls = (0.5 * (slopes - edge_slope) / lengths)[:, None] * vectors
    forces = np.zeros_like(crystal.frac)
    np.add.at(forces, first, pulls)
    np.add.at(forces, second, -pulls)
    energy = 0.5 * float((energies - edge - edge_slope * (lengths - CUTOFF)).sum())
    return Frame(crystal, energy, forces, vectors.T @ pulls / crystal.volume)


def _morse(
    lengths: np.ndarray, best: np.ndarray, attracts: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    decay = np.exp(-WIDTH * (lengths - best))
    scale = np.where(attracts, DEPTH, 0.1 * DEPTH)
    return scale * (decay**2 - 2 * decay * attracts), 2 * scale * WIDTH * (
        decay * attracts - decay**2
    )


def relax(crystal: Crystal, threshold: float, *, with_cell: bool) -> list[Frame]:
    """Frames of a descent with Barzilai-Borwein steps.

    The last one is relaxed unless it would not end.
    """
    frame, frames, step = evaluate(crystal), [], 0.05
    before: tuple[np.ndarray, np.ndarray] | None = None
    for _ in range(3000):
        gradient = np.concatenate([-frame.forces, frame.stress * frame.crystal.volume * with_cell])
        frames.append(frame)
        if np.linalg.norm(gradient, axis=1).max() < threshold:
            break
        if (
            before is not None
            and (curve := float((before[1] * (gradient - before[0])).sum())) > 1e-12
        ):
            step = min(0.2, float((before[1] ** 2).sum()) / curve)
        move = -step * gradient
        move *= min(1.0, 0.1 / np.abs(move).max())
        before = (gradient, move)
        frame = evaluate(_moved(frame.crystal, move[:-3], move[-3:] / len(crystal.symbols)))
    return frames


def _moved(crystal: Crystal, shifts: np.ndarray, strain: np.ndarray) -> Crystal:
    frac = crystal.frac + shifts @ np.linalg.inv(crystal.lattice)
    return Crystal(crystal.lattice @ (np.eye(3) + (strain + strain.T) / 2), frac, crystal.symbols)


def fault_of(formula: str) -> str | None:
    """The planned fault of this run, counting it."""
    if PLAN not in os.environ:
        return None
    plan = Path(os.environ[PLAN])
    fault, times = json.loads(plan.read_text()).get(formula, (None, 0))
    counter = plan.with_name(f"{formula}.runs")
    runs = int(counter.read_text()) if counter.is_file() else 0
    counter.write_text(str(runs + 1))
    return fault if runs < times else None


def main() -> int:
    crystal, incar = read_poscar(), read_incar()
    fault = fault_of(crystal.formula)
    if fault == "dies":
        print("stand-in: segmentation fault, as if VASP were broken", file=sys.stderr)
        return 139
    steps = int(incar.get("NSW", "0"))
    threshold = abs(float(incar.get("EDIFFG", "-0.05")))
    frames = (
        relax(crystal, threshold, with_cell=incar.get("ISIF") == "3")
        if steps
        else [evaluate(crystal)]
    )
    is_relaxed = len(frames) < 3000
    chosen = np.unique(np.linspace(0, len(frames) - 1, min(len(frames), MAX_FRAMES)).astype(int))
    run = outputs.Run(
        incar, read_mesh(), *read_potcar(), [frames[i] for i in chosen], is_relaxed and steps > 0
    )
    return FAULTS.get(fault, finish)(run)


def finish(run: outputs.Run) -> int:
    run.write()
    return 0


def zbrent(run: outputs.Run) -> int:
    """The line minimiser of IBRION = 2 gets lost half-way."""
    run.half().write(truncated=True)
    print(
        "ZBRENT: fatal error in bracketing\n     please rerun with smaller EDIFF, or copy "
        "CONTCAR\n     to POSCAR"
    )
    return 1


def electronic(run: outputs.Run) -> int:
    """The last ionic step uses up NELM."""
    run.electronic_steps = int(run.incar["NELM"])
    return finish(run)


def bands(run: outputs.Run) -> int:
    """Bands at a fixed density use up NELM; all other runs go well."""
    return electronic(run) if run.incar.get("ICHARG") == "11" else finish(run)


def nan(run: outputs.Run) -> int:
    """The energy of the last ionic step is NaN."""
    return _with_last(run, energy=np.nan)


def deep(run: outputs.Run) -> int:
    """The last energy is that of no crystal: -60 eV/atom."""
    return _with_last(run, energy=-60.0 * len(run.frames[-1].crystal.symbols))


def asterisks(run: outputs.Run) -> int:
    """Forces too large for Fortran's columns, which prints asterisks."""
    return _with_last(run, forces=np.full_like(run.frames[-1].forces, np.inf))


def _with_last(run: outputs.Run, **changes: object) -> int:
    run.frames[-1] = replace(run.frames[-1], **changes)
    return finish(run)


def starred(run: outputs.Run) -> int:
    """A band energy too large for its column."""
    return _changed(run, "vasprun.xml", r"(<set comment=\"kpoint 2\"><r>)\S+", r"\1*********")


def last_loop(run: outputs.Run) -> int:
    """The energy of the last electronic step alone is too large for its column."""
    old = r"(.*<scstep><energy><i name=\"e_fr_energy\">)[^<]*"
    return _changed(run, "vasprun.xml", old, r"\1*********")


def starred_outcar(run: outputs.Run) -> int:
    """The last energy in OUTCAR alone is too large for its column."""
    return _changed(run, "OUTCAR", r"(.*TOTEN  =) +\S+", r"\1 *********")


def unreadable(run: outputs.Run) -> int:
    """A number of electrons too large for its column, over which the parsers stumble."""
    return _changed(run, "OUTCAR", r"(number of electron)\s+\S+", r"\1 *********")


def elsewhere(run: outputs.Run) -> int:
    """The vasprun.xml of another crystal, as two runs in one folder leave it."""
    return _changed(run, "vasprun.xml", r"<c>O *</c>", "<c>S </c>")


def no_forces(run: outputs.Run) -> int:
    """Forces were not written."""
    return _changed(run, "vasprun.xml", r'<varray name="forces">.*?</varray>', "")


def _changed(run: outputs.Run, name: str, old: str, new: str) -> int:
    """Write all files and damage one of them."""
    run.write()
    file = Path(name)
    file.write_text(re.sub(old, new, file.read_text(), flags=re.DOTALL))
    return 0


def ionic(run: outputs.Run) -> int:
    """NSW steps are used up."""
    half = run.half()
    half.frames = [
        half.frames[min(i * len(half.frames) // int(run.incar["NSW"]), len(half.frames) - 1)]
        for i in range(int(run.incar["NSW"]))
    ]
    return finish(half)


def killed(run: outputs.Run) -> int:
    """Killed from outside after some ionic steps."""
    run.half().write(truncated=True)
    sys.stdout.flush()
    os.kill(os.getpid(), signal.SIGKILL)
    return 1


def waits(run: outputs.Run) -> int:
    """Takes so long that it is asked to stop by a STOPCAR; it obeys at the next ionic step."""
    half = run.half()
    half.write()
    deadline = time.monotonic() + WAIT
    while not Path("STOPCAR").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    half.is_stopped = True
    return finish(half)


FAULTS = {
    "zbrent": zbrent,
    "electronic": electronic,
    "bands": bands,
    "nan": nan,
    "deep": deep,
    "asterisks": asterisks,
    "starred": starred,
    "last_loop": last_loop,
    "starred_outcar": starred_outcar,
    "unreadable": unreadable,
    "elsewhere": elsewhere,
    "no_forces": no_forces,
    "ionic": ionic,
    "killed": killed,
    "waits": waits,
}

if __name__ == "__main__":
    sys.exit(main())
