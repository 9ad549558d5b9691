"""The surrogate relaxes what is predicted best and may pass its gate: the hull's energy is known
beforehand.
"""

from types import SimpleNamespace

import numpy as np
import pytest
from gen2dft.rounds.shortlist import NOT_SHORTLISTED, passing_the_screen, shortlist

from gen2dft.campaign import CampaignSpec
from gen2dft.crystals import CrystalTable
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


class Ensemble:
    properties = ("formation_energy",)

    def __init__(self, energies):
        self.energies = np.array(energies)

    def predict(self, latents):
        rows = np.asarray(latents)[:, 0].astype(int)
        return {"formation_energy": self.energies[rows] + np.linspace(-0.2, 0.2, 8)[:, None]}


def setting(limit, energies, **surrogate):
    spec = CampaignSpec.model_validate(
        {**toys.TOY_CAMPAIGN, "screening": {"surrogate": {"max_relaxations": limit, **surrogate}}}
    )
    generator = SimpleNamespace(
        properties=("formation_energy",),
        encode=lambda crystals: np.array(
            [[SALTS.formulas().index(formula)] for formula in crystals.formulas()]
        ),
    )
    known = SimpleNamespace(label=lambda _: np.array([-2.0, 0.0]))
    ensemble = None if energies is None else Ensemble(energies)
    view = SimpleNamespace(
        generator=generator, ensemble=ensemble, targets=spec.targets, known=known
    )
    return SimpleNamespace(spec=spec, screen_hull=HULL), SimpleNamespace(view=view, share=1.0)


def listed(context, arm, predicted):
    reasons = shortlist(context, arm, SALTS, np.array(predicted)[:, None], np.arange(3))
    assert set(reasons) <= {None, NOT_SHORTLISTED}
    return [row for row, reason in enumerate(reasons) if reason is None]


def test_a_hull_that_lacks_phases_is_foreseen():
    context, arm = setting(2, [-2.0, -2.0, -2.0])
    chances = np.exp(passing_the_screen(context, arm, SALTS))
    assert chances[0] == pytest.approx(chances[2])
    assert chances[0] > 0.5
    assert chances[1] == pytest.approx(1e-3)
    assert listed(context, arm, [-1.0, -1.0, -1.0]) == [0, 2]


def test_a_system_that_the_hull_does_not_cover_comes_last():
    context, arm = setting(2, [-2.0, -2.0, -2.0])
    context.screen_hull = ReferenceHull.build(
        [{"Na": 1, "Cl": 1}, {"Na": 1, "Br": 1}], [-2.0, -2.0]
    )
    assert listed(context, arm, [-1.0, -1.0, -1.0]) == [0, 1]


def test_energies_above_the_hull_are_foreseen_too():
    context, arm = setting(1, [-1.0, -2.0, -2.1])
    assert listed(context, arm, [-1.0, -1.0, -1.0]) == [2]


def test_without_an_ensemble_the_merit_alone_decides():
    context, arm = setting(1, None)
    assert passing_the_screen(context, arm, SALTS).tolist() == [0.0, 0.0, 0.0]
    assert listed(context, arm, [-9.0, -1.0, -9.0]) == [1]


def test_all_are_relaxed_where_nothing_limits_their_number():
    assert listed(*setting(None, [-2.0, -2.0, -2.0]), [-9.0, -1.0, -9.0]) == [0, 1, 2]
