"""The hull that a campaign names, and energies that may not meet it."""

import json

import numpy as np
import pytest
from pymatgen.core import Composition, Structure

from gen2dft import engines
from gen2dft.campaign import CampaignSpec
from gen2dft.crystals import CrystalTable
from gen2dft.dataset import Dataset
from gen2dft.engines.base import Engine
from gen2dft.errors import CampaignError, MixedEnergies, StoreError, ThermoError
from gen2dft.ground.hulls import (
    campaign_hull,
    check_scales,
    get_hull,
    hull_from,
    put_hull,
    screen_hull,
)
from gen2dft.rounds.begin import begin_campaign, begin_round
from gen2dft.rounds.footing import footing_of
from gen2dft.rounds.ingest import ingest
from gen2dft.rounds.prepare import needs_store, prepare
from gen2dft.rounds.round import Round
from gen2dft.rounds.train import train
from gen2dft.screening.surrogate import SurrogateVerdict, surrogate_screen
from gen2dft.store.documents import ReferenceDoc
from gen2dft.thermo.hull import ReferenceHull
from gen2dft.thermo.hull_file import file_content
from gen2dft.thermo.materials_project import whole_hull
from gen2dft.thermo.scales import MIXED, must_share
from gen2dft.thermo.vanadium_oxides import known_hull
from tests import toys
from tests.rounds.test_steps import calculations, queued, up_to_dispatch, validate_all


def spec_with(**changes) -> CampaignSpec:
    return CampaignSpec.model_validate({**toys.TOY_CAMPAIGN, **changes})


def toy_hull(**fields) -> ReferenceHull:
    return ReferenceHull.from_dataset(toys.toy_dataset(), **fields)


def reference(formula: str, engine: str = "toy", run_type: str | None = None) -> ReferenceDoc:
    cation, anion = (element.symbol for element in Composition(formula))
    structure = toys.rock_salt(cation, anion, 5.6)
    return ReferenceDoc(
        id=f"{formula} {engine} {run_type}",
        formula=formula,
        name=formula,
        origin="test",
        known_stable=True,
        engine=engine,
        preset="toy-v1",
        settings_hash="toyhash",
        structure=structure.as_dict(),
        energy_per_atom=toys.formation_energy(structure.composition),
        run_type=run_type,
    )


def test_the_hull_of_the_vanadium_oxides_ships():
    hull = campaign_hull(spec_with(hull={"source": "vanadium-oxides"}))
    assert hull.hull_hash == known_hull().hull_hash
    assert hull.scale == "materials-project"
    assert hull.e_above_hull({"V": 2, "O": 5}, -2.305) == pytest.approx(0)


@pytest.fixture
def raw(monkeypatch):
    """The toy engine with energies of its own, uncorrected."""
    engine = Engine(**{**vars(toys.TOY_ENGINE), "name": "raw", "scale": None})
    monkeypatch.setitem(engines.ENGINES, "raw", lambda: engine)
    return {"engine": "raw", "preset": "toy-v1"}


def test_the_hull_of_the_data_source_holds_all_of_it():
    hull = campaign_hull(spec_with(dataset={"source": "prototypes"}, hull={"source": "dataset"}))
    assert hull.scale == "materials-project"
    assert hull.num_entries > 1000


def test_a_file_is_a_hull_or_a_dataset(tmp_path):
    (tmp_path / "hull.json").write_bytes(toy_hull(scale="toy").to_bytes())
    toys.toy_dataset().save(tmp_path / "more.npz")
    spec = spec_with(hull={"source": str(tmp_path / "hull.json")})
    assert campaign_hull(spec).hull_hash == toy_hull(scale="toy").hull_hash
    assert hull_from(str(tmp_path / "more.npz"), spec_with(hull={"scale": "mine"})).scale == "mine"
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(StoreError, match=r"hull file .*broken.json is not a gen2dft hull"):
        hull_from(str(tmp_path / "broken.json"), spec)


