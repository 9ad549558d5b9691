"""A few hundred damaged inputs through the command line, the same ones on every run.

The long run is `make fuzz`.
"""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from tests.fuzz.case import Case
from tests.fuzz.driver import judge
from tests.fuzz.entry_points import ENTRY_POINTS
from tests.toys import toys_registered

EXAMPLES = 80  # of each entry point
SHOWN = 10


@pytest.mark.parametrize("name", ENTRY_POINTS)
def test_what_is_damaged_was_taken_before(name: str) -> None:
    """Else every damage would be refused for a reason of its own, and nothing be tried."""
    entry = ENTRY_POINTS[name]
    with toys_registered():
        for case in entry.valid():
            outcomes, broken = judge(case, entry.make_store)
            assert not broken, broken
            assert outcomes[0].exit_code == 0, outcomes[0].stderr


@pytest.mark.parametrize("name", ENTRY_POINTS)
def test_every_input_ends_in_a_value_or_in_one_message(name: str) -> None:
    faults: list[str] = []

    @settings(
        max_examples=EXAMPLES,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],  # inputs are small already; shrinking takes minutes
        suppress_health_check=list(HealthCheck),
    )
    @given(case=ENTRY_POINTS[name].cases)
    def every(case: Case) -> None:
        _, broken = judge(case, ENTRY_POINTS[name].make_store)
        for rule, detail in broken:
            faults.append(f"{rule}: {case.kind} at {case.place}: {detail[-400:]}")

    with toys_registered():
        every()
    assert not faults, "\n".join([f"{len(faults)} rules were broken", *faults[:SHOWN]])
