"""What every step of a round needs: the campaign's spec, its data, its generator, and a
stopwatch.
"""

from __future__ import annotations

import io
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gen2dft import learning
from gen2dft.campaign import CampaignSpec, Target, stored_campaign
from gen2dft.dataset import Dataset
from gen2dft.errors import StoreError, ThermoError
from gen2dft.store.documents import CalibrationDoc, CampaignDoc, RoundDoc, SnapshotDoc, now
from gen2dft.store.store import Store

if TYPE_CHECKING:
    from gen2dft.generators.base import Generator
    from gen2dft.heads.latent_ensemble import HeadEnsemble
    from gen2dft.thermo.corrections import Fitted
    from gen2dft.thermo.hull import ReferenceHull


@dataclass(frozen=True)
class RoundContext:
    """One round of one campaign, and what it works with.

    Parameters
    ----------
    store
        Where everything is read and written.
    campaign_id, index
        Which round.
    """

    store: Store
    campaign_id: str
    index: int

    @cached_property
    def campaign(self) -> CampaignDoc:
        """The campaign's document."""
        return self.store.campaign(self.campaign_id)

    @cached_property
    def spec(self) -> CampaignSpec:
        """The campaign's resolved spec."""
        return stored_campaign(self.campaign, to_work=True)

    @property
    def round(self) -> RoundDoc:
        """The round's document as it stands now."""
        return self.store.round(self.campaign_id, self.index)

    @cached_property
    def base(self) -> Dataset:
        """The campaign's base training set."""
        return Dataset.from_bytes(
            self.store.get_blob(self.campaign.dataset_id), f"dataset of {self.campaign_id}"
        )

    @cached_property
    def known(self) -> Dataset:
        """Base set and all labels of earlier rounds: what this round's generator may learn from."""
        labels = self.store.labels(self.campaign_id, round_index={"$lt": self.index})
        taught = learning.labels_to_learn(self.spec.learning, labels)
        return learning.training_set(self.base, taught, self.spec.dataset.max_sites)

    @cached_property
    def heads(self) -> tuple[str, ...]:
        """Properties that this round's generator learns: those asked for that enough crystals
        carry.
        """
        counts = self.known.num_labels()
        wanted = self.spec.head_properties
        return tuple(name for name in wanted if counts.get(name, 0) >= self.spec.dataset.min_labels)

    @cached_property
    def targets(self) -> tuple[Target, ...]:
        """Targets whose property the generator predicts.

        The others are open until an engine labels them.
        """
        return tuple(target for target in self.spec.targets if target.property in self.heads)

    @cached_property
    def open_properties(self) -> tuple[str, ...]:
        """Properties of the targets that the generator does not predict."""
        return tuple(t.property for t in self.spec.targets if t.property not in self.heads)

    @cached_property
    def hull(self) -> ReferenceHull:
        """The hull that this round's labels are measured against.

        The campaign's frozen one. Where the campaign says so, labels of earlier rounds join it when
        the round begins; that hull is kept under a hash of its own, and a straggler's label changes
        it no more.
        """
        from gen2dft.ground.hulls import get_hull, put_hull

        frozen = get_hull(self.store, self.campaign.hull_id)
        if not (self.spec.hull.own_phases and self.index):
            return frozen
        if (known := self.round.hull_id) is not None:
            return get_hull(self.store, known)
        from pymatgen.core import Structure

        labels = self.store.labels(self.campaign_id, round_index={"$lt": self.index})
        labels = [label for label in labels if "formation_energy" in label.values]
        compositions = [Structure.from_dict(label.structure).composition for label in labels]
        joined = frozen.joined_by(
            compositions, [label.values["formation_energy"] for label in labels]
        )
        put_hull(
            self.store,
            joined,
            f"{self.campaign.hull_id} and rounds below {self.index} of {self.campaign_id}",
        )
        self.store.set_round_once(self.campaign_id, self.index, "hull_id", joined.hull_hash)
        return get_hull(self.store, str(self.round.hull_id))

    @cached_property
    def screen_hull(self) -> ReferenceHull:
        """The hull that the surrogate's energies are measured against."""
        from gen2dft.ground.hulls import get_hull

        key = self.campaign.screen_hull_id
        return self.hull if key is None else get_hull(self.store, key)

    def fitted(self, preset: str) -> Fitted | None:
        """What the campaign's calibration found for a preset; None if the correction needs none.

        Raises
        ------
        ThermoError
            If it needs one and the campaign has none.
        """
        from gen2dft.ground.energies import fitted_of
        from gen2dft.thermo.corrections import get_correction

        correction = get_correction(self.spec.validation.correction)
        if not correction.is_fitted:
            return None
        if preset not in self.campaign.calibration_ids:
            raise ThermoError(
                f"campaign {self.campaign_id} has no calibration of correction {correction.name!r} "
                "for preset "
                f"{preset!r}: run `gen2dft calibrate` and submit the campaign again"
            )
        return fitted_of(self.store.get(CalibrationDoc, self.campaign.calibration_ids[preset]))

    def references(self, preset: str) -> dict[str, float]:
        """Energies of the elements with a preset, eV/atom, frozen with the campaign.

        Empty: the engine's own.
        """
        return self.campaign.elements.get(preset) or self.spec.validation.references_of(preset)

    @cached_property
    def generator(self) -> Generator:
        """The generator that this round trained."""
        snapshot_id = self.round.snapshot_id
        if snapshot_id is None:
            raise StoreError(
                f"round {self.index} of {self.campaign_id} has no snapshot: its training has not "
                "finished"
            )
        return load_generator(self.store, snapshot_id)

    @cached_property
    def ensemble(self) -> HeadEnsemble | None:
        """The ensemble of property heads kept with the round's snapshot; None if that has none."""
        from gen2dft.heads.latent_ensemble import HeadEnsemble

        blob = self.store.get(SnapshotDoc, str(self.round.snapshot_id)).ensemble_id
        return (
            None
            if blob is None
            else HeadEnsemble.from_bytes(self.store.get_blob(blob), f"ensemble {blob}")
        )

    def rng(self, step: int) -> np.random.Generator:
        """Randomness of one step: the same for the same seed, round and step."""
        return np.random.default_rng([self.spec.seed, self.index, step])

    def update(self, **fields: object) -> None:
        """Set fields of the round's document."""
        self.store.update_round(self.campaign_id, self.index, **fields)

    def progress(self, stage: str, done: int, total: int, message: str = "") -> None:
        """Say how far a stage is, for those who watch."""
        since = (
            self.round.progress.get("since") if self.round.progress.get("stage") == stage else None
        )
        self.update(
            progress={
                "stage": stage,
                "done": done,
                "total": total,
                "message": message,
                "since": since or now(),
            }
        )

    def count(self) -> None:
        """One more unit of the current stage is done; safe when several workers count."""
        self.store.increment_round(self.campaign_id, self.index, "progress.done")

    @contextmanager
    def stage(self, name: str, total: int = 1) -> Iterator[None]:
        """Announce a stage and keep its wall seconds."""
        start = time.perf_counter()
        self.progress(name, 0, total)
        yield
        self.update(**{f"seconds.{name}": time.perf_counter() - start})
        self.progress(name, total, total)


def load_generator(store: Store, snapshot_id: str) -> Generator:
    """The generator of a snapshot; SnapshotError if it is damaged."""
    from gen2dft.generators.snapshot import from_bytes

    document = store.get(SnapshotDoc, snapshot_id)
    return from_bytes(store.get_blob(document.blob_id), f"snapshot {snapshot_id}")


def pack_arrays(arrays: Mapping[str, NDArray[np.generic]]) -> bytes:
    """Arrays as the bytes of an .npz file."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, allow_pickle=False, **dict(arrays))  # type: ignore[arg-type]
    return buffer.getvalue()


def unpack_arrays(data: bytes) -> dict[str, NDArray[Any]]:
    """Inverse of `pack_arrays`."""
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}