def test_the_materials_projects_hull_is_its_stable_phases(monkeypatch):
    asked = []

    def read(kind, max_elements, cache_dir):
        asked.append((kind, max_elements))
        return [({"Na": 1.0, "Cl": 1.0}, -2.1), ({"Na": 1.0}, 0.0), ({"Cl": 1.0}, 0.0)]

    monkeypatch.setattr("gen2dft.datasets.materials_project.read_stable_phases", read)
    hull = campaign_hull(spec_with(hull={"source": "materials-project"}))
    assert asked == [("GGA_GGA+U", 3)]
    assert (hull.scale, hull.num_entries, len(hull.known_stable)) == ("materials-project", 3, 3)
    other = campaign_hull(spec_with(hull={"source": "materials-project", "thermo_type": "R2SCAN"}))
    assert other.scale == "materials-project:R2SCAN"


def test_the_engines_own_hull_is_made_of_its_reference_phases(store):
    spec = spec_with(hull={"source": "engine"})
    assert needs_store(spec)
    with pytest.raises(
        ThermoError, match="engine 'toy' has computed no reference phase with preset 'toy-v1' yet"
    ):
        campaign_hull(spec, store=store)
    for formula in ("NaCl", "MgO"):
        store.insert_new(reference(formula))
    hull = campaign_hull(spec, store=store)
    assert (hull.num_entries, hull.scale) == (2, "materials-project")
    assert hull.e_above_hull(
        Composition("MgO"), toys.formation_energy(Composition("MgO"))
    ) == pytest.approx(0)
    assert len(hull.known_stable) == 2


def test_reference_phases_of_several_run_types_make_no_hull(store, raw):
    spec = spec_with(hull={"source": "engine"}, validation=raw)
    store.insert_new(reference("NaCl", "raw", "GGA"))
    assert campaign_hull(spec, store=store).scale == "raw:GGA"
    store.insert_new(reference("MgO", "raw", "GGA+U"))
    with pytest.raises(
        MixedEnergies, match=r"reference phases of the hull mix run types GGA and GGA\+U"
    ):
        campaign_hull(spec, store=store)


def test_energies_of_another_scale_are_refused_before_work_begins(raw):
    with pytest.raises(
        MixedEnergies,
        match="labels of engine 'raw' with correction 'none' are on scale 'raw' and the ",
    ):
        check_scales(spec_with(validation=raw), toy_hull(scale="materials-project"))
    check_scales(spec_with(validation=raw), toy_hull(scale="raw:GGA"))
    check_scales(spec_with(validation=raw), toy_hull())
    twice = spec_with(validation={"engine": "toy", "preset": "toy-v1", "correction": "mp2020-v1"})
    with pytest.raises(ThermoError, match="the correction would count twice"):
        check_scales(twice, toy_hull(scale="materials-project"))


def test_own_phases_join_no_hull_of_unknown_scale():
    joining = spec_with(hull={"own_phases": True})
    with pytest.raises(
        MixedEnergies, match=r"hull\.own_phases: labels of engine 'toy' would join .* say it"
    ):
        check_scales(joining, toy_hull())
    check_scales(joining, toy_hull(scale="materials-project"))


def test_a_surrogate_of_another_scale_keeps_the_datasets_hull():
    spec = spec_with(dataset={"source": "prototypes"})
    assert screen_hull(spec, toy_hull(scale="materials-project")) is None
    assert screen_hull(spec, toy_hull()) is None
    own = screen_hull(spec, toy_hull(scale="gpaw:PBE"))
    assert own.scale == "materials-project"


