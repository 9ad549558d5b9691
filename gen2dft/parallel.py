"""Work shared out among the cores of this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

Part = TypeVar("Part")
Result = TypeVar("Result")

MIN_PARTS = 5  # fewer are not worth the start of the processes


def map_parts(function: Callable[[Part], Result], parts: Sequence[Part]) -> Iterator[Result]:
    """The function's results in the order of the parts, each as soon as it and those before it are
    there.

    A few parts are worked on here, many by one process per core: function, parts and results must
    then be picklable. Errors propagate.
    """
    if len(parts) < MIN_PARTS:
        yield from map(function, parts)
        return
    from joblib import Parallel, delayed

    yield from Parallel(n_jobs=-1, return_as="generator")(delayed(function)(part) for part in parts)
