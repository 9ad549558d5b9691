"""Answers kept for some seconds, so that many readers cost the database no more than one."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

T = TypeVar("T")


class Cache:
    """Values by key, each made by one thread while the others wait for it.

    Parameters
    ----------
    seconds
        How long a value counts as fresh.
    size
        How many values are kept; the one unused for longest goes first.
    """

    def __init__(
        self, seconds: float, size: int = 64, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._seconds = seconds
        self._size = size
        self._clock = clock
        self._values: OrderedDict[Hashable, tuple[float, Any]] = OrderedDict()
        self._making: dict[Hashable, threading.Lock] = {}
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], T]) -> T:
        """The value of a key, made anew if it is missing or too old.

        Errors of `make` propagate and are not cached.
        """
        with self._lock:
            if (found := self._fresh(key)) is not None:
                return found[1]
            making = self._making.setdefault(key, threading.Lock())
        with making:
            with self._lock:
                if (found := self._fresh(key)) is not None:
                    return found[1]
            try:
                value = make()
            finally:
                # Also after an error: the next reader tries anew.
                with self._lock:
                    self._making.pop(key, None)
            with self._lock:
                self._values[key] = (self._clock(), value)
                while len(self._values) > self._size:
                    self._values.popitem(last=False)
            return value

    def _fresh(self, key: Hashable) -> tuple[float, Any] | None:
        found = self._values.get(key)
        if found is None or self._clock() - found[0] > self._seconds:
            return None
        self._values.move_to_end(key)
        return found
