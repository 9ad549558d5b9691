"""What is written for VASP: INCAR, KPOINTS and POTCAR.spec of the presets."""

import pytest
from pymatgen.core import Lattice, Structure

from gen2dft.engines.vasp.input_sets import (
    PresetInputSet,
    gamma_mesh,
    mesh_of,
    with_initial_moments,
)
from gen2dft.engines.vasp.presets import get_preset


def written(structure, preset, task, folder):
    """Input files as they lie in the folder."""
    from atomate2.vasp.files import write_vasp_input_set
    from pymatgen.io.vasp import Incar, Kpoints

    write_vasp_input_set(
        structure, PresetInputSet(preset=preset, task=task), directory=folder, potcar_spec=True
    )
    specs = (folder / "POTCAR.spec").read_text().split()
    return Incar.from_file(folder / "INCAR"), Kpoints.from_file(folder / "KPOINTS"), specs


@pytest.mark.parametrize(
    ("preset", "mesh"),
    [("vo-pbe-v1", (3, 3, 5)), ("ggau-v1", (3, 3, 5)), ("ggau-refine-v1", (6, 6, 9))],
)
@pytest.mark.parametrize("task", ["relax", "static"])
def test_mesh_and_pseudopotentials_of_rutile(rutile, preset, mesh, task, folder):
    incar, kpoints, specs = written(rutile, preset, task, folder)
    assert (kpoints.kpts[0], str(kpoints.style), kpoints.kpts_shift) == (mesh, "Gamma", (0, 0, 0))
    assert specs == ["V_pv", "O"]
    assert "KSPACING" not in incar


def test_incar_of_rutile_in_plain_pbe(rutile, folder):
    incar, _, _ = written(rutile, "vo-pbe-v1", "relax", folder)
    assert dict(incar) == {
        "ALGO": "Fast",
        "EDIFF": 1e-5,
        "EDIFFG": -0.05,
        "ENCUT": 500,
        "IBRION": 2,
        "ISIF": 3,
        "ISMEAR": 0,
        "ISPIN": 1,
        "LASPH": True,
        "LCHARG": False,
        "LMAXMIX": 4,
        "LORBIT": 11,
        "LREAL": False,
        "LWAVE": False,
        "NELM": 100,
        "NSW": 99,
        "PREC": "Accurate",
        "SIGMA": 0.05,
    }


def test_incar_of_rutile_with_u(rutile, folder):
    plain, _, _ = written(rutile, "vo-pbe-v1", "relax", folder)
    incar, _, _ = written(rutile, "ggau-v1", "relax", folder)
    assert {key: value for key, value in incar.items() if plain.get(key) != value} == {
        "ISPIN": 2,
        "MAGMOM": [5, 5, 0.6, 0.6, 0.6, 0.6],
        "LDAU": True,
        "LDAUTYPE": 2,
        "LDAUL": [2, 0],
        "LDAUU": [3.25, 0],
        "LDAUJ": [0, 0],
        "LDAUPRINT": 1,
    }


def test_a_static_calculation_keeps_cut_off_and_mesh(rutile, folder):
    incar, _, _ = written(rutile, "ggau-v1", "static", folder)
    assert (incar["NSW"], incar["EDIFF"], incar["ENCUT"], incar["LCHARG"]) == (0, 1e-6, 500, True)
    assert not {"IBRION", "ISIF", "EDIFFG"} & set(incar)


def test_uniform_bands_are_dense_and_fixed_in_charge(rutile, folder):
    incar, kpoints, _ = written(rutile, "ggau-v1", "uniform_bands", folder)
    assert (incar["ICHARG"], incar["NSW"], incar["LCHARG"]) == (11, 0, False)
    assert (kpoints.kpts[0], str(kpoints.style)) == ((12, 12, 19), "Gamma")
    coarser = mesh_of(get_preset("ggau-v1"), "uniform_bands", rutile, scale=1.25)
    assert coarser.kpts[0] == (10, 10, 15)


@pytest.mark.parametrize("preset", ["vo-pbe-v1", "ggau-v1", "mp-ggau-v1"])
def test_u_does_not_leak_into_elements(preset, folder):
    vanadium = Structure(Lattice.cubic(3.0), ["V", "V"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    incar, _, _ = written(vanadium, preset, "relax", folder)
    assert not [key for key in incar if key.startswith("LDAU")]
    assert (incar["ISMEAR"], incar["SIGMA"]) == (0, 0.05)


@pytest.mark.parametrize("preset", ["vo-pbe-v1", "ggau-v1", "ggau-refine-v1", "mp-ggau-v1"])
def test_oxygen_is_a_triplet(preset, folder):
    oxygen = Structure(Lattice.orthorhombic(9, 10, 11), ["O", "O"], [[0, 0, 0], [0, 0, 1.22 / 11]])
    incar, _, _ = written(oxygen, preset, "relax", folder)
    assert (incar["ISPIN"], incar["MAGMOM"]) == (2, [1.0, 1.0])
    assert not [key for key in incar if key.startswith("LDAU")]


def test_moments_are_kept_unless_they_were_lost(rutile):
    kept = rutile.copy(site_properties={"magmom": [0.9, -0.9, 0, 0, 0, 0]})
    assert with_initial_moments(kept).site_properties["magmom"][:2] == [0.9, -0.9]
    lost = rutile.copy(site_properties={"magmom": [0.02, 0.0, 0, 0, 0, 0]})
    assert "magmom" not in with_initial_moments(lost).site_properties
    assert "magmom" in lost.site_properties
    assert with_initial_moments(rutile) is rutile


def test_moments_of_the_calculation_before_go_into_the_incar(rutile, folder):
    moments = [0.9, -0.9, 0.1, 0.1, 0.1, 0.1]
    incar, _, _ = written(
        rutile.copy(site_properties={"magmom": moments}), "ggau-v1", "static", folder
    )
    assert incar["MAGMOM"] == moments


def test_the_mesh_follows_the_reciprocal_cell(rutile):
    assert gamma_mesh(rutile * (1, 1, 2), 0.5) == (3, 3, 3)
    assert gamma_mesh(rutile, 10.0) == (1, 1, 1)


def test_a_set_without_a_structure_says_what_it_needs():
    with pytest.raises(ValueError, match="depends on the cell: give the structure first"):
        PresetInputSet().kpoints_updates  # noqa: B018 - a property that raises
