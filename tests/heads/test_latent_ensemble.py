"""The ensemble predicts, knows where it does not know, and comes back bit for bit."""

import numpy as np
import pytest

from gen2dft.errors import SnapshotError
from gen2dft.heads.latent_ensemble import HeadEnsemble

NAMES = ("formation_energy", "power_factor")


def truth(z):
    return np.column_stack([z[:, 0] + 0.3 * np.sin(2 * z[:, 1]), np.exp(0.5 * z[:, 2])])


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    latents = rng.standard_normal((600, 6)).astype(np.float32)
    labels = truth(latents) + 0.05 * rng.standard_normal((600, 2))
    labels[rng.random(600) < 0.6, 1] = np.nan
    return latents, labels


@pytest.fixture(scope="module")
def ensemble(data):
    return HeadEnsemble.fit(*data, NAMES, np.random.default_rng(1))


def test_it_predicts_what_it_has_not_seen_in_the_units_of_the_labels(ensemble):
    z = np.random.default_rng(9).standard_normal((200, 6))
    found = ensemble.predict(z)
    for column, name in enumerate(NAMES):
        error = np.abs(found[name].mean(axis=0) - truth(z)[:, column]).mean()
        assert found[name].shape == (8, 200)
        assert error < 0.25 * np.abs(truth(z)[:, column] - truth(z)[:, column].mean()).mean()
    assert (found["power_factor"] >= 0).all()


def test_its_spread_is_as_large_as_its_errors_and_grows_away_from_the_data(ensemble):
    z = np.random.default_rng(9).standard_normal((500, 6))
    found = ensemble.predict(z)["formation_energy"]
    error = np.sqrt(np.mean((found.mean(axis=0) - truth(z)[:, 0]) ** 2))
    spread = np.sqrt(np.mean(found.var(axis=0, ddof=1)))
    assert 0.5 < spread / error < 2
    assert (
        ensemble.predict(4 * z)["formation_energy"].std(axis=0).mean()
        > 2 * found.std(axis=0).mean()
    )


def test_the_same_seed_gives_the_same_bytes_and_they_come_back(data, ensemble):
    again = HeadEnsemble.fit(*data, NAMES, np.random.default_rng(1))
    assert again.to_bytes() == ensemble.to_bytes()
    loaded = HeadEnsemble.from_bytes(ensemble.to_bytes(), "it")
    assert np.array_equal(
        loaded.predict(data[0])["power_factor"], ensemble.predict(data[0])["power_factor"]
    )
    other = HeadEnsemble.fit(*data, NAMES, np.random.default_rng(2))
    assert other.to_bytes() != ensemble.to_bytes()


def test_important_crystals_count_for_more(data):
    latents, labels = data
    moved = labels.copy()
    moved[:30, 0] += 2.0
    weight = np.where(np.arange(600) < 30, 50.0, 1.0)
    plain, weighted = (
        HeadEnsemble.fit(latents, moved, NAMES, np.random.default_rng(1), importance=w)
        for w in (None, weight)
    )
    errors = [
        np.abs(e.predict(latents[:30])[NAMES[0]].mean(axis=0) - moved[:30, 0]).mean()
        for e in (plain, weighted)
    ]
    assert errors[1] < 0.7 * errors[0]


def test_a_handful_of_crystals_is_enough(data):
    few = HeadEnsemble.fit(
        data[0][:3], data[1][:3, :1], NAMES[:1], np.random.default_rng(0), members=3
    )
    assert np.isfinite(few.predict(data[0])["formation_energy"]).all()


def test_damaged_bytes_are_refused(ensemble):
    with pytest.raises(SnapshotError, match=r"blob x is damaged"):
        HeadEnsemble.from_bytes(ensemble.to_bytes()[:-200], "blob x")


def test_a_label_with_a_large_error_moves_it_less_and_other_properties_not_at_all(data):
    latents, labels = data
    moved = labels.copy()
    moved[:60, 0] += 3.0
    light = np.ones(labels.shape)
    light[:60, 0] = 0.02
    full, little = (
        HeadEnsemble.fit(latents, moved, NAMES, np.random.default_rng(1), weights=w)
        for w in (None, light)
    )
    wrong = [
        np.abs(e.predict(latents[:60])[NAMES[0]].mean(axis=0) - labels[:60, 0]).mean()
        for e in (full, little)
    ]
    assert wrong[1] < 0.6 * wrong[0]
