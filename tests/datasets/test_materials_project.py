from types import SimpleNamespace

import pytest
from mp_api.client.core import MPRestError
from pymatgen.core import SETTINGS, Lattice, Structure

from gen2dft.datasets import mp_client
from gen2dft.datasets.materials_project import (
    Query,
    read_materials_project,
    read_structures,
)
from gen2dft.datasets.remarks import DatasetWarning
from gen2dft.errors import DatasetError, SettingsError

ROCK_SALT = Structure(Lattice.cubic(4), ["Na", "Cl"], [[0, 0, 0], [0.5] * 3])
MIXED = Structure(Lattice.cubic(4), [{"Na": 0.5, "K": 0.5}], [[0, 0, 0]])


class FakeEndpoint:
    def __init__(self, documents):
        self.documents, self.queries = documents, []

    def search(self, **query):
        self.queries.append(query)
        return self.documents


def fake_client(version="2026_11_01"):
    thermo = [
        {"material_id": f"mp-{i}", "formation_energy_per_atom": -i / 10, "energy_above_hull": 0.0}
        for i in (10, 2, 3, 5)
    ]
    summary = [
        {"material_id": "mp-10", "structure": ROCK_SALT.as_dict(), "band_gap": 5.0},
        {"material_id": "mp-2", "structure": ROCK_SALT, "band_gap": None},
        {"material_id": "mp-3", "structure": MIXED, "band_gap": 0.0},
        {"material_id": "mp-4", "structure": ROCK_SALT, "band_gap": 1.0},
    ]
    materials = SimpleNamespace(thermo=FakeEndpoint(thermo), summary=FakeEndpoint(summary))
    return SimpleNamespace(db_version=version, materials=materials)


def test_labels_join_on_the_id_and_leftovers_are_counted():
    dataset = read_materials_project(Query(), client=fake_client())
    assert dataset.ids == ("mp-2", "mp-10")
    assert dataset.label("formation_energy").tolist() == [-0.2, -1.0]
    assert dataset.num_labels() == {"formation_energy": 2, "e_above_hull": 2, "band_gap": 1}
    assert dataset.provenance["skipped_reasons"] == {
        "no_GGA_GGA+U_energy": 1,
        "partially_occupied": 1,
    }
    assert dataset.provenance["n_read"] == 4


def test_query_pins_the_thermo_type_and_leaves_gnome_out():
    client = fake_client()
    read_materials_project(Query((3, 3), 12, 0.05), client=client)
    (thermo,), (summary,) = client.materials.thermo.queries, client.materials.summary.queries
    assert thermo["thermo_types"] == ["GGA_GGA+U"]
    assert thermo["energy_above_hull"] == (0.0, 0.05)
    assert thermo["num_elements"] == summary["num_elements"] == (3, 3)
    assert summary["num_sites"] == (1, 12)
    assert summary["include_gnome"] is False


def test_cache_goes_by_query_and_database_version(tmp_path):
    read_materials_project(Query(), tmp_path, fake_client())
    again = fake_client()
    assert len(read_materials_project(Query(), tmp_path, again)) == 2
    assert not again.materials.summary.queries
    newer = fake_client("2027_01_01")
    read_materials_project(Query(), tmp_path, newer)
    assert newer.materials.summary.queries


def test_without_a_key_the_way_to_one_is_told(monkeypatch):
    monkeypatch.delenv("MP_API_KEY", raising=False)
    monkeypatch.setitem(SETTINGS, "PMG_MAPI_KEY", "")
    with pytest.raises(
        SettingsError, match=r"MP_API_KEY is not set: get a key.*next-gen.materialsproject.org"
    ):
        read_materials_project(Query())


def test_key_appears_neither_in_errors_nor_on_disk(monkeypatch, tmp_path):
    key = "0123456789abcdef0123456789abcdef"
    monkeypatch.setenv("MP_API_KEY", key)
    monkeypatch.setattr(mp_client, "_connect", lambda given: fake_client())
    read_materials_project(Query(), tmp_path)
    assert all(key.encode() not in file.read_bytes() for file in tmp_path.rglob("*.npz"))

    def refuse(given):
        raise MPRestError(f"403 for key {given}")

    monkeypatch.setattr(mp_client, "_connect", refuse)
    with pytest.raises(DatasetError, match=r"could not be queried: 403 for key <key>") as caught:
        read_materials_project(Query())
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_nothing_found_is_an_error():
    client = fake_client()
    client.materials.thermo.documents = []
    with pytest.raises(DatasetError, match=r"no crystal for"):
        read_materials_project(Query(), client=client)


