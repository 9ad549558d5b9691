"""A small but complete campaign in an in-memory database: two closed rounds, 60 candidates, a few
hits.
"""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import mongomock
import mongomock.gridfs
import numpy as np
from example_bands import cosine_bands
from pymatgen.core import Lattice, Structure

from gen2dft.campaign import CampaignSpec
from gen2dft.composition import crystal_fields
from gen2dft.engines.base import CalculationFailure
from gen2dft.funnel import StageCount
from gen2dft.property_steps import Made
from gen2dft.rounds.power_factors import keep
from gen2dft.store.documents import (
    CampaignDoc,
    CandidateDoc,
    HitDoc,
    HullDoc,
    LabelDoc,
    RoundDoc,
    SnapshotDoc,
    StabilityRecord,
)
from gen2dft.store.store import Store, candidate_key, round_key
from gen2dft.thermo.hull import ReferenceHull
from gen2dft.thermo.scales import MATERIALS_PROJECT
from gen2dft.transport.compute import compute_transport
from gen2dft.transport.document import TransportDoc
from gen2dft.transport.settings import TransportSettings

CAMPAIGN_ID = "thermoelectric-3f9a1c0b77de"
START = datetime(2026, 11, 3, 9, 0, tzinfo=UTC)
HITS = ((0, 3), (1, 1), (1, 2), (1, 6))  # round and row
HULL = ReferenceHull.build(
    [{"K": 3, "Sb": 1}, {"V": 1, "Sb": 1}, {"K": 1, "V": 1, "Sb": 1}],
    [-0.4, -0.2, -0.1],
    scale=MATERIALS_PROJECT,
    mixed=[{"V": 1, "Sb": 1}],
)
_A, _B, _X = ("Na", "K", "Ca", "Sr", "Ba"), ("Ti", "V", "Zr", "Nb", "Sn", "Hf"), ("O", "S", "Se")


def empty_store() -> Store:
    """A store on a fresh in-memory database."""
    mongomock.gridfs.enable_gridfs_integration()
    return Store(mongomock.MongoClient()["gen2dft"])


def example_store(**campaign: Any) -> Store:
    """A store that holds the example campaign; `campaign` overrides fields of its document."""
    store = empty_store()
    rng = np.random.default_rng(7)
    store.insert_new(_campaign(**campaign))
    blob_id = store.put_blob(HULL.to_bytes(), "hull")
    store.insert_new(
        HullDoc(id="5d1f0c22a7b9e001", blob_id=blob_id, source="starter", num_entries=2310)
    )
    for index in (0, 1):
        _add_round(store, index, rng)
    _add_power_factors(store)
    return store


@cache
def transport() -> TransportDoc:
    """Transport of a semiconductor with parabolic bands."""
    settings = TransportSettings(
        temperatures=(300.0, 600.0),
        dopings=(1e17, 1e18, 1e19),
        grid_spacing=0.06,
        max_spacing=0.3,
        hall=False,
    )
    return compute_transport(cosine_bands((8, 8, 8)), settings)


def _add_power_factors(store: Store) -> None:
    """The bands of two hits: a semiconductor and a metal."""
    hits = [candidate_id(*place) for place in HITS[:2]]
    outcomes = [
        transport(),
        CalculationFailure(reason="metal", detail="bands overlap", core_hours=0.1),
    ]
    for row, (key, outcome) in enumerate(zip(hits, outcomes, strict=True)):
        made = Made(
            f"{row:024d}", CAMPAIGN_ID, key, f"SrTiO{row}", "gpaw", True, "gpaw-quick-v1", "0" * 12
        )
        keep(store, made, "ricci2017", outcome)


def candidate_id(index: int, row: int) -> str:
    """Id of the candidate of a round that lies in a row of its latent points."""
    return f"{(row * 2654435761 + index * 40503 + 97) % 2**32:08x}{row:04x}{index:04x}"


