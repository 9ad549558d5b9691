from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest
from example_crystals import example_dataset

from gen2dft import generators
from gen2dft.campaign import GeneratorSpec
from gen2dft.errors import CampaignError, SnapshotError
from gen2dft.generators.base import is_latent, require_latent
from gen2dft.generators.draw_ids import draw_id
from gen2dft.generators.ftcp.generator import FTCPGenerator
from gen2dft.generators.proposals import Proposal, Request
from gen2dft.generators.snapshot import from_bytes, to_bytes
from gen2dft.generators.unlearned import UnlearnedGenerator


class OddSettings(GeneratorSpec):
    name: str = "odd"
    spacing: float = 1.0


class OddGenerator(UnlearnedGenerator[OddSettings]):
    name = "odd"
    Settings: ClassVar = OddSettings

    def propose(self, request: Request, rng: np.random.Generator) -> Proposal:
        return Proposal.of_draws([])


def test_fitting_takes_the_settings_and_says_what_there_is() -> None:
    dataset, generator = example_dataset(), OddGenerator()
    result = generator.fit(dataset, OddSettings(spacing=2.0), ("band_gap", "power_factor"), seed=0)
    assert generator.settings.spacing == 2.0
    assert result.history == [] and result.num_train == len(dataset) and result.num_heldout == 0
    assert result.num_labels == {"band_gap": 36, "power_factor": 0}
    assert result.as_dict()["reconstruction"]["num_crystals"] == 0


def test_the_settings_are_what_is_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(generators.GENERATORS, "odd", lambda: OddGenerator)
    generator = OddGenerator()
    generator.fit(example_dataset(), OddSettings(spacing=2.0), (), seed=0)
    copy = from_bytes(to_bytes(generator))
    assert isinstance(copy, OddGenerator) and copy.settings == generator.settings
    assert to_bytes(copy) == to_bytes(generator)


def test_without_settings_it_cannot_be_stored() -> None:
    with pytest.raises(SnapshotError, match=r"has no settings: call `fit`, or load a snapshot"):
        to_bytes(OddGenerator())


def test_a_latent_space_is_what_tells_generators_apart() -> None:
    assert is_latent(FTCPGenerator()) and not is_latent(OddGenerator())
    trained = FTCPGenerator()
    assert require_latent(trained, "the map") is trained
    with pytest.raises(CampaignError, match=r"the map needs .* latent space, and 'odd' has none"):
        require_latent(OddGenerator(), "the map")


def test_the_id_of_a_draw_depends_on_all_that_decides_it() -> None:
    first = draw_id(OddSettings(), [0, 1], b"a")
    others = [
        draw_id(OddSettings(spacing=2.0), [0, 1], b"a"),
        draw_id(OddSettings(name="other"), [0, 1], b"a"),
        draw_id(OddSettings(), [0, 2], b"a"),
        draw_id(OddSettings(), [0, 1], b"b"),
    ]
    assert len({first, *others}) == 5 and len(first) == 16
    assert draw_id(OddSettings(), (0, 1), b"a") == first
