"""Heads learn a campaign's own property on its scale, and know that scale after reloading."""

import numpy as np
import pytest

from gen2dft.errors import SnapshotError
from gen2dft.generators.ftcp.scalers import PropertyScaler
from gen2dft.generators.snapshot import read_archive, write_archive
from gen2dft.generators.transforms import as_header, backward, forward, from_header, transforms_of
from gen2dft.heads.latent_ensemble import HeadEnsemble
from gen2dft.properties import Properties, Property

KNOWN = Properties([Property("hardness", "GPa", "hardness", "log1p")])
NAMES = ("formation_energy", "hardness")


@pytest.mark.parametrize("transform", ["identity", "log1p"])
def test_there_and_back(transform):
    values = np.array([0.0, 0.5, 300.0])
    np.testing.assert_allclose(backward(forward(values, transform), transform), values)


def test_only_properties_that_are_not_built_in_are_stored():
    assert as_header(("power_factor", "band_gap"), ("log1p", "identity")) == {}
    header = as_header(NAMES, transforms_of(NAMES, KNOWN))
    assert header == {"transforms": {"hardness": "log1p"}}
    assert from_header(NAMES, header) == ("identity", "log1p")
    with pytest.raises(KeyError, match="hardness"):
        from_header(NAMES, {})


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    latents = rng.standard_normal((300, 4))
    labels = np.column_stack([latents[:, 0], np.exp(3 + 2 * latents[:, 1])])
    return latents, labels


def test_an_ensemble_of_a_property_of_ones_own_predicts_on_its_scale_and_comes_back(data):
    ensemble = HeadEnsemble.fit(*data, NAMES, np.random.default_rng(1), known=KNOWN)
    found = ensemble.predict(data[0])["hardness"].mean(axis=0)
    errors = np.abs(np.log(found / data[1][:, 1]))
    assert (found >= 0).all() and np.median(errors) < 0.1
    loaded = HeadEnsemble.from_bytes(ensemble.to_bytes(), "it")
    np.testing.assert_array_equal(
        loaded.predict(data[0])["hardness"], ensemble.predict(data[0])["hardness"]
    )


def test_an_ensemble_that_lost_the_scale_is_refused(data):
    ensemble = HeadEnsemble.fit(*data, NAMES, np.random.default_rng(1), known=KNOWN)
    header, arrays = read_archive(ensemble.to_bytes())
    lost = write_archive({name: header[name] for name in ("format", "properties")}, arrays)
    with pytest.raises(SnapshotError, match=r"it is damaged \(KeyError: 'hardness'\)"):
        HeadEnsemble.from_bytes(lost, "it")


def test_the_scaler_of_a_property_of_ones_own_uses_its_scale(data):
    scaler = PropertyScaler.fit(data[1], NAMES, KNOWN)
    assert scaler.transforms == ("identity", "log1p")
    inside = np.abs(data[0][:, 1]) < 2
    back = scaler.unscale(scaler.scale(data[1]))[inside, 1]
    np.testing.assert_allclose(back, data[1][inside, 1], rtol=1e-4)
    spread = scaler.scale(data[1])[:, 1].std()
    plain = PropertyScaler.fit(data[1], NAMES, {**KNOWN, "hardness": KNOWN["band_gap"]})
    assert spread > 1.3 * plain.scale(data[1])[:, 1].std()
