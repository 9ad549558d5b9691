from __future__ import annotations

import numpy as np
import pytest
from example_crystals import example_table

from gen2dft.representations import DecodeResult


def result(reasons: list[str | None]) -> DecodeResult:
    kept = np.flatnonzero([r is None for r in reasons])
    return DecodeResult(example_table().select(kept), kept, reasons)


def test_chunks_are_joined_with_their_rows():
    joined = DecodeResult.concatenate(
        [result([None, "no_atoms"]), result(["bad_lattice", None, None])]
    )
    assert joined.kept.tolist() == [0, 3, 4]
    assert joined.reasons == [None, "no_atoms", "bad_lattice", None, None]
    assert len(joined.crystals) == 3


def test_no_chunks_give_an_empty_result():
    assert DecodeResult.concatenate([]).reasons == []


def test_every_row_is_kept_or_has_a_reason():
    with pytest.raises(ValueError, match=r"2 crystals, 2 kept rows and 1 rows without a reason"):
        DecodeResult(example_table().select([0, 1]), np.array([0, 1]), [None, "no_atoms"])


def test_reasons_are_known():
    with pytest.raises(ValueError, match=r"unknown decode reasons.*'ugly'"):
        result([None, "ugly"])