def test_a_label_of_another_run_type_is_given_up_with_the_reason(store, raw):
    spec = spec_with(validation=raw)
    document, _ = begin_campaign(
        store, spec, toys.toy_dataset(), toy_hull(scale="raw:GGA"), toy_hull()
    )
    context = Round(store, document.id, 0)
    assert footing_of(context).screen_hull.hull_hash != footing_of(context).hull.hull_hash
    up_to_dispatch(context)
    key, other, *_ = queued(context)
    for name, run_type in ((key, "GGA+U"), (other, "GGA")):
        found = [
            c.model_copy(update={"engine": "raw", "run_type": run_type})
            for c in calculations(context, name)
        ]
        ingest(context, name, found)
    refused = store.candidate(context.campaign_id, key)
    assert refused.state == "given_up:energies_not_comparable"
    assert "on scale 'raw:GGA+U' and the hull on 'raw:GGA'" in refused.failure
    assert [label.candidate_id for label in store.labels(context.campaign_id)] == [other]


def test_what_the_hull_does_not_cover_gets_no_number_and_no_hit(store):
    # The generator needs something that it can learn: the hull gives most crystals no distance.
    targets = [{"property": name, "max": 99.0} for name in ("e_above_hull", "formation_energy")]
    sodium = ReferenceHull.build([Composition("NaCl")], [-1.0])
    document, _ = begin_campaign(
        store, spec_with(targets=targets), toys.toy_dataset(), sodium, toy_hull()
    )
    context = Round(store, document.id, 0)
    up_to_dispatch(context)
    validate_all(context)
    labels = store.labels(context.campaign_id)
    assert labels
    for label in labels:
        elements = {site["species"][0]["element"] for site in label.structure["sites"]}
        covered = elements <= {"Na", "Cl"}
        assert ("e_above_hull" in label.values) == covered
        assert covered or "is not covered: no phase of the reference holds" in label.warnings[-1]
    assert all(hit.formula == "NaCl" for hit in store.hits(context.campaign_id))


def test_the_screen_refuses_what_the_hull_does_not_cover():
    hull = ReferenceHull.build([Composition("NaCl")], [-1.0])
    verdict = surrogate_screen(
        toys.rock_salt("K", "Br", 6.6), spec_with().screening.surrogate, hull
    )
    assert isinstance(verdict, SurrogateVerdict)
    assert (verdict.reason, verdict.e_above_hull) == ("hull_does_not_cover", None)
    assert verdict.formation_energy is not None
    assert "no phase of the reference holds Br, K" in verdict.detail


def test_an_empty_hull_stops_a_campaign(tmp_path):
    empty = {"format": 2, "unit": "eV/atom", "entries": []}
    (tmp_path / "empty.json").write_text(json.dumps(empty))
    with pytest.raises(ThermoError, match="the reference hull is empty"):
        prepare(spec_with(hull={"source": str(tmp_path / "empty.json")}))


def test_a_hull_file_without_elements_of_the_candidates_stops_a_campaign(tmp_path):
    toys.toy_dataset().save(tmp_path / "toys.npz")
    lacking = ReferenceHull.build([Composition("NaCl"), Composition("MgO")], [-1.0, -1.0])
    (tmp_path / "hull.json").write_bytes(file_content(lacking))
    changes = {
        "dataset": {"source": str(tmp_path / "toys.npz"), "min_labels": 5},
        "hull": {"source": str(tmp_path / "hull.json")},
    }
    with pytest.raises(
        CampaignError, match=r"hull\.json has no phase of Ba, Br, .*excluded_elements: \[Ba, Br"
    ):
        prepare(spec_with(**changes))
    allowed = {"allowed_elements": ["Na", "Cl", "Mg", "O"], **toys.TOY_CAMPAIGN["screening"]}
    prepared = prepare(spec_with(**changes, screening=allowed))
    assert prepared.hull.hull_hash == lacking.hull_hash


def test_a_campaign_that_runs_keeps_the_hull_that_it_began_with(store, tmp_path):
    path = tmp_path / "hull.json"
    path.write_bytes(file_content(toy_hull(scale="materials-project")))
    spec = spec_with(hull={"source": str(path)})
    began_with = campaign_hull(spec)
    document, _ = begin_campaign(store, spec, toys.toy_dataset(), began_with)
    newer = toy_hull(scale="materials-project").joined_by([{"Na": 1, "Mg": 1}], [-3.0])
    path.write_bytes(file_content(newer))
    assert campaign_hull(spec).hull_hash == newer.hull_hash != began_with.hull_hash
    context = Round(store, document.id, 1)
    assert footing_of(context).hull.hull_hash == began_with.hull_hash == document.hull_id


