"""Tensors behind a file of labels, from the bands that were kept beside it.

Bands need not be computed again: transport over all temperatures and dopings takes a second or two
per crystal.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gen2dft import __version__
from gen2dft.datasets.computed_labels import ComputedLabels, LabelRecord
from gen2dft.datasets.label_tensors import LabelTensors
from gen2dft.errors import CalculationFailed, CampaignError, DatasetError
from gen2dft.properties import TRANSPORT_DEFINITIONS
from gen2dft.transport.reductions import factor_of
from gen2dft.transport.settings import TransportSettings
from gen2dft.transport.tables import TransportTables
from gen2dft.workers import in_processes

# Relative deviation from a label's own power factors above which tensors belong to other bands.
TOLERANCE = 0.02
# Carriers per cm^3: half decades where power factors are small, quarter decades where the best lie.
DOPINGS = (*10.0 ** np.arange(16, 18, 0.5), *10.0 ** np.arange(18, 21.1, 0.25))
SETTINGS = TransportSettings(dopings=DOPINGS, hall=False)

Progress = Callable[[int, int], None]


class Built(NamedTuple):
    """Tensors, and the crystals that have none.

    Parameters
    ----------
    tensors
        Of all other labelled crystals.
    left_out
        Id to reason.
    deviations
        Id to the largest relative deviation from the power factors of its label.
    """

    tensors: LabelTensors
    left_out: Mapping[str, str]
    deviations: Mapping[str, float]


def build_tensors(
    labels: ComputedLabels, bands: Path, workers: int = 1, progress: Progress | None = None
) -> Built:
    """Tensors of every crystal that has a power factor, from bands in `bands`/ID.

    Tensors that do not give the power factors of the label within 2 % are left out: they belong to
    other bands.

    Raises
    ------
    DatasetError
        If there are no bands at all.
    """
    labelled = {record.id: record for record in labels.records if record.power_factor}
    tables: dict[str, TransportTables] = {}
    left_out: dict[str, str] = {}
    work = partial(_tables_or_failure, folder=bands)
    for done, (name, outcome) in enumerate(in_processes(work, list(labelled), workers), start=1):
        if isinstance(outcome, CalculationFailed):
            left_out[name] = f"{outcome.reason}: {outcome.detail}"
        else:
            tables[name] = outcome
        if progress:
            progress(done, len(labelled))
    deviations = {name: deviation(labelled[name], table) for name, table in tables.items()}
    for name, off in deviations.items():
        if off > TOLERANCE:
            left_out[name] = f"its tensors are {100 * off:.1f} % off its label"
    kept = {name: tables[name] for name in labelled if name not in left_out}
    if not kept:
        raise DatasetError(_nothing(bands, left_out))
    crystals = [labelled[name].crystal for name in kept]
    made = {
        "gen2dft": __version__,
        "method": labels.settings.method,
        "settings_hash": labels.settings.settings_hash,
    }
    return Built(LabelTensors.of(kept, crystals, made), left_out, deviations)


def _tables_or_failure(name: str, folder: Path) -> TransportTables | CalculationFailed:
    """Transport of one crystal; the failure is returned, so that the others go on."""
    try:
        return tables_of(name, folder)
    except CalculationFailed as failure:
        return failure


def tables_of(name: str, folder: Path) -> TransportTables:
    """Transport of one crystal, up to the highest doping that its bands allow.

    Raises
    ------
    CalculationFailed
        `no_bands`, or what keeps transport from being computed from them.
    """
    from gen2dft.engines.gpaw.bands import UNIFORM_FILE
    from gen2dft.transport.compute import transport_within_bands
    from gen2dft.transport.loaders import load_bands

    file = folder / name / UNIFORM_FILE
    if not file.is_file():
        raise CalculationFailed("no_bands", f"{UNIFORM_FILE} of {name} is not in {folder}")
    return TransportTables.of(transport_within_bands(load_bands(file), SETTINGS))


def deviation(record: LabelRecord, tables: TransportTables) -> float:
    """Largest relative deviation of the tensors' power factors from those of the label."""
    deviations = []
    for name, value in record.power_factor.items():
        try:
            found = factor_of(tables, TRANSPORT_DEFINITIONS[name]).value
        except CampaignError:
            return float("inf")  # not computed at these conditions
        deviations.append(abs(found - value) / value)
    return max(deviations)


def _nothing(bands: Path, left_out: Mapping[str, str]) -> str:
    first = next(iter(left_out.values()), "no label has a power factor")
    return (
        f"no tensors can be made from the bands in {bands} ({first}); gen2dft data label computes "
        "bands and keeps them"
    )
