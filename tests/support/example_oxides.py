"""Small vanadium oxides for tests: rock salts, rutiles and others, distorted at random but always
the same.
"""

from __future__ import annotations

import numpy as np

from gen2dft.crystals import CrystalTable
from gen2dft.dataset import Dataset
from gen2dft.generators.imatgen.settings import ImatgenSettings

V, O = 23, 8  # noqa: E741
PLACES = np.array(
    [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0, 0, 0.5]]
)  # fmt: skip

# As small as the networks get without another shape: two channels instead of 64.
SPEC = ImatgenSettings(
    name="imatgen",
    epochs=3,
    epochs_warm=2,
    latent_dim=16,
    batch_size=8,
    holdout=0.3,
    imatgen={
        "channels": 2,
        "autoencoder_epochs": 1,
        "autoencoder_crystals": 8,
        "cell_batch": 8,
        "basis_batch": 8,
        "pretrain_epochs": 1,
        "thresholds": {"formation_energy": -1.5},
    },
)


def example_oxides(count: int = 24) -> CrystalTable:
    """VO and VO2 in skewed cells, the lowest coordinate of each axis at 0."""
    rng = np.random.default_rng(0)
    lattices, numbers, frac = [], [], []
    for i in range(count):
        oxygens = 2 + 2 * (i % 2)
        lattices.append(
            np.diag(rng.uniform(3.8, 5.2, 3)) + np.tril(rng.uniform(-0.6, 0.6, (3, 3)), -1)
        )
        places = PLACES[: 2 + oxygens] + 0.02 * rng.standard_normal((2 + oxygens, 3))
        frac.append(places - places.min(axis=0))
        numbers.append([V, V] + [O] * oxygens)
    return CrystalTable.from_arrays(np.array(lattices), numbers, frac)


def example_oxide_set() -> Dataset:
    """The crystals with formation energies that depend on the composition."""
    crystals = example_oxides()
    energies = np.where(crystals.num_sites == 4, -1.0, -2.0) + 0.1 * np.arange(len(crystals)) / len(
        crystals
    )
    return Dataset(
        crystals, tuple(f"oxide-{i}" for i in range(len(crystals))), {"formation_energy": energies}
    )
