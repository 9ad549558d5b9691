"""The latent head says what generator and ensemble say."""

import numpy as np
import pytest

from gen2dft.errors import SnapshotError
from gen2dft.heads.contract import validate_head
from gen2dft.heads.latent import LatentHead
from gen2dft.heads.latent_ensemble import HeadEnsemble
from tests import toys

DATA = toys.toy_dataset()


@pytest.fixture
def generator(toy_plugins):
    generator = toys.ToyGenerator()
    generator.training_set_hash = DATA.content_hash
    return generator


@pytest.fixture
def ensemble(generator):
    latents, labels = generator.encode(DATA.crystals), DATA.label_matrix(toys.PROPERTIES)
    return HeadEnsemble.fit(latents, labels, toys.PROPERTIES, np.random.default_rng(0), members=3)


def test_it_keeps_the_contract_with_an_ensemble_and_without(generator, ensemble):
    validate_head(LatentHead(generator, ensemble), DATA.crystals)
    validate_head(LatentHead(generator), DATA.crystals)


def test_values_are_the_generators_and_members_the_ensembles(generator, ensemble):
    prediction = LatentHead(generator, ensemble).predict(DATA.crystals)
    latents = generator.encode(DATA.crystals)
    assert np.array_equal(prediction.values["formation_energy"], generator.predict(latents)[:, 0])
    members = ensemble.predict(latents)["formation_energy"]
    assert np.array_equal(prediction.members["formation_energy"], members)
    assert LatentHead(generator).predict(DATA.crystals).members == {}


def test_damaged_bytes_are_refused(generator, ensemble):
    data = LatentHead(generator, ensemble).to_bytes()
    with pytest.raises(SnapshotError, match="blob x is damaged"):
        LatentHead.from_bytes(data[: len(data) // 2], "blob x")
