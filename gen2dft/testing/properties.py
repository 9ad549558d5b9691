"""The contract of property steps as tests: inherit `PropertyStepSuite` and say which step.

```python
class TestBulkModulus(PropertyStepSuite):
    step = STEP
    structure = Structure(...)
```
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import pytest
from pymatgen.core import Structure

from gen2dft.campaign.properties import completed
from gen2dft.engines import load_engine
from gen2dft.errors import CampaignError
from gen2dft.flows.contract import validate_property_step
from gen2dft.plugins import origin
from gen2dft.properties import GROUP
from gen2dft.property_steps import PropertyStep, load_step


class PropertyStepSuite:
    """Tests of one step; its package must be installed.

    Attributes
    ----------
    step
        The step.
    structure
        A sane crystal that is not relaxed, small enough for a test.
    engine, preset
        What relaxes it.
    settings
        As in `properties.NAME.settings` of a campaign file.
    """

    step: ClassVar[PropertyStep]
    structure: ClassVar[Structure]
    engine: ClassVar[str] = "mlip"
    preset: ClassVar[str] = "chgnet-screen-v1"
    settings: ClassVar[Mapping[str, Any]] = {}

    def test_it_is_found_by_its_name(self) -> None:
        """The entry point names the step by the name of its property."""
        assert load_step(self.step.name) == self.step

    def test_a_campaign_takes_its_definition(self) -> None:
        """Whoever names the property gets its unit, and the package that computes it."""
        entry = completed({}, [self.step.name])[self.step.name]
        assert (entry.unit, entry.package) == (self.step.unit, origin(GROUP, self.step.name)[0])

    def test_it_keeps_the_contract(self) -> None:
        """See `gen2dft.flows.contract.validate_property_step`."""
        value = validate_property_step(
            self.step, self.engine, self.preset, self.structure, self.settings
        )
        self.check_value(value)

    def check_value(self, value: float) -> None:
        """Override it to hold the value of the relaxed crystal to something that is known."""

    def test_it_says_which_engines_it_runs_on(self) -> None:
        """`runs_on` answers for engines that ship, without computing anything."""
        for name in ("mlip", "gpaw"):
            assert self.step.runs_on(load_engine(name)) in (True, False)

    def test_unknown_settings_are_refused(self) -> None:
        """A misspelt setting is an error, not ignored."""
        if self.step.settings is None:
            pytest.skip("the step has no settings")
        with pytest.raises((ValueError, CampaignError)):
            self.step.settings.model_validate({"no such setting": 1})
