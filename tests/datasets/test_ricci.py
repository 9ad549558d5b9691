import importlib.util

import numpy as np
import pandas as pd
import pytest
from pymatgen.core import Lattice, Structure

from gen2dft.crystals import CrystalTable
from gen2dft.dataset import Dataset
from gen2dft.datasets import ricci
from gen2dft.errors import DatasetError, SettingsError

TABLE = pd.DataFrame({"mp_id": ["mp-1", "mp-2", "mp-9"], "PF_p": [10.0, 0.5, 3.0]})


def dataset(ids=("mp-1", "mp-2", "mp-3"), **labels):
    crystals = CrystalTable.from_structures(
        Structure(Lattice.cubic(3), ["Po"], [[0, 0, 0]]) for _ in ids
    )
    return Dataset(crystals, ids, {name: np.array(values) for name, values in labels.items()})


def test_power_factors_join_by_id_in_the_unit_of_the_property():
    joined = ricci.join_ricci(dataset(), TABLE)
    # 10 GW K^-2 m^-1 s^-1 x 1e-14 s = 1e-4 W K^-2 m^-1 = 1 uW cm^-1 K^-2
    assert joined.label("power_factor")[:2].tolist() == pytest.approx([1.0, 0.05])
    assert np.isnan(joined.label("power_factor")[2])
    assert joined.provenance["joined"]["ricci2017"]["matches"] == 2


def test_labels_of_the_dataset_itself_are_kept():
    joined = ricci.join_ricci(dataset(power_factor=[7.0, np.nan, np.nan]), TABLE)
    assert joined.label("power_factor")[:2].tolist() == pytest.approx([7.0, 0.05])


def test_ids_of_another_kind_are_an_error():
    with pytest.raises(DatasetError, match=r"none of the 1 ids \(e.g. 'x-1'\).*goes by mp-id"):
        ricci.join_ricci(dataset(("x-1",)), TABLE)


def test_without_matminer_the_remedy_is_named(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SettingsError, match=r"pip install 'gen2dft\[labels\]'"):
        ricci.join_ricci(dataset())


@pytest.mark.skipif(
    importlib.util.find_spec("matminer") is None, reason="the table comes with matminer"
)
def test_the_real_table_holds_silicon():
    table = ricci.transport_table()
    assert len(table) == 47737
    joined = ricci.join_ricci(dataset(("mp-149", "mp-0")), table)
    assert 0.1 < joined.label("power_factor")[0] < 10
