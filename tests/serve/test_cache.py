"""A value is made once while it is fresh, however many ask for it."""

from __future__ import annotations

import threading
import time

import pytest

from gen2dft.serve.cache import Cache


def test_many_readers_make_a_value_once() -> None:
    cache, made, found = Cache(60), [], []

    def make() -> int:
        time.sleep(0.05)
        made.append(1)
        return 7

    threads = [
        threading.Thread(target=lambda: found.append(cache.get("key", make))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (found, made) == ([7] * 8, [1])


def test_an_old_value_is_made_again() -> None:
    now = [0.0]
    cache = Cache(5, clock=lambda: now[0])
    assert cache.get("key", lambda: 1) == cache.get("key", lambda: 2) == 1
    now[0] = 5.1
    assert cache.get("key", lambda: 3) == 3


def test_the_value_unused_for_longest_goes_first() -> None:
    cache = Cache(60, size=2)
    for key in ("a", "b", "a", "c"):
        cache.get(key, lambda: 1)
    assert cache.get("a", lambda: 2) == 1
    assert cache.get("b", lambda: 2) == 2


def test_an_error_is_passed_on_and_not_kept() -> None:
    cache = Cache(60)
    with pytest.raises(ZeroDivisionError):
        cache.get("key", lambda: 1 // 0)
    assert cache.get("key", lambda: 1) == 1
