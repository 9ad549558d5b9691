"""What is found out about the engine and the data of a campaign before it begins."""

import sys
from dataclasses import replace

import pytest

from gen2dft import engines
from gen2dft.campaign import load_campaign
from gen2dft.datasets import load_dataset
from gen2dft.errors import CampaignError, DatasetError, PluginMissing
from gen2dft.property_steps import computes
from gen2dft.rounds.prepare import check_validation, open_targets, prepare
from tests import toys


def campaign(spec, **validation):
    return spec.model_validate(
        {**toys.TOY_CAMPAIGN, "validation": {**toys.TOY_CAMPAIGN["validation"], **validation}}
    )


def test_the_engine_is_asked_about_every_element(spec, monkeypatch):
    asked = []

    def check(preset, symbols):
        asked.append((preset, set(symbols)))
        return ("no licence here",)

    monkeypatch.setitem(engines.ENGINES, "toy", lambda: replace(toys.TOY_ENGINE, check=check))
    assert check_validation(spec, toys.toy_dataset()) == ("no licence here",)
    ((preset, symbols),) = asked
    assert preset == "toy-v1"
    assert symbols == {
        site.specie.symbol for s in toys.toy_dataset().crystals.structures() for site in s
    }


def test_targets_on_energies_need_references(spec, monkeypatch):
    def unknown(composition, energy):
        raise DatasetError("engine 'toy' knows no element")

    monkeypatch.setitem(
        engines.ENGINES, "toy", lambda: replace(toys.TOY_ENGINE, formation_energy=unknown)
    )
    with pytest.raises(
        CampaignError, match="the targets ask for energies, but engine 'toy' knows no element"
    ):
        check_validation(spec, toys.toy_dataset())
    references = dict.fromkeys((*toys.CATIONS, *toys.ANIONS), -1.0)
    assert check_validation(campaign(spec, references=references), toys.toy_dataset()) == ()


def test_references_must_cover_every_element(spec):
    with pytest.raises(
        CampaignError,
        match=r"validation\.references has no energy of .*, which candidates may have",
    ):
        check_validation(campaign(spec, references={"Na": -1.0}), toys.toy_dataset())


def test_a_calibrated_correction_brings_its_own_references(spec):
    references = dict.fromkeys((*toys.CATIONS, *toys.ANIONS), -1.0)
    with pytest.raises(
        CampaignError,
        match=r"validation\.references and correction 'noh2019-v1' do not go together",
    ):
        check_validation(
            campaign(spec, correction="noh2019-v1", references=references), toys.toy_dataset()
        )


def test_both_stages_need_references_and_are_checked(spec, monkeypatch):
    references, asked = dict.fromkeys((*toys.CATIONS, *toys.ANIONS), -1.0), []
    monkeypatch.setitem(
        engines.ENGINES,
        "toy",
        lambda: replace(toys.TOY_ENGINE, check=lambda preset, _: asked.append(preset) or ()),
    )
    refine = {"preset": "toy-fine-v1", "max_e_above_hull": 0.1}
    with pytest.raises(ValueError, match=r"`references` and `refine.references` go together"):
        campaign(spec, references=references, refine=refine)
    short = campaign(spec, references=references, refine={**refine, "references": {"Na": -1.0}})
    with pytest.raises(CampaignError, match=r"validation\.refine\.references has no energy of"):
        check_validation(short, toys.toy_dataset())
    assert check_validation(campaign(spec, refine=refine), toys.toy_dataset()) == ()
    assert asked == ["toy-v1", "toy-fine-v1"]


def test_vasp_names_what_its_preset_is_not_for(spec):
    references = dict.fromkeys((*toys.CATIONS, *toys.ANIONS), -1.0)
    vasp = campaign(spec, engine="vasp", preset="ggau-v1", references=references)
    with pytest.raises(
        CampaignError, match="preset ggau-v1 of engine 'vasp' has no pseudopotential and U for"
    ):
        check_validation(vasp, toys.toy_dataset())


@pytest.mark.parametrize("name", ["formation-energy", "photovoltaic", "thermoelectric"])
def test_the_campaigns_that_ship_learn_all_their_targets(name):
    spec = load_campaign(name)
    dataset = load_dataset(spec.dataset, seed=spec.seed, definition=spec.transport.definition)
    assert spec.dataset.few_labels == "refuse"
    assert open_targets(spec, dataset) == []


def test_a_program_of_transport_that_is_missing_here_is_refused(spec, monkeypatch):
    monkeypatch.setitem(sys.modules, "BoltzTraP2", None)
    banded = replace(toys.TOY_ENGINE, read_bands=lambda folder: None)
    monkeypatch.setitem(engines.ENGINES, "toy", lambda: banded)
    changes = {
        "targets": [{"property": "power_factor", "min": 1.0}],
        "transport": {"program": "boltztrap2"},
    }
    wanted = spec.model_validate({**toys.TOY_CAMPAIGN, **changes})
    with pytest.raises(PluginMissing, match=r"program 'boltztrap2' needs .*`make transport`"):
        prepare(wanted)
    # Workers ask, too, before they relax a candidate.
    with pytest.raises(PluginMissing, match=r"program 'boltztrap2' needs .*`make transport`"):
        computes(wanted, wanted.validation.preset)


def test_an_acquisition_that_does_not_exist_is_refused_at_once(spec):
    wrong = spec.model_validate({**toys.TOY_CAMPAIGN, "learning": {"acquisition": "thomson"}})
    with pytest.raises(
        CampaignError,
        match=r"learning.acquisition 'thomson' is not one of .*Did you mean 'thompson'",
    ):
        prepare(wrong)
