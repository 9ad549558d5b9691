"""What was left out of training data, in lines of their own in the place of Python's warnings."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from gen2dft.dataset import Dataset


@contextmanager
def without_warnings() -> Iterator[None]:
    """Read data whose remarks are printed afterwards, see `say_remarks`."""
    from gen2dft.datasets.files import DatasetWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DatasetWarning)
        yield


def say_remarks(dataset: Dataset, console: Console) -> None:
    """One line for each thing that was given and is not used, or that lacks a label."""
    from gen2dft.datasets.remarks import remarks

    for text in remarks(dataset.provenance):
        console.print(text, style="yellow", highlight=False, markup=False, soft_wrap=True)
