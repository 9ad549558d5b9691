"""Training of the generator: seconds per epoch of its two variants, and memory against the number
of crystals.

    .venv/bin/python benchmarks/bench_training.py [--crystals 2000] [--epochs 4] [--copies 4]
    [--sites 20]

The reference is the published network (`variant: published`) on the same crystals, in the same run,
one after the other: read the ratio, not the seconds. The first epoch, which compiles, is not
counted. Memory is the growth of the process while `copies` times as many crystals are trained on
for one epoch: matrices are written batch by batch, so it should hardly grow; held at once they
would take what the last column says.
"""

from __future__ import annotations

import argparse
import resource
import time

import numpy as np

from gen2dft.campaign import DatasetSpec
from gen2dft.crystals import CrystalTable
from gen2dft.dataset import Dataset
from gen2dft.datasets import load_dataset
from gen2dft.generators.ftcp.fitting import FTCPTraining
from gen2dft.generators.ftcp.settings import FTCPSettings
from gen2dft.representations.ftcp import FTCP

HEADS = ("formation_energy", "e_above_hull")


def epoch_seconds(dataset: Dataset, variant: str, epochs: int, sites: int) -> float:
    """Shortest epoch after the first, CPU seconds of all threads."""
    ends: list[float] = []
    spec = FTCPSettings(variant=variant, epochs=epochs, batch_size=128)  # type: ignore[arg-type]
    FTCPTraining(dataset, spec, HEADS, 0, FTCP(max_sites=sites)).run(
        None, lambda *_: ends.append(time.process_time())
    )
    return float(np.diff(ends).min()) if epochs > 1 else float("nan")


def repeated(dataset: Dataset, copies: int) -> Dataset:
    """The dataset several times over, under other ids."""
    ids = [f"{key}-{copy}" for copy in range(copies) for key in dataset.ids]
    labels = {name: np.tile(dataset.label(name), copies) for name in HEADS}
    return Dataset(CrystalTable.concatenate([dataset.crystals] * copies), ids, labels)


def peak_mb() -> float:
    """Largest resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--crystals", type=int, default=2000)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--copies", type=int, default=4)
    parser.add_argument("--sites", type=int, default=20, help="room for sites in a matrix")
    options = parser.parse_args()
    dataset = load_dataset(DatasetSpec(source="prototypes", max_crystals=options.crystals), seed=0)
    seconds = {
        variant: epoch_seconds(dataset, variant, options.epochs, options.sites)
        for variant in ("published", "gen2dft")
    }
    print(f"crystals                       {len(dataset):8d}")
    for variant, value in seconds.items():
        print(f"CPU seconds per epoch, {variant:9s} {value:7.2f}")
    print(f"ratio published / gen2dft      {seconds['published'] / seconds['gen2dft']:8.2f}")
    before = peak_mb()
    epoch_seconds(repeated(dataset, options.copies), "published", 1, options.sites)
    matrices = (
        options.copies * len(dataset) * np.prod(FTCP(max_sites=options.sites).shape) * 4 / 2**20
    )
    grown = peak_mb() - before
    print(
        f"memory, {options.copies} times as many crystals {grown:8.0f} MB more (their matrices: "
        f"{matrices:.0f} MB)"
    )


if __name__ == "__main__":
    main()
