"""What every trained generator must do, as a function that its tests call."""

from __future__ import annotations

import numpy as np

from gen2dft.crystals import CrystalTable
from gen2dft.generators.base import LatentGenerator, require_latent
from gen2dft.generators.snapshot import from_bytes, snapshot_id, to_bytes


def validate_generator(generator: LatentGenerator, table: CrystalTable) -> None:
    """Check shapes, independence of order and company, totality of decode, and the snapshot round
    trip.

    Parameters
    ----------
    generator
        A trained generator.
    table
        At least three crystals that it can encode.

    Raises
    ------
    ValueError
        Names the first promise that is broken.
    """
    latents = generator.encode(table)
    size = len(generator.latent_mean)
    _require(
        latents.shape == (len(table), size),
        f"encode gives shape {latents.shape}, latent_mean has {size}",
    )
    _require(
        latents.dtype == np.float32 and bool(np.isfinite(latents).all()),
        "latents are not finite float32",
    )
    _require(
        generator.latent_std.shape == (size,) and bool((generator.latent_std >= 0).all()),
        "latent_std is wrong",
    )
    values = generator.predict(latents)
    _require(
        values.shape == (len(table), len(generator.properties)),
        f"predict gives shape {values.shape}",
    )
    _require(bool(np.isfinite(values).all()), "predictions are not finite")
    some = np.arange(len(table))[::-2]
    _require(
        np.array_equal(generator.encode(table.select(some)), latents[some]),
        "latents depend on their company",
    )
    _require(
        np.array_equal(generator.predict(latents[some]), values[some]),
        "predictions depend on their company",
    )
    nothing = np.arange(0)
    _require(len(generator.encode(table.select(nothing))) == 0, "encode refuses an empty table")
    _require_total(generator, size)
    _require_same_after_storage(generator, table)


def _require(condition: bool, problem: str) -> None:
    if not condition:
        raise ValueError(f"not a valid generator: {problem}")


def _require_total(generator: LatentGenerator, size: int) -> None:
    """Wild latent vectors give crystals or reasons, one per row, and whatever comes out can be
    encoded again.
    """
    wild = (
        np.random.default_rng(0).standard_normal((20, size)) * np.geomspace(0.1, 1e4, 20)[:, None]
    )
    result = generator.decode(wild.astype(np.float32))
    _require(len(result.reasons) == len(wild), "decode gives fewer reasons than rows")
    _require(len(generator.decode(wild[:0]).reasons) == 0, "decode refuses an empty array")
    generator.encode(result.crystals)


def _require_same_after_storage(generator: LatentGenerator, table: CrystalTable) -> None:
    data = to_bytes(generator)
    copy = require_latent(from_bytes(data, "copy of the generator"), "this contract")
    _require(
        snapshot_id(to_bytes(copy)) == snapshot_id(data),
        "a stored and reloaded generator has another id",
    )
    latents = generator.encode(table)
    _require(np.array_equal(copy.encode(table), latents), "a reloaded generator encodes otherwise")
    _require(
        np.array_equal(copy.predict(latents), generator.predict(latents)),
        "a reloaded one predicts otherwise",
    )
    here, there = generator.decode(latents), copy.decode(latents)
    same = (
        here.crystals.content_hash() == there.crystals.content_hash()
        and here.reasons == there.reasons
    )
    _require(same, "a reloaded generator decodes otherwise")
