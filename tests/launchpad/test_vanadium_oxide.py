"""The campaign vanadium-oxide with VASP: GGA+U, corrections, second stage, as its file says.

The stand-in computes.
"""

import pytest
import stand_in_environment
from example_oxides import example_oxides
from gen2dft.launchpad.advance import advance

from gen2dft.campaign import load_campaign
from gen2dft.engines import load_engine
from gen2dft.funnel import StageCount
from gen2dft.rounds.begin import begin_campaign
from gen2dft.rounds.prepare import check_validation, prepare
from gen2dft.store.documents import CalibrationDoc, CandidateDoc, now
from gen2dft.store.store import candidate_key
from gen2dft.thermo.noh2019 import DE_O

pytestmark = [pytest.mark.filterwarnings(text) for text in stand_in_environment.WARNINGS]

PRESETS = ("ggau-v1", "ggau-refine-v1")
LIMITS = {"slerp": 99.0, "mixture": 99.0, "random": -99.0}
PAPER = {
    "validation.engine": "vasp",
    "validation.preset": PRESETS[0],
    "validation.correction": "noh2019-v1",
    "screening.surrogate.min_e_above_hull": -99.0,  # the stand-in's energies lie far below
    # The stand-in's energies are made up, and so are the limits: the slerp candidate goes on, the
    # random one does not.
    "validation.refine": {"preset": PRESETS[1], "max_e_above_hull": LIMITS},
}
DE_V = -1.7


def calibration(preset: str) -> CalibrationDoc:
    """A fit as `gen2dft calibrate` leaves it."""
    settings = load_engine("vasp").preset(preset).settings_hash
    return CalibrationDoc(
        id=f"fit-{preset}",
        correction="noh2019-v1",
        engine="vasp",
        is_dft=True,
        preset=preset,
        settings_hash=settings,
        de_v=DE_V,
        standard_error=0.02,
        confidence=0.05,
        rms=0.01,
        elements={"V": -3.8, "O": -2.1},
        rows=[],
        complete=True,
    )


def test_two_candidates_through_both_stages(bench, monkeypatch, tmp_path):
    store, lpad, work = bench
    stand_in_environment.install(monkeypatch, tmp_path)
    monkeypatch.setenv("GEN2DFT_ALLOW_STAND_IN", "1")
    for preset in PRESETS:
        store.insert_new(calibration(preset))
    spec = load_campaign("vanadium-oxide", PAPER)
    dataset, hull, screen_hull = prepare(spec, store=store)
    assert check_validation(spec, dataset) == ()
    campaign, _ = begin_campaign(store, spec, dataset, hull, screen_hull)
    for row, (sampler, crystal) in enumerate(
        zip(("slerp", "random"), example_oxides(2).structures(), strict=True)
    ):
        place = {
            "campaign_id": campaign.id,
            "round_index": 0,
            "sampler": sampler,
            "parents": [],
            "latent_row": row,
        }
        key = candidate_key(campaign.id, sampler)
        document = CandidateDoc(
            id=key, candidate_id=sampler, state="queued", structure=crystal.as_dict(), **place
        )
        store.insert_new(document)
    funnel = [StageCount(stage="select", n_in=2, n_out=2).model_dump()]
    store.move_round(
        campaign.id, 0, "proposing", "validating", dispatched=now(), dispatch_size=2, funnel=funnel
    )
    advance(store, lpad, campaign.id)
    work()

    assert store.campaign(campaign.id).state == "finished"
    labels = {label.candidate_id: label for label in store.labels(campaign.id)}
    assert {name: label.preset for name, label in labels.items()} == {
        "slerp": PRESETS[1],
        "random": PRESETS[0],
    }
    assert "first_stage" in labels["slerp"].provenance
    for label in labels.values():
        assert label.run_type == "GGA+U"
        assert label.corrections == ["noh2019-v1"]
        r_v = {"slerp": 1 / 2, "random": 1 / 3}[label.candidate_id]
        assert sum(label.adjustments.values()) == pytest.approx(
            r_v * DE_V + (1 - r_v) * DE_O, abs=1e-6
        )
        assert {"formation_energy", "e_above_hull"} <= set(label.values)
