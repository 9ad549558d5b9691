"""The build of a potential's correction: reading the table, relaxing once, what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pymatgen.core import Lattice, Structure

from gen2dft.calculation import Calculation
from gen2dft.errors import CalculationFailed, DatasetError
from gen2dft.shipped import stability_build
from gen2dft.shipped.stability_build import fit, read_published, relax_all

CATIONS, ANIONS = ("Li", "Na", "K", "Rb", "Mg", "Ca", "Sr"), ("O", "S", "Se", "Te", "F", "Cl", "Br")


class Potential:
    """Stands for an engine: energies of -1 eV/atom, and counts its relaxations."""

    presets = {"quick": None, "fine": None}

    def __init__(self) -> None:
        self.relaxed: list[str] = []

    def preset(self, name: str):
        class Preset:
            settings_hash = f"hash-of-{name}"

        return Preset()

    def relax(self, structure: Structure, preset: str) -> Calculation:
        formula = structure.composition.reduced_formula
        self.relaxed.append(formula)
        if formula == "LiBr":
            raise CalculationFailed("not_finite", "no number")
        return Calculation(engine="toy", structure=structure, energy_per_atom=-4.0, converged=True)

    def formation_energy(self, composition, energy_per_atom: float) -> float:
        return energy_per_atom + 3.0


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Potential:
    potential = Potential()
    monkeypatch.setattr(stability_build, "load_engine", lambda name: potential)
    return potential


def rows() -> list[dict]:
    found = []
    for cation in CATIONS:
        for anion in ANIONS:
            structure = Structure(Lattice.cubic(3.5), [cation, anion], [[0, 0, 0], [0.5, 0.5, 0.5]])
            key = f"{cation}{anion}"
            energy = 0.01 * len(found)
            found.append(
                {"id": key, "cif": structure.to(fmt="cif"), "decomposition_energy": energy}
            )
    return found


def written(folder: Path, table: list[dict]) -> Path:
    path = folder / "published.csv"
    pd.DataFrame(table).to_csv(path, index=False)
    return path


def test_crystals_are_read_with_their_distances(tmp_path: Path):
    crystals = read_published(written(tmp_path, rows()))
    assert [crystal.id for crystal in crystals][:2] == ["LiO", "LiS"]
    assert crystals[3].e_above_hull == pytest.approx(0.03)
    assert crystals[3].structure.composition.reduced_formula == "LiTe"


def test_what_failed_is_counted_and_the_rest_measured(tmp_path: Path, engine: Potential):
    crystals = read_published(written(tmp_path, rows()))
    found = relax_all(crystals, "toy", "quick", tmp_path / "c.jsonl")
    assert dict(found.left_out) == {"not_finite": 1}
    assert len(found.known) == len(crystals) - 1
    assert found.known.formation_energies == pytest.approx(-1.0)
    by_dft = [crystal.e_above_hull for crystal in crystals if crystal.id != "LiBr"]
    assert found.known.e_above_hulls_by_dft == pytest.approx(by_dft)


def test_a_killed_build_goes_on_behind_its_last_whole_line(tmp_path: Path, engine: Potential):
    crystals = read_published(written(tmp_path, rows()))
    journal = tmp_path / "c.jsonl"
    relax_all(crystals[:5], "toy", "quick", journal)
    with journal.open("a") as file:
        file.write('{"id": "half')
    engine.relaxed.clear()
    relax_all(crystals[:7], "toy", "quick", journal)
    assert len(engine.relaxed) == 2
    assert [json.loads(line) for line in journal.read_text().splitlines()][-1]["id"] == "LiBr"


def test_a_checkpoint_of_another_preset_is_refused(tmp_path: Path, engine: Potential):
    crystals = read_published(written(tmp_path, rows()))[:3]
    journal = tmp_path / "c.jsonl"
    relax_all(crystals, "toy", "quick", journal)
    with pytest.raises(DatasetError, match=r"c\.jsonl belongs to another build"):
        relax_all(crystals, "toy", "fine", journal)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"decomposition_energy": float("nan")}, r"crystal LiS: an empty cell is no distance"),
        ({"decomposition_energy": -310.0}, r"crystal LiS: -310\.0 is no distance .* in eV/atom"),
        ({"cif": "data_nothing"}, r"crystal LiS: "),
        ({"id": "LiO"}, r"id LiO stands there twice"),
    ],
)
def test_a_broken_row_is_named(tmp_path: Path, change: dict, message: str):
    table = rows()
    table[1] |= change
    with pytest.raises(DatasetError, match=message):
        read_published(written(tmp_path, table))


def test_a_table_without_energies_is_refused(tmp_path: Path):
    table = [{"id": row["id"], "cif": row["cif"]} for row in rows()]
    with pytest.raises(DatasetError, match="no column decomposition_energy or e_above_hull"):
        read_published(written(tmp_path, table))


def test_the_fit_is_for_all_presets_of_the_engine(tmp_path: Path, engine: Potential):
    crystals = read_published(written(tmp_path, rows()))
    table = rows()
    crystals += [
        stability_build.Published(f"{row['id']}-2", crystal.structure, crystal.e_above_hull)
        for row, crystal in zip(table, crystals, strict=True)
    ]
    known = relax_all(crystals, "toy", "quick", tmp_path / "c.jsonl").known
    model = fit(known, "toy", "toy-2025", "made up")
    assert model.potential.presets == ("fine", "quick")
    assert (model.name, model.origin) == ("toy-2025", "made up")
    assert np.isfinite(model.noise)
