"""Transport against closed forms, and its invariances."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from example_bands import cosine_bands, cosine_energies, full_mesh, tetragonal
from pymatgen.core import Lattice, Structure
from scipy.integrate import quad

from gen2dft.errors import CalculationFailed, CampaignError
from gen2dft.transport.bands import uniform_bands
from gen2dft.transport.compute import compute_transport, transport_within_bands
from gen2dft.transport.constants import BOLTZMANN
from gen2dft.transport.document import TransportDoc
from gen2dft.transport.remarks import resolved_above
from gen2dft.transport.settings import TransportSettings

FEW = TransportSettings(temperatures=(300.0, 600.0), dopings=(1e17, 1e18, 1e19), grid_spacing=0.035)
TENSORS = (
    "seebeck",
    "conductivity_per_tau",
    "power_factor_per_tau",
    "thermal_conductivity_per_tau",
    "effective_mass",
)


def fermi(order: float, eta: float) -> float:
    """Fermi-Dirac integral of x^order / (1 + exp(x - eta))."""
    return quad(lambda x: x**order / (1 + np.exp(x - eta)), 0, 60 + abs(eta), limit=200)[0]


def analytic_seebeck(mass: float, temperature: float, concentration: float) -> float:
    """Of one parabolic band at constant relaxation time, uV/K, positive.

    n = (2 m kT / hbar^2)^(3/2) F_1/2 / (2 pi^2); S = k/e (5 F_3/2 / (3 F_1/2) - eta).
    """
    kt = BOLTZMANN * temperature
    per_cm3 = (mass * kt / 3.80998208) ** 1.5 / (2 * np.pi**2) * 1e24
    low, high = -40.0, 40.0
    while high - low > 1e-10:
        eta = 0.5 * (low + high)
        low, high = (eta, high) if per_cm3 * fermi(0.5, eta) < concentration else (low, eta)
    return BOLTZMANN * 1e6 * (5 * fermi(1.5, eta) / (3 * fermi(0.5, eta)) - eta)


def same(tensors: np.ndarray, expected: np.ndarray) -> bool:
    """Equal tensors; elements that should be zero are so beside the largest of their tensor."""
    scale = np.abs(expected).max(axis=(-2, -1), keepdims=True)
    return bool((np.abs(tensors - expected) < 1e-6 * scale).all())


@pytest.fixture(scope="module")
def cubic() -> TransportDoc:
    return compute_transport(cosine_bands(), FEW)


def test_parabolic_band_has_its_analytic_seebeck_and_mass(cubic: TransportDoc):
    for i, temperature in enumerate(FEW.temperatures):
        for j, doping in enumerate(FEW.dopings):
            wanted = analytic_seebeck(0.3, temperature, doping)
            assert cubic.p.seebeck_mean[i][j] == pytest.approx(wanted, rel=0.02)
            assert cubic.n.seebeck_mean[i][j] == pytest.approx(-wanted, rel=0.02)
    # At 600 K carriers are so far from the edge that a cosine is visibly less steep than a
    # parabola.
    assert cubic.p.effective_mass_mean[0] == pytest.approx([0.3] * 3, rel=0.02)
    assert cubic.n.effective_mass_mean[0] == pytest.approx([0.3] * 3, rel=0.02)


def test_hall_concentration_is_the_doping_with_the_sign_of_the_carriers(cubic: TransportDoc):
    assert cubic.p.hall_concentration[0] == pytest.approx(FEW.dopings, rel=0.03)
    assert cubic.n.hall_concentration[0] == pytest.approx([-n for n in FEW.dopings], rel=0.03)


def test_quantities_hang_together(cubic: TransportDoc):
    for carrier in ("p", "n"):
        s, sigma = (
            cubic.table(carrier, "seebeck") * 1e-6,
            cubic.table(carrier, "conductivity_per_tau"),
        )
        factor = cubic.table(carrier, "power_factor_per_tau")
        assert factor == pytest.approx(s @ s @ sigma)
        assert cubic.table(carrier, "power_factor") == pytest.approx(factor * 1e-14 * 1e4)
        for name in TENSORS:
            tensors = cubic.table(carrier, name)
            assert cubic.table(carrier, f"{name}_mean") == pytest.approx(
                np.linalg.eigvals(tensors).mean(axis=-1).real
            )
    # Lorenz number of a non-degenerate gas at constant relaxation time: 5/2 (k/e)^2
    lorenz = cubic.table("p", "thermal_conductivity_per_tau_mean") / cubic.table(
        "p", "conductivity_per_tau_mean"
    )
    assert lorenz[:, 0] / FEW.temperatures == pytest.approx(2.5 * BOLTZMANN**2, rel=0.02)


def test_masses_of_a_tetragonal_crystal_come_out_along_its_axes():
    doc = compute_transport(
        cosine_bands((16, 16, 14), (0.3, 0.3, 0.5), structure=tetragonal(3.0, 3.5)),
        replace(FEW, temperatures=(300.0,)),
    )
    masses = doc.table("n", "effective_mass")[0]
    assert np.diagonal(masses, axis1=1, axis2=2) == pytest.approx(
        np.tile([0.3, 0.3, 0.5], (3, 1)), rel=0.02
    )
    density_mass = (0.3 * 0.3 * 0.5) ** (1 / 3)
    wanted = [analytic_seebeck(density_mass, 300.0, n) for n in FEW.dopings]
    assert doc.p.seebeck_mean[0] == pytest.approx(wanted, rel=0.02)


def test_tensors_turn_with_the_crystal():
    angle = 0.7
    turn = np.array(
        [[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]]
    )
    few = replace(FEW, temperatures=(300.0,))
    size, mass = (8, 8, 6), (0.3, 0.3, 0.6)
    coarse = replace(few, max_spacing=0.3)
    straight = compute_transport(cosine_bands(size, mass, structure=tetragonal(3.0, 4.0)), coarse)
    turned = compute_transport(
        cosine_bands(size, mass, structure=tetragonal(3.0, 4.0, turn)), coarse
    )
    for name in TENSORS:
        expected = turn @ straight.table("n", name) @ turn.T
        assert same(turned.table("n", name), expected)
    assert turned.n.hall_concentration[0] == pytest.approx(
        straight.n.hall_concentration[0], rel=1e-6
    )


def test_another_choice_of_axes_changes_nothing():
    size, mass = (8, 8, 6), (0.3, 0.3, 0.6)
    coarse = replace(FEW, temperatures=(300.0,), max_spacing=0.3)
    crystal = tetragonal(3.0, 4.0)
    plain = compute_transport(cosine_bands(size, mass, structure=crystal), coarse)
    order = [2, 0, 1]
    other = Structure(Lattice(crystal.lattice.matrix[order]), ["Po"], [[0, 0, 0]])
    kpoints = full_mesh(size)
    energies = cosine_energies(crystal, kpoints, mass, 1.0)[None]
    swapped = compute_transport(
        uniform_bands(other, kpoints[:, order], energies, 2.0, 2, "swapped"), coarse
    )
    for name in TENSORS:
        assert same(swapped.table("p", name), plain.table("p", name))


def test_two_equal_spins_are_one_band_of_two_electrons(cubic: TransportDoc):
    both = compute_transport(cosine_bands(spins=2), FEW)
    assert both.spin_polarised
    assert not cubic.spin_polarised
    for name in ("seebeck", "conductivity_per_tau", "thermal_conductivity_per_tau"):
        assert same(both.table("p", name), cubic.table("p", name))


def test_interpolation_says_how_good_it_is(cubic: TransportDoc):
    assert cubic.interpolation.rms_deviation < 1e-9
    coarse = compute_transport(cosine_bands((6, 6, 6)), replace(FEW, max_spacing=0.4))
    assert cubic.interpolation.rms_left_out is not None
    assert coarse.interpolation.rms_left_out is not None
    assert 0 < cubic.interpolation.rms_left_out < coarse.interpolation.rms_left_out


def test_the_document_comes_back_from_json_and_cannot_be_changed(cubic: TransportDoc):
    again = TransportDoc.model_validate_json(cubic.model_dump_json())
    assert again.model_dump_json() == cubic.model_dump_json()
    assert again.approximation == "constant relaxation time"
    with pytest.raises(ValueError, match="frozen"):
        again.band_gap = 2.0  # type: ignore[misc]


def test_every_number_of_the_document_has_a_unit_or_is_a_count():
    plain = {
        "bands",
        "stars",
        "grid",
        "mesh",
        "irreducible_kpoints",
        "spin_polarised",
        "electrons",
        "converged",
    }
    units = (
        "eV",
        "uV/K",
        "S m^-1",
        "W m^-1",
        "uW cm^-1",
        "electron masses",
        "cm^-3",
        "cm^3",
        "1/Angstrom",
        " K",
        "K,",
        "s,",
    )
    schema = TransportDoc.model_json_schema()
    for part in ("CarrierTransport", "Interpolated", "ConvergenceStep"):
        for name, entry in schema["$defs"][part]["properties"].items():
            assert name in plain or any(unit in entry["description"] for unit in units), (
                part,
                name,
            )
    for name in ("relaxation_time", "spacing", "band_gap", "temperatures", "dopings"):
        assert any(unit in schema["properties"][name]["description"] for unit in units), name


def test_without_hall_its_concentration_is_nan():
    doc = compute_transport(cosine_bands((8, 8, 8)), replace(FEW, hall=False, max_spacing=0.3))
    assert np.isnan(doc.table("n", "hall_concentration")).all()
    assert np.isfinite(doc.table("n", "seebeck")).all()


def test_a_point_that_was_not_computed_is_named(cubic: TransportDoc):
    with pytest.raises(
        CampaignError,
        match=r"transport at 400 K and 1e\+18 cm\^-3 was not computed; there are 300, 600 K",
    ):
        cubic.at("p", "seebeck", 400.0, 1e18)


def test_a_coarse_mesh_is_refused_with_one_that_would_do():
    with pytest.raises(
        CalculationFailed,
        match=r"mesh_too_coarse.*6 x 6 x 6.*0.349.*at least 11 x 11 x 11 k-points",
    ):
        compute_transport(cosine_bands((6, 6, 6)), FEW)


def test_a_rather_coarse_mesh_warns():
    doc = compute_transport(cosine_bands((12, 12, 12)), FEW)
    assert any(
        "is above 0.12: power factors may be off by 30 %" in warning for warning in doc.warnings
    )


def test_doping_beyond_the_computed_bands_is_refused():
    kpoints = full_mesh((12, 12, 12))
    energies = cosine_energies(tetragonal(), kpoints, (3.0, 3.0, 3.0), 1.0)[None]
    energies[:, 2] = energies[:, 1] + 0.5
    bands = uniform_bands(tetragonal(), kpoints, energies, 2.0, 2, "few bands")
    with pytest.raises(
        CalculationFailed, match=r"too_few_bands.*1e\+22 electrons.*compute more bands \(NBANDS"
    ):
        compute_transport(bands, TransportSettings())
    assert compute_transport(bands, replace(FEW, temperatures=(300.0,))).n.seebeck_mean[0][0] < 0
    wanted = replace(FEW, temperatures=(300.0,), dopings=(1e18, 1e19, 1e22, 1e23), hall=False)
    doc = transport_within_bands(bands, wanted)
    assert doc.dopings == (1e18, 1e19)
    assert "1e+22 carriers per cm^3 were left out: too few bands were computed" in doc.warnings
    with pytest.raises(CalculationFailed, match="too_few_bands"):
        transport_within_bands(bands, wanted, needed=1e22)


def test_a_metal_is_refused():
    with pytest.raises(CalculationFailed, match="metal"):
        compute_transport(cosine_bands(gap=-0.1, direct=False), FEW)


def test_a_small_gap_is_warned_of():
    doc = compute_transport(cosine_bands(gap=0.1), FEW)
    assert any("below 5 kT at 600 K: carriers of both kinds" in warning for warning in doc.warnings)


def test_a_grid_too_coarse_for_light_carriers_is_warned_of():
    cold = replace(FEW, temperatures=(50.0, 300.0), grid_spacing=0.05)
    doc = compute_transport(cosine_bands(), cold)
    assert any(
        re.search(r"below \d+ K the summation grid is too coarse .*mass 0.3", text)
        for text in doc.warnings
    )
    assert not any("too coarse" in text for text in compute_transport(cosine_bands(), FEW).warnings)


def test_the_limit_of_a_grid_is_where_a_gaussian_sum_is_off_by_a_hundredth():
    spacing, mass = 0.03, 0.2
    temperature = resolved_above(mass, spacing)
    a = 3.80998208 / mass / (BOLTZMANN * temperature)
    points = spacing * np.arange(-200, 201)
    errors = [
        np.exp(-a * (points + shift) ** 2).sum() * spacing / np.sqrt(np.pi / a) - 1
        for shift in (0, spacing / 2)
    ]
    assert np.abs(errors).max() * 3 == pytest.approx(0.01, rel=0.2)
