"""The same numbers as BoltzTraP2: driven directly where it is installed, and numbers of its that
were written down.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from importlib.metadata import version

import numpy as np
import pytest
from ase import Atoms
from example_bands import cosine_bands, tetragonal
from recorded_bands import RECORDED, recorded_file

from gen2dft.transport import coefficients, compute, programs
from gen2dft.transport.bands import UniformBands
from gen2dft.transport.compute import compute_transport
from gen2dft.transport.distribution import Bins, Distribution, accumulate
from gen2dft.transport.document import CarrierTransport
from gen2dft.transport.interpolation import Interpolation, bands_on_grid, grid_weights
from gen2dft.transport.loaders import load_bands
from gen2dft.transport.selection import Selection, select_bands
from gen2dft.transport.settings import TransportSettings
from gen2dft.transport.stars import find_stars

SETTINGS = TransportSettings(
    temperatures=(300.0, 1000.0), dopings=(1e17, 1e18, 1e20), bin_width=0.003
)
SIGNS = {"p": -1, "n": 1}
POTENTIAL = "chemical_potential"  # goes through zero, so that only its absolute error counts


@dataclass(frozen=True)
class Ours:
    """Our distribution on the very grid that BoltzTraP2 takes."""

    selection: Selection
    series: Interpolation
    distribution: Distribution


def ours_of(bands: UniformBands, settings: TransportSettings = SETTINGS) -> Ours:
    selection = select_bands(bands, settings)
    series, _ = compute.interpolate(bands, selection, settings)
    found = programs.distribute(bands, selection, series, series.smallest_grid(), settings)
    return Ours(selection, series, found)


def potentials(found: Distribution, sign: int, temperature: float) -> np.ndarray:
    per_cell = [sign * coefficients.carriers_per_cell(n, found.volume) for n in SETTINGS.dopings]
    return np.array(
        [coefficients.chemical_potential(found, found.electrons + n, temperature) for n in per_cell]
    )


def close(values: np.ndarray, reference: np.ndarray, rel: float = 1e-6) -> bool:
    """Within `rel` of the largest element of each tensor, which covers elements that are zero by
    symmetry.
    """
    scale = (
        np.abs(reference).max(axis=(-2, -1), keepdims=True)
        if reference.ndim > 2
        else np.abs(reference)
    )
    return bool((np.abs(values - reference) <= rel * scale).all())


def check_against_boltztrap2(bands: UniformBands) -> None:
    from gen2dft.transport import boltztrap2

    ours = ours_of(bands)
    stars, functions = ours.series.stars, np.empty(0)
    series = boltztrap2.fit(bands, stars, functions, ours.selection.energies)
    theirs = boltztrap2.distribute(bands, ours.selection, series, series.smallest_grid(), SETTINGS)
    for sign in SIGNS.values():
        for temperature in SETTINGS.temperatures:
            mu = potentials(ours.distribution, sign, temperature)
            a = coefficients.coefficients_at(ours.distribution, mu, temperature)
            b = boltztrap2.coefficients_at(theirs, mu, temperature)
            assert close(a.seebeck, b.seebeck)
            assert close(a.conductivity, b.conductivity)
            assert close(a.thermal, b.thermal)
            assert close(a.hall, b.hall)
    # Their search stops at 1e-5 Hartree.
    electrons = theirs.electrons - coefficients.carriers_per_cell(1e18, theirs.volume)
    potential = coefficients.chemical_potential(ours.distribution, electrons, 300.0)
    assert potential == pytest.approx(
        boltztrap2.chemical_potential(theirs, electrons, 300.0), abs=1e-3
    )


def check_documents(bands: UniformBands, settings: TransportSettings = SETTINGS) -> None:
    """Every field of both programs' documents, on the same grid."""
    ours = compute_transport(bands, settings)
    theirs = compute_transport(bands, replace(settings, program="boltztrap2"))
    assert (ours.program, theirs.program) == ("gen2dft", "boltztrap2")
    assert theirs.program_version == version("BoltzTraP2")
    for carrier in SIGNS:
        for name in CarrierTransport.model_fields:
            a, b = ours.table(carrier, name), theirs.table(carrier, name)
            assert close(a, b) if name != POTENTIAL else a == pytest.approx(b, abs=1e-8), name
    assert theirs.path.energies == pytest.approx(np.array(ours.path.energies), abs=2e-4)
    theirs_left_out = theirs.interpolation.rms_left_out
    assert theirs_left_out == pytest.approx(ours.interpolation.rms_left_out)
    assert theirs.interpolation.rms_deviation < 1e-8
    assert theirs.interpolation.grid == ours.interpolation.grid
    different = {"p", "n", "program", "program_version", "interpolation", "path", "completed_at"}
    assert theirs.model_dump(exclude=different) == ours.model_dump(exclude=different)


