"""A few hundred damaged inputs through the command line, the same ones on every run.

The long run is `make fuzz`.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from tests.fuzz.driver import judge
from tests.fuzz.entry_points import ENTRY_POINTS
from tests.toys import toys_registered

EXAMPLES = 80  # of each entry point


@pytest.mark.parametrize("name", ENTRY_POINTS)
def test_every_input_ends_in_a_value_or_in_one_sentence(name: str) -> None:
    entry = ENTRY_POINTS[name]

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],  # inputs are small already; shrinking takes minutes
        suppress_health_check=list(HealthCheck),
    )
    @given(case=entry.cases)
    def run(case) -> None:
        _, broken = judge(case, entry.make_store)
        assert not broken, f"{case.kind} at {case.place}: gen2dft {' '.join(case.argv)}"

    with toys_registered():
        run()
