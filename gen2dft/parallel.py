"""Parts of one task, distributed over the cores of this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

Part = TypeVar("Part")
Result = TypeVar("Result")

MIN_PARTS = 5  # fewer are not worth the start of the processes


def map_parts(function: Callable[[Part], Result], parts: Sequence[Part]) -> Iterator[Result]:
    """Results in the order of the parts, each as soon as it and those before it are ready.

    A few parts are computed in this process, many by one process per core: function, parts and
    results must then be picklable. Errors propagate.
    """
    if len(parts) < MIN_PARTS:
        yield from map(function, parts)
        return
    from joblib import Parallel, delayed

    in_order = Parallel(n_jobs=-1, return_as="generator")
    yield from in_order(delayed(function)(part) for part in parts)
