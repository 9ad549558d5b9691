"""A campaign of crystals of one's own, through the store: the same steps as any other."""

import mongomock
import pytest
from own_folder import SALTS, write_salts
from pymatgen.core import Structure

from gen2dft.campaign import CampaignSpec
from gen2dft.campaign.own_structures import Given, take_the_place
from gen2dft.datasets.own_structures import read_own_structures
from gen2dft.engines.kit import run_task
from gen2dft.generators.structures import REPEATED, StructuresGenerator
from gen2dft.report.candidate_table import candidate_rows, candidates_csv, shown_properties
from gen2dft.review.trace import trace
from gen2dft.rounds.begin import begin_campaign
from gen2dft.rounds.close import try_close
from gen2dft.rounds.ingest import begin_attempt, ingest
from gen2dft.rounds.own_structures import freeze
from gen2dft.rounds.prepare import needs_labels
from gen2dft.rounds.propose import propose
from gen2dft.rounds.reuse import start_of
from gen2dft.rounds.round import Round
from gen2dft.rounds.screen import finish_screen, screen_chunk
from gen2dft.rounds.select import select
from gen2dft.rounds.train import train
from gen2dft.store.documents import SnapshotDoc
from gen2dft.store.store import Store
from gen2dft.thermo.hull import ReferenceHull
from tests import toys

ELEMENTS = ("Sr", "O", "Cl", "Ba", "S", "Na", "F")


def own_spec(store, folder, change=None, **options):
    found = read_own_structures(folder)
    generator = StructuresGenerator.of(found.names, found.crystals)
    snapshot = freeze(store, generator)
    data = {key: dict(value) if isinstance(value, dict) else value
            for key, value in toys.TOY_CAMPAIGN.items()}  # fmt: skip
    data["screening"] = {"surrogate": dict(data["screening"]["surrogate"])}
    if change:
        change(data)
    given = Given(snapshot, len(found.names), ELEMENTS, **options)
    take_the_place(data, given, frozenset())
    return CampaignSpec.model_validate(data)


def begin(store, folder, change=None, **options):
    spec = own_spec(store, folder, change, **options)
    dataset = toys.toy_dataset()
    campaign, _ = begin_campaign(store, spec, dataset, ReferenceHull.from_dataset(dataset))
    return Round(store, campaign.id, 0)


def carry_out(context):
    train(context)
    survivors = propose(context)
    screen_chunk(context, survivors)
    select(context, finish_screen(context, survivors).model_dump())
    for candidate in list(context.store.candidates(context.campaign_id, state="queued")):
        begin_attempt(context, candidate.candidate_id)
        relaxed = run_task("relax", toys.TOY_ENGINE, "toy-v1", start_of(candidate), None)
        static = run_task("static", toys.TOY_ENGINE, "toy-v1", None, relaxed)
        ingest(context, candidate.candidate_id, [relaxed, static])
    assert try_close(context)
    return context


def by_file(context):
    return {doc.origin: doc for doc in context.store.candidates(context.campaign_id)}


@pytest.fixture
def folder(tmp_path):
    return write_salts(tmp_path)


def test_every_file_gets_its_label_in_one_round(store, folder):
    context = carry_out(begin(store, folder))
    found = by_file(context)
    assert found.keys() == SALTS.keys()
    assert {doc.standing.is_labelled for doc in found.values()} == {True}
    for name, pair in SALTS.items():
        structure = Structure.from_dict(found[name].structure)
        assert {str(element) for element in structure.composition.elements} == set(pair)
    campaign = store.campaign(context.campaign_id)
    assert (campaign.state, len(store.rounds(campaign.id))) == ("finished", 1)
    funnel = context.document.funnel
    assert [stage.n_out for stage in funnel[:-1]] == [stage.n_in for stage in funnel[1:]]
    assert "duplicates" not in [stage.stage for stage in funnel]


def test_workers_need_no_file(store, folder):
    context = begin(store, folder)
    for name in SALTS:
        (folder / name).unlink()
    assert by_file(carry_out(context)).keys() == SALTS.keys()


def test_the_round_keeps_the_crystals_once(store, folder):
    context = carry_out(begin(store, folder))
    (snapshot,) = store.ids(SnapshotDoc)
    assert context.document.snapshot_id == snapshot
    assert store.get(SnapshotDoc, snapshot).parent_id is None


def test_the_same_content_is_the_same_campaign_and_other_content_another(store, folder, tmp_path):
    first = begin(store, folder).campaign_id
    copy = write_salts(tmp_path / "elsewhere" / "copy")
    assert begin(store, copy).campaign_id == first
    write_salts(copy, {"one-more.cif": ("Ca", "O")})
    assert begin(store, copy).campaign_id != first


