"""The calculations of one phase: relax -> static; a molecule is computed as it is."""

from __future__ import annotations

from jobflow import Job, Maker

from gen2dft.ground.phases import Found


def calculations_of(phase: Found, relax: Maker, static: Maker) -> list[Job]:
    """Jobs of a phase's calculations, in order."""
    if phase.is_molecule:
        return [static.make(phase.structure)]
    first = relax.make(phase.structure)
    return [first, static.make(prev=first.output)]
