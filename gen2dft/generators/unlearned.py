"""Base of generators that learn nothing: rules, enumerations, random structures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Generic, Self, TypeVar, cast

from numpy.typing import NDArray

from gen2dft.campaign import GeneratorSpec
from gen2dft.dataset import Dataset
from gen2dft.errors import SnapshotError
from gen2dft.generators.base import Reconstruction, TrainingResult

S = TypeVar("S", bound=GeneratorSpec)


class UnlearnedGenerator(Generic[S]):
    """The part of a `Generator` besides `propose`: `fit` takes the settings, nothing else."""

    Settings: ClassVar[type[GeneratorSpec]] = GeneratorSpec
    _settings: S | None = None

    @property
    def settings(self) -> S:
        """What the campaign file says; SnapshotError before `fit`."""
        if self._settings is None:
            raise SnapshotError("this generator has no settings: call `fit`, or load a snapshot")
        return self._settings

    def fit(self, dataset: Dataset, spec: S, properties: Sequence[str], **_: Any) -> TrainingResult:
        """Take the settings; see `Trainable.fit`."""
        self._settings = spec
        labels = dataset.num_labels()
        return TrainingResult(
            history=[],
            heldout={},
            reconstruction=Reconstruction(0),
            num_train=len(dataset),
            num_heldout=0,
            num_labels={name: labels.get(name, 0) for name in properties},
            warm=False,
            seconds=0.0,
        )

    def state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """The settings; there are no arrays."""
        return {"settings": self.settings.training_settings()}, {}

    @classmethod
    def from_state(
        cls,
        config: Mapping[str, Any],
        arrays: Mapping[str, NDArray[Any]],  # noqa: ARG003 - there are none
    ) -> Self:
        """Inverse of `state`."""
        settings = cls.Settings.model_validate(config["settings"])
        generator = cls()
        generator._settings = cast("S", settings)
        return generator