def test_both_programs_give_the_same_document_of_recorded_crystals(recorded: UniformBands):
    pytest.importorskip("BoltzTraP2")
    check_documents(recorded, replace(SETTINGS, grid_spacing=0.06, max_spacing=0.5))


@pytest.mark.parametrize("spins", [1, 2])
def test_both_programs_give_the_same_document_of_bands_in_closed_form(spins: int):
    pytest.importorskip("BoltzTraP2")
    bands = cosine_bands((8, 8, 6), (0.3, 0.3, 0.6), structure=tetragonal(3.0, 4.0), spins=spins)
    check_documents(bands, replace(SETTINGS, grid_spacing=0.06, max_spacing=0.5))


def test_the_hall_effect_may_be_left_out_with_boltztrap2():
    pytest.importorskip("BoltzTraP2")
    bands = cosine_bands((8, 8, 8))
    settings = replace(SETTINGS, hall=False, max_spacing=0.5, program="boltztrap2")
    doc = compute_transport(bands, settings)
    assert np.isnan(doc.table("p", "hall_concentration")).all()
    assert doc.n.seebeck_mean[0][0] < 0 < doc.p.seebeck_mean[0][0]


def test_our_stars_are_the_equivalences_of_boltztrap2(recorded: UniformBands):
    sphere = pytest.importorskip("BoltzTraP2.sphere")
    structure = recorded.structure
    atoms = Atoms(
        numbers=list(structure.atomic_numbers),
        cell=structure.lattice.matrix,
        scaled_positions=structure.frac_coords,
        pbc=True,
    )
    count = SETTINGS.stars_per_kpoint * len(recorded.kpoints)
    theirs = sphere.get_equivalences(atoms, None, count)
    stars = find_stars(structure.lattice.matrix, recorded.rotations, count)
    ours = np.split(stars.vectors, stars.starts[1:])

    def as_sets(equivalences: list[np.ndarray]) -> set[frozenset[tuple[int, ...]]]:
        return {frozenset(map(tuple, star.tolist())) for star in equivalences}

    assert as_sets(ours) == as_sets(theirs)


def test_recorded_crystals_give_the_numbers_of_boltztrap2(recorded: UniformBands):
    pytest.importorskip("BoltzTraP2")
    check_against_boltztrap2(recorded)


def test_bands_in_closed_form_give_the_numbers_of_boltztrap2():
    pytest.importorskip("BoltzTraP2")
    check_against_boltztrap2(
        cosine_bands((8, 8, 6), (0.3, 0.3, 0.6), structure=tetragonal(3.0, 4.0))
    )


def test_numbers_of_boltztrap2_that_were_written_down():
    """BoltzTraP2 26.3.1 driven directly on these bands, at our chemical potentials.

    Holds without it, too.
    """
    bands = cosine_bands((8, 8, 6), (0.3, 0.3, 0.6), structure=tetragonal(3.0, 4.0))
    found = ours_of(bands).distribution
    for (carrier, temperature), rows in WRITTEN_DOWN.items():
        c = coefficients.coefficients_at(
            found, potentials(found, SIGNS[carrier], temperature), temperature
        )
        values = np.column_stack(
            [
                c.seebeck[:, 0, 0] * 1e6,
                c.seebeck[:, 2, 2] * 1e6,
                c.conductivity[:, 0, 0],
                c.conductivity[:, 2, 2],
                c.thermal[:, 0, 0],
                c.hall * 1e6,
            ]
        )
        assert values == pytest.approx(np.array(rows), rel=1e-6)


