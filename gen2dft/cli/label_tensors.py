"""What `gen2dft data label` and `gen2dft data tensors` do about the tensors behind a file of
labels.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

if TYPE_CHECKING:
    from gen2dft.datasets.computed_labels import ComputedLabels

console = Console()
Bar = Callable[[str], AbstractContextManager[Callable[[int, int], None]]]


def write_tensors(labels: ComputedLabels, bands: Path, out: Path, workers: int, bar: Bar) -> None:
    """Make the tensors of labels from kept bands, write them, and say which crystals lack them."""
    from gen2dft.atomic import write_atomically
    from gen2dft.errors import OutputError
    from gen2dft.shipped.tensor_build import build_tensors

    with bar("tensors") as progress:
        built = build_tensors(labels, bands, workers, progress)
    data = built.tensors.to_bytes()
    try:
        write_atomically(out, data)
    except OSError as err:
        raise OutputError(
            f"cannot write tensors {out}: {err.strerror}; choose a writable folder"
        ) from err
    count = len(built.tensors.ids)
    largest = max(built.deviations[name] for name in built.tensors.ids)
    console.print(
        f"[bold]{out}[/]: tensors of {count} crystals, {len(data) / 1000:.0f} kB; power factors of "
        f"their labels come out within {100 * largest:.1f} %",
        highlight=False,
    )
    for name, reason in built.left_out.items():
        console.print(f"  {name}: left out: {reason}", style="dim", highlight=False)
