from __future__ import annotations

import numpy as np

from gen2dft.generators.split import held_out

IDS = [f"mp-{i}" for i in range(4000)]


def test_the_share_is_about_right():
    assert abs(held_out(IDS, 0.1).mean() - 0.1) < 0.02
    assert not held_out(IDS, 0.0).any()


def test_more_crystals_and_another_order_move_none():
    first = dict(zip(IDS, held_out(IDS, 0.2), strict=True))
    later = [*reversed(IDS), "c-1", "c-2"]
    assert all(first.get(k, v) == v for k, v in zip(later, held_out(later, 0.2), strict=True))


def test_a_larger_share_keeps_those_already_held_out():
    assert not (held_out(IDS, 0.1) & ~held_out(IDS, 0.3)).any()


def test_protected_crystals_are_never_held_out():
    may = np.arange(len(IDS)) < 2000
    chosen = held_out(IDS, 0.5, may)
    assert not chosen[2000:].any()
    assert (chosen[:2000] == held_out(IDS[:2000], 0.5)).all()
