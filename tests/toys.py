"""A generator and an engine that are quick and exact, to test what is built round them.

The toy generator knows rock salts AB only: its latent vector is (lattice constant, A, B) and
decoding rounds it. The toy engine gives every crystal a formation energy that depends on its
electronegativity difference, and fails on request.

Stored campaigns (tests/data) name the classes of this module and expect the same numbers of them.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import ClassVar

import numpy as np
import pytest
from jobflow import Maker, job
from pymatgen.core import Composition, Element, Lattice, Structure

from gen2dft import engines, generators
from gen2dft.calculation import Calculation
from gen2dft.crystals import CrystalTable
from gen2dft.dataset import Dataset
from gen2dft.engines.base import CalculationDoc, CalculationFailure, Engine, Makers
from gen2dft.engines.bounds import Bounds
from gen2dft.engines.kept import computed_once
from gen2dft.engines.kit import run_task
from gen2dft.errors import CalculationFailed
from gen2dft.generators.base import Parity, Reconstruction, TrainingResult
from gen2dft.representations.base import DecodeResult

CATIONS = ["Li", "Na", "K", "Rb", "Mg", "Ca", "Sr", "Ba"]
WIDE_CATIONS = [*CATIONS, "Cs", "Be", "Zn", "Cd", "Hg", "Pb", "Sn", "Mn", "Fe", "Co", "Ni", "Cu"]
ANIONS = ["F", "Cl", "Br", "O", "S", "Se"]
PROPERTIES = ("formation_energy",)
SECONDS = float(os.environ.get("TOY_SECONDS", "0"))  # what an epoch and a calculation take


def rock_salt(cation: str, anion: str, a: float) -> Structure:
    half = a / 2
    return Structure(
        Lattice([[0, half, half], [half, 0, half], [half, half, 0]]),
        [cation, anion],
        [[0, 0, 0], [0.5] * 3],
    )


def formation_energy(composition: Composition) -> float:
    values = sorted(Element(str(e)).X for e in composition.elements)
    return -0.5 * (values[-1] - values[0])


def toy_dataset() -> Dataset:
    pairs = [
        ("Na", "Cl"),
        ("K", "Br"),
        ("Li", "F"),
        ("Mg", "O"),
        ("Ca", "S"),
        ("Rb", "Cl"),
        ("Sr", "Se"),
        ("Ba", "O"),
    ]
    return dataset_of(pairs)


def wide_dataset() -> Dataset:
    """Each of the many cations once, so that the hull covers all that can be made of them."""
    return dataset_of([(cation, ANIONS[i % len(ANIONS)]) for i, cation in enumerate(WIDE_CATIONS)])


def dataset_of(pairs: list[tuple[str, str]]) -> Dataset:
    structures = [rock_salt(c, a, 5.5 + 0.1 * i) for i, (c, a) in enumerate(pairs)]
    energies = np.array([formation_energy(s.composition) for s in structures])
    ids = tuple(f"toy-{c}{a}" for c, a in pairs)
    return Dataset(CrystalTable.from_structures(structures), ids, {"formation_energy": energies})


class ToyGenerator:
    """Exact autoencoder of rock salts."""

    name = "toy"
    properties: tuple[str, ...] = PROPERTIES
    cations: ClassVar[list[str]] = CATIONS

    def fit(self, dataset, spec, properties, *, seed, warm_start=None, on_epoch=None, **_):
        self.training_set_hash = dataset.content_hash
        epochs = spec.epochs_warm if warm_start else spec.epochs
        for epoch in range(1, epochs + 1):
            if on_epoch:
                on_epoch(epoch, {"loss": 1.0 / epoch})
            time.sleep(SECONDS)
        history = [
            {"epoch": e, "loss": 1 / e, "reconstruction": 1 / e, "kl": 0.0, "property": 0.0}
            for e in range(1, epochs + 1)
        ]
        heldout = {name: Parity([-1.0], [-1.1]) for name in properties}
        labels = {name: len(dataset) for name in properties}
        return TrainingResult(
            history,
            heldout,
            Reconstruction(0),
            len(dataset),
            0,
            labels,
            warm_start is not None,
            0.1,
        )

    def state(self):
        return {"training_set_hash": self.training_set_hash}, {}

    @classmethod
    def from_state(cls, config, arrays):
        generator = cls()
        generator.training_set_hash = config["training_set_hash"]
        return generator

    def encode(self, table: CrystalTable) -> np.ndarray:
        rows = []
        for s in table.structures():
            cation, anion = sorted(s.composition.elements, key=lambda e: e.X)
            rows.append(
                [
                    2 * (s.volume * 4) ** (1 / 3),
                    self.cations.index(cation.symbol),
                    ANIONS.index(anion.symbol),
                ]
            )
        return np.array(rows, dtype=np.float32).reshape(-1, 3)

    def decode(self, latents: np.ndarray) -> DecodeResult:
        reasons = [
            None
            if 0 <= round(c) < len(self.cations) and 0 <= round(x) < len(ANIONS) and a > 0
            else "no_atoms"
            for a, c, x in latents
        ]
        kept = np.flatnonzero([r is None for r in reasons])
        crystals = [
            rock_salt(self.cations[round(c)], ANIONS[round(x)], float(a) / 2)
            for a, c, x in latents[kept]
        ]
        return DecodeResult(CrystalTable.from_structures(crystals), kept, reasons)

    def predict(self, latents: np.ndarray) -> np.ndarray:
        energies = [
            formation_energy(s.composition) for s in self.decode(latents).crystals.structures()
        ]
        return np.array(energies).reshape(-1, 1)


class WideToyGenerator(ToyGenerator):
    """The same with more cations, for campaigns that need more than a few new crystals."""

    name = "wide-toy"
    cations: ClassVar[list[str]] = WIDE_CATIONS


@dataclass(frozen=True)
class ToyPreset:
    name: str = "toy-v1"
    settings_hash: str = "toyhash"
    description: str = "formation energies by electronegativity"

    def contents(self) -> dict[str, str]:
        return asdict(self)


def toy_relax(structure: Structure, preset: str) -> Calculation:
    if structure.volume < 1.01 * len(structure):
        raise CalculationFailed("volume_out_of_range", "nothing is as dense")
    digest = hashlib.sha256(structure.composition.reduced_formula.encode()).digest()
    if digest[0] < 40:
        raise CalculationFailed(
            "exploded", f"{structure.composition.reduced_formula} does not like it"
        )
    time.sleep(SECONDS)
    relaxed = structure.copy()
    relaxed.scale_lattice(structure.volume * 1.02)
    return Calculation(
        structure=relaxed,
        energy_per_atom=formation_energy(structure.composition),
        converged=digest[1] > 20,
        max_force=0.01,
        num_steps=3,
        wall_seconds=0.1,
    )


def toy_fault(structure: Structure | None) -> CalculationFailure | None:
    """With TOY_FAULTS: two of ten crystals fail in validation, and one of ten never answers."""
    if structure is None or not os.environ.get("TOY_FAULTS"):
        return None
    formula = structure.composition.reduced_formula
    place = toy_fate(formula)
    while place == 2:
        time.sleep(1)
    return CalculationFailure(reason="toy_broke", detail=f"{formula} broke") if place < 2 else None


def toy_fate(formula: str) -> int:
    """0 to 9: what becomes of a crystal under TOY_FAULTS."""
    return hashlib.sha256(f"fate {formula}".encode()).digest()[0] % 10


@dataclass
class ToyMaker(Maker):
    name: str = "toy"
    task: str = "relax"
    preset: str = "toy-v1"
    crash: ClassVar[bool] = False  # as if the program itself died, without a reason

    @job
    def make(self, structure=None, prev=None) -> CalculationDoc | CalculationFailure:
        if self.crash:
            raise RuntimeError("the program died")
        if (failure := toy_fault(structure)) is not None:
            return failure
        return computed_once(run_task)(self.task, TOY_ENGINE, self.preset, structure, prev)


TOY_ENGINE = Engine(
    name="toy",
    is_dft=False,
    provides=frozenset({"formation_energy", "e_above_hull"}),
    presets={"toy-v1": ToyPreset(), "toy-fine-v1": ToyPreset("toy-fine-v1", "toyfine")},
    relax=toy_relax,
    static=toy_relax,
    makers=lambda preset: Makers(
        ToyMaker(preset=preset), ToyMaker(name="toy static", task="static", preset=preset)
    ),
    formation_energy=lambda composition, energy: energy,
    scale="materials-project",  # so that toys may be measured against the starter set
    bounds=Bounds(volume_per_atom=(0.0, 1e6)),  # rock salts of any size are drawn
)

TOY_CAMPAIGN = {
    "name": "toy",
    "targets": [{"property": "formation_energy", "near": -1.0, "tolerance": 0.3}],
    "dataset": {"min_labels": 5},
    "generator": {"name": "toy", "epochs": 3, "epochs_warm": 2},
    "sampling": [
        {"method": "local", "num_points": 60, "scale": 1.0, "num_seeds": 8},
        {"method": "random", "num_points": 40, "scale": 2.0},
    ],
    "screening": {
        "surrogate": {
            "engine": "toy",
            "preset": "toy-v1",
            "max_e_above_hull": 0.5,
            "min_e_above_hull": -9,
            "chunk": 4,
        }
    },
    "validation": {"engine": "toy", "preset": "toy-v1"},
    "learning": {"rounds": 2, "batch": 6, "audit": 0.2},
}

# Rounds of 20 candidates, all of them new, whatever they are made of.
WIDE_CAMPAIGN = {
    **TOY_CAMPAIGN,
    "generator": {"name": "wide-toy", "epochs": 3, "epochs_warm": 2},
    "sampling": [{"method": "random", "num_points": 500, "scale": 2.0}],
    "screening": {
        "charge_balance": False,
        "volume_per_atom": [1.0, 500.0],
        "surrogate": {
            "engine": "toy",
            "preset": "toy-v1",
            "max_e_above_hull": 99.0,
            "min_e_above_hull": -99.0,
            "chunk": 50,
            "max_relaxations": 32,
        },
    },
    "learning": {"rounds": 2, "batch": 20, "audit": 0.2},
}


@contextmanager
def toys_registered() -> Iterator[None]:
    """The toys can be named in campaign files of this process."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(engines.ENGINES, "toy", lambda: TOY_ENGINE)
        patch.setitem(generators.GENERATORS, "toy", lambda: ToyGenerator)
        patch.setitem(generators.GENERATORS, "wide-toy", lambda: WideToyGenerator)
        yield