def test_a_crystal_given_twice_is_computed_once_and_names_the_other(store, folder):
    write_salts(folder, {"zzz.cif": ("Sr", "O")})
    found = by_file(carry_out(begin(store, folder)))
    assert found["zzz.cif"].state == f"rejected:{REPEATED}"
    assert found["zzz.cif"].failure == "the same crystal as SrO.cif"
    assert found["SrO.cif"].standing.is_labelled


def test_known_crystals_are_welcome_unless_novelty_is_asked_for(store, tmp_path):
    folder = write_salts(tmp_path, {"NaCl.cif": ("Na", "Cl")}, length=5.5)
    (candidate,) = by_file(carry_out(begin(store, folder))).values()
    assert candidate.standing.is_labelled
    other = Store(mongomock.MongoClient(tz_aware=True)["other"])
    context = begin(other, folder, novelty=True)
    train(context)
    assert propose(context) == []
    (candidate,) = by_file(context).values()
    assert candidate.state == "rejected:known_formula"


def test_a_hit_that_is_known_counts(store, tmp_path):
    def any_energy(data):
        data["targets"] = [{"property": "formation_energy", "max": 0.0}]

    folder = write_salts(tmp_path, {"NaCl.cif": ("Na", "Cl")}, length=5.5)
    context = carry_out(begin(store, folder, any_energy))
    (hit,) = store.hits(context.campaign_id)
    assert hit.same_as == "known:toy-NaCl"
    assert context.document.funnel[-1].n_out == 1


def strict(data):
    data["screening"]["surrogate"]["max_e_above_hull"] = -5.0


def test_the_screen_judges_with_a_reason(store, folder):
    found = by_file(carry_out(begin(store, folder, strict)))
    assert {doc.state for doc in found.values()} == {"rejected:above_hull"}


def test_with_all_the_screen_marks_and_validates(store, folder):
    context = carry_out(begin(store, folder, strict, everything=True))
    found = by_file(context)
    assert {doc.verdict.reason for doc in found.values()} == {"above_hull"}
    assert {doc.standing.is_labelled for doc in found.values()} == {True}
    rows = candidate_rows(store, context.campaign_id, context.spec)
    assert {row.remark for row in rows} == {"the screen found: above hull"}


def test_with_all_a_crystal_that_the_surrogate_cannot_relax_is_validated_as_given(
    store, folder, monkeypatch
):
    context = begin(store, folder, everything=True)
    train(context)
    survivors = propose(context)
    with monkeypatch.context() as patch:
        patch.setattr("gen2dft.screening.surrogate.load_engine", lambda _: Failing())
        screen_chunk(context, survivors)
    assert select(context, finish_screen(context, survivors).model_dump()) == 3
    for doc in by_file(context).values():
        assert (doc.state, doc.verdict.reason) == ("queued", "relaxation_exploded")
        assert start_of(doc) == Structure.from_dict(doc.structure)


class Failing:
    """An engine that relaxes nothing."""

    def preset(self, name):
        return name

    def relax(self, structure, preset):
        raise toys.CalculationFailed("exploded", "it does not like any")


def test_few_labels_do_not_matter(store, folder):
    def unlabelled(data):
        data["targets"] = [{"property": "band_gap", "min": 0.5}]

    spec = own_spec(store, folder, unlabelled)
    assert not needs_labels(spec, toys.toy_dataset())
    context = carry_out(begin(store, folder, unlabelled))
    assert {doc.standing.is_labelled for doc in by_file(context).values()} == {True}


def test_a_candidate_is_traced_to_its_file(store, folder):
    context = carry_out(begin(store, folder))
    traced = trace(store, by_file(context)["SrO.cif"])
    assert traced.candidate.origin == "SrO.cif"
    assert traced.redecoded.is_same
    assert traced.training is None


def test_the_table_tells_values_of_every_file(store, folder):
    write_salts(folder, {"zzz.cif": ("Sr", "O")})
    context = carry_out(begin(store, folder))
    rows = candidate_rows(store, context.campaign_id, context.spec)
    assert [row.file for row in rows] == ["SrO.cif", "more/BaS.cif", "more/NaF.cif", "zzz.cif"]
    first, *_, last = rows
    label = store.labels(context.campaign_id, candidate_id=first.candidate_id)[0]
    assert first.values["formation_energy"] == (label.values["formation_energy"], "toy (surrogate)")
    assert (first.formula, first.spacegroup) == ("SrO", "Fm-3m")
    assert (last.values, last.remark) == ({}, "the same crystal as SrO.cif")
    names = shown_properties(rows, context.spec)
    assert names == ["formation_energy", "e_above_hull"]
    header, line, *_ = candidates_csv(rows, names, context.spec.known_properties).splitlines()
    assert header.startswith("file,formula,space group,formation_energy (eV/atom),")
    energy = label.values["formation_energy"]
    assert line.startswith(f"SrO.cif,SrO,Fm-3m,{energy!r},toy (surrogate),")
