"""Crystal images: round trip of binaries turned V-O, and speed against the direct evaluation.

    python benchmarks/bench_images.py --dataset FILE --count 1000

The elements of every binary are exchanged both ways, and so many of these crystals drawn. The
direct evaluation, every voxel for every atom with the nearest of its periodic images, is the
published way; it is timed on a few crystals and its values are compared.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter

import numpy as np

from gen2dft.campaign import DatasetSpec
from gen2dft.crystals import CrystalTable
from gen2dft.datasets.sources import read_source
from gen2dft.representations.cells import lattice_parameters
from gen2dft.representations.image_grids import BASIS_VOXELS, BOX, CELL_VOXELS, CUT, WIDTH
from gen2dft.representations.image_placing import (
    EDGE,
    centred_positions,
    from_lowest,
    standard_lattices,
)
from gen2dft.representations.images import CrystalImages
from gen2dft.shipped.vanadium_build import exchanged

NEIGHBOUR_CELLS = np.stack(np.meshgrid(*[(-1, 0, 1)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--dataset", default="prototypes")
    parser.add_argument("--column", action="append", default=[], metavar="ROLE=COLUMN")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument(
        "--direct", type=int, default=3, help="crystals that are evaluated directly"
    )
    options = parser.parse_args()
    columns = dict(part.split("=", 1) for part in options.column)
    source = read_source(DatasetSpec(source=options.dataset, columns=columns))
    binary = source.select((source.crystals.num_elements == 2) & (source.crystals.num_sites <= 20))
    crystals, _ = exchanged(binary)
    order = np.random.default_rng(0).permutation(len(crystals))[: options.count]
    crystals = crystals.select(order)
    rep = CrystalImages()
    print(
        f"{len(binary)} binaries, {len(crystals)} vanadium oxides: {Counter(rep.misfits(crystals))}"
    )
    fitting = crystals.select(np.flatnonzero([reason is None for reason in rep.misfits(crystals)]))
    round_trip(rep, fitting)
    speed(rep, fitting, options.direct)


def round_trip(rep: CrystalImages, crystals: CrystalTable) -> None:
    """Encode, decode, compare; 100 crystals in memory at a time."""
    lost: Counter[str] = Counter()
    reasons, found, lengths, angles, apart = Counter(), 0, [], [], []
    for start in range(0, len(crystals), 100):
        part = crystals.select(np.arange(start, min(start + 100, len(crystals))))
        result = rep.decode(rep.encode(part))
        reasons.update(reason for reason in result.reasons if reason)
        lattices, _ = standard_lattices(part.lattices)
        frac = part.frac - np.floor(part.frac + EDGE)
        truth = from_lowest(CrystalTable(lattices, part.numbers, frac, part.offsets)).select(
            result.kept
        )
        (a, alpha), (b, beta) = (
            lattice_parameters(truth.lattices),
            lattice_parameters(result.crystals.lattices),
        )
        lengths.append(np.abs(b / a - 1).max(axis=1))
        angles.append(np.abs(beta - alpha).max(axis=1))
        for i in range(len(truth)):
            errors = position_errors(truth, result.crystals, i)
            if errors is None:
                numbers = (truth.num_sites[i], result.crystals.num_sites[i])
                lost[
                    f"{numbers[1]} of {numbers[0]} atoms, closest "
                    f"{closest_of_an_element(truth, i):.2f} Angstrom"
                ] += 1
            else:
                found += 1
                apart.extend(errors)
    print(
        f"round trip of {len(crystals)}: all atoms found in {found / len(crystals):.2%}; decode "
        f"refused {dict(reasons)}"
    )
    for what, count in lost.items():
        print(f"  not found: {what} ({count})")
    print(
        f"largest error: lengths {np.concatenate(lengths).max():.1e}, angles "
        f"{np.concatenate(angles).max():.1e} degree"
    )
    print(f"positions: mean {np.mean(apart):.1e} Angstrom, largest {np.max(apart):.1e} Angstrom")


def closest_of_an_element(table: CrystalTable, index: int) -> float:
    """Shortest distance, Angstrom, between two atoms of one element as the basis image has them."""
    numbers = table.numbers[table.sites(index)]
    places = centred_positions(table.select([index]), table.lattices[[index]])
    apart = np.linalg.norm(places[:, None] - places[None], axis=2)
    apart[(numbers[:, None] != numbers) | np.eye(len(numbers), dtype=bool)] = np.inf
    return float(apart.min())


def position_errors(truth: CrystalTable, decoded: CrystalTable, index: int) -> np.ndarray | None:
    """(n,) distance, Angstrom, of each atom to the nearest decoded one of its element.

    None if numbers differ.
    """
    here, there = truth.sites(index), decoded.sites(index)
    if sorted(truth.numbers[here]) != sorted(decoded.numbers[there]):
        return None
    difference = truth.frac[here][:, None] - decoded.frac[there][None]
    difference -= np.round(difference)
    distances = np.linalg.norm(difference @ truth.lattices[index], axis=2)
    distances[truth.numbers[here][:, None] != decoded.numbers[there]] = np.inf
    nearest = distances.argmin(axis=1)
    return distances.min(axis=1) if len(set(nearest)) == len(nearest) else None


def speed(rep: CrystalImages, crystals: CrystalTable, num_direct: int) -> None:
    """CPU seconds for 1,000 crystals, and the largest difference of values."""
    start = time.process_time()
    cells, basis = rep.cell_images(crystals), rep.basis_images(crystals)
    sparse = 1000 * (time.process_time() - start) / len(crystals)
    part = crystals.select(np.arange(min(200, len(crystals))))
    start = time.process_time()
    images = rep.encode(part)
    dense = 1000 * (time.process_time() - start) / len(part)
    start = time.process_time()
    differences = [
        np.abs(direct_images(rep, crystals, i) - images[i]).max() for i in range(num_direct)
    ]
    atoms = (
        crystals.num_sites[:num_direct].mean() + 1
    )  # the cell image counts as an atom of 32^3 voxels, nearly nothing
    direct = (
        1000 * (time.process_time() - start) / num_direct * (crystals.num_sites.mean() + 1) / atoms
    )
    memory = (cells.num_bytes + basis.num_bytes) / len(crystals)
    print(f"1,000 crystals: sparse {sparse:.2f} s, dense {dense:.2f} s, direct {direct:.0f} s of "
          "CPU time "
          f"({direct / sparse:.0f} and {direct / dense:.0f} times)")  # fmt: skip
    print(f"largest difference {max(differences):.1e}; memory {memory / 1e3:.1f} kB sparse, "
          f"{4 * rep.shape[0] / 1e3:.0f} kB dense")  # fmt: skip


def direct_images(rep: CrystalImages, table: CrystalTable, index: int) -> np.ndarray:
    """The published way: each atom at every voxel, with the nearest of 27 images."""
    lattice = standard_lattices(table.lattices)[0][index]
    parts = [gaussian(grid(CELL_VOXELS) - 0.5, lattice)]
    positions = centred_positions(table.select([index]), lattice[None]) + BOX / 2
    for z in rep.numbers:
        chosen = positions[table.numbers[table.sites(index)] == z]
        voxels = grid(BASIS_VOXELS)
        parts.append(sum(gaussian(voxels - position / BOX, BOX * np.eye(3)) for position in chosen))
    return np.concatenate(parts)


def gaussian(frac: np.ndarray, lattice: np.ndarray) -> np.ndarray:
    """exp(-d^2 / 2 w^2), cut, of the nearest image of fractional differences."""
    frac = frac - np.round(frac)
    squares = np.full(len(frac), np.inf)
    for cell in NEIGHBOUR_CELLS:
        squares = np.minimum(squares, (((frac + cell) @ lattice) ** 2).sum(axis=1))
    values = np.exp(-squares / (2 * WIDTH**2))
    return np.where(values >= CUT, values, 0)


def grid(size: int) -> np.ndarray:
    """(size^3, 3) fractional coordinates of the voxels."""
    return np.stack(np.meshgrid(*[np.arange(size) / size] * 3, indexing="ij"), axis=-1).reshape(
        -1, 3
    )


if __name__ == "__main__":
    main()
