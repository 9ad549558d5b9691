"""Maps of the latent space on its first two principal axes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from gen2dft.properties import Property
from gen2dft.report.data import LatentArrays, ReportData
from gen2dft.report.learning_figures import wrapped
from gen2dft.report.style import HIT, INK, SAMPLED, SCALE, UNLABELLED, WIDTH, new_figure, styled
from gen2dft.report.wording import round_title
from gen2dft.store.states import LABELLED_STATES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]
MOST_ROUNDS = 3  # rows of the latent map: the first round and the last ones
MOST_PROPERTIES = 3
TRAINING: Mapping[str, Any] = {"s": 7, "linewidths": 0}
DRAWN: Mapping[str, Any] = {"s": 5, "color": SAMPLED, "alpha": 0.8, "linewidths": 0}
VALIDATED: Mapping[str, Any] = {
    "s": 30, "facecolors": "white", "edgecolors": INK, "linewidths": 1.1, "label": "computed",
}  # fmt: skip
HITS: Mapping[str, Any] = {
    "s": 120, "marker": "*", "color": HIT, "edgecolors": "white", "linewidths": 0.9,
    "label": "hits",
}  # fmt: skip
COLOUR_BAR: Mapping[str, Any] = {
    "location": "top", "shrink": 0.95, "aspect": 28, "pad": 0.02, "extend": "both",
}  # fmt: skip


class PrincipalAxes(NamedTuple):
    """The plane in which vectors differ most.

    Parameters
    ----------
    mean
        (d,) mean of the vectors.
    directions
        (2, d) axes of unit length; the first has the larger variance.
    shares
        (2,) the axes' shares of the variance, between 0 and 1.
    """

    mean: Floats
    directions: Floats
    shares: Floats

    def places(self, vectors: NDArray[np.floating[Any]]) -> Floats:
        """(n, 2) places of (n, d) vectors on the two axes."""
        return np.asarray((vectors - self.mean) @ self.directions.T)


def principal_axes(vectors: NDArray[np.floating[Any]]) -> PrincipalAxes:
    """Mean, first two principal axes and their shares of the variance (PCA by singular value
    decomposition).

    Parameters
    ----------
    vectors
        (n, d) latent vectors, no unit; n >= 2, d >= 2.

    Returns
    -------
    Axes whose largest component is positive.
    """
    x = np.asarray(vectors, dtype=np.float64)
    mean = x.mean(axis=0)
    _, singular, axes = np.linalg.svd(x - mean, full_matrices=False)
    # The sign of a principal axis is arbitrary; this one does not depend on the library.
    places = np.abs(axes).argmax(axis=1)
    largest = np.take_along_axis(axes, places[:, None], axis=1)
    directions = axes * np.sign(largest)
    variance = singular**2
    whole = variance.sum() or 1.0  # equal vectors have none
    shares = variance / whole
    return PrincipalAxes(mean, directions[:2], shares[:2])


@dataclass(frozen=True)
class _RoundMap:
    """One round's points on the principal axes of its training crystals.

    Parameters
    ----------
    train, drawn
        (k, 2) training crystals and (m, 2) sampled points.
    validated, hits
        Rows of `drawn`; a hit is not among those validated.
    labels
        Property to (k,) labels; NaN where not labelled.
    shares
        (2,) shares of the variance.
    """

    train: Floats
    drawn: Floats
    validated: list[int]
    hits: list[int]
    labels: Mapping[str, Floats]
    shares: Floats

    @classmethod
    def of(cls, data: ReportData, index: int) -> _RoundMap:
        arrays = data.latents[index]
        axes = principal_axes(arrays.train_latents)
        train = axes.places(arrays.train_latents)
        drawn = axes.places(arrays.latents)
        validated, hits = _rows_of(data, index)
        return cls(train, drawn, validated, hits, arrays.train_values, axes.shares)


@styled
def latent_map(data: ReportData) -> Figure | None:
    """Maps of the latent space, one row per round: the sampled points, then one column per labelled
    target property.
    """
    indices = _rounds_shown(data)
    if not indices:
        return None
    names = _properties_shown(data, indices)
    columns = 1 + len(names)
    row_height = 8.6 / columns + 0.85
    height = row_height * len(indices) + 0.4
    width = WIDTH if columns > 2 else 0.45 * WIDTH * columns
    figure = new_figure(height, width)
    panels = figure.subplots(len(indices), columns, squeeze=False)
    for index, row in zip(indices, panels, strict=True):
        round_map = _RoundMap.of(data, index)
        _sampled_panel(row[0], round_map, round_title(index))
        for axes, name in zip(row[1:], names, strict=True):
            _property_panel(axes, round_map, data.spec.known_properties[name])
    handles, labels = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, markerscale=1.4)
    return figure


def _rounds_shown(data: ReportData) -> list[int]:
    """Rounds with a map: the first, from which all others descend, and the last ones."""
    # One crystal spans no plane.
    mapped = [i for i, arrays in data.latents.items() if len(arrays.train_latents) >= 2]
    mapped.sort()
    if len(mapped) <= MOST_ROUNDS:
        return mapped
    last = mapped[1 - MOST_ROUNDS :]
    return [mapped[0], *last]


def _properties_shown(data: ReportData, indices: Sequence[int]) -> list[str]:
    """Targets with a label in one of the rounds."""
    rounds = [data.latents[index] for index in indices]
    labelled = {name for arrays in rounds for name in _labelled(arrays)}
    targets = [target.property for target in data.spec.targets]
    shown = [name for name in targets if name in labelled]
    return shown[:MOST_PROPERTIES]


def _labelled(arrays: LatentArrays) -> Iterator[str]:
    """Properties with a label."""
    for name, labels in arrays.train_values.items():
        if np.isfinite(labels).any():
            yield name


def _sampled_panel(axes: Axes, points: _RoundMap, title: str) -> None:
    """Sampled points among the training crystals."""
    axes.scatter(*points.train.T, color=UNLABELLED, label="training crystals", **TRAINING)
    axes.scatter(*points.drawn.T, label="sampled points", **DRAWN)
    _mark_validated(axes, points)
    axes.set_title(title)
    share = 100 * points.shares[1]
    axes.set_ylabel(f"PC 2 ({share:.0f}%)")


def _property_panel(axes: Axes, points: _RoundMap, prop: Property) -> None:
    """Training crystals coloured by one property."""
    labels = points.labels.get(prop.name)
    _colour_known(axes, points.train, labels, prop)
    _mark_validated(axes, points)
    axes.tick_params(labelleft=False)


def _mark_validated(axes: Axes, points: _RoundMap) -> None:
    validated = points.drawn[points.validated]
    hits = points.drawn[points.hits]
    axes.scatter(*validated.T, **VALIDATED)
    axes.scatter(*hits.T, **HITS)
    share = 100 * points.shares[0]
    axes.set_xlabel(f"PC 1 ({share:.0f}% of variance)")
    _view(axes, np.concatenate([points.train, hits]))


def _rows_of(data: ReportData, index: int) -> tuple[list[int], list[int]]:
    """Rows of the validated candidates and of the hits in the round's latent points."""
    hit_ids = {hit.candidate_id for hit in data.hits}
    validated, hits = [], []
    for point in data.points_of(index):
        if point.latent_row is None:  # of a source without a latent space
            continue
        if point.candidate_id in hit_ids:
            hits.append(point.latent_row)
        elif point.state in LABELLED_STATES:
            validated.append(point.latent_row)
    return validated, hits


