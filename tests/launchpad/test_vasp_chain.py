"""Vanadium oxides through the whole chain: dispatch, FireWorks, atomate2, custodian, the stand-in
for VASP, labels.

Two candidates each meet one of five faults; nothing may be lost, and every correction must be in
the label.
"""

import pytest
import stand_in_environment
from gen2dft.launchpad.advance import advance
from pymatgen.core import Lattice, Structure

from gen2dft.campaign import CampaignSpec
from gen2dft.rounds.begin import begin_campaign
from gen2dft.rounds.prepare import check_validation
from gen2dft.rounds.round import Round
from gen2dft.thermo.hull import ReferenceHull
from tests import toys
from tests.launchpad.queued import queue_candidates

pytestmark = [
    pytest.mark.usefixtures("toy_plugins"),
    *(pytest.mark.filterwarnings(text) for text in stand_in_environment.WARNINGS),
]

# Numbers of V and O; all reduced formulas differ.
OXIDES = (
    (1, 1), (1, 3), (3, 1), (2, 4), (4, 2), (3, 5), (5, 3), (5, 1), (4, 6), (6, 4),
    (3, 4), (4, 3), (7, 1), (3, 7), (7, 3), (5, 7), (7, 5), (8, 2), (5, 4), (4, 5),
)  # fmt: skip
FAULTS = ("zbrent", "electronic", "ionic", "killed", "dies")
TIMES = {"dies": 99}  # the other faults pass

CAMPAIGN = {
    **toys.TOY_CAMPAIGN,
    "name": "vanadium",
    "screening": {**toys.TOY_CAMPAIGN["screening"], "allowed_elements": ["V", "O"]},
    "validation": {"engine": "vasp", "preset": "ggau-v1", "references": {"V": -1.8, "O": -0.1}},
    "learning": {"rounds": 1},
}


def oxide(vanadium, oxygen):
    """A row of V and O atoms on a body-centred lattice, evenly mixed."""
    count = vanadium + oxygen
    cell = 1 if count % 2 == 0 else 2
    places = [[i / (count * cell), 0.5 * (i % 2), 0.5 * (i % 2)] for i in range(count * cell)]
    is_vanadium = [(i * vanadium) % count < vanadium for i in range(count)] * cell
    lattice = Lattice.orthorhombic(1.45 * count * cell, 2.95, 2.95)
    return Structure(lattice, ["V" if metal else "O" for metal in is_vanadium], places)


def formula(structure):
    """Symbols in alphabetical order with the smallest whole numbers, as the stand-in's plan names
    crystals.
    """
    reduced = structure.composition.reduced_composition
    return "".join(
        f"{s}{int(reduced[s]) if reduced[s] > 1 else ''}" for s in sorted(map(str, reduced))
    )


def queue_oxides(store, monkeypatch, folder, oxides, plan, **validation):
    """A round that has just queued oxides, with the stand-in for VASP.

    `plan` as `stand_in_environment.install`.
    """
    crystals = [oxide(*counts) for counts in oxides]
    names = [formula(crystal) for crystal in crystals]
    stand_in_environment.install(monkeypatch, folder, plan)
    monkeypatch.setenv("GEN2DFT_ALLOW_STAND_IN", "1")

    fields = {**CAMPAIGN, "validation": {**CAMPAIGN["validation"], **validation}}
    dataset, spec = toys.toy_dataset(), CampaignSpec.model_validate(fields)
    assert check_validation(spec, dataset) == ()
    hull = ReferenceHull.build(
        [{"V": 2, "O": 5}, {"V": 1, "O": 2}], [-2.3, -2.5], scale="vasp:GGA+U"
    )
    campaign, _ = begin_campaign(store, spec, dataset, hull)
    context = Round(store, campaign.id, 0)
    queue_candidates(context, dict(zip(names, crystals, strict=True)))
    return context


def test_twenty_vanadium_oxides_with_two_faults_of_each_kind(bench, monkeypatch, tmp_path):
    store, lpad, work = bench
    names = [formula(oxide(*counts)) for counts in OXIDES]
    assert len(set(names)) == len(names) == 20
    faults = dict(zip(names, FAULTS * 2, strict=False))
    plan = {name: (fault, TIMES.get(fault, 1)) for name, fault in faults.items()}
    context = queue_oxides(store, monkeypatch, tmp_path, OXIDES, plan)
    advance(store, lpad, context.campaign_id)
    work()

    labels = {label.candidate_id: label for label in store.labels(context.campaign_id)}
    candidates = list(store.candidates(context.campaign_id))
    lost = {doc.candidate_id: doc.state for doc in candidates if doc.candidate_id not in labels}
    assert lost == {name: "given_up:vasp_died" for name, fault in faults.items() if fault == "dies"}
    assert len(labels) == 18
    assert set(lpad.fireworks.distinct("state")) == {"COMPLETED"}
    assert store.campaign(context.campaign_id).state == "finished"
    for name, label in labels.items():
        check_label(label, faults.get(name))
    died = next(doc for doc in candidates if doc.state.startswith("given_up"))
    assert "last words: stand-in: segmentation fault" in died.failure
    assert died.lost_core_hours > 0


def check_label(label, fault):
    """A label is whole, and says what custodian mended."""
    assert (label.engine, label.preset, label.is_dft, label.settings_changed) == (
        "vasp",
        "ggau-v1",
        True,
        False,
    )
    assert set(label.values) == {"formation_energy", "e_above_hull", "band_gap"}
    assert label.values["formation_energy"] == pytest.approx(
        label.energy_per_atom + mixture(label), abs=1e-9
    )
    assert label.core_hours > 0
    handlers = {
        "zbrent": "VaspErrorHandler",
        "electronic": "UnconvergedErrorHandler",
        "ionic": "UnconvergedErrorHandler",
    }
    made = [(correction["task"], correction["handler"]) for correction in label.custodian]
    assert made == ([("relax", handlers[fault])] if fault in handlers else [])
    resumed = "went on from its CONTCAR after: vasp_died" in label.warnings
    assert resumed is (fault == "killed")


def mixture(label):
    """What the references of the campaign take from the energy of a label, eV/atom."""
    composition = Structure.from_dict(label.structure).composition
    return composition.get_atomic_fraction("V") * 1.8 + composition.get_atomic_fraction("O") * 0.1
