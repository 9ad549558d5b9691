import pytest

from gen2dft.screening.surrogate import SurrogateVerdict
from gen2dft.store.documents import CandidateDoc, StoredVerdict

# As version 0.1 stored it.
STORED = {
    "reason": "above_hull",
    "engine": "mlip",
    "preset": "chgnet-screen-v1",
    "structure": {
        "lattice": {"a": 3.0, "matrix": [[3.0, 0.0, 0.0], [0.0, 3.0, 0.0], [0.0, 0.0, 3.0]]},
        "sites": [{"species": [{"element": "Na", "occu": 1}], "abc": [0.0, 0.0, 0.0]}],
    },
    "energy_per_atom": -3.25,
    "formation_energy": -1.5,
    "e_above_hull": 0.25,
    "converged": True,
    "max_force": 0.0625,
    "steps": 40,
    "seconds": 2.5,
    "detail": None,
}


def stored_candidate(surrogate):
    return {
        "_id": "camp:c", "campaign_id": "camp", "candidate_id": "c", "round_index": 0,
        "sampler": "local", "parents": [], "latent_row": 0, "surrogate": surrogate,
    }  # fmt: skip


@pytest.mark.parametrize(
    "surrogate",
    [
        STORED,
        {"e_above_hull": 0.5},
        {**STORED, "key_of_another_version": [1, 2]},
        None,
    ],
)
def test_a_document_read_and_written_again_is_the_same(surrogate):
    written = CandidateDoc.from_mongo(stored_candidate(surrogate)).to_mongo()["surrogate"]
    assert written == surrogate
    assert list(written or ()) == list(surrogate or ())


def test_missing_keys_read_as_unknown():
    verdict = CandidateDoc.from_mongo(stored_candidate({"e_above_hull": 0.5})).verdict
    assert (verdict.e_above_hull, verdict.formation_energy) == (0.5, None)
    assert (verdict.reason, verdict.engine, verdict.seconds) == (None, "", None)


def test_a_candidate_that_was_not_screened_has_an_empty_verdict():
    candidate = CandidateDoc.from_mongo(stored_candidate(None))
    assert candidate.surrogate is None
    assert candidate.verdict == StoredVerdict()
    assert set(candidate.verdict.values.values()) == {None}


def test_the_screen_stores_every_key():
    verdict = SurrogateVerdict("relaxation_unconverged", "mlip", "chgnet-screen-v1")
    later = ["symmetry", "remark", "hull_remarks", "stability"]
    assert list(verdict.as_dict()) == [*STORED, *later]
    assert SurrogateVerdict.from_stored(verdict.stored()) == verdict
