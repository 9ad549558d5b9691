"""A scissor: conduction bands raised rigidly, so that the gap has the width that is stated."""

from __future__ import annotations

from dataclasses import replace

from gen2dft.transport.bands import UniformBands


def opened(bands: UniformBands, gap: float | None) -> tuple[UniformBands, float]:
    """Bands whose gap is at least `gap` (eV), and by how many eV their empty bands were raised.

    A gap that is wide enough stays as it is: semilocal functionals give gaps that are too narrow,
    never much too wide. None leaves all bands as they are.

    Raises
    ------
    CalculationFailed
        As `UniformBands.edges`: a metal has no gap that could be opened.
    """
    if gap is None:
        return bands, 0.0
    edges = bands.edges()
    shift = gap - edges.gap
    if shift <= 0:
        return bands, 0.0
    energies = bands.energies.copy()
    for spin, occupied in enumerate(edges.occupied):
        energies[spin, occupied:] += shift
    return replace(bands, energies=energies), shift
