"""The surrogate relaxes what is predicted best and may pass its gate: the hull's energy is known
beforehand.
"""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from gen2dft.campaign import CampaignSpec, Target
from gen2dft.crystals import CrystalTable
from gen2dft.heads.base import Prediction
from gen2dft.loop.shortlist import NOT_SHORTLISTED, passing_the_screen, shortlist
from gen2dft.loop.sieve import Sifted
from gen2dft.loop.view import Arm, Learner, Model, View
from gen2dft.thermo.hull import ReferenceHull
from tests import toys
from tests.toys import rock_salt

SALTS = CrystalTable.from_structures(
    [rock_salt("Na", "Cl", 5.6), rock_salt("Na", "Br", 6.0), rock_salt("K", "Cl", 6.3)]
)
# Of NaCl and KCl one phase is known, of NaBr none: what is as low as these lies far below that
# hull.
HULL = ReferenceHull.build(
    [{"Na": 1, "Cl": 1}, {"K": 1, "Cl": 1}, {"Na": 1, "Br": 3}], [-2.0, -2.0, -0.1]
)


def setting(limit, energies, hull=HULL, **surrogate):
    """A view of a campaign that relaxes `limit` crystals, and what its head says of energies."""
    limits = {"max_relaxations": limit, **surrogate}
    learning = {**toys.TOY_CAMPAIGN["learning"], "acquisition": "greedy"}
    content = {**toys.TOY_CAMPAIGN, "screening": {"surrogate": limits}, "learning": learning}
    spec = CampaignSpec.model_validate(content)
    dataset = toys.toy_dataset()
    learner = Learner("learning", dataset, np.zeros(len(dataset), dtype=bool))
    arm = Arm(learner, Model(spec.sources[0], None, None), 1.0)
    view = View(spec, 0, (arm,), dataset, CrystalTable.from_structures([]), hull)
    members = {}
    if energies is not None:
        spread = np.linspace(-0.2, 0.2, 8)[:, None]
        members = {"formation_energy": np.array(energies) + spread}
    return view, members


def listed(view, members, predicted, weighed=None):
    proposal = SimpleNamespace(crystals=SALTS)
    drawn = SimpleNamespace(arm=view.arms[0], proposal=proposal)
    said = Prediction({"formation_energy": np.array(predicted)}, members)
    reasons = shortlist(view, Sifted(drawn, [None] * 3, np.arange(3), said, {}, weighed or {}))
    assert set(reasons) <= {None, NOT_SHORTLISTED}
    return [row for row, reason in enumerate(reasons) if reason is None]


def chances(view, members):
    said = Prediction({}, members)
    limits = view.spec.screening.surrogate
    return passing_the_screen(limits, view.screen_hull, SALTS, said)


def test_a_hull_that_lacks_phases_is_foreseen():
    view, members = setting(2, [-2.0, -2.0, -2.0])
    found = np.exp(chances(view, members))
    assert found[0] == pytest.approx(found[2])
    assert found[0] > 0.5
    assert found[1] == pytest.approx(1e-3)
    assert listed(view, members, [-1.0, -1.0, -1.0]) == [0, 2]


def test_a_system_that_the_hull_does_not_cover_comes_last():
    hull = ReferenceHull.build([{"Na": 1, "Cl": 1}, {"Na": 1, "Br": 1}], [-2.0, -2.0])
    view, members = setting(2, [-2.0, -2.0, -2.0], hull)
    assert listed(view, members, [-1.0, -1.0, -1.0]) == [0, 1]


def test_energies_above_the_hull_are_foreseen_too():
    view, members = setting(1, [-1.0, -2.0, -2.1])
    assert listed(view, members, [-1.0, -1.0, -1.0]) == [2]


def test_without_an_ensemble_the_merit_alone_decides():
    view, members = setting(1, None)
    assert chances(view, members).tolist() == [0.0, 0.0, 0.0]
    assert listed(view, members, [-9.0, -1.0, -9.0]) == [1]


def test_all_are_relaxed_where_nothing_limits_their_number():
    view, members = setting(None, [-2.0, -2.0, -2.0])
    assert listed(view, members, [-9.0, -1.0, -9.0]) == [0, 1, 2]


@pytest.mark.parametrize(("acquisition", "kept"), [("greedy", [0]), ("probability", [1])])
def test_by_chance_a_metal_with_a_large_power_factor_does_not_come_first(
    acquisition, kept, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(View, "targets", lambda self, _: self.spec.targets)
    wanted = [
        {"property": "power_factor", "min": 1.0, "optimise": "maximise"},
        {"property": "band_gap", "min": 0.3, "max": 1.5},
    ]
    view, _ = setting(1, None)
    learning = view.spec.learning.model_copy(update={"acquisition": acquisition})
    targets = tuple(Target.model_validate(target) for target in wanted)
    spec = view.spec.model_copy(update={"learning": learning, "targets": targets})
    view = replace(view, spec=spec)
    values = {"power_factor": np.array([13.0, 1.6, 0.1]), "band_gap": np.array([0.0, 0.8, 0.9])}
    spread = np.linspace(-0.2, 0.2, 8)[:, None]
    members = {name: predicted + spread for name, predicted in values.items()}
    drawn = SimpleNamespace(arm=view.arms[0], proposal=SimpleNamespace(crystals=SALTS))
    sifted = Sifted(drawn, [None] * 3, np.arange(3), Prediction(values, members))
    reasons = shortlist(view, sifted)
    assert [row for row, reason in enumerate(reasons) if reason is None] == kept


def test_a_crystal_that_a_gate_weighed_stands_behind_its_equals():
    view, members = setting(1, None)
    equal = [-1.0, -1.0, -1.0]
    assert listed(view, members, equal) == [0]
    weighed = {0: {"not_charge_balanced": 0.36}, 1: {"not_charge_balanced": 0.9}}
    assert listed(view, members, equal, weighed) == [2]
    everyone = {**weighed, 2: {"not_charge_balanced": 0.5}}
    assert listed(view, members, equal, everyone) == [1]


def test_a_weight_is_no_refusal():
    """A much better crystal stays in front."""
    view, members = setting(1, None)
    assert listed(view, members, [-1.0, -9.0, -9.0], {0: {"x": 0.36}}) == [0]


def test_several_gates_multiply():
    view, members = setting(1, None)
    weighed = {0: {"x": 0.5, "y": 0.5}, 1: {"x": 0.3}, 2: {"x": 0.2}}
    assert listed(view, members, [-1.0, -1.0, -1.0], weighed) == [1]


def test_energies_are_shifted_by_what_the_potential_said_of_the_source():
    """By the head alone the first crystal lies too deep, and the last one right."""
    view, members = setting(1, [-2.5, -2.0, -2.0])
    equal = [-1.0, -1.0, -1.0]
    another = replace(view, energy_shifts={("another", "learning"): 0.4})
    own = replace(view, energy_shifts={view.arms[0].key: 0.4})
    assert listed(view, members, equal) == listed(another, members, equal) == [2]
    assert listed(own, members, equal) == [0]
