"""Published power factors as labels of any definition that they answer.

Ricci et al. tabulate holes and electrons at 300 K and 1e18 carriers per cm^3. A definition with the
same average, temperature and doping is answered, whichever carriers it asks for. Any other is not:
there are no tensors behind the table.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gen2dft.dataset import Dataset
from gen2dft.definitions import definition_of
from gen2dft.errors import DatasetError
from gen2dft.properties import (
    PROPERTIES,
    TRANSPORT_DEFINITIONS,
    Properties,
    Property,
    TransportDefinition,
)
from gen2dft.transport import POWER_FACTOR

PUBLISHED = TRANSPORT_DEFINITIONS["ricci2017"]
OF_ELECTRONS = "power_factor_n"
ELECTRONS = Property(
    OF_ELECTRONS,
    PROPERTIES[POWER_FACTOR].unit,
    "power factor of electrons",
    PROPERTIES[POWER_FACTOR].transform,
)


def by_definition(dataset: Dataset, definition: str, leave_open: bool = False) -> Dataset:
    """A dataset whose power factors mean what a campaign asks for.

    Parameters
    ----------
    dataset
        Power factors of holes, and those of electrons in the column `power_factor_n`, both as
        Ricci et al. define them.
    definition
        What is asked for, see `gen2dft.definitions.definition_of`.
    leave_open
        Go without power factors if the published ones do not answer it.

    Returns
    -------
    Dataset
        Without the column of electrons.

    Raises
    ------
    DatasetError
        If the published values do not answer the definition.
    """
    meaning = definition_of(definition)
    is_answered = _is_answered(meaning)
    if not is_answered and not leave_open:
        raise DatasetError(_refusal(definition))
    nothing = np.full(len(dataset), np.nan)
    factors = _factors(dataset, meaning) if is_answered else nothing
    labels = {name: dataset.label(name) for name in dataset.labels if name != OF_ELECTRONS}
    labels[POWER_FACTOR] = factors
    others = [prop for name, prop in dataset.properties.own.items() if name != OF_ELECTRONS]
    provenance = dict(dataset.provenance)
    if not is_answered:
        provenance["open"] = _refusal(definition)
    return replace(dataset, labels=labels, properties=Properties(others), provenance=provenance)


def _is_answered(meaning: TransportDefinition) -> bool:
    """Whether the published values answer a definition, apart from a gap that it opens."""
    asked = replace(
        meaning,
        name=PUBLISHED.name,
        citation=PUBLISHED.citation,
        carrier=PUBLISHED.carrier,
        gap=PUBLISHED.gap,
    )
    return asked == PUBLISHED


def _factors(dataset: Dataset, meaning: TransportDefinition) -> NDArray[np.float64]:
    """(n,) power factors of the carriers that a definition asks for; NaN where there are none."""
    holes, electrons = dataset.label(POWER_FACTOR), dataset.label(OF_ELECTRONS)
    columns = {"p": holes, "n": electrons, "best": np.fmax(holes, electrons)}
    factors = columns[meaning.carrier]
    if meaning.gap is None:
        return factors
    # Where the gap is wide enough nothing would be opened; the others were computed as they are.
    is_wide = dataset.label("band_gap") >= meaning.gap
    return np.where(is_wide, factors, np.nan)


def _refusal(definition: str) -> str:
    return (
        f"the power factors of the starter set are published ones ({PUBLISHED.citation}: 300 K, "
        f"1e18 carriers per cm^3) and do not answer the definition {definition!r}. Choose one that "
        "they answer (transport.definition: ricci2017), begin with open heads until the campaign "
        "has computed enough (dataset.few_labels: leave-open), or take the set whose GPAW labels "
        "answer any definition (dataset.source: prototypes)"
    )
