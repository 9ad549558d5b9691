import pytest
from pymatgen.core import Lattice, Structure

from gen2dft.errors import DatasetError
from gen2dft.funnel import StageCount
from gen2dft.shipped.prototypes_checkpoint import BuildPlan
from gen2dft.shipped.prototypes_finish import finish
from gen2dft.thermo.references import elemental_references


def relaxed(group, place, formation_energy, *, lattice=5.6, converged=True, species=("Na", "Cl")):
    structure = Structure.from_spacegroup(
        group, Lattice.cubic(lattice), list(species), [[0, 0, 0], place]
    )
    structure = structure.get_primitive_structure()
    references = elemental_references()
    return {
        "prototype": f"{group}/01",
        "energy": formation_energy + sum(references[s] for s in species) / 2,
        "converged": converged,
        "lattice": structure.lattice.matrix.tolist(),
        "numbers": [site.specie.Z for site in structure],
        "frac": structure.frac_coords.tolist(),
    }


def records():
    rs, zb = ("Fm-3m", [0.5] * 3), ("F-43m", [0.25] * 3)
    sodium = [
        relaxed(*zb, -1.9),
        relaxed(*rs, -2.0),
        relaxed(*rs, -1.99, lattice=5.61),
        relaxed("Pm-3m", [0.5] * 3, -1.2, lattice=3.5),
    ]
    oxide = [
        relaxed(*rs, -3.0, species=("Mg", "O"), lattice=4.2),
        relaxed(*zb, -2.9, species=("Mg", "O"), converged=False),
    ]
    return [
        {
            "formula": "NaCl",
            "relaxed": sodium,
            "failed": {"atoms_too_close": 2},
            "not_among_the_best": 3,
        },
        {"formula": "MgO", "relaxed": oxide, "failed": {}, "not_among_the_best": 0},
    ]


@pytest.fixture(scope="module")
def dataset():
    return finish(records(), BuildPlan(), "the command")


def test_labels_are_formation_energy_and_distance_to_the_own_hull(dataset):
    assert dataset.ids == ("starter-NaCl-1", "starter-NaCl-3", "starter-MgO-1")
    assert dataset.label("formation_energy").tolist() == pytest.approx([-2.0, -1.9, -3.0], abs=1e-5)
    assert dataset.label("e_above_hull").tolist() == pytest.approx([0, 0.1, 0], abs=1e-5)
    assert dataset.num_labels() == {
        "formation_energy": 3,
        "e_above_hull": 3,
        "band_gap": 0,
        "power_factor": 0,
    }


def test_every_stage_adds_up_and_names_its_reasons(dataset):
    relaxation, selection = (
        StageCount.model_validate(count) for count in dataset.provenance["counts"]
    )
    assert relaxation.reasons == {"atoms_too_close": 2, "not_among_the_best": 3, "not_converged": 1}
    assert (relaxation.n_in, relaxation.n_out) == (11, 5)
    assert selection.reasons == {"duplicate": 1, "above_hull": 1}
    assert selection.n_out == len(dataset)


def test_provenance_names_command_seed_versions_and_licences(dataset):
    provenance = dataset.provenance
    assert provenance["command"] == "the command"
    assert provenance["plan"]["seed"] == 0
    assert {"chgnet", "torch", "pymatgen"} <= set(provenance["versions"])
    assert "CC0" in provenance["licences"]


def test_nothing_left_is_an_error():
    with pytest.raises(DatasetError, match=r"no crystal of the build is left"):
        finish([], BuildPlan(), "x")
