from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from gen2dft.crystals import CrystalTable
from gen2dft.dataset import Dataset
from gen2dft.generators.proposals import Draw, Proposal, Request
from gen2dft.representations.base import DecodeResult

CRYSTAL = Structure(Lattice.cubic(4.2), ["Mg", "O"], [[0, 0, 0], [0.5, 0.5, 0.5]])
DRAWS = [
    Draw("too_close", "a", "random"),
    Draw(CRYSTAL, "b", "random", parents=(3,)),
    Draw("too_close", "c", "other"),
]


def proposal(**changes: object) -> Proposal:
    whole = Proposal.of_draws(DRAWS)
    return Proposal(**(vars(whole) | changes))


def test_draws_made_one_by_one_become_a_proposal() -> None:
    found = Proposal.of_draws(DRAWS)
    assert len(found) == 3 and found.kept.tolist() == [1]
    assert found.crystals.formulas() == ["Mg1 O1"]
    assert found.reasons == ("too_close", None, "too_close")
    assert found.methods == ("random", "random", "other")
    assert found.parents == ((), (3,), ()) and found.keys == (b"a", b"b", b"c")
    assert found.latents is None and dict(found.repairs) == {}


def test_a_proposal_may_be_empty() -> None:
    assert len(Proposal.of_draws([])) == 0 and len(Proposal.of_draws([]).crystals) == 0


def test_decoded_points_become_a_proposal() -> None:
    points = np.arange(6, dtype=np.float32).reshape(2, 3)
    drawn = SimpleNamespace(points=points, methods=("local", "slerp"), parents=((0,), (1, 2)))
    crystals = CrystalTable.from_structures([CRYSTAL])
    decoded = DecodeResult(crystals, np.array([1]), ["no_atoms", None], {"merged_O": 2})
    found = Proposal.of_points(drawn, decoded)
    assert found.reasons == ("no_atoms", None) and found.parents == ((0,), (1, 2))
    assert found.repairs == {"merged_O": 2} and found.latents is points
    assert [np.frombuffer(key, "<f4").tolist() for key in found.keys] == points.tolist()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kept": np.array([0])}, r"1 crystals, 1 kept draws and 1 draws without a reason"),
        ({"crystals": CrystalTable.from_structures([])}, r"0 crystals, 1 kept draws"),
        ({"methods": ("random",)}, r"one entry in every part, and these have .*'methods': 1"),
        ({"keys": (b"a", b"b")}, r"these have .*'keys': 2"),
        ({"latents": np.zeros((2, 4))}, r"these have .*'latents': 2"),
        ({"reasons": ("too close", None, "ok")}, r"reason 'too close' is no word in snake_case"),
        ({"reasons": ("", None, "ok")}, r"reason '' is no word in snake_case"),
    ],
)
def test_parts_that_do_not_fit_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        proposal(**changes)


def test_a_request_needs_a_merit_for_each_known_crystal() -> None:
    known = Dataset(CrystalTable.from_structures([CRYSTAL]), ("x",), {})
    Request(1, (), known, np.zeros(1), frozenset({8, 12}), frozenset({2}))
    with pytest.raises(ValueError, match=r"merit of shape \(3,\) does not fit 1 known crystals"):
        Request(1, (), known, np.zeros(3), frozenset({8, 12}), frozenset({2}))