def structure(row: int) -> Structure:
    """A cubic perovskite or half-Heusler."""
    a, b, x = _A[row % 5], _B[row % 6], _X[row % 3]
    if row % 4 == 1:
        frac = [[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]
        places = [np.array(frac) + shift for shift in (0, 0.5, 0.25)]
        return Structure(
            Lattice.cubic(6.1 + 0.02 * row),
            [a] * 4 + [b] * 4 + ["Sb"] * 4,
            np.concatenate(places) % 1,
        )
    sites = [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]
    return Structure(Lattice.cubic({"O": 4.0, "S": 4.9, "Se": 5.2}[x]), [a, b, x, x, x], sites)


def spec() -> CampaignSpec:
    """The resolved campaign file."""
    return CampaignSpec.model_validate(
        {
            "name": "thermoelectric",
            "description": "high power factor, near the hull, a narrow gap",
            "targets": [
                {"property": "power_factor", "optimise": "maximise"},
                {"property": "e_above_hull", "max": 0.03},
                {"property": "band_gap", "min": 0.3, "max": 1.5},
            ],
            "sampling": [
                {"method": "local", "num_points": 300},
                {"method": "slerp", "num_points": 100},
            ],
            "learning": {"rounds": 2, "batch": 10},
        }
    )


def _campaign(**fields: Any) -> CampaignDoc:
    resolved = spec()
    content = {
        "id": CAMPAIGN_ID,
        "name": "thermoelectric",
        "spec": resolved.model_dump(mode="json", by_alias=True),
        "spec_hash": resolved.content_hash(),
        "dataset_id": "0" * 32,
        "dataset_hash": "9be1a7720c55d301",
        "hull_id": "5d1f0c22a7b9e001",
        "state": "finished",
        "stop_reason": "all 2 rounds done",
        "created": START,
    }
    return CampaignDoc(**{**content, **fields})


def _add_round(store: Store, index: int, rng: np.random.Generator) -> None:
    begun = START + timedelta(minutes=10 * index)
    store.insert_new(
        SnapshotDoc(
            id=f"5a{index}0c1d2e3f4a5b6",
            blob_id="0" * 32,
            generator="ftcp",
            properties=list(spec().head_properties),
            training_set_hash=f"77aa{index}",
            parent_id="5a00c1d2e3f4a5b6" if index else None,
        )
    )
    store.insert_new(
        RoundDoc(
            id=round_key(CAMPAIGN_ID, index),
            campaign_id=CAMPAIGN_ID,
            index=index,
            state="closed",
            created=begun,
            closed=begun + timedelta(minutes=9),
            funnel=_funnel(index),
            snapshot_id=f"5a{index}0c1d2e3f4a5b6",
            training=_training(index, rng),
            latents_id=store.put_blob(_latents(index, rng), "latents"),
            dispatch_size=10,
            dispatch_complete=True,
            dispatched=begun + timedelta(minutes=7),
            seconds={"train": 310.0 - 190 * index, "propose": 17.5, "validate": 66.0},
        )
    )
    for row in range(30):
        _add_candidate(store, index, row, rng)


def _funnel(index: int) -> list[StageCount]:
    more = 20 * index
    stages: list[tuple[str, int, dict[str, int]]] = [
        ("sample", 400, {}),
        ("invert", 400, {"no_cell": 21, "no_sites": 7, "too_many_elements": 2}),
        ("geometry", 370, {"atoms_too_close": 171 - more, "volume_per_atom": 22, "cell_angles": 9}),
        ("charge", 168 + more, {"not_charge_balanced": 64}),
        ("elements", 104 + more, {}),
        ("novelty", 104 + more, {"known_formula": 31, "duplicate_in_batch": 13 + index}),
        ("shortlist", 60 + more - index, {"not_shortlisted": 19 * index}),
        ("surrogate", 60, {"above_hull": 22 + index, "not_converged": 5 - index, "collapsed": 3}),
        ("select", 30, {"not_selected": 20}),
        ("validate", 10, {"not_converged": 1 - index, "too_many_attempts": 1}),
        (
            "targets",
            8 + index,
            {"misses_e_above_hull": 7 - index, **({"misses_band_gap": 0} if index else {})},
        ),
    ]
    return [
        StageCount(
            stage=s,
            n_in=n,
            n_out=n - sum(why.values()),
            reasons={k: v for k, v in why.items() if v},
        )
        for s, n, why in stages
    ]


def _training(index: int, rng: np.random.Generator) -> dict[str, Any]:
    history = []
    for epoch in range(1, (41, 16)[index]):
        terms = {
            "reconstruction": (2.1, 0.52)[index] * epoch**-0.55,
            "kl": 0.02 + 0.05 * (1 - np.exp(-epoch / 9)),
            "property": (1.3, 0.3)[index] * epoch**-0.7 + 0.02,
        }
        row = {k: float(v * rng.normal(1, 0.015)) for k, v in terms.items()}
        row |= {f"val_{k}": float(v * 1.12 * rng.normal(1, 0.03)) for k, v in terms.items()}
        row["loss"], row["val_loss"] = sum(terms.values()), 1.1 * sum(terms.values())
        history.append({"epoch": epoch, **row})
    heldout = {}
    for name, (truth, noise) in {
        "power_factor": (rng.lognormal(0.4, 0.8, 28), 0.7),
        "e_above_hull": (rng.exponential(0.08, 231), 0.03),
        "band_gap": (np.maximum(rng.normal(1.1, 1.2, 54), 0), 0.35),
    }.items():
        heldout[name] = {
            "truth": truth.tolist(),
            "predicted": (truth + rng.normal(0, noise, len(truth))).tolist(),
        }
    return {
        "history": history,
        "heldout": heldout,
        "reconstruction": {
            "num_crystals": 231,
            "elements_right": 0.934,
            "sites_right": 0.71 + 0.04 * index,
            "length_mape": 7.1,
            "angle_mape": 4.2,
            "coordinate_mae": None,
        },
        "num_train": 2079 + 8 * index,
        "num_heldout": 231,
        "num_labels": {"power_factor": 253, "e_above_hull": 2079 + 8 * index, "band_gap": 489},
        "warm": bool(index),
        "seconds": 300.0,
    }


def _latents(index: int, rng: np.random.Generator) -> bytes:
    scale = np.linspace(2.2, 0.2, 16)
    centres = rng.normal(0, 1, (5, 16)) * scale
    train = centres[rng.integers(0, 5, 900)] + rng.normal(0, 0.35, (900, 16)) * scale
    drawn = train[rng.integers(0, 60, 400)] + rng.normal(0, 0.3, (400, 16)) * scale
    power = np.exp(0.5 * train[:, 0] + rng.normal(0, 0.2, 900))
    power[rng.random(900) < 0.7] = np.nan
    gap = np.where(rng.random(900) < 0.4, np.maximum(1.2 + train[:, 1], 0), np.nan)
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        latents=drawn.astype(np.float32),
        train_latents=train.astype(np.float32),
        train_power_factor=power,
        train_e_above_hull=np.abs(0.06 * train[:, 2] + rng.normal(0, 0.02, 900)),
        train_band_gap=gap,
    )
    return buffer.getvalue()