def test_structures_are_read_by_id():
    summary = FakeEndpoint([{"material_id": "mp-22862", "structure": ROCK_SALT.as_dict()}])
    client = SimpleNamespace(materials=SimpleNamespace(summary=summary))
    assert read_structures(["mp-22862", "mp-1"], client) == {"mp-22862": ROCK_SALT}
    assert summary.queries[0]["material_ids"] == ["mp-22862", "mp-1"]


MGO = Structure(Lattice.cubic(4.2), ["Mg", "O"], [[0, 0, 0], [0.5] * 3])


def thermo_row(name, energy=-2.0, above=0.0):
    return {
        "material_id": name,
        "formation_energy_per_atom": energy,
        "energy_above_hull": above,
    }


def summary_row(name, structure=ROCK_SALT, gap=5.0):
    plain = structure.as_dict() if isinstance(structure, Structure) else structure
    return {"material_id": name, "structure": plain, "band_gap": gap}


def answering(thermo, summary):
    materials = SimpleNamespace(thermo=FakeEndpoint(thermo), summary=FakeEndpoint(summary))
    return SimpleNamespace(db_version="2026_11_01", materials=materials)


GOOD = (thermo_row("mp-2", -3.0), summary_row("mp-2", MGO, 4.0))


@pytest.mark.parametrize(
    ("thermo", "summary", "reason"),
    [
        ([thermo_row("mp-1", None)], [summary_row("mp-1")], "energy that is no number"),
        ([thermo_row("mp-1", float("nan"))], [summary_row("mp-1")], "energy that is no number"),
        ([{"material_id": "mp-1"}], [summary_row("mp-1")], "energy that is no number"),
        ([thermo_row("mp-1")], [summary_row("mp-1", None)], "no structure that can be read"),
        ([thermo_row("mp-1")], [{"material_id": "mp-1"}], "no structure that can be read"),
        ([thermo_row("mp-1")], [summary_row("mp-1", {"lattice": 5})], "no structure"),
        (
            [thermo_row("mp-1", -2.0), thermo_row("mp-1", -1.2)],
            [summary_row("mp-1")],
            "documents that contradict each other",
        ),
        (
            [thermo_row("mp-1")],
            [summary_row("mp-1"), summary_row("mp-ab")],  # a = 0, b = 1
            None,
        ),
        (
            [thermo_row("mp-1")],
            [summary_row("mp-1"), summary_row("mp-1", MGO)],
            "documents that contradict each other",
        ),
    ],
)
def test_incomplete_and_doubled_documents_are_left_out_and_named(tmp_path, thermo, summary, reason):
    client = answering([*thermo, GOOD[0]], [*summary, GOOD[1]])
    if reason is None:
        assert read_materials_project(Query(), client=client).ids == ("mp-1", "mp-2")
        return
    with pytest.warns(DatasetWarning, match=f"1 left out, {reason}.*: mp-1"):
        dataset = read_materials_project(Query(), tmp_path, client)
    assert dataset.ids == ("mp-2",)
    assert sum(dataset.provenance["skipped_reasons"].values()) == 1
    with pytest.warns(DatasetWarning, match=f"1 left out, {reason}"):  # from the cache, too
        read_materials_project(Query(), tmp_path, answering([], []))


def test_ids_of_two_styles_are_matched():
    thermo = [thermo_row("mp-bru", -2.0), thermo_row("mp-lxf", -3.0)]
    client = answering(thermo, [summary_row("mp-8039", MGO), summary_row("mp-1138")])
    dataset = read_materials_project(Query(), client=client)
    assert dataset.ids == ("mp-1138", "mp-8039")
    assert dataset.label("formation_energy").tolist() == [-2.0, -3.0]


def test_ids_that_do_not_fit_are_refused_by_name():
    client = answering([thermo_row("X1")], [summary_row("mp-1")])
    with pytest.raises(DatasetError, match=r"ids do not fit each other: energies .* X1, .* mp-1"):
        read_materials_project(Query(), client=client)


def test_nothing_usable_says_what_became_of_the_documents():
    client = answering([thermo_row("mp-1", None)], [summary_row("mp-1")])
    with pytest.raises(DatasetError, match=r"no crystal for .*left out: 1 energy that is no"):
        read_materials_project(Query(), client=client)


def test_structures_are_found_by_either_style_of_an_id():
    client = answering([], [summary_row("mp-bru"), summary_row("mp-7", None)])
    with pytest.warns(DatasetWarning, match=r"structures: 1 left out, no structure .*: mp-7"):
        assert list(read_structures(["mp-1138", "mp-7"], client)) == ["mp-1138"]
