"""The programs of transport: the choice, what is said where one is missing or gives up, and the
units of BoltzTraP2. None of it needs BoltzTraP2.
"""

from __future__ import annotations

import sys
from queue import Queue
from types import SimpleNamespace
from typing import Any, get_args

import numpy as np
import pytest
from example_bands import cosine_bands, tetragonal

import gen2dft
from gen2dft.campaign import TransportSpec
from gen2dft.errors import CalculationFailed, CampaignError, PluginMissing
from gen2dft.transport import boltztrap2
from gen2dft.transport.bands import UniformBands
from gen2dft.transport.compute import compute_transport
from gen2dft.transport.document import TransportDoc
from gen2dft.transport.programs import PROGRAMS, check_program
from gen2dft.transport.selection import select_bands
from gen2dft.transport.settings import TransportSettings
from gen2dft.transport.stars import find_stars

HARTREE = 27.211386  # eV
BOHR = 0.52917721  # Angstrom
HBAR2_M = 7.6199682  # eV Angstrom^2, which is 1 Hartree bohr^2
UNITS = SimpleNamespace(eV=1 / HARTREE, Angstrom=1 / BOHR)
COARSE = TransportSettings(
    temperatures=(300.0,), dopings=(1e18,), bin_width=0.003, grid_spacing=0.04, max_spacing=0.5
)
BY_BOLTZTRAP2 = TransportSettings(
    temperatures=(300.0,), dopings=(1e18,), max_spacing=0.5, program="boltztrap2"
)


def bands() -> UniformBands:
    return cosine_bands((8, 8, 6), (0.3, 0.3, 0.6), structure=tetragonal(3.0, 4.0))


