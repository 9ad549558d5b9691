"""Property steps that cost nothing: the volume per atom, and its square, which comes after it."""

from __future__ import annotations

from jobflow import job

from gen2dft.campaign import Part
from gen2dft.engines.base import CalculationFailure
from gen2dft.property_steps import PropertyStep, StepOutcome


class Settings(Part):
    factor: float = 1.0


@job
def volume(static: object, factor: float) -> object:
    if static is None or isinstance(static, CalculationFailure):
        return static or CalculationFailure(reason="nothing", detail="there is no crystal")
    per_atom = factor * static.structure.volume / len(static.structure)
    return StepOutcome(values={"size": per_atom}, warnings=["measured"], core_hours=0.5)


@job
def square(before: object) -> object:
    if not isinstance(before, StepOutcome) or "size" not in before.values:
        return CalculationFailure(reason="no_size", detail="there is no volume")
    return StepOutcome(values={"size_squared": before.values["size"] ** 2})


@job
def crash(static: object) -> object:
    raise RuntimeError("the program died")


SIZE = PropertyStep(
    "size",
    "A^3/atom",
    lambda engine, preset, settings: lambda static, _: volume(static, settings.factor),
    title="volume per atom",
    transform="log1p",
    settings=Settings,
)
SQUARE = PropertyStep(
    "size_squared",
    "A^6/atom^2",
    lambda engine, preset, settings: lambda _, before: square(before),
    after="size",
)
CRASH = PropertyStep("luck", "", lambda engine, preset, settings: lambda static, _: crash(static))
