import mongomock
import pytest
from mongomock.gridfs import enable_gridfs_integration

from gen2dft.errors import StoreError
from gen2dft.store.documents import CampaignDoc, CandidateDoc, RoundDoc
from gen2dft.store.store import Store, candidate_key

enable_gridfs_integration()


@pytest.fixture
def store():
    store = Store(mongomock.MongoClient()["test"])
    store.ensure_indices()
    return store


def candidate(key="c1", state="sampled", **fields):
    base = {
        "sampler": "local",
        "parents": [],
        "latent_row": 0,
        "campaign_id": "camp",
        "round_index": 0,
    }
    return CandidateDoc(
        id=candidate_key("camp", key), candidate_id=key, state=state, **base, **fields
    )


SPEC = {
    "name": "thermoelectric",
    "targets": [{"property": "e_above_hull"}],
    "dataset": {"source": "starter"},
    "learning": {"rounds": 1},
}


def campaign(key="camp", name="thermoelectric"):
    return CampaignDoc(
        id=key, name=name, spec=SPEC, spec_hash="s", dataset_id="d", dataset_hash="d", hull_id="h"
    )


def test_inserting_twice_keeps_the_first(store):
    assert store.insert_new(candidate(formula="NaCl"))
    assert not store.insert_new(candidate(formula="KCl"))
    assert store.candidate("camp", "c1").formula == "NaCl"
    assert store.insert_many_new([candidate("c1"), candidate("c2"), candidate("c2")]) == 1


def test_states_move_forward_only(store):
    store.insert_new(candidate())
    assert store.move_candidate("camp", "c1", "queued", score=1.5)
    assert not store.move_candidate("camp", "c1", "rejected:above_hull")
    assert store.move_candidate("camp", "c1", "running")
    assert not store.move_candidate("camp", "c1", "running")
    assert store.move_candidate("camp", "c1", "given_up:crashed")
    assert store.move_candidate("camp", "c1", "labelled")
    assert not store.move_candidate("camp", "c1", "queued")
    assert [entry["state"] for entry in store.candidate("camp", "c1").history] == [
        "queued", "running", "given_up:crashed", "labelled",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("state", "message"),
    [("lost", "is not one of"), ("rejected", "carry a reason"), ("queued:why", "carry a reason")],
)
def test_unknown_states_are_refused(store, state, message):
    with pytest.raises(StoreError, match=message):
        store.move_candidate("camp", "c1", state)


def test_a_round_moves_for_exactly_one_caller(store):
    store.insert_new(RoundDoc(id="camp:0", campaign_id="camp", index=0))
    assert [store.move_round("camp", 0, "proposing", "validating") for _ in range(3)] == [
        True,
        False,
        False,
    ]
    assert store.round("camp", 0).state == "validating"


def test_state_counts(store):
    store.insert_many_new([candidate("a"), candidate("b"), candidate("c", "rejected:above_hull")])
    assert store.state_counts("camp", 0) == {"sampled": 2, "rejected:above_hull": 1}
    assert store.count_open("camp", 0) == 0


def test_blobs_are_stored_once_and_checked(store):
    key = store.put_blob(b"weights", "snapshot")
    assert store.put_blob(b"weights", "snapshot") == key
    assert store.get_blob(key) == b"weights"
    assert store.database["blobs.files"].count_documents({}) == 1
    store.database["blobs.chunks"].update_one({}, {"$set": {"data": b"w3ights"}})
    with pytest.raises(StoreError, match="damaged"):
        store.get_blob(key)
    with pytest.raises(StoreError, match="missing"):
        store.get_blob("0" * 32)


def test_find_campaign_by_name_id_or_newest(store):
    with pytest.raises(StoreError, match="no campaign yet"):
        store.find_campaign()
    store.insert_new(campaign("camp"))
    store.insert_new(campaign("other-1", "other"))
    assert store.find_campaign("thermoelectric").id == "camp"
    assert store.find_campaign("other-1").id == "other-1"
    with pytest.raises(StoreError, match="Did you mean 'thermoelectric'"):
        store.find_campaign("termoelectric")


def test_a_lease_has_one_holder(store):
    store.insert_new(campaign())
    assert store.take_lease("camp", "one/1", 60)
    assert not store.take_lease("camp", "two/2", 60)
    assert store.campaign("camp").lease["owner"] == "one/1"
    store.release_lease("camp", "one/1")
    assert store.campaign("camp").lease == {}
    assert store.take_lease("camp", "two/2", 60)


def test_a_lease_that_has_run_out_is_for_the_next(store):
    store.insert_new(campaign())
    assert store.take_lease("camp", "dead/1", -1)
    assert store.take_lease("camp", "two/2", 60)
    store.release_lease("camp", "dead/1")  # was not dead, only slow: the lease is not its own now
    assert not store.take_lease("camp", "three/3", 60)


def test_there_is_no_lease_of_a_campaign_that_is_not_there(store):
    assert not store.take_lease("nowhere", "one/1", 60)


def test_candidates_of_older_versions_have_no_source():
    old = CandidateDoc(
        id="c:1", campaign_id="c", round_index=0, candidate_id="1", sampler="local", parents=[],
        latent_row=4,
    ).to_mongo()  # fmt: skip
    del old["source"]
    read = CandidateDoc.from_mongo(old)
    assert read.source is None and read.latent_row == 4


def test_candidates_may_have_a_source_and_no_latent_point():
    drawn = CandidateDoc(
        id="c:2", campaign_id="c", round_index=0, candidate_id="2", sampler="random", parents=[],
        source="pyxtal",
    )  # fmt: skip
    read = CandidateDoc.from_mongo(drawn.to_mongo())
    assert read.source == "pyxtal" and read.latent_row is None
