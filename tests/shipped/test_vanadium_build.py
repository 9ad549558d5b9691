import dataclasses

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from gen2dft.crystals import CrystalTable
from gen2dft.dataset import Dataset
from gen2dft.errors import DatasetError
from gen2dft.geometry import distances_in_cell
from gen2dft.shipped import vanadium_build
from gen2dft.shipped.vanadium_build import (
    OxidePlan,
    build_oxides,
    exchanged,
    labelled,
    scale_to_bonds,
    unlabelled_oxides,
)

SALT = Structure.from_spacegroup(
    "Fm-3m", Lattice.cubic(5.6), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]
)
RUTILE = Structure.from_spacegroup(
    "P4_2/mnm", Lattice.tetragonal(4.6, 2.96), ["Ti", "O"], [[0, 0, 0], [0.305, 0.305, 0]]
)
TERNARY = Structure(
    Lattice.cubic(4), ["Sr", "Ti", "O"], [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0]]
)


def source(*structures: Structure) -> Dataset:
    return Dataset(
        CrystalTable.from_structures(structures), tuple(f"s{i}" for i in range(len(structures))), {}
    )


def test_every_binary_becomes_two_oxides_and_duplicates_go():
    stretched = SALT.copy()
    stretched.scale_lattice(SALT.volume * 1.3)
    oxides, counts = unlabelled_oxides(
        source(SALT.get_primitive_structure(), RUTILE, stretched, TERNARY), OxidePlan()
    )
    # A rock salt is the same both ways, and the same when stretched; rutile gives VO2 and V2O.
    assert sorted(oxides.crystals.formulas()) == ["O1 V1", "O1 V2", "O2 V1"]
    assert [(c.stage, c.n_in, c.n_out) for c in counts] == [
        ("binaries", 4, 3),
        ("images", 6, 6),
        ("distinct", 6, 3),
    ]
    assert counts[0].reasons == {"not_binary": 1}
    assert counts[2].reasons == {"duplicate": 3}


def test_cells_are_scaled_to_the_bonds_of_vanadium_oxides():
    crystals, ids = exchanged(source(RUTILE))
    assert ids == ("s0-a", "s0-b")
    for i in range(2):
        lattice, numbers = crystals.lattices[i], crystals.numbers[crystals.sites(i)]
        apart = distances_in_cell(lattice, crystals.frac[crystals.sites(i)])
        assert apart[numbers == 23][:, numbers == 8].min() >= 1.9 - 1e-9
        assert 8 <= crystals.volumes[i] / len(numbers) <= 16
    dimers = scale_to_bonds(
        6 * np.eye(3), np.array([[0, 0, 0], [1 / 6, 0, 0], [0.5, 0.5, 0.5]]), np.array([8, 8, 23])
    )
    assert 216 * dimers**3 / 3 == pytest.approx(16)  # no looser than the largest volume


def test_a_source_without_binaries_is_refused():
    with pytest.raises(DatasetError, match=r"none of the 1 crystals has two elements"):
        unlabelled_oxides(source(TERNARY), OxidePlan())


def test_labels_are_written_down_at_once(tmp_path, monkeypatch):
    oxides, counts = unlabelled_oxides(source(SALT.get_primitive_structure(), RUTILE), OxidePlan())
    engine, calls = stand_in(), []
    monkeypatch.setattr(vanadium_build, "load_engine", lambda name: engine(calls))
    journal = tmp_path / "oxides.jsonl"
    whole, count = labelled(oxides, OxidePlan(), journal)
    assert (
        len(calls) == 2 * 2 + 1
    )  # each as it is and at the volume without pressure; one fails at once
    assert (count.n_in, count.n_out) == (3, 2) and count.reasons == {"atoms_too_close": 1}
    assert whole.label("formation_energy") == pytest.approx([-1.1, -1.1])
    assert sorted(whole.label("vanadium_state")) == [2, 4]
    assert (whole.label("e_above_hull") > 0).all()
    journal.write_text(journal.read_text()[:-20])  # a kill in the middle of the last line
    again, _ = labelled(oxides, OxidePlan(), journal)
    assert again.content_hash == whole.content_hash
    assert len(calls) <= 2 * 2 + 1 + 2
    built = build_oxides(oxides, counts, OxidePlan(), source(SALT), journal)
    assert [c["stage"] for c in built.provenance["counts"]] == [
        "binaries",
        "images",
        "distinct",
        "label",
    ]


def stand_in():
    """Lowest energy at the second volume; V2O fails."""
    from gen2dft.calculation import Calculation
    from gen2dft.engines.mlip.engine import ENGINE
    from gen2dft.errors import CalculationFailed

    def static(calls, structure, preset):
        calls.append(structure.volume)
        if structure.composition.reduced_formula == "V2O":
            raise CalculationFailed("atoms_too_close", "as asked")
        energy = -1.0 - 0.1 * (len(calls) % 2 == 0)
        return Calculation(
            structure=structure, energy_per_atom=energy, stress=np.eye(3) * 3.0, converged=True
        )

    return lambda calls: dataclasses.replace(
        ENGINE,
        static=lambda s, p: static(calls, s, p),
        formation_energy=lambda composition, energy: energy,
    )
