import json
from pathlib import Path

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from gen2dft.calculation import Calculation
from gen2dft.crystals import CrystalTable
from gen2dft.dataset import Dataset

pytest.importorskip("chgnet")


@pytest.fixture
def dataset() -> Dataset:
    structures = [
        Structure(Lattice.cubic(3.0 + 0.05 * i), [cation, anion], [[0, 0, 0], [0.5, 0.5, 0.5]])
        for i, (cation, anion) in enumerate(
            (c, a) for c in ("Li", "Na", "K", "Rb") for a in ("Cl", "Br", "I")
        )
    ]
    labels = {"formation_energy": np.linspace(-2, -1, len(structures))}
    ids = tuple(f"x-{i}" for i in range(len(structures)))
    return Dataset(CrystalTable.from_structures(structures), ids, labels, {"source": "x"})


def test_references_are_written_with_their_provenance(
    dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from gen2dft.shipped import build_references

    computed = []

    def static(structure: Structure) -> Calculation:
        computed.append(structure.formula)
        return Calculation(structure=structure, energy_per_atom=-3.0, converged=True)

    monkeypatch.setattr(build_references, "static", static)
    monkeypatch.setattr(build_references, "ground_state_energies", lambda: {"W": -12.9})
    dataset.save(tmp_path / "data.npz")
    out = tmp_path / "refs.json"
    build_references.main([str(tmp_path / "data.npz"), str(out)])
    document = json.loads(out.read_text())
    assert set(document["references"]) == {"Li", "Na", "K", "Rb", "Cl", "Br", "I", "W"}
    assert document["provenance"]["dataset"] == {"source": "x"}
    assert document["provenance"]["command"].endswith("build_references data.npz refs.json")
    build_references.main([str(tmp_path / "data.npz"), str(out)])
    assert len(computed) == len(dataset), "the second run continues from the energies of the first"


def test_ground_states_of_simple_metals_are_computed():
    from gen2dft.shipped.build_references import ground_state_energies
    from gen2dft.thermo.references import elemental_references

    energies = ground_state_energies()
    for symbol in ("Na", "Al", "Cu", "W"):
        assert energies[symbol] == pytest.approx(elemental_references()[symbol], abs=0.25)
