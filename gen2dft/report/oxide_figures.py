"""Figures of a vanadium-oxide campaign: latent elements, classes in the latent space, errors of the
reconstruction.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gen2dft.report.learning_figures import principal_axes
from gen2dft.report.style import SERIES, UNLABELLED, grid_on, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BINS = 30


@styled
def latent_elements(mean: NDArray[np.floating], std: NDArray[np.floating]) -> Figure:
    """Histograms of mean and standard deviation of the latent elements, in units of delta."""
    figure = new_figure(3.2)
    for axes, values, title in zip(
        figure.subplots(1, 2), (mean, std), ("mean", "standard deviation"), strict=True
    ):
        axes.hist(values, bins=BINS, color=SERIES[0])
        axes.set(
            title=f"{title} of the latent elements",
            xlabel=f"{title} (delta)",
            ylabel="latent elements",
        )
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
    kinds = (
        (np.isnan(classes), UNLABELLED, "not labelled"),
        (classes == 0, SERIES[1], "others"),
        (classes == 1, SERIES[0], title),
    )
    points = (("codes", codes), ("latent vectors, with the classifier", latents))
    panels = figure.subplots(1, 2)
    for axes, (name, vectors) in zip(panels, points, strict=True):
        mean, directions, shares = principal_axes(vectors)
        places = (vectors - mean) @ directions.T
        for which, colour, label in kinds:
            if which.any():
                axes.scatter(*places[which].T, s=10, color=colour, linewidths=0, label=label)
        axes.set(
            title=name,
            xlabel=f"PC 1 ({shares[0]:.0%} of variance)",
            ylabel=f"PC 2 ({shares[1]:.0%})",
        )
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


@styled
def reconstruction_errors(
    errors: Mapping[str, NDArray[np.floating]], dissimilarity: NDArray[np.floating]
) -> Figure:
    """Histograms of the images' squared errors, and of the dissimilarity of what came back."""
    figure = new_figure(3.2)
    axes = figure.subplots(1, 3)
    for place, (name, values) in enumerate(errors.items()):
        _log_histogram(axes[place], values, SERIES[place])
        axes[place].set(
            title=f"{name} images", xlabel="mean squared error per voxel", ylabel="images"
        )
    known = dissimilarity[np.isfinite(dissimilarity)]
    axes[2].hist(known, bins=BINS, color=SERIES[2])
    axes[2].set(title="site fingerprints", xlabel="dissimilarity", ylabel="crystals that came back")
    if not len(known):
        axes[2].text(0.5, 0.5, "none came back", transform=axes[2].transAxes, ha="center")
    for one in axes:
        grid_on(one, "y")
    return figure


def _log_histogram(axes: object, values: NDArray[np.floating], colour: str) -> None:
    positive = values[values > 0]
    if not len(positive):
        return
    low, high = positive.min() / 1.1, positive.max() * 1.1
    bins = np.geomspace(low, high, BINS)
    axes.hist(positive, bins=bins, color=colour)  # type: ignore[attr-defined]
    axes.set_xscale("log")  # type: ignore[attr-defined]
    axes.tick_params(axis="x", rotation=30)  # type: ignore[attr-defined]