def test_the_mixed_scale_is_no_scale_of_labels(raw):
    """It serves for competing phases of the whole hull alone."""
    with pytest.raises(MixedEnergies, match="are on scale 'materials-project:GGA_GGA"):
        must_share("materials-project", [MIXED], "labels", "Choose another")
    with pytest.raises(MixedEnergies, match="and the hull on 'materials-project:GGA_GGA"):
        check_scales(spec_with(), toy_hull(scale=MIXED))


def test_phases_of_data_on_its_scale_join_the_whole_hull(tmp_path):
    crystals = CrystalTable.from_structures([toys.rock_salt("Na", "Cl", 5.6)])
    labels = {"formation_energy": np.array([-3.0])}  # deeper than any that is known
    Dataset(crystals, ("mine",), labels).save(tmp_path / "mine.npz")
    data = {"source": str(tmp_path / "mine.npz")}
    joined = campaign_hull(spec_with(dataset=data, hull={"scale": "materials-project"}))
    assert joined.num_entries == whole_hull().num_entries
    assert joined.hull_energy({"Na": 1, "Cl": 1}) == pytest.approx(-3.0)
    assert joined.hull_energy({"Mg": 1, "O": 1}) == whole_hull().hull_energy({"Mg": 1, "O": 1})
    alone = campaign_hull(spec_with(dataset=data))  # nothing says what it is measured on
    assert (alone.scale, alone.num_entries) == (None, 1)


def test_a_round_begins_with_the_self_test(store):
    wrong = ReferenceHull.build(
        map(Composition, ("NaCl", "Na2Cl")), [-1.0, -0.2], known_stable=[Composition("Na2Cl")]
    )
    document, _ = begin_campaign(store, spec_with(), toys.toy_dataset(), wrong)
    with pytest.raises(
        ThermoError,
        match=r"fails its self-test: 1 of 1 .* Na2 Cl1|fails its self-test: 1 of 1 .*Cl1 Na2",
    ):
        train(Round(store, document.id, 0))


def test_own_phases_join_the_hull_of_later_rounds(store):
    document, _ = begin_campaign(
        store, spec_with(hull={"own_phases": True}), toys.toy_dataset(), toy_hull()
    )
    first, second = Round(store, document.id, 0), Round(store, document.id, 1)
    up_to_dispatch(first)
    straggler, *_ = queued(first)
    store.move_candidate(document.id, straggler, "running")
    validate_all(first)
    begin_round(store, document.id, 1)
    labels = store.labels(document.id)
    started, grown = footing_of(first).hull, footing_of(second).hull
    assert started.hull_hash == document.hull_id
    formulas = {
        Structure.from_dict(label.structure).composition.reduced_formula for label in labels
    }
    new = formulas - {
        s.composition.reduced_formula for s in toys.toy_dataset().crystals.structures()
    }
    assert grown.num_entries == started.num_entries + len(new)
    assert get_hull(store, grown.hull_hash).num_entries == grown.num_entries
    for label in labels:
        composition = Structure.from_dict(label.structure).composition
        assert grown.e_above_hull(composition, label.values["formation_energy"]) >= -1e-9
    ingest(first, straggler, calculations(first, straggler))
    assert len(store.labels(document.id)) == len(labels) + 1
    assert footing_of(Round(store, document.id, 1)).hull.hull_hash == grown.hull_hash


def test_a_stored_hull_is_read_once(store):
    key = put_hull(store, toy_hull(scale="toy"), "test")
    assert put_hull(store, toy_hull(scale="toy"), "test") == key
    assert get_hull(store, key) is get_hull(store, key)
    assert np.isfinite(get_hull(store, key).e_above_hull(Composition("NaCl"), -1.0))
