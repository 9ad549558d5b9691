"""Figures of a vanadium-oxide campaign: statistics of the latent elements, errors of the reconstruction."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gen2dft.report.style import SERIES, grid_on, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BINS = 30


@styled
def latent_elements(mean: NDArray[np.floating], std: NDArray[np.floating]) -> Figure:
    """Histograms of mean and standard deviation of the latent elements, in units of delta."""
    figure = new_figure(3.2)
    for axes, values, title in zip(figure.subplots(1, 2), (mean, std), ("mean", "standard deviation"), strict=True):
        axes.hist(values, bins=BINS, color=SERIES[0])
        axes.set(title=f"{title} of the latent elements", xlabel=f"{title} (delta)", ylabel="latent elements")
        grid_on(axes, "y")
    return figure


@styled
def reconstruction_errors(errors: Mapping[str, NDArray[np.floating]], dissimilarity: NDArray[np.floating]) -> Figure:
    """Histograms of the images' squared errors, and of the dissimilarity of what came back."""
    figure = new_figure(3.2)
    axes = figure.subplots(1, 3)
    for place, (name, values) in enumerate(errors.items()):
        _log_histogram(axes[place], values, SERIES[place])
        axes[place].set(title=f"{name} images", xlabel="mean squared error per voxel", ylabel="images")
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
    axes.hist(positive, bins=np.geomspace(low, high, BINS), color=colour)  # type: ignore[attr-defined]
    axes.set_xscale("log")  # type: ignore[attr-defined]
    axes.tick_params(axis="x", rotation=30)  # type: ignore[attr-defined]
