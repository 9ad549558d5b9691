"""The two kinds of generators, and what their training reports."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from gen2dft.campaign.sources import has_latent_space
from gen2dft.crystals import CrystalTable
from gen2dft.dataset import Dataset
from gen2dft.errors import CampaignError
from gen2dft.generators.proposals import Proposal, Request
from gen2dft.representations.base import DecodeResult

if TYPE_CHECKING:
    from typing_extensions import TypeIs

OnEpoch = Callable[[int, dict[str, float]], None]


@dataclass(frozen=True)
class Parity:
    """Labels of held-out crystals and what the generator predicts for them, in the property's
    unit.
    """

    truth: list[float]
    predicted: list[float]

    @property
    def mae(self) -> float | None:
        """Mean absolute error; None without labels."""
        if not self.truth:
            return None
        return float(np.mean(np.abs(np.subtract(self.truth, self.predicted))))


@dataclass(frozen=True)
class Reconstruction:
    """How well held-out crystals come back from their latent vectors; None where none was held out.

    Parameters
    ----------
    num_crystals
        Crystals measured.
    elements_right
        Share with every element column right.
    sites_right
        Share with every site's species right, and thereby their number.
    length_mape, angle_mape
        Mean absolute error of cell lengths and angles, percent.
    coordinate_mae
        Mean absolute error of fractional coordinates over real sites, the short way round the cell.
    """

    num_crystals: int
    elements_right: float | None = None
    sites_right: float | None = None
    length_mape: float | None = None
    angle_mape: float | None = None
    coordinate_mae: float | None = None


@dataclass(frozen=True)
class TrainingResult:
    """What a training did.

    Parameters
    ----------
    history
        Of the networks that share the latent space. One row per epoch: `epoch`, `loss`, and its
        terms `reconstruction`, `kl`, `property` before their weights; `val_` in front of those
        measured on held-out crystals.
    heldout
        Property to held-out truth and prediction.
    reconstruction
        Figures on held-out crystals.
    num_train, num_heldout
        Crystals in each part.
    num_labels
        Labels per property in the training part.
    warm
        Whether it started from an earlier generator.
    seconds
        Wall time of this run; a training that was taken up again had spent more before.
    figures
        What else this generator measures, by name; a generator of several networks tells of each.
    left_out
        Reason to number of crystals that the generator cannot represent and did not learn from.
    """

    history: list[dict[str, float]]
    heldout: Mapping[str, Parity]
    reconstruction: Reconstruction
    num_train: int
    num_heldout: int
    num_labels: Mapping[str, int]
    warm: bool
    seconds: float
    figures: Mapping[str, float] = field(default_factory=dict)
    left_out: Mapping[str, int] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Plain lists, numbers and None, for a stored document."""
        return asdict(self)


class Trainable(Protocol):
    """What all generators have in common: they are trained, stored and loaded again."""

    name: ClassVar[str]
    # A subclass of `gen2dft.campaign.GeneratorSpec` with the generator's keys in a campaign file.
    Settings: ClassVar[Any]

    def fit(
        self,
        dataset: Dataset,
        spec: Any,
        properties: Sequence[str],
        *,
        seed: int,
        warm_start: Self | None = None,
        may_hold_out: NDArray[np.bool_] | None = None,
        checkpoint_dir: Path | None = None,
        on_epoch: OnEpoch | None = None,
    ) -> TrainingResult:
        """Train; called once per round, before anything is drawn.

        Parameters
        ----------
        dataset
            Crystals and labels; NaN labels are left out of the loss.
        spec
            How to train: the settings in the campaign file, of the class `Settings`.
        properties
            Properties to predict.
        seed
            The same seed, data and machine give the same generator, bit for bit.
        warm_start
            Start from this generator's weights and keep its scalers; trains `spec.epochs_warm`
            epochs.
        may_hold_out
            (n,) which crystals may be kept from training; all unless given.
        checkpoint_dir
            Where an interrupted training is taken up again.
        on_epoch
            Called after each epoch with its number from 1 and the history's values.

        Raises
        ------
        DatasetError
            Crystals that do not fit the representation; a property without any label in the
            training part.
        """
        ...

    def state(self) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
        """Everything `from_state` needs: a JSON-able configuration and named arrays."""
        ...

    @classmethod
    def from_state(cls, config: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> Self:
        """Inverse of `state`.

        KeyError, TypeError or ValueError if something is missing or does not fit.
        """
        ...


class Generator(Trainable, Protocol):
    """A generator that proposes crystals itself."""

    def propose(self, request: Request, rng: np.random.Generator) -> Proposal:
        """Draw crystals; called once per round and arm, after `fit`.

        Parameters
        ----------
        request
            How many draws, and what the crystals must keep to.
        rng
            The only source of randomness: the same request and state give the same draws.

        Returns
        -------
        As many draws as the request wants, or fewer if there are no more.
        """
        ...


class LatentGenerator(Trainable, Protocol):
    """A generator with a latent space, which the loop samples.

    It encodes crystals to latent vectors, decodes them back and predicts properties. It needs no
    `propose`.
    """

    @property
    def properties(self) -> tuple[str, ...]:
        """Properties that `predict` gives, in the order of its columns."""
        ...

    @property
    def latent_mean(self) -> NDArray[np.float32]:
        """(d,) mean of the training part's latent vectors."""
        ...

    @property
    def latent_std(self) -> NDArray[np.float32]:
        """(d,) spread of the training part's latent vectors."""
        ...

    def encode(self, table: CrystalTable) -> NDArray[np.float32]:
        """(n, d) latent means."""
        ...

    def decode(self, latents: NDArray[np.floating]) -> DecodeResult:
        """Crystals of (n, d) latent vectors, with one reason for each vector that gives none."""
        ...

    def predict(self, latents: NDArray[np.floating]) -> NDArray[np.float64]:
        """(n, len(properties)) predictions in the properties' units."""
        ...


AnyGenerator: TypeAlias = Generator | LatentGenerator


def is_latent(generator: AnyGenerator) -> TypeIs[LatentGenerator]:
    """Whether the loop draws from the generator's latent space."""
    return has_latent_space(generator)


def require_latent(generator: AnyGenerator, purpose: str) -> LatentGenerator:
    """The generator, if it has a latent space.

    Parameters
    ----------
    purpose
        What needs one, for the message.

    Raises
    ------
    CampaignError
        It has none.
    """
    if is_latent(generator):
        return generator
    raise CampaignError(
        f"{purpose} needs a generator with a latent space, and {generator.name!r} has none"
    )
