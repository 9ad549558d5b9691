import numpy as np
import pytest

from gen2dft.campaign import CampaignSpec
from gen2dft.dataset import Dataset
from gen2dft.errors import DatasetError
from gen2dft.evaluation.reconstruction import match_figures, reconstruct
from gen2dft.evaluation.setting import Setting, training_key
from gen2dft.evaluation.split import Split
from gen2dft.generators.ftcp.settings import FTCPSettings
from gen2dft.thermo.hull import ReferenceHull
from tests.toys import TOY_CAMPAIGN, ToyGenerator, toy_dataset

DATA = toy_dataset()


def setting(dataset=DATA, **fields) -> Setting:
    return Setting(
        specs={"gen2dft": CampaignSpec.model_validate(TOY_CAMPAIGN)},
        dataset=dataset,
        split=Split(np.arange(6), np.array([6, 7]), "by hand"),
        known=dataset.crystals,
        hull=ReferenceHull.from_dataset(dataset),
        **fields,
    )


@pytest.fixture
def fits(monkeypatch, toy_plugins) -> list[int]:
    """Sizes of the datasets that were trained on."""
    sizes: list[int] = []
    fit = ToyGenerator.fit
    monkeypatch.setattr(
        ToyGenerator,
        "fit",
        lambda self, data, *a, **k: sizes.append(len(data)) or fit(self, data, *a, **k),
    )
    return sizes


def test_generators_see_the_training_part_and_are_trained_once(fits):
    here = setting()
    assert here.generator("gen2dft") is here.generator("gen2dft")
    assert fits == [6]


def test_generators_are_kept_for_the_next_call(fits, tmp_path):
    for _ in range(2):
        setting(snapshot_dir=tmp_path).generator("gen2dft")
    assert fits == [6]
    setting(snapshot_dir=tmp_path, seed=1).generator("gen2dft")
    assert fits == [6, 6]


def test_a_training_is_known_by_all_that_decides_it():
    spec = FTCPSettings()
    first = training_key(spec, DATA, ["formation_energy"], 0)
    others = [
        training_key(FTCPSettings(epochs=3), DATA, ["formation_energy"], 0),
        training_key(spec, DATA.select([0, 1]), ["formation_energy"], 0),
        training_key(spec, DATA, ["band_gap"], 0),
        training_key(spec, DATA, ["formation_energy"], 1),
    ]
    assert len({first, *others}) == 5 and first == training_key(spec, DATA, ["formation_energy"], 0)


def test_progress_names_what_is_trained(fits):
    told = []
    setting(progress=lambda *what: told.append(what)).generator("gen2dft", reads="real")
    assert told == [("train gen2dft on its real part", epoch, 3) for epoch in (1, 2, 3)]


def test_a_dataset_without_the_properties_is_refused():
    bare = Dataset(DATA.crystals, DATA.ids, {})
    with pytest.raises(DatasetError, match=r"neither formation_energy nor band_gap is labelled"):
        _ = setting(bare).properties


def test_an_exact_generator_reconstructs_everything():
    errors, rmsds = reconstruct(ToyGenerator(), DATA.crystals)
    assert len(errors) == 0
    assert match_figures(rmsds) == {"matched": 1.0, "rmsd": pytest.approx(0.0, abs=1e-6)}
    assert match_figures([]) == {"matched": None, "rmsd": None}
