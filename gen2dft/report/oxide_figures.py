"""Figures of a vanadium-oxide campaign: latent elements, classes in the latent space, errors of the
reconstruction.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gen2dft.report.latent_figures import principal_axes
from gen2dft.report.style import SERIES, UNLABELLED, grid_on, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BINS = 30


@styled
def latent_elements(mean: NDArray[np.floating], std: NDArray[np.floating]) -> Figure:
    """Histograms of mean and standard deviation of the latent elements, in units of delta."""
    figure = new_figure(3.2)
    left, right = figure.subplots(1, 2)
    for axes, values, title in ((left, mean, "mean"), (right, std, "standard deviation")):
        axes.hist(values, bins=BINS, color=SERIES[0])
        axes.set_title(f"{title} of the latent elements")
        axes.set_xlabel(f"{title} (delta)")
        axes.set_ylabel("latent elements")
        grid_on(axes, "y")
    return figure


@styled
def classes_apart(
    codes: NDArray[np.floating],
    latents: NDArray[np.floating],
    classes: NDArray[np.floating],
    title: str,
) -> Figure:
    """Known crystals by class on the first two principal axes of their codes, and of their latent
    vectors.

    Parameters
    ----------
    codes, latents
        (n, c) and (n, d); n >= 2.
    classes
        (n,) 1, 0, or NaN for crystals without label.
    title
        What the first class is.
    """
    figure = new_figure(3.6)
    left, right = figure.subplots(1, 2)
    for axes, vectors in ((left, codes), (right, latents)):
        _scatter_classes(axes, vectors, classes, title)
    left.set_title("codes")
    right.set_title("latent vectors, with the classifier")
    handles, labels = left.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return figure


def _scatter_classes(
    axes: Axes, vectors: NDArray[np.floating], classes: NDArray[np.floating], title: str
) -> None:
    plane = principal_axes(vectors)
    places = plane.places(vectors)
    first, second = plane.shares
    _scatter(axes, places[np.isnan(classes)], UNLABELLED, "not labelled")
    _scatter(axes, places[classes == 0], SERIES[1], "others")
    _scatter(axes, places[classes == 1], SERIES[0], title)
    axes.set_xlabel(f"PC 1 ({first:.0%} of variance)")
    axes.set_ylabel(f"PC 2 ({second:.0%})")


def _scatter(axes: Axes, points: NDArray[np.floating], colour: str, label: str) -> None:
    """A class without crystals has no entry in the legend."""
    if len(points):
        axes.scatter(*points.T, s=10, color=colour, linewidths=0, label=label)


@styled
def reconstruction_errors(
    errors: Mapping[str, NDArray[np.floating]], dissimilarity: NDArray[np.floating]
) -> Figure:
    """Histograms of the images' squared errors, and of the decoded crystals' dissimilarity."""
    figure = new_figure(3.2)
    *panels, last = figure.subplots(1, 3)
    for axes, colour, name in zip(panels, SERIES, errors, strict=False):
        _log_histogram(axes, errors[name], colour)
        axes.set_title(f"{name} images")
        axes.set_xlabel("mean squared error per voxel")
        axes.set_ylabel("images")
        grid_on(axes, "y")
    _dissimilarities(last, dissimilarity)
    return figure


def _dissimilarities(axes: Axes, dissimilarity: NDArray[np.floating]) -> None:
    known = dissimilarity[np.isfinite(dissimilarity)]
    axes.hist(known, bins=BINS, color=SERIES[2])
    axes.set_title("site fingerprints")
    axes.set_xlabel("dissimilarity")
    axes.set_ylabel("crystals that came back")
    if not len(known):
        axes.text(0.5, 0.5, "none came back", transform=axes.transAxes, ha="center")
    grid_on(axes, "y")


def _log_histogram(axes: Axes, values: NDArray[np.floating], colour: str) -> None:
    positive = values[values > 0]
    if not len(positive):
        return
    low = positive.min() / 1.1
    high = positive.max() * 1.1
    bins = np.geomspace(low, high, BINS)
    axes.hist(positive, bins=bins, color=colour)
    axes.set_xscale("log")
    axes.tick_params(axis="x", rotation=30)