def test_pymatgen_gives_the_same_coefficients_at_its_chemical_potentials():
    pytest.importorskip("BoltzTraP2")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from BoltzTraP2 import units
        from pymatgen.electronic_structure.boltztrap2 import (
            BztInterpolator,
            BztTransportProperties,
            VasprunBSLoader,
        )
        from pymatgen.io.vasp import Vasprun

        path = recorded_file(RECORDED["PbTe"])
        loader = VasprunBSLoader(Vasprun(str(path), parse_potcar_file=False))
        # Wide enough to hold the bands that we select, so that both interpolate the same ones.
        series = BztInterpolator(loader, lpfac=5, energy_range=2.0, curvature=True)
        theirs = BztTransportProperties(
            series, temp_r=np.array([300.0]), doping=np.array([1e18, 1e19, 1e20])
        )
    bands = load_bands(path)
    edges = bands.edges()
    selection = Selection(series.data.ebands / units.eV, series.data.nelect, edges)
    ours, _ = compute.interpolate(bands, selection, SETTINGS)
    width = (theirs.epsilon[1] - theirs.epsilon[0]) / units.eV
    low = theirs.epsilon[0] / units.eV - width / 2
    found = accumulate(
        bands_on_grid(ours, ours.smallest_grid(), curvature=False),
        grid_weights(ours.smallest_grid()),
        Bins(low, low + 4000 * width, 4000),
        bands.degeneracy,
        selection.electrons,
        bands.structure.volume,
    )
    for carrier in SIGNS:
        mu = theirs.mu_doping_eV[carrier][0] + loader.fermi / units.eV
        c = coefficients.coefficients_at(found, mu, 300.0)
        assert close(c.seebeck * 1e6, theirs.Seebeck_doping[carrier][0])
        assert close(c.conductivity * 1e-14, theirs.Conductivity_doping[carrier][0])
        assert close(c.thermal * 1e-14, theirs.Kappa_doping[carrier][0])


# By carrier and temperature (K); rows: 1e17, 1e18, 1e20 cm^-3; columns: S_xx and S_zz (uV/K),
# sigma_xx/tau and sigma_zz/tau (S m^-1 s^-1), kappa_xx/tau (W m^-1 K^-1 s^-1), mean Hall
# coefficient (cm^3/C).
WRITTEN_DOWN: dict[tuple[str, float], list[list[float]]] = {
    ("p", 300.0): [
        [777.20236, 587.55203, 2.51035463e15, 3.80367399e15, 7.00925622e09, 181.05378],
        [571.52613, 382.48107, 2.72752714e16, 4.03381773e16, 7.66355580e10, 16.720698],
        [38.619525, 37.575895, 9.94509365e18, 4.33448900e18, 6.63984820e13, 0.060214956],
    ],
    ("p", 1000.0): [
        [261.53252, 256.89357, 2.20027813e16, 1.06950160e16, 9.85328938e12, 10.840065],
        [513.72706, 503.52896, 9.36244313e16, 4.53981605e16, 3.76309184e12, 6.0039884],
        [142.8403, 143.39135, 8.98586100e18, 4.32191394e18, 2.04060460e14, 0.063215496],
    ],
    ("n", 300.0): [
        [-777.20237, -587.55204, 2.51035435e15, 3.80367356e15, 7.00925542e09, -181.0538],
        [-571.52613, -382.48107, 2.72752710e16, 4.03381768e16, 7.66355571e10, -16.720698],
        [-38.619525, -37.575895, 9.94509365e18, 4.33448900e18, 6.63984820e13, -0.060214956],
    ],
    ("n", 1000.0): [
        [-261.5325, -256.89355, 2.20027808e16, 1.06950158e16, 9.85328956e12, -10.840064],
        [-513.72706, -503.52896, 9.36244303e16, 4.53981600e16, 3.76309185e12, -6.0039884],
        [-142.8403, -143.39135, 8.98586100e18, 4.32191394e18, 2.04060460e14, -0.063215496],
    ],
}
