"""What was left out of training data, in lines of their own in the place of Python's warnings."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

    from gen2dft.dataset import Dataset


@contextmanager
def said_once(console: Console) -> Iterator[None]:
    """Print each warning about data as one line, once, however often the data are read."""
    from gen2dft.datasets.remarks import DatasetWarning

    said: set[str] = set()
    with warnings.catch_warnings():
        warnings.simplefilter("always", DatasetWarning)
        show = warnings.showwarning

        def say(message: Warning | str, category: type[Warning], *place: Any, **more: Any) -> None:
            if not issubclass(category, DatasetWarning):
                show(message, category, *place, **more)
            elif str(message) not in said:
                said.add(str(message))
                _say(console, str(message))

        warnings.showwarning = say
        yield


def say_notes(dataset: Dataset, console: Console) -> None:
    """One line for each thing that need not be wrong, such as crystals without a label."""
    from gen2dft.datasets.remarks import notes

    for text in notes(dataset.provenance):
        _say(console, text)


def _say(console: Console, text: str) -> None:
    console.print(text, style="yellow", highlight=False, markup=False, soft_wrap=True)
