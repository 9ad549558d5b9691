"""Transport labels of Ricci et al., Sci. Data 4, 170085 (2017), joined by Materials Project id.

The table (47,737 crystals; CC0) comes with the package matminer. It gives, at 300 K, 1e18
carriers per cm^3 and constant relaxation time, the mean of the tensor's three eigenvalues. It holds
mp-id and formula, but neither space group nor cell nor band gap: the mp-id alone says which
polymorph a row belongs to. Joining by formula would be wrong far more often than right: of 138
stable starter crystals whose formula the table has once, 28 were that polymorph.
"""

from __future__ import annotations

import importlib.util
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from gen2dft.dataset import Dataset
from gen2dft.datasets.mp_documents import material_key
from gen2dft.errors import DatasetError, SettingsError
from gen2dft.transport import POWER_FACTOR

if TYPE_CHECKING:
    import pandas as pd

NAME = "ricci2017"
CITATION = (
    "Ricci et al., Sci. Data 4, 170085 (2017), doi:10.1038/sdata.2017.85; data: CC0, "
    "doi:10.5061/dryad.gn001"
)

# PF / tau in GW K^-2 m^-1 s^-1 = 1e9 W K^-2 m^-1 s^-1; times tau = 1e-14 s gives 1e-5 W K^-2 m^-1 =
# 0.1 uW cm^-1 K^-2.
UW_PER_CM_K2_AT_10_FS = 0.1


def join_ricci(dataset: Dataset, table: pd.DataFrame | None = None) -> Dataset:
    """Add the p-type power factor to every crystal whose id is an mp-id of the table.

    Parameters
    ----------
    dataset
        Ids such as `mp-149`; labels that a crystal already has are kept.
    table
        Columns `mp_id` and `PF_p` (GW K^-2 m^-1 s^-1); by default the one that comes with matminer.

    Returns
    -------
    Dataset
        With the power factor in uW cm^-1 K^-2 at tau = 1e-14 s, NaN where the table has no row.

    Raises
    ------
    SettingsError
        If matminer is not installed.
    DatasetError
        If no id of the dataset is in the table.
    """
    factors = published_factors("p", table)
    # New ids of the Materials Project write their number with letters.
    joined = np.array([factors.get(material_key(name), np.nan) for name in dataset.ids])
    matches = int(np.isfinite(joined).sum())
    if not matches:
        raise DatasetError(
            f"none of the {len(dataset)} ids (e.g. {dataset.ids[0]!r}) is in the table {NAME}, "
            "which goes by mp-id; name the column with mp-ids (dataset.columns: id: NAME) or drop "
            "dataset.labels"
        )
    own = dataset.label(POWER_FACTOR)
    filled = np.where(np.isnan(own), joined, own)
    note = {NAME: {"citation": CITATION, "matches": matches, "of": len(dataset)}}
    labels = {**dataset.labels, POWER_FACTOR: filled}
    provenance = {**dataset.provenance, "joined": note}
    return replace(dataset, labels=labels, provenance=provenance)


def published_factors(
    carrier: Literal["p", "n"], table: pd.DataFrame | None = None
) -> dict[str, float]:
    """Power factors of one kind of carriers by mp-id, uW cm^-1 K^-2 at tau = 1e-14 s.

    Parameters
    ----------
    table
        Columns `mp_id` and `PF_p` or `PF_n` (GW K^-2 m^-1 s^-1); by default the one that comes with
        matminer (SettingsError without it).
    """
    rows = transport_table() if table is None else table
    names = rows["mp_id"].astype(str)
    values = rows[f"PF_{carrier}"].astype(float) * UW_PER_CM_K2_AT_10_FS
    return dict(zip(names, values, strict=True))


def transport_table() -> pd.DataFrame:
    """The whole table as matminer ships it; SettingsError if matminer is missing.

    Columns: mp_id, pretty_formula; sigma (1e15 / (Ohm m s)), S (uV/K), kappa (GW/(K m s)), PF
    (GW/(K^2 m s)) and m (electron masses), each for p and n.
    """
    import pandas as pd

    folder = _matminer_folder()
    plain = folder / "transport_database.csv"
    if plain.is_file():
        return pd.read_csv(plain)
    archive = folder / "transport_database.tar.xz"
    if not archive.is_file():
        raise SettingsError(
            f"matminer's transport table is not in {folder}; reinstall: pip install "
            "'gen2dft[labels]'"
        )
    with tarfile.open(archive, mode="r:xz") as tar:
        member = tar.extractfile("transport_database.csv")
        if member is None:
            raise SettingsError(f"{archive} holds no transport_database.csv; reinstall matminer")
        return pd.read_csv(member)


def _matminer_folder() -> Path:
    # Found without importing matminer: its import takes seconds, and its reader unpacks into
    # site-packages.
    found = importlib.util.find_spec("matminer")
    if found is None or found.origin is None:
        raise SettingsError(
            "the labels ricci2017 come with the package matminer: pip install 'gen2dft[labels]'"
        )
    return Path(found.origin).parent / "utils" / "data_files" / "mp_transport"
