"""The contract of generators as test classes that the tests of a plugin derive from.

>>> class TestMine(LatentGeneratorSuite):
...     @pytest.fixture(scope="class")
...     def generator(self):
...         return trained_on(crystals())
...
...     @pytest.fixture(scope="class")
...     def table(self):
...         return crystals()
"""

from __future__ import annotations

import pytest

from gen2dft.campaign import GeneratorSpec
from gen2dft.crystals import CrystalTable
from gen2dft.generators import contract
from gen2dft.generators.base import AnyGenerator, Generator, LatentGenerator, is_latent
from gen2dft.generators.proposals import Request


class _Suite:
    """Fixtures and tests of every generator."""

    @pytest.fixture
    def generator(self) -> AnyGenerator:
        """A trained generator, which campaign files can name in the process of the tests."""
        raise NotImplementedError("give the contract a fixture `generator`")

    @pytest.fixture
    def table(self) -> CrystalTable:
        """At least three crystals that it can encode, or that show which elements it may use."""
        raise NotImplementedError("give the contract a fixture `table`")

    def test_its_settings_are_keys_of_a_campaign_file(self, generator: AnyGenerator) -> None:
        settings = getattr(generator, "Settings", GeneratorSpec)
        assert issubclass(settings, GeneratorSpec)


class LatentGeneratorSuite(_Suite):
    """Tests of a generator with a latent space."""

    def test_it_has_a_latent_space(self, generator: AnyGenerator) -> None:
        assert is_latent(generator)

    def test_arrays_have_their_shapes(
        self, generator: LatentGenerator, table: CrystalTable
    ) -> None:
        contract.require_shapes(generator, table)

    def test_rows_are_independent(self, generator: LatentGenerator, table: CrystalTable) -> None:
        contract.require_independent_rows(generator, table)

    def test_every_vector_is_decoded(self, generator: LatentGenerator) -> None:
        contract.require_total_decode(generator)

    def test_it_is_the_same_after_storage(
        self, generator: LatentGenerator, table: CrystalTable
    ) -> None:
        contract.require_same_latents_after_storage(generator, table)


class GeneratorSuite(_Suite):
    """Tests of a generator that proposes crystals itself."""

    @pytest.fixture
    def wanted(self, table: CrystalTable) -> Request:
        """What it is asked for."""
        return contract.example_request(table)

    def test_it_has_no_latent_space(self, generator: AnyGenerator) -> None:
        assert not is_latent(generator)

    def test_draws_can_be_repeated(self, generator: Generator, wanted: Request) -> None:
        contract.require_repeatable_draws(generator, wanted)

    def test_draws_are_distinct(self, generator: Generator, wanted: Request) -> None:
        contract.require_distinct_draws(generator, wanted)

    def test_limits_are_kept(self, generator: Generator, wanted: Request) -> None:
        contract.require_limits_kept(generator, wanted)

    def test_it_is_the_same_after_storage(self, generator: Generator, wanted: Request) -> None:
        contract.require_same_draws_after_storage(generator, wanted)
