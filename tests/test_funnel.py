import pytest

from gen2dft.funnel import StageCount


def test_counters_must_add_up():
    StageCount(stage="geometry", n_in=3, n_out=1, reasons={"atoms_too_close": 2})
    with pytest.raises(ValueError, match="'geometry' does not add up: 3 in, 2 out, 2 stopped"):
        StageCount(stage="geometry", n_in=3, n_out=2, reasons={"atoms_too_close": 2})
