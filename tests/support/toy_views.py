"""Views of toy campaigns without a store, and a source without a latent space."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pytest

from gen2dft import generators
from gen2dft.campaign import CampaignSpec, GeneratorSpec
from gen2dft.crystals import CrystalTable
from gen2dft.generators.proposals import Draw, Proposal, Request
from gen2dft.generators.snapshot import snapshot_id, to_bytes
from gen2dft.generators.unlearned import UnlearnedGenerator
from gen2dft.loop.learn import Lesson, fit_generator, fit_head, learnt
from gen2dft.loop.view import CONTROL, Arm, Learner, Model, View, part_of
from gen2dft.streams import Stream
from gen2dft.thermo.hull import ReferenceHull
from tests import toys

TOY, LISTED = "toy", "listed"


class ListedSettings(GeneratorSpec):
    """Settings of `Listed`: none."""

    name: str = LISTED


class Listed(UnlearnedGenerator[ListedSettings]):
    """Draws the toys' rock salts from a list, in a random order, and remembers what it was asked.

    The first draw gives no crystal.
    """

    name = LISTED
    Settings: ClassVar = ListedSettings
    asked: ClassVar[list[Request]] = []

    def propose(self, request: Request, rng: np.random.Generator) -> Proposal:
        """As many draws as are wanted, or all there are."""
        self.asked.append(request)
        pairs = [(cation, anion) for cation in toys.CATIONS for anion in toys.ANIONS]
        draws = [Draw("no_luck", "nothing", LISTED)]
        for row in rng.permutation(len(pairs))[: request.number - 1]:
            crystal = toys.rock_salt(*pairs[row], 5.5)
            draws.append(Draw(crystal, "".join(pairs[row]), LISTED))
        return Proposal.of_draws(draws)


@contextmanager
def listed_registered() -> Iterator[None]:
    """The source can be named in campaigns, and has not been asked yet."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(generators.GENERATORS, LISTED, lambda: Listed)
        patch.setattr(Listed, "asked", [])
        yield


def content_of(*shares: tuple[str, float], **changed: Any) -> dict[str, Any]:
    """The toys' campaign with several sources, by name and share."""
    content = {**toys.TOY_CAMPAIGN, **changed}
    if shares:
        del content["generator"]
        content["generators"] = [
            {"name": name, "share": share, **({} if name == LISTED else {"epochs": 2})}
            for name, share in shares
        ]
    return content


def view_of(content: dict[str, Any], calls_left: int = 6) -> View:
    """The first view of a campaign, its sources trained; a control arm where it has one."""
    with toys.toys_registered(), listed_registered():
        spec = CampaignSpec.model_validate(content)
        base = toys.toy_dataset()
        hull, nothing = ReferenceHull.from_dataset(base), CrystalTable.from_structures([])
        view = View(spec, 0, (), base, nothing, hull, calls_left=calls_left)
        models = [_trained(view, source, place) for place, source in enumerate(spec.sources)]
    control = spec.learning.control
    learner = learnt(spec, base, [])
    arms = _arms_of(learner, models, 1 - control)
    if control:
        arms += _arms_of(replace(learner, name=CONTROL), models, control)
    return replace(view, arms=tuple(arms))


def _arms_of(learner: Learner, models: Sequence[Model], share: float) -> list[Arm]:
    return [
        Arm(learner, model, share * model.source.share, place) for place, model in enumerate(models)
    ]


def _trained(view: View, source: GeneratorSpec, place: int) -> Model:
    properties = toys.PROPERTIES
    lesson = Lesson(view.spec, source, view.base, len(view.base), properties)
    generator, _ = fit_generator(lesson)
    head = fit_head(lesson, generator, view.streams.rng(*part_of(Stream.ENSEMBLE, place)))
    return Model(source, generator, head, snapshot_id(to_bytes(generator)))
