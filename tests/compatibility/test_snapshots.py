"""Generators that version 0.1.0 trained encode, decode and predict as they did then."""

from __future__ import annotations

import lzma

import numpy as np
import pytest
import stored

from gen2dft.dataset import Dataset
from gen2dft.generators.snapshot import from_bytes, snapshot_id, to_bytes

WANTED = stored.read_json("snapshots")


@pytest.mark.parametrize("name", WANTED)
def test_a_snapshot_gives_what_it_gave(name):
    wanted = WANTED[name]
    data = lzma.decompress((stored.DATA / f"{name}.snapshot.xz").read_bytes())
    assert snapshot_id(data) == wanted["id"]
    generator = from_bytes(data)
    assert generator.name == wanted["generator"]
    assert list(generator.properties) == wanted["properties"]
    known = Dataset.load(stored.DATA / f"{name}.npz")
    assert known.content_hash == wanted["dataset_hash"]

    latents = generator.encode(known.crystals)
    size = np.abs(wanted["latents"]).max()
    assert latents == pytest.approx(np.array(wanted["latents"]), rel=1e-3, abs=1e-3 * size)
    assert generator.predict(latents) == pytest.approx(np.array(wanted["predicted"]), rel=1e-3)
    decoded = generator.decode(np.array(wanted["latents"], dtype=np.float32))
    assert decoded.reasons == wanted["reasons"]
    structures = list(decoded.crystals.structures())
    assert [s.composition.formula for s in structures] == wanted["formulas"]
    assert [s.volume for s in structures] == pytest.approx(wanted["volumes"], rel=1e-3)
    assert to_bytes(generator) == data
