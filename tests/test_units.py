"""Units convert within their kind; all others are refused with the list."""

from __future__ import annotations

import pytest

from gen2dft.properties import PROPERTIES
from gen2dft.units import factor, units_like


def test_conversions() -> None:
    assert factor("meV/atom", "eV/atom") == 1e-3
    assert factor("kJ/mol-atom", "eV/atom") == pytest.approx(0.0103643, rel=1e-5)
    assert factor("Rydberg", "eV") == pytest.approx(13.605693)
    power_factor = PROPERTIES["power_factor"].unit
    # 1 mW m^-1 K^-2 = 1e-3 W / (100 cm) = 10 uW cm^-1 K^-2.
    assert factor("mW/m/K^2", power_factor) == 10
    assert factor("uW/cm/K^2/s", power_factor) == 1e-14
    assert factor("eV/atom", "meV/atom") == pytest.approx(1000)


def test_any_unit_is_itself() -> None:
    assert factor("uV/K", "uV/K") == 1
    assert units_like("uV/K") == ("uV/K",)


@pytest.mark.parametrize(("given", "wanted"), [("eV", "eV/atom"), ("GPa", "eV"), ("K", "uV/K")])
def test_other_units_are_refused_with_the_list(given: str, wanted: str) -> None:
    message = f"'{given}' cannot be converted to {wanted}; units taken: .*{wanted}"
    with pytest.raises(ValueError, match=message):
        factor(given, wanted)
