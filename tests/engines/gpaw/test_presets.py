"""What a preset becomes for one crystal; no GPAW is needed."""

from __future__ import annotations

import importlib.metadata
from dataclasses import replace

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from gen2dft.engines.gpaw import presets
from gen2dft.engines.gpaw.presets import (
    PRESETS,
    bands_to_spare,
    get_preset,
    hubbards,
    kpoint_mesh,
    number_of_bands,
    parameters,
    run_type,
    starting_moments,
)
from gen2dft.errors import CampaignError, SettingsError
from gen2dft.transport.symmetry import find_mesh, point_group

QUICK = PRESETS["gpaw-quick-v1"]


def fcc(a: float, species: list[str]) -> Structure:
    half = a / 2
    cell = Lattice([[0, half, half], [half, 0, half], [half, half, 0]])
    return Structure(cell, species, [[0, 0, 0], [0.25, 0.25, 0.25]])


def body_centred_tetragonal() -> Structure:
    conventional = Structure(Lattice.tetragonal(4.0, 5.4), ["Ti"], [[0, 0, 0]])
    lattice = conventional.lattice.matrix
    primitive = 0.5 * np.array([[-1, 1, 1], [1, -1, 1], [1, 1, -1]]) @ lattice
    return Structure(Lattice(primitive), ["Ti"], [[0, 0, 0]])


def test_cutoffs_follow_elements_and_purpose():
    soft, hard = fcc(5.7, ["Al", "As"]), fcc(4.4, ["Al", "N"])
    assert parameters(soft, QUICK, bands=False)["mode"]["ecut"] == 500
    assert parameters(soft, QUICK, bands=True)["mode"]["ecut"] == 300
    assert parameters(hard, QUICK, bands=False)["mode"]["ecut"] == 700
    assert parameters(hard, QUICK, bands=True)["mode"]["ecut"] == 600


def test_u_goes_to_oxides_and_fluorides_only():
    oxide, sulphide = fcc(4.4, ["V", "O"]), fcc(5.2, ["V", "S"])
    assert parameters(oxide, QUICK, bands=False)["setups"] == {"V": ":d,3.25"}
    assert "setups" not in parameters(sulphide, QUICK, bands=False)
    assert "setups" not in parameters(oxide, replace(QUICK, plus_u=False), bands=False)
    assert (run_type(oxide, QUICK), hubbards(oxide, QUICK)) == ("PBE+U", {"V": 3.25})
    assert (run_type(sulphide, QUICK), hubbards(sulphide, QUICK)) == ("PBE", {})


def test_spin_where_there_are_moments():
    assert starting_moments(fcc(4.4, ["V", "O"])) == [5.0, 0.6]
    assert parameters(fcc(4.4, ["V", "O"]), QUICK, bands=False)["spinpol"]
    assert starting_moments(fcc(5.7, ["Al", "As"])) is None
    assert "spinpol" not in parameters(fcc(5.7, ["Al", "As"]), QUICK, bands=False)
    given = fcc(4.4, ["V", "O"])
    given.add_site_property("magmom", [-3.0, 0.0])
    assert starting_moments(given) == [-3.0, 0.0]
    given.add_site_property("magmom", [0.0, 0.0])
    assert starting_moments(given) is None


@pytest.mark.parametrize("spacing", [0.35, 0.25, 0.12])
@pytest.mark.parametrize(
    "structure", [fcc(5.7, ["Al", "As"]), body_centred_tetragonal()], ids=["fcc", "bct"]
)
def test_meshes_are_fine_enough_and_keep_the_symmetry(structure: Structure, spacing: float):
    mesh = kpoint_mesh(structure, spacing)
    lengths = np.array(structure.lattice.reciprocal_lattice.abc)
    assert (lengths / mesh <= spacing * 1.001).all()
    points = np.stack(
        np.meshgrid(*(np.arange(n) / n for n in mesh), indexing="ij"), axis=-1
    ).reshape(-1, 3)
    # A mesh that the point group does not map onto itself is refused.
    assert find_mesh(points, point_group(structure), "here").size == mesh


def test_the_gap_is_converged_with_bands_to_spare():
    keywords = parameters(fcc(6.5, ["Pb", "Te"]), QUICK, bands=False)
    assert keywords["convergence"] == {"bands": "CBM+0.5"}
    assert keywords["nbands"] == -6


def test_more_bands_than_occupied_and_the_highest_are_left_rough():
    count, converged = number_of_bands(8, 2, spin=False)
    assert 4 < converged < count
    with_spin, _ = number_of_bands(8, 2, spin=True)
    assert with_spin > count


def test_the_hash_names_every_setting_and_the_versions(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(presets, "versions", lambda: {"gpaw": "1"})
    before = QUICK.settings_hash
    assert replace(QUICK, cutoff=510.0).settings_hash != before
    assert replace(QUICK, description="said otherwise").settings_hash == before
    assert len({preset.settings_hash for preset in PRESETS.values()}) == len(PRESETS)
    monkeypatch.setattr(presets, "versions", lambda: {"gpaw": "2"})
    assert QUICK.settings_hash != before


def test_unknown_presets_and_a_missing_package_are_said(monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(CampaignError, match=r"'gpaw-v3' is not one of .* Did you mean 'gpaw-v2'"):
        get_preset("gpaw-v3")

    def missing(package: str) -> str:
        raise importlib.metadata.PackageNotFoundError(package)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    with pytest.raises(SettingsError, match=r"engine 'gpaw' needs the package gpaw.*: make gpaw"):
        presets.versions()


def wurtzite() -> Structure:
    return Structure(
        Lattice.hexagonal(4.2, 6.8),
        ["Zn", "Zn", "S", "S"],
        [[1 / 3, 2 / 3, 0], [2 / 3, 1 / 3, 0.5], [1 / 3, 2 / 3, 0.375], [2 / 3, 1 / 3, 0.875]],
    )


def test_even_meshes_hold_the_points_where_band_edges_lie():
    zincblende = fcc(6.23, ["Al", "As"])
    assert kpoint_mesh(zincblende, 0.35) == (5, 5, 5)  # misses L and X
    assert kpoint_mesh(zincblende, 0.35, even=True) == (6, 6, 6)
    assert kpoint_mesh(wurtzite(), 0.35) == (5, 5, 3)
    assert kpoint_mesh(wurtzite(), 0.35, even=True) == (6, 6, 4)  # holds K and M
    assert kpoint_mesh(wurtzite(), 0.25, even=True) == (12, 12, 4)
    third_axis_first = Structure.from_sites(wurtzite())
    third_axis_first.make_supercell([[0, 0, 1], [1, 0, 0], [0, 1, 0]])
    assert kpoint_mesh(third_axis_first, 0.35, even=True) == (4, 6, 6)


def test_shipped_labels_name_presets_that_have_not_changed(monkeypatch: pytest.MonkeyPatch):
    first = {"gpaw": "26.7.0", "gpaw-data": "1.2.1", "ase": "3.29.0"}
    monkeypatch.setattr(presets, "versions", lambda: first)
    assert PRESETS["gpaw-quick-v1"].settings_hash == "e78e5cdd3305"
    assert PRESETS["gpaw-v1"].settings_hash == "acfe2a272c80"


def test_few_bands_are_still_enough_and_follow_the_moment():
    wide, _ = number_of_bands(8, 3, spin=False)
    narrow, converged = bands_to_spare(8, 3, 0.0)
    assert (narrow, converged) == (9, 7)
    assert narrow < wide
    assert bands_to_spare(8, 3, -4.0) == (11, 9)
    assert bands_to_spare(8, 8, 0.0) == (16, 14)
