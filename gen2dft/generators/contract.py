"""What every trained generator must do, as functions that its tests call.

`gen2dft.testing.generators` has the same as a test class.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gen2dft.crystals import CrystalTable
from gen2dft.dataset import Dataset
from gen2dft.generators.base import AnyGenerator, Generator, LatentGenerator, is_latent
from gen2dft.generators.proposals import Proposal, Request
from gen2dft.generators.snapshot import from_bytes, to_bytes

DRAWS = 20
PREFIX = "not a valid generator: "
PARTS = ("reasons", "methods", "parents", "keys")  # of a proposal, besides its crystals


def validate_generator(
    generator: AnyGenerator, table: CrystalTable, request: Request | None = None
) -> None:
    """Check all that the loop relies on.

    Of a generator with a latent space: shapes, independence of order and company, totality of
    decode. Of others: the same draws for the same request and seed, a crystal or one reason per
    draw, the request's limits. Of both: the snapshot round trip.

    Parameters
    ----------
    generator
        A trained generator.
    table
        At least three crystals that it can encode, or that show which elements it may use.
    request
        What is asked of a generator without a latent space; made from the table unless given.

    Raises
    ------
    ValueError
        Names the first promise that is broken.
    """
    if is_latent(generator):
        require_shapes(generator, table)
        require_independent_rows(generator, table)
        require_total_decode(generator)
        require_same_latents_after_storage(generator, table)
    else:
        wanted = request or example_request(table)
        require_repeatable_draws(generator, wanted)
        require_distinct_draws(generator, wanted)
        require_limits_kept(generator, wanted)
        require_same_draws_after_storage(generator, wanted)


def example_request(table: CrystalTable, number: int = DRAWS) -> Request:
    """Draws with the elements and numbers of elements of some known crystals."""
    ids = tuple(f"known-{row}" for row in range(len(table)))
    known = Dataset(table, ids, {})
    elements = [_elements(table, row) for row in range(len(table))]
    return Request(
        number=number,
        targets=(),
        known=known,
        merit=np.zeros(len(known)),
        elements=frozenset().union(*elements),
        num_elements=frozenset(len(some) for some in elements),
    )


def require_shapes(generator: LatentGenerator, table: CrystalTable) -> None:
    """Latent vectors, their statistics and predictions have the shapes they promise; all finite."""
    size, width = len(generator.latent_mean), len(generator.properties)
    latents = generator.encode(table)
    shape = latents.shape
    _require(shape == (len(table), size), f"encode gives shape {shape}, latent_mean has {size}")
    _require(latents.dtype == np.float32, f"latents are not finite float32 but {latents.dtype}")
    _require_finite(latents, "latents are not finite float32")
    _require(generator.latent_std.shape == (size,), "latent_std is wrong: it is of another shape")
    _require(bool(np.min(generator.latent_std) >= 0), "latent_std is wrong: it is below 0")
    values = generator.predict(latents)
    _require(values.shape == (len(table), width), f"predict gives shape {values.shape}")
    _require_finite(values, "predictions are not finite")
    nothing = generator.encode(table.select(np.arange(0)))
    _require(len(nothing) == 0, "encode refuses an empty table")


def require_independent_rows(generator: LatentGenerator, table: CrystalTable) -> None:
    """What a crystal is encoded to, and predicted, does not depend on order and company."""
    some = np.arange(len(table))[::-2]
    latents = generator.encode(table)
    encoded = generator.encode(table.select(some))
    _require_equal(encoded, latents[some], "latents depend on their company")
    values = generator.predict(latents)
    predicted = generator.predict(latents[some])
    _require_equal(predicted, values[some], "predictions depend on their company")


def require_total_decode(generator: LatentGenerator) -> None:
    """Wild latent vectors give crystals or reasons, one per row, and whatever comes out can be
    encoded again.
    """
    size = len(generator.latent_mean)
    noise = np.random.default_rng(0).standard_normal((DRAWS, size))
    lengths = np.geomspace(0.1, 1e4, DRAWS)
    wild = (noise * lengths[:, None]).astype(np.float32)
    result = generator.decode(wild)
    _require(len(result.reasons) == len(wild), "decode gives fewer reasons than rows")
    nothing = generator.decode(wild[:0])
    _require(len(nothing.reasons) == 0, "decode refuses an empty array")
    generator.encode(result.crystals)


def require_same_latents_after_storage(generator: LatentGenerator, table: CrystalTable) -> None:
    """A stored and reloaded generator is the same, bit for bit."""
    copy = _reloaded(generator)
    if not is_latent(copy):
        raise ValueError(f"{PREFIX}a reloaded generator has no latent space")
    latents = generator.encode(table)
    _require_equal(copy.encode(table), latents, "a reloaded generator encodes otherwise")
    predicted = generator.predict(latents)
    _require_equal(copy.predict(latents), predicted, "a reloaded one predicts otherwise")
    here, there = generator.decode(latents), copy.decode(latents)
    problem = "a reloaded generator decodes otherwise"
    _require(here.reasons == there.reasons, problem)
    _require(here.crystals.content_hash() == there.crystals.content_hash(), problem)


def require_repeatable_draws(generator: Generator, request: Request) -> None:
    """The request and the seed decide the draws, whatever was drawn before."""
    first, other, again = (_draw(generator, request, seed) for seed in (0, 1, 0))
    _require(_differ(other, first), "another seed draws the same")
    _require(not _differ(again, first), "the same seed draws otherwise")


def require_distinct_draws(generator: Generator, request: Request) -> None:
    """There are no more draws than wanted, each with a key of its own and parents that exist."""
    drawn = _draw(generator, request)
    _require(len(drawn) <= request.number, f"{len(drawn)} draws for {request.number} wanted")
    _require(len(set(drawn.keys)) == len(drawn), "two draws have one key, so one id")
    rows = range(len(request.known))
    strangers = [parent for parents in drawn.parents for parent in parents if parent not in rows]
    _require(not strangers, "parents are no rows of the known crystals")
    nothing = _draw(generator, replace(request, number=0))
    _require(len(nothing) == 0, "something is drawn where nothing is wanted")


def require_limits_kept(generator: Generator, request: Request) -> None:
    """Crystals keep to elements, numbers of elements and sites; of narrower requests, too."""
    drawn = _draw(generator, request)
    _require(len(drawn.crystals) > 0, f"none of {len(drawn)} draws gives a crystal")
    one_of_them = int(drawn.crystals.numbers[0])
    fewest = int(drawn.crystals.num_sites.min())
    for limits in (
        request,
        replace(request, elements=request.elements - {one_of_them}),
        replace(request, max_sites=fewest),
        replace(request, num_elements=frozenset()),
    ):
        _require_within(_draw(generator, limits), limits)


def require_same_draws_after_storage(generator: Generator, request: Request) -> None:
    """A stored and reloaded generator draws the same, bit for bit."""
    copy = _reloaded(generator)
    if is_latent(copy):
        raise ValueError(f"{PREFIX}a reloaded generator has a latent space")
    here, there = _draw(generator, request), _draw(copy, request)
    _require(not _differ(there, here), "a reloaded one draws otherwise")


def _require(condition: bool, problem: str) -> None:
    if not condition:
        raise ValueError(PREFIX + problem)


def _require_equal(found: NDArray[Any], expected: NDArray[Any], problem: str) -> None:
    _require(np.array_equal(found, expected), problem)


def _require_finite(values: NDArray[Any], problem: str) -> None:
    _require(bool(np.isfinite(values).all()), problem)


def _reloaded(generator: AnyGenerator) -> AnyGenerator:
    data = to_bytes(generator)
    copy = from_bytes(data, "copy of the generator")
    again = to_bytes(copy)
    _require(again == data, "a stored and reloaded generator has another id")
    return copy


def _draw(generator: Generator, request: Request, seed: int = 0) -> Proposal:
    return generator.propose(request, np.random.default_rng(seed))


def _differ(one: Proposal, other: Proposal) -> bool:
    """Whether two proposals differ in any draw."""
    if one.crystals.content_hash() != other.crystals.content_hash():
        return True
    pairs = ((getattr(one, part), getattr(other, part)) for part in PARTS)
    return any(mine != theirs for mine, theirs in pairs)


def _elements(table: CrystalTable, row: int) -> set[int]:
    """Atomic numbers in a crystal."""
    return set(table.numbers[table.sites(row)].tolist())


def _require_within(drawn: Proposal, request: Request) -> None:
    table = drawn.crystals
    for row in range(len(table)):
        elements = _elements(table, row)
        foreign = sorted(elements - request.elements)
        _require(not foreign, f"crystals have elements {foreign}, which are not allowed")
        count, sites = len(elements), int(table.num_sites[row])
        _require(count in request.num_elements, f"a crystal has {count} elements: not allowed")
        few = request.max_sites is None or sites <= request.max_sites
        _require(few, f"a cell has {sites} sites: not allowed")
