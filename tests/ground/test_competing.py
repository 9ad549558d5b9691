"""Where structures of competing phases come from, and what is refused before work begins."""

from __future__ import annotations

from types import SimpleNamespace

import competing_toys
import numpy as np
import pytest
from competing_toys import CAMPAIGN, crystal, folder_of, told_engine, use_hull

from gen2dft.campaign import CampaignSpec
from gen2dft.crystals import CrystalTable
from gen2dft.dataset import Dataset
from gen2dft.errors import CampaignError, DatasetError
from gen2dft.ground.competing import Method, Sources, check_competing, competitors
from gen2dft.store.documents import ReferenceDoc
from tests import toys

pytestmark = pytest.mark.usefixtures("toy_plugins")
AMOUNTS = {"Na": 2, "Br": 1, "Cl": 1}


@pytest.fixture(autouse=True)
def told(monkeypatch):
    return told_engine(monkeypatch)


@pytest.fixture
def method():
    return Method.of("told", "toy-v1")


@pytest.fixture
def store():
    return competing_toys.new_store()


def by_name(found):
    return {phase.name: phase for phase in found}


def labelled(**labels):
    """Sodium chloride in two polymorphs, with these labels."""
    crystals = [toys.rock_salt("Na", "Cl", a) for a in (5.6, 5.8)]
    columns = {name: np.array(values) for name, values in labels.items()}
    return Dataset(CrystalTable.from_structures(crystals), ("mp-1", "mp-2"), columns)


def client(*rows):
    endpoint = SimpleNamespace(search=lambda **_: list(rows))
    return SimpleNamespace(materials=SimpleNamespace(summary=endpoint), db_version="1")


def test_the_lowest_crystal_of_the_dataset_is_taken(store, method):
    dataset = labelled(formation_energy=[-1.0, -1.2], e_above_hull=[0.2, 0.0])
    found = by_name(competitors(store, method, AMOUNTS, Sources(dataset)))
    assert found["Cl1 Na1"].reference.phase.name == "mp-2"
    assert "no structure" in found["Br1 Na1"].problem


def test_another_polymorph_is_no_competing_phase(store, method, tmp_path):
    dataset = labelled(formation_energy=[-1.0, -1.2], e_above_hull=[0.3, 0.1])
    found = by_name(competitors(store, method, AMOUNTS, Sources(dataset)))
    assert "mp-2 of the dataset is another polymorph, 0.10 eV/atom higher" in (
        found["Cl1 Na1"].problem
    )
    folder = folder_of(tmp_path / "phases", "NaCl")
    found = by_name(competitors(store, method, AMOUNTS, Sources(dataset, folder)))
    assert found["Cl1 Na1"].reference.phase.origin == str(folder / "NaCl.cif")


def test_the_materials_project_is_asked_by_formula_and_gives_its_lowest(store, method):
    rows = [
        {"material_id": "mp-7", "structure": crystal("NaBr"), "energy_above_hull": 0.1},
        {"material_id": "mp-8", "structure": crystal("NaBr"), "energy_above_hull": 0.0},
    ]
    found = by_name(competitors(store, method, AMOUNTS, Sources(client=client(*rows))))
    phase = found["Br1 Na1"].reference.phase
    assert (phase.name, phase.origin) == ("mp-8", "materials-project")


def test_elements_come_from_the_literature_and_gases_as_molecules(store, method, monkeypatch):
    use_hull(monkeypatch, {"KCl": -1.0, "NaCl": -1.0})
    found = by_name(competitors(store, method, {"Na": 1, "K": 1}, Sources()))
    assert found["Na1"].reference.phase.origin == "literature: ASE's table: bcc"
    use_hull(monkeypatch, {"NaO": -1.0, "KO": -1.0})
    found = by_name(competitors(store, method, {"Na": 1, "O": 2}, Sources()))
    assert found["O1"].reference.phase.is_molecule


def test_what_is_computed_is_found_again_under_another_name(store, method, tmp_path):
    fields = {"known_stable": False, "engine": "told", "preset": "toy-v1", "origin": "elsewhere"}
    energies = {"a": -2.9, "b": -3.0}
    for key, energy in energies.items():
        structure = crystal("NaCl").as_dict()
        store.insert_new(
            ReferenceDoc(
                id=key, formula="NaCl", name=key, settings_hash="toyhash", structure=structure,
                energy_per_atom=energy, **fields,
            )
        )  # fmt: skip
    folder = folder_of(tmp_path / "phases", "NaCl")
    found = by_name(competitors(store, method, AMOUNTS, Sources(folder=folder)))
    assert found["Cl1 Na1"].reference is None
    assert found["Cl1 Na1"].computed.id == "b"  # the lower of the two


def spec(**validation):
    fields = {**CAMPAIGN["validation"], **validation}
    return CampaignSpec.model_validate({**CAMPAIGN, "validation": fields})


def test_a_surrogate_computes_no_competing_phases():
    check_competing(spec(engine="toy", competing=False))
    with pytest.raises(CampaignError, match=r"engine 'toy' is a surrogate: choose a DFT engine"):
        check_competing(spec(engine="toy"))


def test_a_folder_is_read_before_the_campaign_begins(tmp_path):
    with pytest.raises(DatasetError, match=r"folder of structures .*nowhere does not exist"):
        check_competing(spec(competing_structures=str(tmp_path / "nowhere")))
    (tmp_path / "NaCl.cif").write_text("nothing")
    with pytest.raises(DatasetError, match=r"NaCl\.cif holds no crystal that can be read"):
        check_competing(spec(competing_structures=str(tmp_path)))


def test_a_folder_without_competing_phases_is_a_mistake(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match="read only where competing phases are computed"):
        spec(competing=False, competing_structures="phases")
    monkeypatch.chdir(tmp_path)
    assert spec(competing_structures="phases").validation.competing_structures == str(
        tmp_path / "phases"
    )
