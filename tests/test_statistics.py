"""Intervals agree with published examples and cover as often as they say."""

import numpy as np
import pytest

from gen2dft.statistics import Interval, difference, product, ratio, share


def test_published_examples():
    # Newcombe, Stat. Med. 17, 857 (1998), table I, method 3: 81/263 and 15/148
    assert share(81, 263)[1:] == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert share(15, 148)[1:] == pytest.approx((0.0624, 0.1605), abs=1e-4)
    # Newcombe, Stat. Med. 17, 873 (1998), table II, method 10: 56/70 less 48/80
    assert difference((56, 48), (70, 80)) == pytest.approx((0.2, 0.0524, 0.3339), abs=1e-4)


def test_ends_stay_within_zero_and_one():
    assert share(0, 5).low == 0 and share(0, 5).high > 0.3
    assert share(5, 5).high == 1 and share(5, 5).low < 0.7


def test_equal_shares_differ_by_nothing():
    assert not difference((3, 3), (10, 10)).excludes(0)
    assert difference((60, 3), (100, 100)).excludes(0)
    assert not ratio((3, 3), (10, 10)).excludes(1)


def test_a_product_with_a_sure_share_is_scaled():
    a, sure = share(30, 100), Interval(0.5, 0.5, 0.5)
    assert product(a, sure) == pytest.approx((0.15, a.low / 2, a.high / 2))


def test_both_factors_widen_a_product():
    a, b = share(30, 100), share(50, 80)
    found = product(a, b)
    assert found == product(b, a)
    assert found.low < a.low * b.value and found.high > a.high * b.value
    assert product(share(0, 50), share(50, 50)).low == 0.0


def test_ratios_without_hits():
    assert ratio((0, 0), (10, 10)) is None
    unknown = ratio((5, 0), (10, 10))
    assert unknown.value == pytest.approx(11) and unknown.low < 1.5


@pytest.mark.parametrize(("p", "q", "n"), [(0.1, 0.3, 60), (0.4, 0.4, 40)])
def test_intervals_cover_the_truth(p, q, n):
    rng = np.random.default_rng(3)
    a, b = rng.binomial(n, p, 2000), rng.binomial(n, q, 2000)
    inside = {"share": 0, "difference": 0, "ratio": 0}
    for x, y in zip(a.tolist(), b.tolist(), strict=True):
        inside["share"] += not share(x, n).excludes(p)
        inside["difference"] += not difference((y, x), (n, n)).excludes(q - p)
        found = ratio((y, x), (n, n))
        inside["ratio"] += found is not None and not found.excludes(q / p)
    assert all(0.93 < count / 2000 <= 0.99 for count in inside.values()), inside
