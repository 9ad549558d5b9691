import numpy as np
import pytest
from example_oxides import O, V

from gen2dft.crystals import CrystalTable
from gen2dft.evaluation.oxides import (
    LatentStatistics,
    dissimilarities,
    neighbour_purity,
    section_table,
)
from gen2dft.store.documents import CandidateDoc


def candidate(
    row: int, sampler: str, formula: str | None, state="rejected:above_hull", distance=None
) -> CandidateDoc:
    surrogate = None if distance is None else {"e_above_hull": distance}
    return CandidateDoc(
        id=f"c:{row}",
        campaign_id="c",
        round_index=0,
        candidate_id=str(row),
        sampler=sampler,
        parents=[],
        latent_row=row,
        formula=formula,
        state=state,
        surrogate=surrogate,
    )


def test_candidates_are_told_apart_by_sampler_reference_and_set():
    found = [
        candidate(0, "slerp", "O5 V2", "labelled", 0.02),
        candidate(1, "slerp", "O5 V2", distance=0.4),
        candidate(2, "slerp", "O1 V1"),
        candidate(3, "random", "O7 V3", "hit", 0.0),
        candidate(4, "random", "O9 V4"),
        candidate(5, "random", None, "rejected:no_atoms"),
    ]
    table = section_table(found, {"O5 V2", "O7 V3"}, {"O5 V2", "O1 V1"})
    counts = {
        row.name: (row.figures["decoded"], row.figures["compositions"], row.figures["labelled"])
        for row in table.rows
        if row.figures["decoded"]
    }
    assert counts == {
        "slerp: composition in the reference, in the set": (2, 1, 1),
        "slerp: composition not in the reference, in the set": (1, 1, 0),
        "random: composition in the reference, not in the set": (1, 1, 1),
        "random: composition not in the reference, not in the set": (1, 1, 0),
    }
    assert len(table.rows) == 8
    assert (
        next(row for row in table.rows if "slerp: composition in" in row.name).figures["lowest"]
        == 0.02
    )


def test_latent_statistics_are_in_units_of_delta():
    latents = np.random.default_rng(0).standard_normal((4000, 3)).astype(np.float32) * np.float32(
        1e-4
    )
    statistics = LatentStatistics.of(latents, 1e-4)
    assert statistics.mean == pytest.approx(np.zeros(3), abs=0.06)
    assert statistics.std == pytest.approx(np.ones(3), abs=0.05)
    assert statistics.table().rows[1].figures["q50"] == pytest.approx(1, abs=0.05)


def test_purity_is_one_where_classes_mix_and_more_where_they_part():
    rng = np.random.default_rng(1)
    classes = np.repeat([0.0, 1.0, np.nan], 150)
    mixed = rng.standard_normal((450, 4))
    assert neighbour_purity(mixed, classes) == pytest.approx(1, abs=0.15)
    assert neighbour_purity(mixed + 20 * np.nan_to_num(classes)[:, None], classes) == pytest.approx(
        2, abs=0.02
    )
    assert neighbour_purity(mixed, np.zeros(450)) is None


def test_fingerprints_tell_a_rock_salt_from_a_caesium_chloride():
    salt = CrystalTable.from_arrays(
        [[[0, 2.1, 2.1], [2.1, 0, 2.1], [2.1, 2.1, 0]]], [[V, O]], [[[0, 0, 0], [0.5, 0.5, 0.5]]]
    )
    caesium = CrystalTable.from_arrays([2.6 * np.eye(3)], [[V, O]], [[[0, 0, 0], [0.5, 0.5, 0.5]]])
    same, other = dissimilarities(
        CrystalTable.concatenate([salt] * 2), CrystalTable.concatenate([salt, caesium])
    )
    assert same == pytest.approx(0, abs=1e-6)
    assert other > 0.3