@pytest.fixture
def missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without BoltzTraP2."""
    monkeypatch.setitem(sys.modules, "BoltzTraP2", None)
    monkeypatch.setattr(boltztrap2, "version", lambda: None)


def stand_in(monkeypatch: pytest.MonkeyPatch, **functions: Any) -> None:
    """BoltzTraP2 with the functions given, of whatever module."""
    module = SimpleNamespace(**functions)
    modules = boltztrap2._Modules(bandlib=module, fite=module, units=UNITS)
    monkeypatch.setattr(boltztrap2, "_load", lambda: modules)
    monkeypatch.setattr(boltztrap2, "version", lambda: "26.3.1")


def test_campaigns_name_the_programs_there_are():
    annotation = TransportSpec.model_fields["program"].annotation
    assert set(get_args(annotation)) == set(PROGRAMS)
    assert TransportSpec().program == TransportSettings().program == "gen2dft"


def test_gen2dfts_own_program_is_always_there(missing: None):
    assert check_program("gen2dft").version() == gen2dft.__version__
    doc = compute_transport(cosine_bands((8, 8, 8)), COARSE)
    assert (doc.program, doc.program_version) == ("gen2dft", gen2dft.__version__)


def test_an_unknown_program_is_refused_with_the_choices():
    with pytest.raises(CampaignError, match=r"program 'boltztrap' is not one of .*'boltztrap2'"):
        check_program("boltztrap")


def test_a_missing_program_is_refused_with_the_command_that_installs_it(missing: None):
    with pytest.raises(PluginMissing, match=r"which is not installed here: .*`make transport`"):
        check_program("boltztrap2")


def test_a_broken_installation_is_told_from_a_missing_one(missing: None, monkeypatch):
    monkeypatch.setattr(boltztrap2, "version", lambda: "26.3.1")
    with pytest.raises(PluginMissing, match=r"BoltzTraP2, which cannot be imported: .*halted"):
        check_program("boltztrap2")


def test_a_worker_without_the_program_gives_a_reason(missing: None):
    with pytest.raises(CalculationFailed, match=r"^program_missing: .*`make transport`"):
        compute_transport(bands(), BY_BOLTZTRAP2)


def raises(error: BaseException) -> Any:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (SystemExit(1), "SystemExit: 1"),
        (np.linalg.LinAlgError("SVD did not converge"), "LinAlgError: SVD did not converge"),
        (ZeroDivisionError("float division"), "ZeroDivisionError: float division"),
        (IndexError("out of bounds"), "IndexError: out of bounds"),
    ],
)
def test_whatever_boltztrap2_raises_is_a_reason(monkeypatch, error: BaseException, message: str):
    stand_in(monkeypatch, fitde3D=raises(error))
    said = f"^program_failed: BoltzTraP2 26.3.1, fit: {message}$"
    with pytest.raises(CalculationFailed, match=said):
        compute_transport(bands(), BY_BOLTZTRAP2)


def test_every_step_of_boltztrap2_is_guarded(monkeypatch):
    ours = compute_transport(bands(), COARSE)
    assert isinstance(ours, TransportDoc)
    stand_in(monkeypatch, fitde3D=of_ones, fft_worker=raises(SystemExit(2)))
    with pytest.raises(CalculationFailed, match="bands on the grid: SystemExit: 2"):
        compute_transport(bands(), BY_BOLTZTRAP2)
    stand_in(monkeypatch, fermiintegrals=raises(ValueError("shapes")))
    with pytest.raises(CalculationFailed, match="coefficients: ValueError: shapes"):
        boltztrap2.coefficients_at(one_distribution(monkeypatch), np.array([0.1]), 300.0)


def test_nan_in_the_fit_is_a_reason(monkeypatch):
    stand_in(monkeypatch, fitde3D=lambda data, stars: np.full((2, len(stars)), np.nan + 0j))
    with pytest.raises(CalculationFailed, match=r"^program_failed: .* cosine bands holds NaN"):
        compute_transport(bands(), BY_BOLTZTRAP2)


def of_ones(data: Any, equivalences: list) -> np.ndarray:
    """Coefficients of 1 Hartree for every star of every band."""
    return np.ones((len(data.ebands), len(equivalences)), dtype=complex)


def at_zero(
    equivalences: list, vectors: bytes, grid: Any, tasks: Queue, results: Queue, curvature: bool
) -> None:
    """Bands of no energy, on the grid asked for."""
    index, coefficients = tasks.get()
    assert tasks.get() is None
    assert len(equivalences) == len(coefficients)
    assert len(np.frombuffer(vectors)) == 3 * sum(map(len, equivalences))
    points = int(np.prod(grid))
    energies, velocities = np.zeros(points), np.zeros((3, 3, points))
    results.put((index, energies, velocities, np.zeros((3, 3, 3, points)) if curvature else None))


def all_ones(energies: Any, velocities: Any, cband: Any, erange: Any, npts: int) -> Any:
    """Sums of 1 atomic unit in each bin."""
    curvatures = None if cband is None else np.ones((3, 3, 3, npts))
    return np.linspace(*erange, npts), np.ones(npts), np.ones((3, 3, npts)), curvatures


def one_distribution(monkeypatch: pytest.MonkeyPatch, hall: bool = True) -> Any:
    """The distribution of two bands with sums of 1 atomic unit each."""
    settings = TransportSettings(dopings=(1e18,), temperatures=(300.0,), hall=hall)
    given = bands()
    selection = select_bands(given, settings)
    stars = find_stars(given.structure.lattice.matrix, given.rotations, 20)
    with monkeypatch.context() as patch:
        stand_in(patch, fitde3D=of_ones, fft_worker=at_zero, BTPDOS=all_ones)
        series = boltztrap2.fit(given, stars, np.empty(0), selection.energies)
        assert series.coefficients == pytest.approx(np.full((2, len(stars.sizes)), HARTREE))
        grid = series.smallest_grid()
        return boltztrap2.distribute(given, selection, series, grid, settings)


def test_sums_of_boltztrap2_come_in_our_units(monkeypatch):
    found = one_distribution(monkeypatch)
    assert found.states == pytest.approx(2 / HARTREE)  # two bands
    assert found.velocities == pytest.approx(2 * HBAR2_M, rel=1e-5)
    assert found.curvatures == pytest.approx(2 * HBAR2_M**2, rel=1e-5)
    assert found.volume == pytest.approx(36.0)
    assert one_distribution(monkeypatch, hall=False).curvatures is None


def test_boltztrap2_gets_distributions_in_its_units(monkeypatch):
    found = one_distribution(monkeypatch)
    given: dict[str, Any] = {}

    def integrals(energies: Any, states: Any, velocities: Any, **rest: Any) -> Any:
        given.update(energies=energies, states=states, velocities=velocities, **rest)
        return (None,) * 5

    def onsager(l0: Any, l1: Any, l2: Any, mu: Any, t: Any, volume: float, Lm11: Any) -> Any:  # noqa: N803
        given.update(volume=volume)
        tensors = [np.full((1, 1, 3, 3), value) for value in (1.0, 2.0, 3.0)]
        return *tensors, np.full((1, 1, 3, 3, 3), 4.0)

    stand_in(monkeypatch, fermiintegrals=integrals, calc_Onsager_coefficients=onsager)
    told = boltztrap2.coefficients_at(found, np.array([HARTREE]), 300.0)
    assert given["states"] == pytest.approx(2.0)
    assert given["velocities"] == pytest.approx(2.0)
    assert given["cdos"] == pytest.approx(2.0)
    assert given["mur"] == pytest.approx([1.0])
    assert given["energies"] * HARTREE == pytest.approx(found.energies)
    assert given["volume"] * BOHR**3 == pytest.approx(36.0)
    numbers = [told.conductivity, told.seebeck, told.thermal]
    assert [values[0, 0, 0] for values in numbers] == [1.0, 2.0, 3.0]
    assert told.hall == pytest.approx([4.0])


@pytest.mark.parametrize("carrier", ["p", "n"])
def test_documents_hold_the_numbers_of_boltztrap2_that_were_written_down(carrier: str):
    doc = compute_transport(bands(), COARSE)
    assert doc.interpolation.grid == (54, 54, 40)
    for name, expected in WRITTEN_DOWN[carrier].items():
        table = doc.table(carrier, name)[0, 0]
        values = table if table.ndim == 0 else table[[0, 2], [0, 2]]
        assert values == pytest.approx(expected, rel=1e-6), name


# BoltzTraP2 26.3.1 as `program`, with the settings COARSE: at 300 K and 1e18 cm^-3, in the units of
# the document; of tensors xx and zz.
WRITTEN_DOWN: dict[str, dict[str, Any]] = {
    "p": {
        "chemical_potential": 0.0438760896,
        "seebeck": [370.173678, 368.101006],
        "seebeck_mean": 369.482787,
        "conductivity_per_tau": [9.33190034e16, 4.63577839e16],
        "conductivity_per_tau_mean": 7.76652636e16,
        "power_factor_per_tau": [1.27873679e10, 6.28140324e9],
        "power_factor_per_tau_mean": 1.0618713e10,
        "power_factor": [1.27873679, 0.628140324],
        "power_factor_mean": 1.0618713,
        "thermal_conductivity_per_tau": [5.22661808e11, 2.61516762e11],
        "thermal_conductivity_per_tau_mean": 4.35613459e11,
        "effective_mass": [0.30196854, 0.607867781],
        "effective_mass_mean": 0.403934954,
        "hall_concentration": 9.9893199e17,
    },
    "n": {
        "chemical_potential": 0.95612391,
        "seebeck": [-370.173679, -368.101007],
        "seebeck_mean": -369.482788,
        "conductivity_per_tau": [9.33190024e16, 4.63577833e16],
        "conductivity_per_tau_mean": 7.76652627e16,
        "power_factor_per_tau": [1.27873678e10, 6.28140321e9],
        "power_factor_per_tau_mean": 1.0618713e10,
        "power_factor": [1.27873678, 0.628140321],
        "power_factor_mean": 1.0618713,
        "thermal_conductivity_per_tau": [5.22661802e11, 2.61516759e11],
        "thermal_conductivity_per_tau_mean": 4.35613454e11,
        "effective_mass": [0.301968543, 0.607867788],
        "effective_mass_mean": 0.403934958,
        "hall_concentration": -9.98931978e17,
    },
}
