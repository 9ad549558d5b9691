"""The contract of generators refuses each broken promise, and its test classes can be inherited."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest
from example_crystals import example_dataset
from pymatgen.core import Element, Lattice, Structure

from gen2dft import generators
from gen2dft.campaign import GeneratorSpec
from gen2dft.crystals import CrystalTable
from gen2dft.generators.base import TrainingResult
from gen2dft.generators.contract import example_request, validate_generator
from gen2dft.generators.ftcp.generator import FTCPGenerator
from gen2dft.generators.proposals import Draw, Proposal, Request
from gen2dft.generators.unlearned import UnlearnedGenerator
from gen2dft.testing.generators import GeneratorSuite, LatentGeneratorSuite
from tests.toys import ToyGenerator, toy_dataset

Change = Callable[[Proposal, Request, np.random.Generator], Proposal]


class SaltSettings(GeneratorSpec):
    name: str = "salt"
    length: float = 4.0


class SaltGenerator(UnlearnedGenerator[SaltSettings]):
    """Caesium chlorides of any two elements; a change breaks a promise."""

    name = "salt"
    Settings: ClassVar = SaltSettings
    change: ClassVar[Change | None] = None

    def propose(self, request: Request, rng: np.random.Generator) -> Proposal:
        drawn = Proposal.of_draws([self._draw(request, rng) for _ in range(request.number)])
        return drawn if self.change is None else type(self).change(drawn, request, rng)

    def _draw(self, request: Request, rng: np.random.Generator) -> Draw:
        key = f"{rng.integers(2**62)}"
        choices = sorted(request.elements)
        few = len(choices) < 2 or 2 not in request.num_elements or request.max_sites == 1
        if few or rng.random() < 0.3:
            return Draw("no_luck", key, "salts")
        pair = rng.choice(choices, size=2, replace=False)
        species = [Element.from_Z(int(z)) for z in pair]
        cell = Lattice.cubic(self.settings.length * rng.uniform(0.9, 1.1))
        return Draw(Structure(cell, species, [[0, 0, 0], [0.5] * 3]), key, "salts", parents=(0,))


TABLE = example_dataset().crystals.select(np.arange(6))


@pytest.fixture(autouse=True)
def _salt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(generators.GENERATORS, "salt", lambda: SaltGenerator)


def salt() -> SaltGenerator:
    generator = SaltGenerator()
    generator.fit(example_dataset(), SaltSettings(), (), seed=0)
    return generator


class TestSalt(GeneratorSuite):
    @pytest.fixture
    def generator(self) -> SaltGenerator:
        return salt()

    @pytest.fixture
    def table(self) -> CrystalTable:
        return TABLE


class TestFTCP(LatentGeneratorSuite):
    @pytest.fixture
    def generator(self, trained: tuple[FTCPGenerator, TrainingResult]) -> FTCPGenerator:
        return trained[0]

    @pytest.fixture
    def table(self) -> CrystalTable:
        return TABLE


def redrawn(drawn: Proposal, **changes: object) -> Proposal:
    return Proposal(**(vars(drawn) | changes))


def by_chance(drawn: Proposal, request: Request, rng: np.random.Generator) -> Proposal:
    return redrawn(drawn, keys=tuple(np.random.bytes(8) for _ in drawn.keys))  # noqa: NPY002


def always_the_same(drawn: Proposal, request: Request, rng: np.random.Generator) -> Proposal:
    fresh = np.random.default_rng(0)
    return Proposal.of_draws([salt()._draw(request, fresh) for _ in range(request.number)])


def one_more(drawn: Proposal, request: Request, rng: np.random.Generator) -> Proposal:
    number = request.number + 1
    return Proposal.of_draws([salt()._draw(request, rng) for _ in range(number)])


def one_key(drawn: Proposal, request: Request, rng: np.random.Generator) -> Proposal:
    return redrawn(drawn, keys=(drawn.keys[0],) * len(drawn) if len(drawn) else ())


def unknown_parents(drawn: Proposal, request: Request, rng: np.random.Generator) -> Proposal:
    return redrawn(drawn, parents=((99,),) * len(drawn))


def nothing(drawn: Proposal, request: Request, rng: np.random.Generator) -> Proposal:
    return Proposal.of_draws([Draw("no_luck", f"{rng.random()}", "none")] * (request.number > 0))


def anything(drawn: Proposal, request: Request, rng: np.random.Generator) -> Proposal:
    free = replace(request, elements=frozenset(range(1, 90)))
    return Proposal.of_draws([salt()._draw(free, rng) for _ in range(request.number)])


def pairs_always(drawn: Proposal, request: Request, rng: np.random.Generator) -> Proposal:
    free = replace(request, num_elements=frozenset({2}))
    return Proposal.of_draws([salt()._draw(free, rng) for _ in range(request.number)])


def supercells(drawn: Proposal, request: Request, rng: np.random.Generator) -> Proposal:
    if request.max_sites is None:
        return drawn
    larger = [s.make_supercell([1, 1, 2], in_place=False) for s in drawn.crystals.structures()]
    return redrawn(drawn, crystals=CrystalTable.from_structures(larger))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (by_chance, r"the same seed draws otherwise"),
        (always_the_same, r"another seed draws the same"),
        (one_more, r"21 draws for 20 wanted"),
        (one_key, r"two draws have one key, so one id"),
        (unknown_parents, r"parents are no rows of the known crystals"),
        (nothing, r"none of 1 draws gives a crystal"),
        (anything, r"crystals have elements \[.*\], which are not allowed"),
        (pairs_always, r"a crystal has 2 elements: not allowed"),
        (supercells, r"a cell has 4 sites: not allowed"),
    ],
)
def test_a_broken_promise_is_named(
    monkeypatch: pytest.MonkeyPatch, change: Change, message: str
) -> None:
    monkeypatch.setattr(SaltGenerator, "change", staticmethod(change))
    with pytest.raises(ValueError, match=f"not a valid generator: {message}"):
        validate_generator(salt(), TABLE)


def test_a_generator_that_forgets_its_settings_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = SaltSettings().training_settings()
    monkeypatch.setattr(SaltGenerator, "state", lambda _: ({"settings": plain}, {}))
    generator = SaltGenerator()
    generator.fit(example_dataset(), SaltSettings(length=6.0), (), seed=0)
    with pytest.raises(ValueError, match="a reloaded one draws otherwise"):
        validate_generator(generator, TABLE)


def test_a_request_of_ones_own_is_what_is_asked() -> None:
    narrow = replace(example_request(TABLE), elements=frozenset({3}))
    with pytest.raises(ValueError, match=r"none of 20 draws gives a crystal"):
        validate_generator(salt(), TABLE, narrow)
    validate_generator(salt(), TABLE)


def test_the_contract_asks_for_its_fixtures() -> None:
    for name in ("generator", "table"):
        fixture = getattr(GeneratorSuite, name)
        with pytest.raises(NotImplementedError, match=f"give the contract a fixture `{name}`"):
            fixture.__wrapped__(GeneratorSuite())


class Exact(ToyGenerator):
    """The toy autoencoder of rock salts, with statistics of its latent space."""

    name = "exact"
    latent_mean = np.zeros(3, dtype=np.float32)
    latent_std = np.ones(3, dtype=np.float32)
    training_set_hash = "none"

    def predict(self, latents: np.ndarray) -> np.ndarray:
        return -latents[:, :1].astype(np.float64)


SALTS = toy_dataset().crystals


@pytest.fixture
def _exact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(generators.GENERATORS, "exact", lambda: Exact)


@pytest.mark.usefixtures("_exact")
class TestExact(LatentGeneratorSuite):
    @pytest.fixture
    def generator(self) -> Exact:
        return Exact()

    @pytest.fixture
    def table(self) -> CrystalTable:
        return SALTS


ENCODE, PREDICT, DECODE = Exact.encode, Exact.predict, Exact.decode


@pytest.mark.usefixtures("_exact")
@pytest.mark.parametrize(
    ("method", "broken", "message"),
    [
        ("encode", lambda s, t: ENCODE(s, t)[:, :2], r"encode gives shape \(8, 2\)"),
        ("encode", lambda s, t: ENCODE(s, t).astype(float), r"latents are not finite float32"),
        ("encode", lambda s, t: ENCODE(s, t) + len(t), r"latents depend on their company"),
        ("predict", lambda s, z: PREDICT(s, z)[:-1], r"predict gives shape \(7, 1\)"),
        ("predict", lambda s, z: PREDICT(s, z) * np.nan, r"predictions are not finite"),
        ("predict", lambda s, z: PREDICT(s, z) + len(z), r"predictions depend on their company"),
        ("decode", lambda s, z: DECODE(s, z[1:]), r"decode gives fewer reasons than rows"),
        ("state", lambda _: ({"training_set_hash": os.urandom(4).hex()}, {}), r"has another id"),
    ],
)
def test_a_broken_promise_of_a_latent_space_is_named(
    monkeypatch: pytest.MonkeyPatch, method: str, broken: Callable[..., object], message: str
) -> None:
    monkeypatch.setattr(Exact, method, broken)
    with pytest.raises(ValueError, match=f"not a valid generator: .*{message}"):
        validate_generator(Exact(), SALTS)
