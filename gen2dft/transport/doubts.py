"""Why a computed power factor may mean nothing, although it was computed without fault."""

from __future__ import annotations

from gen2dft.doubts import MESH_NOT_CONVERGED, NARROW_GAP
from gen2dft.transport.constants import BOLTZMANN
from gen2dft.transport.document import TransportDoc

# Below this many k_B T both kinds of carriers conduct, and a gap that the functional puts wrong by
# tenths of an eV decides the result: 0.26 eV at 300 K, 0.52 eV at 600 K.
NARROW = 10.0


def doubts_of(doc: TransportDoc, temperature: float) -> list[str]:
    """Doubts of a power factor at a temperature (K), in the order of the alphabet."""
    doubts = []
    series = doc.convergence
    if series is None or not series.converged:
        doubts.append(MESH_NOT_CONVERGED)
    if least_gap(doc) < NARROW * BOLTZMANN * temperature:
        doubts.append(NARROW_GAP)
    return doubts


def least_gap(doc: TransportDoc) -> float:
    """The gap if it changes once more as much as from the mesh before to the last, eV."""
    series = doc.convergence
    gaps = [] if series is None else [step.band_gap for step in series.steps]
    *_, before, last = [None, None, *gaps]
    if before is None or last is None:
        return doc.band_gap
    return doc.band_gap - abs(last - before)
