from __future__ import annotations

import numpy as np
import pytest

from gen2dft.generators.keras_setup import load_keras

load_keras()

from gen2dft.generators.ftcp.staged.positions import Positions  # noqa: E402  # after the backend

SITES = 5


@pytest.fixture(scope="module")
def inputs() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {
        "context": rng.standard_normal((3, 7)).astype(np.float32),
        "features": rng.standard_normal((3, SITES, 4)).astype(np.float32),
        "positions": rng.random((3, SITES, 3)).astype(np.float32),
        "is_site": np.ones((3, SITES), np.float32),
    }


@pytest.fixture(scope="module")
def layer() -> Positions:
    load_keras().utils.set_random_seed(0)
    return Positions(SITES)


@pytest.mark.parametrize("site", range(SITES))
def test_a_site_sees_those_before_it_only(
    layer: Positions, inputs: dict[str, np.ndarray], site: int
):
    start, _ = layer.begin(inputs["context"], inputs["features"])
    before = np.asarray(layer.state(start, inputs["positions"], inputs["is_site"]))
    moved = inputs["positions"].copy()
    moved[:, site] = 1 - moved[:, site]
    changed = np.abs(np.asarray(layer.state(start, moved, inputs["is_site"])) - before).max(
        axis=(0, 2)
    )
    assert (changed[: site + 1] == 0).all()
    assert (changed[site + 1 :] > 0).all()


def test_z_follows_x_and_y_but_x_follows_neither(layer: Positions, inputs: dict[str, np.ndarray]):
    start, proposal = layer.begin(inputs["context"], inputs["features"])
    state = layer.state(start, inputs["positions"], inputs["is_site"])
    one, other = (
        np.roll(np.eye(24, dtype=np.float32)[np.zeros((3, SITES, 3), int)], k, axis=-1)
        for k in (0, 5)
    )

    def differs(axis: int) -> bool:
        outputs = [
            np.asarray(layer.axis(axis, state, proposal, classes)) for classes in (one, other)
        ]
        return bool(np.abs(outputs[0] - outputs[1]).max() > 0)

    assert [differs(axis) for axis in range(3)] == [False, True, True]


def test_whole_cells_do_not_count(layer: Positions, inputs: dict[str, np.ndarray]):
    start, _ = layer.begin(inputs["context"], inputs["features"])
    here = np.asarray(layer.state(start, inputs["positions"], inputs["is_site"]))
    there = np.asarray(layer.state(start, inputs["positions"] + 1, inputs["is_site"]))
    np.testing.assert_allclose(here, there, atol=1e-4)
