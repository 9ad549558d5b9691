"""A hit is followed back to its training set, and its latent vector decodes to the same structure
again.
"""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

from gen2dft.cli.app import app
from gen2dft.review.trace import latent_vector, trace
from gen2dft.rounds.close import try_close
from gen2dft.rounds.learner import read_learner
from gen2dft.rounds.round import Round
from tests.rounds.test_steps import up_to_dispatch, validate_all


@pytest.fixture
def hit(context):
    """A hit of the second round."""
    for index in (0, 1):
        now = Round(context.store, context.campaign_id, index)
        up_to_dispatch(now)
        validate_all(now)
        try_close(now)
    return context.store.hits(context.campaign_id, round_index=1)[0]


def candidate_of(store, hit):
    return store.candidate(hit.campaign_id, hit.candidate_id)


def test_the_chain_is_whole_and_the_vector_decodes_to_the_same_structure(store, hit):
    candidate = candidate_of(store, hit)
    found = trace(store, candidate)
    assert found.hit == hit
    assert [label.id for label in found.labels] == [hit.label_id]
    assert found.redecoded.is_same and found.redecoded.stored == found.redecoded.decoded
    assert found.redecoded.same_id
    assert [s.id for s in found.snapshots] == [
        store.round(hit.campaign_id, i).snapshot_id for i in (1, 0)
    ]
    assert found.training.hash == found.training.rebuilt == found.snapshots[0].training_set_hash
    assert found.training.num_labels > 0
    known = read_learner(Round(store, hit.campaign_id, 1)).known
    assert set(candidate.parents) <= set(known.ids)
    assert np.array_equal(found.vector, latent_vector(store, candidate))


def test_every_candidate_that_was_decoded_decodes_to_itself(store, hit):
    decoded = [doc for doc in store.candidates(hit.campaign_id) if doc.structure][::5]
    assert len(decoded) > 10
    assert all(trace(store, doc).redecoded.is_same for doc in decoded)


def test_a_changed_document_is_found_out(store, hit):
    candidate = candidate_of(store, hit)
    structure = candidate.structure
    structure["sites"][0]["abc"][0] += 1e-9
    store.set_candidate(hit.campaign_id, hit.candidate_id, structure=structure)
    assert trace(store, candidate_of(store, hit)).redecoded.is_same is False
    store.set_candidate(
        hit.campaign_id, hit.candidate_id, structure=candidate.structure, latent_row=0
    )
    found = trace(store, candidate_of(store, hit)).redecoded
    assert (found.is_same, found.same_id) == (False, False)


def test_a_missing_snapshot_is_said_and_not_taken_for_a_mismatch(store, hit):
    store.database["blobs.files"].delete_many({"kind": "snapshot"})
    found = trace(store, candidate_of(store, hit)).redecoded
    assert found.is_same is None
    assert "is missing in the database" in found.problem


def test_labels_that_came_late_are_noticed(store, hit):
    label = store.labels(hit.campaign_id, round_index=0)[0]
    # Of another candidate: what is known of one crystal from several labels is one row.
    store.insert_new(label.model_copy(update={"id": "late", "candidate_id": "late"}))
    training = trace(store, candidate_of(store, hit)).training
    assert training.hash != training.rebuilt


@pytest.fixture
def invoke(monkeypatch, store):
    monkeypatch.setattr("gen2dft.store.connect.open_store", lambda _: store)
    return lambda *arguments: CliRunner(env={"COLUMNS": "300"}).invoke(app, list(arguments))


def test_the_verb_prints_every_step(store, hit, invoke):
    result = invoke("trace", hit.candidate_id)
    assert result.exit_code == 0, result.output
    candidate = candidate_of(store, hit)
    snapshots = [store.round(hit.campaign_id, i).snapshot_id for i in (1, 0)]
    for text in (
        hit.formula,
        hit.label_id,
        candidate.sampler,
        "seed 0",
        *candidate.parents,
        *snapshots,
        hit.hull_id,
        "decoded again, gives the same",
        "labels of earlier rounds",
        "default_rng([0, 1, 0])",
    ):
        assert text in result.output
    found = json.loads(invoke("trace", hit.candidate_id, "--json").output)
    assert found["redecoded"]["is_same"] is True
    assert found["latent_vector"] == pytest.approx(latent_vector(store, candidate).tolist())


def test_a_mismatch_is_said_and_is_an_exit_code(store, hit, invoke):
    store.set_candidate(hit.campaign_id, hit.candidate_id, latent_row=0)
    result = invoke("trace", hit.candidate_id)
    assert result.exit_code == 1
    assert "do not belong together" in result.output
    result = invoke("trace", hit.campaign_id)
    assert result.exit_code == 1
    assert "is a campaign: give the id of one of its hits" in result.output


def test_a_candidate_without_a_latent_point_has_no_vector(store, hit):
    candidate = candidate_of(store, hit).model_copy(update={"latent_row": None})
    assert latent_vector(store, candidate).size == 0


def test_the_way_of_a_crystal_without_a_latent_point_has_no_such_step(store, hit, invoke):
    """The toy draws the same points again, as a generator without a latent space does."""
    store.set_candidate(hit.campaign_id, hit.candidate_id, latent_row=None)
    result = invoke("trace", hit.candidate_id)
    assert result.exit_code == 0, result.output
    assert "the same draw gives the same" in result.output
    assert "dimensions" not in result.output
    store.set_candidate(hit.campaign_id, hit.candidate_id, sampler="elsewhere", round_index=0)
    result = invoke("trace", hit.candidate_id)
    assert result.exit_code == 1
    assert "the same draw does not give this candidate's id" in result.output