def _steps(index: int, row: int) -> list[str]:
    """States that a candidate went through."""
    if row >= 10:
        return ["sampled", "rejected:not_selected" if row < 20 else "rejected:above_hull"]
    if row == 9 or (index, row) == (0, 8):
        return [
            "sampled",
            "queued",
            "running",
            f"given_up:{'too_many_attempts' if row == 9 else 'not_converged'}",
        ]
    return ["sampled", "queued", "running", "labelled", *(["hit"] if (index, row) in HITS else [])]


def _add_candidate(store: Store, index: int, row: int, rng: np.random.Generator) -> None:
    crystal, key, steps = structure(row), candidate_id(index, row), _steps(index, row)
    state = steps[-1]
    hull = (
        float(rng.normal(0.01, 0.02))
        if state == "hit"
        else float(rng.gamma(2.0, 0.05 if row < 20 else 0.16))
    )
    relaxed = {
        "structure": crystal.as_dict(verbosity=0),
        "formation_energy": -1.4,
        "e_above_hull": hull,
        "engine": "mlip",
        "preset": "chgnet-screen-v1",
        "seconds": 2.1 + 0.05 * row,
        "steps": 41,
        "warnings": [],
    }
    predicted = {
        "power_factor": float(rng.lognormal(1.2, 0.4)),
        "e_above_hull": hull,
        "band_gap": 0.8,
    }
    store.insert_new(
        CandidateDoc(
            id=candidate_key(CAMPAIGN_ID, key),
            campaign_id=CAMPAIGN_ID,
            round_index=index,
            candidate_id=key,
            sampler="local" if row % 4 else "slerp",
            parents=[f"starter-{row:04d}"]
            if row % 4
            else [f"starter-{row:04d}", f"starter-{row + 1:04d}"],
            latent_row=row,
            state=state,
            formula=crystal.composition.reduced_formula,
            structure=crystal.as_dict(verbosity=0),
            predicted=predicted,
            surrogate=relaxed,
            score=float(1 - row / 30) if row < 20 else None,
            selected_by=("audit" if row == 7 else "acquisition") if row < 10 else None,
            attempts=int(row < 10),
            failure="the relaxation did not converge" if state.startswith("given_up") else None,
            history=[
                {"state": s, "at": START + timedelta(minutes=10 * index + i)}
                for i, s in enumerate(steps)
            ],
        )
    )
    if state in ("hit", "labelled"):
        label_id = f"label-{key}"
        computed = min(hull, 0.029) if state == "hit" else 0.9 * hull + 0.01
        values = {"formation_energy": -1.41 - 0.01 * row, "e_above_hull": computed}
        store.insert_new(_label(label_id, index, key, values, crystal))
        if state == "hit":
            store.insert_new(_hit(label_id, index, key, {**predicted, **values}, crystal))


