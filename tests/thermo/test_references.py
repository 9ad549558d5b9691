import pytest
from pymatgen.core import Composition

from gen2dft.errors import DatasetError
from gen2dft.thermo.references import (
    elemental_references,
    formation_energy,
    has_references,
    reference_document,
)


def test_formation_energy_is_zero_for_the_reference_itself_and_linear_in_the_mixture():
    mu = elemental_references("mlip")
    assert formation_energy(Composition("Fe"), mu["Fe"]) == pytest.approx(0)
    assert formation_energy(
        {"Fe": 2, "O": 3}, (2 * mu["Fe"] + 3 * mu["O"]) / 5 - 1.5
    ) == pytest.approx(-1.5)


def test_symbols_and_elements_size_and_order_do_not_matter():
    assert formation_energy(Composition("Ti2O4"), -9.0) == pytest.approx(
        formation_energy({"O": 2, "Ti": 1}, -9.0)
    )


def test_shipped_references_say_where_they_come_from_and_are_good():
    document = reference_document("chgnet")
    assert len(document["references"]) >= 85
    assert {"dataset", "num_crystals", "versions", "command"} <= set(document["provenance"])
    assert document["provenance"]["mae_5_fold_eV_per_atom"] < 0.03
    assert all(-15 < value < 0.5 for value in document["references"].values())


def test_elements_without_reference_are_named():
    assert has_references({"O": 1})
    assert not has_references(Composition("CmO2"))
    with pytest.raises(
        DatasetError, match="no elemental reference energy of engine 'mlip' for Cm, Es"
    ):
        formation_energy({"Es": 1, "Cm": 1, "O": 2}, -5.0)


def test_unknown_engine_is_refused():
    with pytest.raises(DatasetError, match="engine with elemental references 'vasp' is not one of"):
        elemental_references("vasp")