def _colour_known(axes: Axes, train: Floats, values: Floats | None, prop: Property) -> None:
    """Training crystals, grey where not labelled.

    The colour scale leaves out the extreme 2 % at either end.
    """
    labels = np.full(len(train), np.nan) if values is None else values
    is_known = np.isfinite(labels)
    unknown = train[~is_known]
    known = train[is_known]
    axes.scatter(*unknown.T, color=UNLABELLED, **TRAINING)
    if not len(known):
        return
    shown = labels[is_known]
    low, high = np.percentile(shown, [2, 98])
    scale = {"c": shown, "cmap": SCALE, "vmin": low, "vmax": high}
    dots = axes.scatter(*known.T, **TRAINING, **scale)
    _add_colour_bar(axes, dots, prop)


def _add_colour_bar(axes: Axes, dots: Any, prop: Property) -> None:
    bar = axes.get_figure().colorbar(dots, ax=axes, **COLOUR_BAR)
    bar.ax.tick_params(labelsize=8)
    bar.locator.set_params(nbins=4)
    bar.set_label(wrapped("", prop), fontsize=8)
    bar.outline.set_visible(False)


def _view(axes: Axes, points: Floats) -> None:
    """Set limits that show nearly all points: single outliers must not shrink the map."""
    low, high = np.percentile(points, [0.5, 99.5], axis=0)
    margin = 0.12 * (high - low) + 1e-9
    left, bottom = low - margin
    right, top = high + margin
    axes.set_xlim(left, right)
    axes.set_ylim(bottom, top)
