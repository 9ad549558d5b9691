"""Phases for a hull: pinned to one thermo type, cached, incomplete documents named."""

from types import SimpleNamespace

import pytest

from gen2dft.datasets.mp_phases import read_stable_phases
from gen2dft.datasets.remarks import DatasetWarning
from gen2dft.errors import DatasetError
from tests.datasets.test_materials_project import ROCK_SALT, FakeEndpoint


def stable_client(documents, version="2026_11_01"):
    return SimpleNamespace(
        db_version=version, materials=SimpleNamespace(thermo=FakeEndpoint(documents))
    )


def test_stable_phases_are_pinned_to_one_thermo_type_and_cached(tmp_path):
    documents = [
        {"composition": ROCK_SALT.composition, "formation_energy_per_atom": -2.1},
        {"composition": {"Na": 1.0}, "formation_energy_per_atom": 0.0},
    ]
    client = stable_client(documents)
    phases = read_stable_phases("GGA_GGA+U", 3, tmp_path, client)
    assert phases == [({"Na": 1.0, "Cl": 1.0}, -2.1), ({"Na": 1.0}, 0.0)]
    (query,) = client.materials.thermo.queries
    assert (query["thermo_types"], query["is_stable"], query["num_elements"]) == (
        ["GGA_GGA+U"],
        True,
        (1, 3),
    )
    again = stable_client([])
    assert read_stable_phases("GGA_GGA+U", 3, tmp_path, again) == phases
    assert not again.materials.thermo.queries
    with pytest.raises(
        DatasetError, match=r"no stable phase of thermo type 'R2SCAN': hull\.thermo_type"
    ):
        read_stable_phases("R2SCAN", 3, tmp_path, again)


def test_stable_phases_without_energy_or_composition_are_named_and_kept_so(tmp_path):
    documents = [
        {"material_id": "mp-1", "composition": {"Na": 1}, "formation_energy_per_atom": None},
        {"formation_energy_per_atom": -3.0},
        {"composition": {"Mg": 1, "O": 1}, "formation_energy_per_atom": -3.0},
    ]
    for client in (stable_client(documents), stable_client([])):
        with pytest.warns(DatasetWarning) as told:
            phases = read_stable_phases("GGA_GGA+U", 2, tmp_path, client)
        assert phases == [({"Mg": 1.0, "O": 1.0}, -3.0)]
        texts = sorted(str(warning.message) for warning in told)
        assert texts == [
            "Materials Project, stable phases: 1 left out, energy that is no number: mp-1",
            "Materials Project, stable phases: 1 left out, no composition: document 2",
        ]
    with pytest.raises(DatasetError, match=r"no stable phase .*1 left out, no composition"):
        read_stable_phases("R2SCAN", 2, tmp_path, stable_client(documents[1:2]))


def test_cached_phases_of_earlier_versions_and_damaged_ones(tmp_path):
    documents = [{"composition": {"Na": 1}, "formation_energy_per_atom": 0.0}]
    read_stable_phases("GGA_GGA+U", 2, tmp_path, stable_client(documents))
    (kept,) = (tmp_path / "hulls").iterdir()
    kept.write_text('[[{"K": 1}, 0.0]]')
    assert read_stable_phases("GGA_GGA+U", 2, tmp_path, stable_client([])) == [({"K": 1}, 0.0)]
    kept.write_text('{"phases": 5}')
    assert read_stable_phases("GGA_GGA+U", 2, tmp_path, stable_client(documents)) == [
        ({"Na": 1.0}, 0.0)
    ]
