import pytest

from gen2dft.funnel import StageCount


def test_counters_must_add_up():
    StageCount(stage="geometry", n_in=3, n_out=1, reasons={"atoms_too_close": 2})
    with pytest.raises(ValueError, match="'geometry' does not add up: 3 in, 2 out, 2 stopped"):
        StageCount(stage="geometry", n_in=3, n_out=2, reasons={"atoms_too_close": 2})


def test_the_package_of_a_gate_is_stored_only_where_there_is_one():
    """Versions without plugin gates refuse the key, and most funnels have no use for it."""
    shipped = StageCount(stage="geometry", n_in=1, n_out=1)
    assert "package" not in shipped.model_dump()
    added = StageCount(stage="price", n_in=1, n_out=1, package="gen2dft-price 0.2.0")
    assert StageCount.model_validate(added.model_dump()) == added
    assert added.model_dump()["package"] == "gen2dft-price 0.2.0"


def test_what_a_gate_weighed_is_not_lost():
    weighed = StageCount(stage="charge", n_in=3, n_out=3, weighed={"not_charge_balanced": 2})
    assert StageCount.model_validate(weighed.model_dump()) == weighed
    assert "weighed" not in StageCount(stage="charge", n_in=3, n_out=3).model_dump()
    with pytest.raises(ValueError, match="'charge' weighed more than it let out"):
        StageCount(stage="charge", n_in=3, n_out=1, reasons={"x": 2}, weighed={"y": 2})