def _label(
    label_id: str, index: int, key: str, values: dict[str, float], crystal: Structure
) -> LabelDoc:
    return LabelDoc(
        id=label_id,
        candidate_id=key,
        campaign_id=CAMPAIGN_ID,
        round_index=index,
        engine="mlip",
        is_dft=False,
        preset="chgnet-v1",
        settings_hash="c0ffee12",
        values=values,
        structure=crystal.as_dict(verbosity=0),
        energy_per_atom=-6.9,
        hull_id="5d1f0c22a7b9e001",
        core_hours=0.0042,
        provenance={"versions": {"chgnet": "0.4.2", "torch": "2.13.0"}},
        **crystal_fields(crystal),
    )


def _hit(
    label_id: str, index: int, key: str, values: dict[str, float], crystal: Structure
) -> HitDoc:
    wanted = {t.property: values[t.property] for t in spec().targets}
    return HitDoc(
        id=candidate_key(CAMPAIGN_ID, key),
        campaign_id=CAMPAIGN_ID,
        round_index=index,
        candidate_id=key,
        formula=crystal.composition.reduced_formula,
        spacegroup="F-43m" if len(crystal) == 12 else "Pm-3m",
        values=wanted,
        basis={name: "mlip" if name == "e_above_hull" else "predicted" for name in wanted},
        is_dft=False,
        label_id=label_id,
        hull_id="5d1f0c22a7b9e001",
        structure=crystal.as_dict(verbosity=0),
        **crystal_fields(crystal),
    )


def add_chances(store: Store) -> list[StabilityRecord]:
    """Let a potential's correction stand behind the distances of the example's hits.

    Returns
    -------
    What is said of each, in the order of `HITS`: chances of 0.1, 0.3, 0.5, ...; the first is unlike
    all that the correction has seen.
    """
    records = []
    for number, place in enumerate(HITS):
        key = candidate_id(*place)
        (hit,) = store.hits(CAMPAIGN_ID, candidate_id=key)
        corrected = hit.values["e_above_hull"] or 0.0
        record = StabilityRecord(
            potential=corrected - 0.125,
            corrected=corrected,
            error=0.0625,
            chance=0.1 + 0.2 * number,
            most=0.03,
            unlike=number == 0,
            model="chgnet-2025",
            model_hash="0123456789abcdef",
            refined_by=number,
        )
        stated = {"stability": record.model_dump(), "errors": {"e_above_hull": record.error}}
        store.set_hit(hit.id, **stated)
        store.set_label(hit.label_id, **stated)
        store.set_candidate(CAMPAIGN_ID, key, **{"surrogate.stability": stated["stability"]})
        records.append(record)
    return records
