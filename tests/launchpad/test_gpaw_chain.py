"""One small compound through the whole chain with real DFT: references, dispatch, FireWorks, GPAW,
label.

The campaign brings no energies of the elements: GPAW computes them, as `gen2dft calibrate` does,
for a hull of its own.
"""

import importlib.util
from dataclasses import replace

import pytest
from gen2dft.launchpad.advance import advance
from gen2dft.launchpad.references import submit_references
from pymatgen.core import Lattice, Structure

from gen2dft.campaign import CampaignSpec
from gen2dft.engines.gpaw.presets import PRESETS
from gen2dft.ground.calibrate import references_of
from gen2dft.ground.phases import wanted_phases
from gen2dft.rounds.begin import begin_campaign
from gen2dft.rounds.prepare import check_validation, prepare
from gen2dft.rounds.round import Round
from gen2dft.store.documents import ReferenceDoc
from tests import toys
from tests.launchpad.queued import queue_candidates

pytestmark = [
    pytest.mark.usefixtures("toy_plugins"),
    pytest.mark.skipif(
        importlib.util.find_spec("gpaw") is None, reason="GPAW is not installed (make gpaw)"
    ),
    pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning"),
]

# Small enough for a test: nothing of it is converged.
ROUGH = replace(PRESETS["gpaw-quick-v1"], cutoff=200.0, spacing=1.1, fmax=2.0)


def silicon_germanium() -> Structure:
    half = 5.3 / 2
    cell = Lattice([[0, half, half], [half, 0, half], [half, half, 0]])
    return Structure(cell, ["Si", "Ge"], [[0, 0, 0], [0.25, 0.25, 0.25]])


def test_one_compound_from_its_elements_to_its_label(bench, monkeypatch, tmp_path):
    store, lpad, work = bench
    monkeypatch.setitem(PRESETS, "gpaw-quick-v1", ROUGH)
    toys.toy_dataset().save(tmp_path / "toys.npz")
    spec = CampaignSpec.model_validate({
        **toys.TOY_CAMPAIGN,
        "dataset": {"source": str(tmp_path / "toys.npz"), "min_labels": 5},
        "screening": {**toys.TOY_CAMPAIGN["screening"], "allowed_elements": ["Si", "Ge"]},
        "validation": {"engine": "gpaw", "preset": "gpaw-quick-v1"},
        "hull": {"source": "engine"},
        "learning": {"rounds": 1},
    })  # fmt: skip

    phases, _ = wanted_phases(spec)
    references = references_of(spec, phases)
    assert len(submit_references(store, lpad, references, spec.resources.validate_)) == 2
    work()
    elements = {r.phase.formula: store.get(ReferenceDoc, r.key).energy_per_atom for r in references}
    assert submit_references(store, lpad, references, spec.resources.validate_) == []

    prepared = prepare(spec, store=store)
    assert prepared.hull.scale == "gpaw:GGA"
    assert check_validation(spec, prepared.dataset, store) == ()
    campaign, _ = begin_campaign(store, spec, *prepared)
    context = Round(store, campaign.id, 0)
    queue_candidates(context, {"sige": silicon_germanium()})
    advance(store, lpad, campaign.id)
    work()

    assert store.campaign(campaign.id).state == "finished"
    (label,) = store.labels(campaign.id)
    assert (label.engine, label.preset, label.is_dft, label.run_type) == (
        "gpaw",
        "gpaw-quick-v1",
        True,
        "PBE",
    )
    assert label.values["formation_energy"] == pytest.approx(
        label.energy_per_atom - (elements["Si"] + elements["Ge"]) / 2, abs=1e-9
    )
    # Silicon and germanium mix with next to no energy, whatever the settings.
    assert abs(label.values["formation_energy"]) < 0.1
    assert label.values["e_above_hull"] == pytest.approx(label.values["formation_energy"], abs=1e-9)
    assert label.values["band_gap"] >= 0
    assert label.core_hours > 0
    assert set(lpad.fireworks.distinct("state")) == {"COMPLETED"}
