"""Property heads on compositions: errors, spread, seconds and megabytes, beside plain scikit-learn.

    .venv/bin/python benchmarks/bench_heads.py [SOURCE] [--max-e-above-hull 0.05] [--elements 3]

SOURCE is a source of crystals as `dataset.source` in a campaign file takes it, by default
`prototypes`. A fifth of the crystals, by a hash of the id, is for testing. "Plain" are extra trees
of scikit-learn with its defaults, on the same features. Spread is the root mean square spread of
the members over the root mean square error; 1 would be right.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from sklearn.ensemble import ExtraTreesRegressor

from gen2dft.campaign import DatasetSpec
from gen2dft.dataset import Dataset
from gen2dft.datasets import load_dataset
from gen2dft.evaluation.split import Split, split_by_hash
from gen2dft.heads.composition import composition_features
from gen2dft.heads.composition_trees import TREES, CompositionTrees
from gen2dft.heads.element_table import element_table

PROPERTIES = ("formation_energy", "band_gap")


def measure_head(data: Dataset, split: Split) -> None:
    """Print what the head does."""
    train, test = data.select(split.train), data.select(split.test)
    start = time.process_time()
    labels = train.label_matrix(PROPERTIES)
    head = CompositionTrees.fit(train.crystals, labels, PROPERTIES, np.random.default_rng(0))
    fitted = time.process_time()
    prediction = head.predict(test.crystals)
    seconds = time.process_time() - fitted
    size = len(head.to_bytes()) / 1e6
    print(f"head: fit {fitted - start:.1f} CPU s, predict {seconds:.2f} CPU s, {size:.1f} MB")
    for name in PROPERTIES:
        known = np.isfinite(test.label(name))
        error = (prediction.values[name] - test.label(name))[known]
        spread = prediction.members[name].std(axis=0, ddof=1)[known]
        ratio = np.sqrt(np.mean(spread**2) / np.mean(error**2))
        covered = np.mean(np.abs(error) < 2 * spread)
        print(f"  {name}: MAE {np.mean(np.abs(error)):.4f}, spread {ratio:.2f}, ", end="")
        print(f"within twice the spread {covered:.0%}")


def measure_plain(data: Dataset, split: Split) -> None:
    """Print what scikit-learn does on the same features."""
    x = composition_features(data.crystals, element_table())
    for name in PROPERTIES:
        y = data.label(name)
        known = split.train[np.isfinite(y[split.train])]
        start = time.process_time()
        model = ExtraTreesRegressor(TREES, random_state=0).fit(x[known], y[known])
        seconds = time.process_time() - start
        error = np.nanmean(np.abs(model.predict(x[split.test]) - y[split.test]))
        print(f"plain: {name}: MAE {error:.4f}, fit {seconds:.1f} CPU s")


def main() -> None:
    """Read the data, split them, measure both."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", nargs="?", default="prototypes")
    parser.add_argument("--max-e-above-hull", type=float, default=0.05)
    parser.add_argument("--elements", type=int, nargs="+", default=[3])
    options = parser.parse_args()
    spec = DatasetSpec(
        source=options.source,
        num_elements=tuple(options.elements),
        max_e_above_hull=options.max_e_above_hull,
    )
    data = load_dataset(spec, seed=0)
    split = split_by_hash(data.ids)
    print(f"{len(data)} crystals, {len(split.train)} to train on, {len(split.test)} to test on")
    measure_head(data, split)
    measure_plain(data, split)


if __name__ == "__main__":
    main()
