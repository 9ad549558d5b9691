"""What is evaluated on what: dataset, split, generators; trained when first asked for, and kept."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from gen2dft.campaign import CampaignSpec, GeneratorSpec, read_generator
from gen2dft.crystals import CrystalTable
from gen2dft.dataset import Dataset
from gen2dft.errors import DatasetError
from gen2dft.evaluation.split import Split
from gen2dft.generators import load_generator_class
from gen2dft.generators.base import LatentGenerator, require_latent
from gen2dft.generators.ftcp.fitting import TRAINING_VERSION
from gen2dft.generators.snapshot import from_bytes, to_bytes
from gen2dft.hashing import content_hash
from gen2dft.report.output import write_file
from gen2dft.representations.ftcp import FTCP
from gen2dft.streams import EvaluationStream
from gen2dft.thermo.hull import ReferenceHull

LEARNT = ("formation_energy", "band_gap")  # what the paper's networks predict
PURPOSE = "an evaluation"
Progress = Callable[[str, int, int], None]
"""Called with what is going on, how much of it is done, and how much there is."""


def silent(_: str, __: int, ___: int) -> None:
    """No progress."""


@dataclass(frozen=True)
class Budget:
    """How much is sampled and relaxed.

    Parameters
    ----------
    points
        Latent points per training crystal and way of sampling, of rediscovery.
    scales
        Standard deviations of local perturbation, in units of each latent dimension's spread.
    draws, relaxations
        Of each way of the table `sun`; relaxations at most.
    ways
        Names of these ways; all unless given.
    """

    points: int = 10
    scales: tuple[float, ...] = (0.6,)
    draws: int = 1000
    relaxations: int = 300
    ways: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self) | {"scales": list(self.scales), "ways": list(self.ways)}


@dataclass(frozen=True, eq=False)
class Setting:
    """All that the tables need.

    Parameters
    ----------
    specs
        Variant to campaign: how generators are trained and crystals screened.
    dataset, split
        Crystals, and which of them are trained on.
    known
        All crystals of the source, against which novelty is measured.
    hull
        What the distance to the hull is measured against.
    seed
        Of training, sampling and choice.
    budget
        How much is sampled and relaxed.
    snapshot_dir
        Where trained generators are kept, and found again by a later call.
    progress
        Told what is going on.
    """

    specs: Mapping[str, CampaignSpec]
    dataset: Dataset
    split: Split
    known: CrystalTable
    hull: ReferenceHull
    seed: int = 0
    budget: Budget = Budget()
    snapshot_dir: Path | None = None
    progress: Progress = silent
    _generators: dict[str, LatentGenerator] = field(default_factory=dict, init=False, repr=False)

    @property
    def any_spec(self) -> CampaignSpec:
        """The campaign, for what does not depend on the variant."""
        return next(iter(self.specs.values()))

    @cached_property
    def train(self) -> Dataset:
        """Crystals to train on."""
        return self.dataset.select(self.split.train)

    @cached_property
    def test(self) -> Dataset:
        """Crystals to test on."""
        return self.dataset.select(self.split.test)

    @cached_property
    def properties(self) -> tuple[str, ...]:
        """Of `LEARNT`, what training and test crystals are labelled with.

        DatasetError if nothing.
        """
        in_train = self.train.num_labels()
        in_test = self.test.num_labels()
        names = [name for name in LEARNT if in_train.get(name) and in_test.get(name)]
        if not names:
            raise DatasetError(
                f"neither {' nor '.join(LEARNT)} is labelled in training and test part; name the "
                "columns of the file with --set dataset.columns={formation_energy: NAME}"
            )
        return tuple(names)

    def rng(self, stream: EvaluationStream, place: int) -> np.random.Generator:
        """Randomness of one purpose for the way of sampling at `place`."""
        return np.random.default_rng([self.seed, stream, place])

    def generator(self, variant: str, reads: str = "both") -> LatentGenerator:
        """The generator of a variant, trained on the training part.

        Parameters
        ----------
        reads
            Part of the FTCP matrix that the encoder sees: both, real or reciprocal.
        """
        spec = self.specs[variant].only_generator
        if reads != reads_of(spec):
            spec = read_generator(spec.model_dump(mode="json") | {"reads": reads})
        return self.trained(spec, self.train, self.properties)

    def trained(
        self, spec: GeneratorSpec, dataset: Dataset, properties: Sequence[str]
    ) -> LatentGenerator:
        """A generator trained on all crystals of a dataset, or a kept one of the very same
        training.
        """
        key = training_key(spec, dataset, properties, self.seed)
        if key not in self._generators:
            kept = self._find(key)
            self._generators[key] = kept or self._train(key, spec, dataset, properties)
        return self._generators[key]

    def _find(self, key: str) -> LatentGenerator | None:
        if self.snapshot_dir is None:
            return None
        file = self.snapshot_dir / f"{key}.snapshot"
        if not file.is_file():
            return None
        return require_latent(from_bytes(file.read_bytes(), f"snapshot {file}"), PURPOSE)

    def _train(
        self, key: str, spec: GeneratorSpec, dataset: Dataset, properties: Sequence[str]
    ) -> LatentGenerator:
        reads = reads_of(spec)
        part = "" if reads == "both" else f" on its {reads} part"
        what = f"train {variant_of(spec)}{part}"
        total = spec.total_epochs(warm=False)
        folder = self.snapshot_dir
        unfinished = folder / "unfinished" if folder else None
        # The split has already said what is held out.
        nothing = np.zeros(len(dataset), dtype=bool)
        generator = _untrained(spec, self.dataset.crystals)
        generator.fit(
            dataset,
            spec,
            properties,
            seed=self.seed,
            may_hold_out=nothing,
            checkpoint_dir=unfinished,
            on_epoch=lambda epoch, _: self.progress(what, epoch, total),
        )
        if folder is not None:
            write_file(folder / f"{key}.snapshot", to_bytes(generator))
        return generator


def training_key(
    spec: GeneratorSpec, dataset: Dataset, properties: Sequence[str], seed: int
) -> str:
    """Name of a training, made of all that decides its result."""
    settings = spec.training_settings()
    content = [TRAINING_VERSION, dataset.content_hash, settings, list(properties), seed]
    digest = content_hash(json.dumps(content), digits=16)
    return f"{variant_of(spec)}-{reads_of(spec)}-{digest}"


def variant_of(spec: GeneratorSpec) -> str:
    """The variant of a generator; its name if it has none."""
    settings = spec.training_settings()
    return str(settings.get("variant", spec.name))


def reads_of(spec: GeneratorSpec) -> str:
    """The part of the FTCP matrix that the encoder sees: both, real or reciprocal."""
    settings = spec.training_settings()
    return str(settings.get("reads", "both"))


def _untrained(spec: GeneratorSpec, crystals: CrystalTable) -> LatentGenerator:
    """A fresh generator with room for all crystals, and at least for those of the paper's
    ternaries.
    """
    from gen2dft.generators.ftcp.generator import FTCPGenerator

    kind = load_generator_class(spec.name)
    if kind is not FTCPGenerator:
        return require_latent(kind(), PURPOSE)
    most_elements = int(crystals.num_elements.max())
    most_sites = int(crystals.num_sites.max())
    room = FTCP(max_elements=max(3, most_elements), max_sites=max(20, most_sites))
    return FTCPGenerator(room)
