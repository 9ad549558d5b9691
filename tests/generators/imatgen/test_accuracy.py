"""What is measured of redrawn images, with images that are what they should be, and some that are
not.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from example_oxides import example_oxides

from gen2dft.generators.keras_setup import load_keras

load_keras()

from gen2dft.generators.imatgen.accuracy import image_figures  # noqa: E402
from gen2dft.representations.image_grids import BASIS_VOXELS  # noqa: E402
from gen2dft.representations.images import CrystalImages  # noqa: E402
from gen2dft.representations.sparse import SparseRows  # noqa: E402


class Redrawn:
    """Stands for a trained generator whose images are those of the crystals, changed by a
    function.
    """

    representation = CrystalImages(least_peak=0.2)

    def __init__(self, change=lambda part, images: images) -> None:
        self.change = change

    def redrawn(self, part: str, images: SparseRows) -> np.ndarray:
        return self.change(part, images.dense())


def test_perfect_images_have_no_error():
    figures = image_figures(Redrawn(), example_oxides(4))  # type: ignore[arg-type]
    shares = [figures[name] for name in ("cells_read", "atoms_found", "crystals_right")]
    assert shares == [1.0, 1.0, 1.0]
    errors = [
        figures[name]
        for name in ("cell_length_mape", "cell_angle_mae", "position_error", "basis_image_mse")
    ]
    assert errors == pytest.approx([0, 0, 0, 0], abs=1e-4)


def test_a_lost_and_a_needless_atom_make_a_crystal_wrong():
    def spoil(part: str, images: np.ndarray) -> np.ndarray:
        if part == "basis":
            images[0] = 0.0  # the first crystal has lost its vanadium
            images[3, 0] = 1.0  # the second has one oxygen more, in the corner of the box
        return images

    table = example_oxides(4)
    figures = image_figures(Redrawn(spoil), table)  # type: ignore[arg-type]
    assert figures["crystals_right"] == 0.5
    assert figures["atoms_found"] == pytest.approx(1 - 2 / len(table.numbers))


def test_atoms_beside_their_places_are_measured():
    def move(part: str, images: np.ndarray) -> np.ndarray:
        cube = images.reshape(len(images), *(BASIS_VOXELS,) * 3) if part == "basis" else images
        return np.roll(cube, 1, axis=1).reshape(len(images), -1) if part == "basis" else images

    figures = image_figures(Redrawn(move), example_oxides(4))  # type: ignore[arg-type]
    assert figures["position_error"] == pytest.approx(15 / 64, rel=1e-3)
    assert figures["crystals_right"] == 1.0


def test_what_cannot_be_told_is_left_out():
    black: Any = Redrawn(lambda _, images: 0 * images)
    figures = image_figures(black, example_oxides(2))
    assert figures["cells_read"] == figures["atoms_found"] == figures["crystals_right"] == 0.0
    assert not {"cell_length_mape", "cell_angle_mae", "position_error"} & set(figures)
