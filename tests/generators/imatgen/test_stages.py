from __future__ import annotations

import numpy as np
import pytest
from example_oxides import example_oxides

from gen2dft.generators.checkpoint import CheckpointFile
from gen2dft.generators.imatgen.settings import ImatgenSettings
from gen2dft.generators.keras_setup import as_array, load_keras

keras = load_keras()

from gen2dft.generators.imatgen import networks  # noqa: E402
from gen2dft.generators.imatgen.image_rows import image_rows  # noqa: E402
from gen2dft.generators.imatgen.stages import BASIS, autoencoder_stage, image_error  # noqa: E402
from gen2dft.representations.image_grids import BASIS_VOXELS  # noqa: E402
from gen2dft.representations.image_peaks import find_peaks  # noqa: E402
from gen2dft.representations.images import CrystalImages  # noqa: E402


def error(value: float, logit: float, loss: str, weight: float = 0.0) -> float:
    image, logits = (np.full((1, 2, 2, 2, 1), x, dtype=np.float32) for x in (value, logit))
    return float(as_array(image_error(image, logits, loss, weight))[0])


def test_the_errors_are_their_formulas():
    q = 1 / (1 + np.exp(2.0))
    assert error(0.3, -2.0, "mse") == pytest.approx((0.3 - q) ** 2, rel=1e-5)
    assert error(0.3, -2.0, "cross_entropy") == pytest.approx(
        -0.3 * np.log(q) - 0.7 * np.log(1 - q), rel=1e-5
    )
    assert error(0.3, -2.0, "cross_entropy", 5.0) == pytest.approx(
        2.5 * error(0.3, -2.0, "cross_entropy"), rel=1e-5
    )


@pytest.mark.parametrize("loss", ["mse", "cross_entropy"])
def test_errors_are_least_where_the_image_is_met(loss: str):
    met = float(np.log(0.3 / 0.7))
    assert error(0.3, met, loss, 5.0) < min(
        error(0.3, met + step, loss, 5.0) for step in (-0.1, 0.1)
    )


def test_only_the_cross_entropy_has_a_slope_where_an_atom_is_missing():
    slopes = {
        loss: abs(error(1.0, -12.0, loss) - error(1.0, -11.9, loss)) / 0.1
        for loss in ("mse", "cross_entropy")
    }
    assert slopes["cross_entropy"] == pytest.approx(1.0, rel=1e-3)
    assert slopes["mse"] < 1e-4


def test_two_crystals_are_learnt_by_heart():
    keras.utils.set_random_seed(0)
    crystals, rep = example_oxides(2), CrystalImages(least_peak=0.3)
    own = {
        "autoencoder_epochs": 60,
        "basis_batch": 4,
        "basis_rate": 5e-3,
        "strain": 0.0,
        "shift": 0.0,
    }
    spec = ImatgenSettings(name="imatgen", imatgen=own)
    encoder, decoder = networks.basis_autoencoder(8)
    train, none = (
        image_rows(part, rep.basis_images, 2, encoder.input_shape[1:], 0.0, 0.0)
        for part in (crystals, crystals.select(np.arange(0)))
    )
    autoencoder_stage(encoder, decoder, (train, none), spec, BASIS, 0).run(
        CheckpointFile(None, "x"), None
    )
    (images,) = train.take(np.arange(4), None)
    codes = as_array(encoder(images, training=False))
    assert (np.abs(codes) < 0.999).all()  # nowhere at the ends of the tanh
    assert codes.std(axis=0).mean() > 0.2
    truth, found = (
        find_peaks(x.reshape(4, -1), BASIS_VOXELS, 0.3)
        for x in (images, as_array(decoder(codes, training=False)))
    )
    assert sorted(found.rows) == sorted(truth.rows)
    for row in range(4):
        atoms, peaks = (p.positions[p.rows == row] for p in (truth, found))
        assert (
            np.linalg.norm(atoms[:, None] - peaks, axis=2).min(axis=1) < 1.0
        ).all()  # voxels, 0.23 Angstrom each
