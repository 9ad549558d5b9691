"""Draws of each way, and what is valid, unique and novel among them."""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gen2dft.campaign import CampaignSpec, GeneratorSpec, ScreeningSpec
from gen2dft.crystals import CrystalTable
from gen2dft.dataset import Dataset
from gen2dft.evaluation.setting import Setting
from gen2dft.evaluation.sun.known import Known
from gen2dft.evaluation.sun.ways import Way
from gen2dft.generators import load_generator_class
from gen2dft.generators.base import AnyGenerator, is_latent
from gen2dft.generators.proposals import Proposal, Request
from gen2dft.loop import sampling, targets
from gen2dft.loop.draw import shared_out
from gen2dft.screening.charge import charge_gate
from gen2dft.screening.duplicates import duplicate_gate
from gen2dft.screening.elements import allowed_elements
from gen2dft.screening.geometry import geometry_gate
from gen2dft.streams import EvaluationStream

Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Draws:
    """What one way has drawn.

    Parameters
    ----------
    crystals
        Crystals of the draws that gave one.
    kept
        (n,) draw of each crystal.
    methods
        (m,) name of the way of drawing within the source, for each draw.
    """

    crystals: CrystalTable
    kept: NDArray[np.int64]
    methods: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.methods)

    def number_of(self, method: str | None) -> int:
        """Draws of a method; of None all."""
        return len(self) if method is None else self.methods.count(method)

    def crystals_of(self, method: str | None) -> Flags:
        """(n,) which crystals a method drew; of None all."""
        own = [method is None or self.methods[draw] == method for draw in self.kept]
        return np.array(own, dtype=bool)


def draw(setting: Setting, known: Known, way: Way) -> Draws:
    """Draw as many crystals as the budget has, as a round of the campaign would."""
    number = setting.budget.draws // len(way.sources)
    drawn = [_drawn(setting, known, source, number) for source in way.sources]
    starts = np.cumsum([0, *(len(proposal) for proposal in drawn)])
    kept = [start + proposal.kept for start, proposal in zip(starts, drawn, strict=False)]
    methods = [method for proposal in drawn for method in proposal.methods]
    crystals = CrystalTable.concatenate([proposal.crystals for proposal in drawn])
    return Draws(crystals, np.concatenate(kept).astype(np.int64), tuple(methods))


def _drawn(setting: Setting, known: Known, source: GeneratorSpec, number: int) -> Proposal:
    """What one generator draws: the same, whichever way it serves."""
    place = zlib.crc32(source.label.encode())
    rng = setting.rng(EvaluationStream.DRAWS_OF_A_SOURCE, place)
    generator = ready(setting, source)
    campaign = setting.any_spec
    merit = seed_merit(campaign, setting.train)
    if not is_latent(generator):
        return generator.propose(_request(setting, known, merit, number), rng)
    latents = generator.encode(setting.train.crystals)
    specs = shared_out(campaign.sampling, number / campaign.num_draws)
    points = sampling.sample(specs, latents, merit, rng)
    return Proposal.of_points(points, generator.decode(points.points))


def ready(setting: Setting, source: GeneratorSpec) -> AnyGenerator:
    """The generator of a source, trained on the training part or found among those kept."""
    kind = load_generator_class(source.name)
    if is_latent(kind()):
        return setting.trained(source, setting.train, setting.properties)
    generator: AnyGenerator = kind()
    generator.fit(setting.train, source, setting.properties, seed=setting.seed)
    return generator


def seed_merit(campaign: CampaignSpec, train: Dataset) -> NDArray[np.float64]:
    """(n,) how good the training crystals are by the campaign's targets, as they are labelled."""
    values = {target.property: train.label(target.property) for target in campaign.targets}
    spread = targets.spreads(campaign.targets, values)
    return targets.merit(campaign.targets, values, spread)


def _request(setting: Setting, known: Known, merit: NDArray[np.float64], number: int) -> Request:
    """What a source without a latent space is asked for."""
    campaign, crystals = setting.any_spec, setting.train.crystals
    return Request(
        number=number,
        targets=campaign.targets,
        known=setting.train,
        merit=merit,
        elements=allowed_elements(campaign.screening, crystals),
        num_elements=frozenset(crystals.num_elements.tolist()),
        max_sites=campaign.dataset.max_sites,
        taken=known.source | known.hull,
    )


@dataclass(frozen=True, eq=False)
class Sieve:
    """What holds of each of n crystals; each an array (n,).

    Parameters
    ----------
    geometry, charge
        Passes the gate `geometry`; can be neutral, as the gate `charge` has it.
    unique
        First valid crystal of its structure.
    structure
        Valid, and matches no crystal of the source.
    source, hull
        Valid, and its formula is not one of the source's, of the hull's.
    """

    geometry: Flags
    charge: Flags
    unique: Flags
    structure: Flags
    source: Flags
    hull: Flags

    @property
    def valid(self) -> Flags:
        """Passes both gates."""
        return self.geometry & self.charge

    @property
    def new(self) -> Flags:
        """Valid, unique, and of a formula that neither source nor hull has."""
        return self.unique & self.source & self.hull


def sift(crystals: CrystalTable, limits: ScreeningSpec, known: Known) -> Sieve:
    """Validity by the campaign's gates; structures are compared by pymatgen's StructureMatcher."""
    geometry = _passes(geometry_gate(crystals, limits))
    charge = _passes(charge_gate(crystals))
    rows = np.flatnonzero(geometry & charge)
    valid = crystals.select(rows)
    formulas = valid.formulas()
    is_new = [
        not known.structures.matches_row(valid, row, formula)
        for row, formula in enumerate(formulas)
    ]

    def among_all(flags: Iterable[bool]) -> Flags:
        everywhere = np.zeros(len(crystals), dtype=bool)
        everywhere[rows] = list(flags)
        return everywhere

    return Sieve(
        geometry=geometry,
        charge=charge,
        unique=among_all(_passes(duplicate_gate(valid, []))),
        structure=among_all(is_new),
        source=among_all(formula not in known.source for formula in formulas),
        hull=among_all(formula not in known.hull for formula in formulas),
    )


def _passes(reasons: Iterable[str | None]) -> Flags:
    """(n,) whether a gate gave no reason against a crystal."""
    return np.array([reason is None for reason in reasons], dtype=bool)
