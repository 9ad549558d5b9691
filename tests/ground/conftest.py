"""The campaign of toys of tests/rounds."""

from tests.rounds.conftest import _toys, context, spec, store  # noqa: F401 - fixtures
