"""Engines, beside the toy one, that the stored campaigns of `tests/data` are computed with.

Stored fireworks name this module and its Makers, and stored campaigns name the engines: neither may
be renamed.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from example_bands import full_mesh
from gpaw_files import write_gpw
from jobflow import Maker, job
from pymatgen.core import Composition, Structure

from gen2dft import engines
from gen2dft.calculation import Calculation
from gen2dft.engines.base import Engine, Makers, without_references
from gen2dft.engines.kit import run_task
from gen2dft.transport.bands import UniformBands, uniform_bands
from tests import toys

MESH = 14  # k-points along each axis at a scale of 1
# Half of an atom's nearest neighbours in a face-centred cubic lattice, along its primitive axes.
NEIGHBOURS = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, -1, 0], [0, 1, -1], [1, 0, -1]])
ELEMENT_ENERGIES = {"V": -9.08, "O": -4.95}  # eV/atom
OXIDE_ENERGY = {"V": -2.6, "O": -0.9}  # eV per atom of an oxide, beside its elements


def salt_bands(salt: Structure, size: int) -> UniformBands:
    """Cosine bands of a rock salt with a gap of 1 eV; a rubidium salt is a metal.

    The metal's empty band has its minimum where the full one is lowest, so that the two overlap.
    """
    kpoints = full_mesh((size, size, size))
    kinetic = (1 - np.cos(2 * np.pi * kpoints @ NEIGHBOURS.T)).sum(axis=1)
    empty = 7.5 - kinetic if "Rb" in salt.composition else 1.0 + kinetic
    energies = np.stack([-kinetic, empty, 31.0 + kinetic])
    return uniform_bands(salt, kpoints, energies[None], 2.0, 2, "bands of a toy")


@dataclass
class SaltBandsMaker(Maker):
    """Uniform bands that follow a static calculation of engine `banded`."""

    name: str = "toy bands"
    preset: str = "toy-v1"

    @job
    def make(self, structure=None, prev=None, scale=1.0):
        size = 2 * round(MESH / scale / 2)
        write_gpw(Path("uniform.gpw"), salt_bands(prev.structure, size), 2.0)
        place = f"{socket.gethostname()}:{Path.cwd()}"
        return prev.model_copy(update={"task": "uniform_bands", "directory": place})


@dataclass
class BandedMaker(Maker):
    """Relaxation or static calculation of engine `banded`."""

    name: str = "banded"
    task: str = "relax"
    preset: str = "toy-v1"

    @job
    def make(self, structure=None, prev=None):
        return run_task(self.task, BANDED, self.preset, structure, prev)


@dataclass
class OxideMaker(Maker):
    """Relaxation or static calculation of engine `oxides`."""

    name: str = "oxides"
    task: str = "relax"
    preset: str = "toy-v1"

    @job
    def make(self, structure=None, prev=None):
        return run_task(self.task, OXIDES, self.preset, structure, prev)


def oxide_energy(composition: Composition) -> float:
    """Energy of vanadium, oxygen and what they form, eV/atom."""
    energies = ELEMENT_ENERGIES if composition.is_element else OXIDE_ENERGY
    bound = sum(composition.get_atomic_fraction(s) * energies[s] for s in energies)
    if composition.is_element:
        return bound
    apart = sum(composition.get_atomic_fraction(s) * e for s, e in ELEMENT_ENERGIES.items())
    return apart + bound


def told(structure: Structure, energy: float, **more) -> Calculation:
    """A relaxation that went well."""
    return Calculation(
        structure=structure, energy_per_atom=energy, converged=True, max_force=0.01, num_steps=3,
        wall_seconds=0.1, **more,
    )  # fmt: skip


def oxide_relax(structure: Structure, preset: str) -> Calculation:
    """What a DFT program with U on the vanadium of oxides would give."""
    is_oxide = not structure.composition.is_element
    energy = oxide_energy(structure.composition)
    if is_oxide:
        return told(structure, energy, run_type="GGA+U", hubbards={"V": 3.25})
    return told(structure, energy, run_type="GGA")


def bare_relax(structure: Structure, preset: str) -> Calculation:
    """Total energies of a DFT program that knows no elements' energies: -3 eV for each atom."""
    composition = structure.composition
    bound = 0.0 if composition.is_element else toys.formation_energy(composition)
    return told(structure, bound - 3.0, run_type="PBE")


BANDED = replace(
    toys.TOY_ENGINE,
    name="banded",
    provides=toys.TOY_ENGINE.provides | {"band_gap", "power_factor"},
    makers=lambda preset: Makers(
        BandedMaker(preset=preset),
        BandedMaker(name="banded static", task="static", preset=preset),
        SaltBandsMaker(preset=preset),
    ),
    read_bands=engines.load_engine("gpaw").read_bands,  # of the file that SaltBandsMaker writes
)
OXIDES: Engine = replace(
    toys.TOY_ENGINE,
    name="oxides",
    is_dft=True,
    relax=oxide_relax,
    static=oxide_relax,
    makers=lambda preset: Makers(
        OxideMaker(preset=preset), OxideMaker(name="oxides static", task="static", preset=preset)
    ),
    scale=None,
)
BARE: Engine = replace(
    toys.TOY_ENGINE,
    name="bare",
    is_dft=True,
    relax=bare_relax,
    static=bare_relax,
    formation_energy=without_references("bare"),
    scale=None,
)


@contextmanager
def stored_engines_registered() -> Iterator[None]:
    """The toys and these engines can be named in campaign files of this process."""
    with toys.toys_registered(), pytest.MonkeyPatch.context() as patch:
        for engine in (BANDED, BARE, OXIDES):
            patch.setitem(engines.ENGINES, engine.name, lambda found=engine: found)
        yield
