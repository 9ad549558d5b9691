"""What every trained generator must do, as functions that its tests call.

`gen2dft.testing.generators` has the same as a test class.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from gen2dft.crystals import CrystalTable
from gen2dft.dataset import Dataset
from gen2dft.generators.base import AnyGenerator, Generator, LatentGenerator, is_latent
from gen2dft.generators.proposals import Proposal, Request
from gen2dft.generators.snapshot import from_bytes, snapshot_id, to_bytes

DRAWS = 20
PREFIX = "not a valid generator: "


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
    counts = [len(np.unique(table.numbers[table.sites(row)])) for row in range(len(table))]
    known = Dataset(table, tuple(f"known-{row}" for row in range(len(table))), {})
    return Request(
        number=number,
        targets=(),
        known=known,
        merit=np.zeros(len(known)),
        elements=frozenset(table.numbers.tolist()),
        num_elements=frozenset(counts),
    )


def require_shapes(generator: LatentGenerator, table: CrystalTable) -> None:
    """Latent vectors, their statistics and predictions have the shapes they promise; all finite."""
    latents, size = generator.encode(table), len(generator.latent_mean)
    _require(
        latents.shape == (len(table), size),
        f"encode gives shape {latents.shape}, latent_mean has {size}",
    )
    is_finite = bool(np.isfinite(latents).all())
    _require(latents.dtype == np.float32 and is_finite, "latents are not finite float32")
    std = generator.latent_std
    _require(std.shape == (size,) and bool((std >= 0).all()), "latent_std is wrong")
    values = generator.predict(latents)
    expected = (len(table), len(generator.properties))
    _require(values.shape == expected, f"predict gives shape {values.shape}")
    _require(bool(np.isfinite(values).all()), "predictions are not finite")
    nothing = table.select(np.arange(0))
    _require(len(generator.encode(nothing)) == 0, "encode refuses an empty table")


def require_independent_rows(generator: LatentGenerator, table: CrystalTable) -> None:
    """What a crystal is encoded to, and predicted, does not depend on order and company."""
    latents = generator.encode(table)
    some = np.arange(len(table))[::-2]
    encoded = generator.encode(table.select(some))
    _require(np.array_equal(encoded, latents[some]), "latents depend on their company")
    values = generator.predict(latents)
    predicted = generator.predict(latents[some])
    _require(np.array_equal(predicted, values[some]), "predictions depend on their company")


def require_total_decode(generator: LatentGenerator) -> None:
    """Wild latent vectors give crystals or reasons, one per row, and whatever comes out can be
    encoded again.
    """
    size = len(generator.latent_mean)
    noise = np.random.default_rng(0).standard_normal((DRAWS, size))
    wild = (noise * np.geomspace(0.1, 1e4, DRAWS)[:, None]).astype(np.float32)
    result = generator.decode(wild)
    _require(len(result.reasons) == len(wild), "decode gives fewer reasons than rows")
    _require(len(generator.decode(wild[:0]).reasons) == 0, "decode refuses an empty array")
    generator.encode(result.crystals)


def require_same_latents_after_storage(generator: LatentGenerator, table: CrystalTable) -> None:
    """A stored and reloaded generator is the same, bit for bit."""
    copy = _reloaded(generator)
    if not is_latent(copy):
        raise ValueError(f"{PREFIX}a reloaded generator has no latent space")
    latents = generator.encode(table)
    _require(np.array_equal(copy.encode(table), latents), "a reloaded generator encodes otherwise")
    predicted = generator.predict(latents)
    _require(np.array_equal(copy.predict(latents), predicted), "a reloaded one predicts otherwise")
    here, there = generator.decode(latents), copy.decode(latents)
    same = here.crystals.content_hash() == there.crystals.content_hash()
    _require(same and here.reasons == there.reasons, "a reloaded generator decodes otherwise")


def require_repeatable_draws(generator: Generator, request: Request) -> None:
    """The request and the seed decide the draws, whatever was drawn before."""
    first = _draw(generator, request, seed=0)
    _require(_differ(_draw(generator, request, seed=1), first), "another seed draws the same")
    _require(not _differ(_draw(generator, request, seed=0), first), "the same seed draws otherwise")


def require_distinct_draws(generator: Generator, request: Request) -> None:
    """There are no more draws than wanted, each with a key of its own and parents that exist."""
    drawn = _draw(generator, request, seed=0)
    _require(len(drawn) <= request.number, f"{len(drawn)} draws for {request.number} wanted")
    _require(len(set(drawn.keys)) == len(drawn), "two draws have one key, so one id")
    parents = {row for rows in drawn.parents for row in rows}
    _require(parents <= set(range(len(request.known))), "parents are no rows of the known crystals")
    nothing = _draw(generator, replace(request, number=0), seed=0)
    _require(len(nothing) == 0, "something is drawn where nothing is wanted")


def require_limits_kept(generator: Generator, request: Request) -> None:
    """Crystals keep to elements, numbers of elements and sites; of narrower requests, too."""
    drawn = _draw(generator, request, seed=0)
    _require(len(drawn.crystals) > 0, f"none of {len(drawn)} draws gives a crystal")
    _require_within(drawn, request)
    narrower = (
        replace(request, elements=request.elements - {int(drawn.crystals.numbers[0])}),
        replace(request, max_sites=int(drawn.crystals.num_sites.min())),
        replace(request, num_elements=frozenset()),
    )
    for limits in narrower:
        _require_within(_draw(generator, limits, seed=0), limits)


def require_same_draws_after_storage(generator: Generator, request: Request) -> None:
    """A stored and reloaded generator draws the same, bit for bit."""
    copy = _reloaded(generator)
    if is_latent(copy):
        raise ValueError(f"{PREFIX}a reloaded generator has a latent space")
    first = _draw(generator, request, seed=0)
    _require(not _differ(_draw(copy, request, seed=0), first), "a reloaded one draws otherwise")


def _require(condition: bool, problem: str) -> None:
    if not condition:
        raise ValueError(PREFIX + problem)


def _reloaded(generator: AnyGenerator) -> AnyGenerator:
    data = to_bytes(generator)
    copy = from_bytes(data, "copy of the generator")
    same_id = snapshot_id(to_bytes(copy)) == snapshot_id(data)
    _require(same_id, "a stored and reloaded generator has another id")
    return copy


def _draw(generator: Generator, request: Request, seed: int) -> Proposal:
    return generator.propose(request, np.random.default_rng(seed))


def _differ(one: Proposal, other: Proposal) -> bool:
    """Whether two proposals differ in any draw."""
    if one.crystals.content_hash() != other.crystals.content_hash():
        return True
    names = ("reasons", "methods", "parents", "keys")
    return any(getattr(one, name) != getattr(other, name) for name in names)


def _require_within(drawn: Proposal, request: Request) -> None:
    table = drawn.crystals
    for row in range(len(table)):
        elements = set(table.numbers[table.sites(row)].tolist())
        foreign = elements - request.elements
        _require(not foreign, f"crystals have elements {sorted(foreign)}, which are not allowed")
        count = len(elements)
        _require(count in request.num_elements, f"a crystal has {count} elements: not allowed")
    if request.max_sites is not None and len(table):
        largest = int(table.num_sites.max())
        _require(largest <= request.max_sites, f"a cell has {largest} sites: not allowed")
