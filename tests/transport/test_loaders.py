"""Bands from files, and what is said of files that cannot be used."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import numpy as np
import pytest
from example_bands import cosine_bands
from gpaw_files import write_gpw
from recorded_bands import FOLDER, RECORDED, recorded_file

from gen2dft.errors import CalculationFailed
from gen2dft.transport.loaders import from_gpw, load_bands

EXPECTED = {"Si": (8, 2, 19), "GaAs": (18, 2, 17), "PbTe": (20, 2, 15), "N2": (10, 1, 17)}


@pytest.mark.parametrize("name", RECORDED)
def test_recorded_vasp_runs_are_read(name: str):
    bands = load_bands(recorded_file(RECORDED[name]))
    assert (bands.electrons, bands.degeneracy, bands.mesh.size[0]) == EXPECTED[name]
    assert len(bands.energies) == (2 if name == "N2" else 1)
    assert bands.edges().gap > 0


@pytest.mark.parametrize("spins", [1, 2])
def test_gpaw_files_are_read_without_gpaw(tmp_path: Path, spins: int):
    bands = cosine_bands((4, 4, 4), spins=spins)
    read = load_bands(write_gpw(tmp_path / "uniform.gpw", bands, 2.0))
    assert read.electrons == pytest.approx(2.0)
    assert read.degeneracy == bands.degeneracy
    assert np.allclose(read.energies, bands.energies)
    assert np.allclose(read.kpoints, bands.kpoints)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("vasprun.xml", r"unreadable: .*is not a whole vasprun.xml \(XMLSyntaxError.*cut short"),
        ("uniform.gpw", r"unreadable: .*is not a GPAW file with bands"),
        ("bands.dat", r"unreadable: bands.dat is neither a vasprun.xml nor a .gpw file"),
    ],
)
def test_files_of_another_kind(tmp_path: Path, name: str, message: str):
    path = tmp_path / name
    path.write_text("not what it seems")
    with pytest.raises(CalculationFailed, match=message):
        load_bands(path)


def test_a_file_that_is_not_there(tmp_path: Path):
    with pytest.raises(CalculationFailed, match=r"there is no file .*vasprun.xml"):
        load_bands(tmp_path / "vasprun.xml")


def test_a_gpaw_file_without_bands(tmp_path: Path):
    ase_io = pytest.importorskip("ase.io.trajectory")
    from ase import Atoms
    from ase.io import ulm

    path = tmp_path / "density.gpw"
    with ulm.Writer(str(path), tag="gpaw") as writer:
        ase_io.write_atoms(writer.child("atoms"), Atoms("Po", cell=[3, 3, 3], pbc=True))
    with pytest.raises(CalculationFailed, match=r"unreadable: .*not a GPAW file with bands"):
        from_gpw(path)


def stand_in_run(monkeypatch: pytest.MonkeyPatch, folder: Path, steps: int = 3) -> str:
    """Text of a vasprun.xml as the stand-in writes it, and a file of it in the folder."""
    from stand_in_outputs import Run
    from stand_in_vasp import Crystal, evaluate

    crystal = Crystal(4.0 * np.eye(3), np.array([[0.0, 0, 0], [0.5, 0.5, 0.5]]), ["Cs", "Cl"])
    incar = {"ICHARG": "11", "NELM": "60"}
    run = Run(incar, (4, 4, 4), ["PAW Cs", "PAW Cl"], [1.0, 7.0], [evaluate(crystal)], False)
    run.electronic_steps = steps
    monkeypatch.chdir(folder)
    run.write()
    return (folder / "vasprun.xml").read_text()


@pytest.mark.filterwarnings("ignore::pymatgen.io.vasp.outputs.UnconvergedVASPWarning")
def test_bands_of_a_vasp_run_that_reached_nelm_are_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    stand_in_run(monkeypatch, tmp_path, steps=59)
    assert load_bands(tmp_path / "vasprun.xml").edges().gap == pytest.approx(2.0)
    stand_in_run(monkeypatch, tmp_path, steps=60)
    with pytest.raises(CalculationFailed, match=r"bands_not_converged: .* reached NELM = 60, so"):
        load_bands(tmp_path / "vasprun.xml")


@pytest.mark.filterwarnings("ignore:Float overflow:UserWarning")
@pytest.mark.parametrize("number", ["NaN", "*********"])
def test_band_energies_that_are_no_numbers_are_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, number: str
):
    text = stand_in_run(monkeypatch, tmp_path)
    head, mark, tail = text.partition('<set comment="kpoint 1"><r>')
    value, _, rest = tail.partition(" ")
    assert float(value) < 0
    (tmp_path / "vasprun.xml").write_text(f"{head}{mark}{number} {rest}")
    with pytest.raises(
        CalculationFailed, match=r"no_eigenvalues: .* 1 of \d+ band energies are NaN"
    ):
        load_bands(tmp_path / "vasprun.xml")


DAMAGED_RUNS = [
    (r'name="NELECT"[^>]*>[^<]*', 'name="NELECT">NaN', "no_electrons"),
    (r'<i[^>]*name="NELECT"[^>]*>[^<]*</i>', "", "unreadable"),
    (r"<scstep>.*?</scstep>", "", "bands_not_converged"),
    (r'(<i name="e_\w+">)[^<]*', r"\1********", "not_finite"),
    (r'(<varray name="basis">\s*<v>\s*)\S+', r"\1NaN", "not_finite"),
    (r'(<varray name="positions">)\s*<v>.*?</v>', r"\1", "unreadable"),
    (r'(<varray name="kpointlist">)\s*<v>.*?</v>', r"\1", "unreadable|no_eigenvalues"),
    (r"<atominfo>.*?</atominfo>", "", "unreadable"),
    (r"<parameters>.*?</parameters>", "<parameters></parameters>", "unreadable"),
    (r"<r>[-\d.]+ [\d.]+</r>", "", "no_eigenvalues|unreadable"),
    (r"<modeling>.*</modeling>", "<modeling></modeling>", "unreadable"),
]


@pytest.mark.filterwarnings("ignore:Float overflow:UserWarning")
@pytest.mark.parametrize(("pattern", "new", "reason"), DAMAGED_RUNS)
def test_a_damaged_run_has_a_reason(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, pattern: str, new: str, reason: str
):
    text = stand_in_run(monkeypatch, tmp_path)
    damaged = re.sub(pattern, new, text, flags=re.DOTALL)
    assert damaged != text
    (tmp_path / "vasprun.xml").write_text(damaged)
    with pytest.raises(CalculationFailed, match=rf"^({reason}): .*vasprun\.xml"):
        load_bands(tmp_path / "vasprun.xml")


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.95])
def test_a_gpaw_file_that_was_cut_short(tmp_path: Path, share: float):
    path = write_gpw(tmp_path / "uniform.gpw", cosine_bands((4, 4, 4)), 2.0)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(CalculationFailed, match=r"unreadable: .*not a GPAW file with bands"):
        load_bands(path)


def recorded_text() -> str:
    return gzip.decompress(recorded_file(RECORDED["Si"]).read_bytes()).decode()


def test_a_vasp_run_without_eigenvalues(tmp_path: Path):
    path = tmp_path / "vasprun.xml"
    path.write_text(re.sub(r"<eigenvalues>.*?</eigenvalues>", "", recorded_text(), flags=re.DOTALL))
    with pytest.raises(CalculationFailed, match=r"(no_eigenvalues|unreadable): .*cut short"):
        load_bands(path)


def test_a_vasp_run_that_was_cut_short(tmp_path: Path):
    path = tmp_path / "vasprun.xml"
    path.write_text(recorded_text()[:400_000])
    with pytest.raises(CalculationFailed, match=r"unreadable: .*cut short"):
        load_bands(path)


def test_a_recorded_mesh_that_is_too_coarse_is_refused():
    from gen2dft.transport.compute import compute_transport

    path = FOLDER / "mpvalidation_Si_uniform" / "vasprun.xml.gz"
    if not path.is_file():
        pytest.skip("no recorded coarse mesh")
    with pytest.raises(CalculationFailed, match=r"mesh_too_coarse: .*8 x 8 x 8"):
        compute_transport(load_bands(path))
