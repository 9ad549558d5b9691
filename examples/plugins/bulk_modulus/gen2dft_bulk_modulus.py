"""Property `bulk_modulus`, GPa: an energy-volume curve by the campaign's ML potential.

The relaxed crystal is strained isotropically; fractional coordinates stay, as they do by symmetry
in simple structures. Where atoms would move, the true modulus is smaller.
"""

from dataclasses import dataclass
from time import perf_counter

import numpy as np
from jobflow import Maker, job
from pydantic import Field

from gen2dft.campaign import Part
from gen2dft.engines import load_engine
from gen2dft.engines.base import CalculationDoc, CalculationFailure
from gen2dft.errors import CalculationFailed
from gen2dft.property_steps import PropertyStep, StepOutcome

EV_PER_A3_IN_GPA = 160.21766208
LARGEST = 1000.0  # GPa; diamond has 443


class Settings(Part):
    strain: float = Field(0.03, gt=0, le=0.1, description="largest change of lengths, relative")
    points: int = Field(7, ge=5, le=21, description="volumes on the curve")


def birch_murnaghan(volumes: np.ndarray, energies: np.ndarray) -> tuple[float, float]:
    """Volume of lowest energy, A^3 per atom, and bulk modulus there, GPa, from eV per atom.

    The third-order equation of state (Birch, Phys. Rev. 71, 809 (1947)) is a cubic polynomial in
    x = V^(-2/3), so that B = V E''(V) = 4/9 E''(x) x^(7/2) where E'(x) = 0.
    """
    x = volumes ** (-2 / 3)
    curve = np.polynomial.Polynomial.fit(x, energies, 3)
    flat = [r.real for r in curve.deriv().roots() if x.min() <= r.real <= x.max() and not r.imag]
    minima = [at for at in flat if curve.deriv(2)(at) > 0]
    if len(minima) != 1:
        raise CalculationFailed("no_minimum", f"{len(minima)} minima on the energy-volume curve")
    modulus = 4 / 9 * curve.deriv(2)(minima[0]) * minima[0] ** 3.5
    return float(minima[0] ** -1.5), float(modulus) * EV_PER_A3_IN_GPA


@dataclass
class BulkModulusMaker(Maker):
    engine: str
    preset: str
    settings: dict
    name: str = "bulk modulus"

    @job
    def make(self, static) -> StepOutcome | CalculationFailure:
        if not isinstance(static, CalculationDoc):
            return static or CalculationFailure(reason="no_crystal", detail="nothing was relaxed")
        begun, crystal = perf_counter(), static.structure
        settings, engine = Settings(**self.settings), load_engine(self.engine)
        scales = 1 + np.linspace(-settings.strain, settings.strain, settings.points)
        try:
            strained = [crystal.copy().scale_lattice(crystal.volume * s**3) for s in scales]
            energies = [engine.static(each, self.preset).energy_per_atom for each in strained]
            volumes = crystal.volume / len(crystal) * scales**3
            _, modulus = birch_murnaghan(volumes, np.array(energies))
        except CalculationFailed as error:
            return CalculationFailure.from_error(error)
        hours = (perf_counter() - begun) / 3600
        if not modulus < LARGEST:
            return StepOutcome(
                core_hours=hours, reason="out_of_range", detail=f"{modulus:.0f} GPa, not believed"
            )
        return StepOutcome(values={"bulk_modulus": modulus}, core_hours=hours)


def maker(engine: str, preset: str, settings: Settings):
    make = BulkModulusMaker(engine, preset, settings.model_dump()).make
    return lambda static, before: make(static)


STEP = PropertyStep(
    name="bulk_modulus",
    unit="GPa",
    maker=maker,
    settings=Settings,
    runs_on=lambda engine: not engine.is_dft,  # a DFT engine would need a job per volume
)
