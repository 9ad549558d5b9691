"""power-factor takes hits with small cells, keeps what it finds, and says what it means."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from example_campaign import CAMPAIGN_ID, transport
from pymatgen.core import Structure
from rich.console import Console

from gen2dft.cli import power_factor
from gen2dft.engines.base import CalculationFailure
from gen2dft.engines.gpaw.presets import starting_moments
from gen2dft.errors import CalculationFailed, CampaignError, DatasetError
from gen2dft.store.store import Store
from gen2dft.transport.convergence import relative_cost
from gen2dft.transport.document import TransportDoc
from tests.toys import rock_salt

METAL = CalculationFailure(reason="metal", detail="bands overlap")


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Structure]:
    """Crystals that were computed, by a stand-in: the first is a metal, the others are not."""
    seen: list[Structure] = []

    def compute(crystal: Structure, **_: object) -> TransportDoc | CalculationFailure:
        seen.append(crystal)
        return transport() if len(seen) > 1 else METAL

    monkeypatch.setattr(power_factor, "_in_its_own_process", compute)
    monkeypatch.setattr(power_factor, "console", Console(width=220))
    monkeypatch.setattr("gen2dft.engines.gpaw.presets.versions", dict)
    monkeypatch.setenv("GEN2DFT_DATA_DIR", str(tmp_path))
    return seen


def test_hits_are_computed_until_enough_have_a_power_factor(example: Store, computed: list, invoke):
    example.database.power_factors.delete_many({})
    result = invoke("power-factor", "--max-sites", "5")
    assert result.exit_code == 0, result.output
    assert len(computed) == 2
    assert ": a metal, which has no power factor\n" in result.output
    assert (
        "holes, 300 K, 10\u00b9\u2078 cm\u207b\u00b3; gap 1.00 eV; by gpaw (DFT), gpaw-quick-v2"
        in result.output
    )
    kept = example.from_bands(CAMPAIGN_ID)
    assert [found.reason for found in kept] == [None, "metal"]
    by_hand = example.labels(CAMPAIGN_ID, by_hand=True)
    assert {label.id for label in by_hand} == {found.id for found in kept}
    again = invoke("power-factor", "--max-sites", "5")
    assert again.exit_code == 0
    assert len(computed) == 2  # nothing is computed twice


def test_what_makes_a_power_factor_doubtful_is_said(
    example: Store, computed: list, invoke, monkeypatch
):
    example.database.power_factors.delete_many({})
    doubtful = transport().model_copy(
        update={"warnings": ("no finer mesh: too_expensive: stand-in",)}
    )
    monkeypatch.setattr(power_factor, "_in_its_own_process", lambda *_, **__: doubtful)
    result = invoke("power-factor", "--max-sites", "5")
    assert "\n  no finer mesh: too_expensive: stand-in\n" in result.output
    candidate = example.from_bands(CAMPAIGN_ID)[0].candidate_id
    assert "from bands: no finer mesh: too_expensive: stand-in" in invoke("show", candidate).output


def test_the_program_may_be_named(example: Store, computed: list, invoke, monkeypatch):
    example.database.power_factors.delete_many({})
    programs: list[str] = []
    monkeypatch.setattr("gen2dft.transport.boltztrap2._load", lambda: None)

    def compute(_: Structure, **how: Any) -> TransportDoc:
        programs.append(how["spec"].program)
        made = {"program": programs[-1], "program_version": "26.3.1"}
        return transport().model_copy(update=made)

    monkeypatch.setattr(power_factor, "_in_its_own_process", compute)
    theirs = invoke("power-factor", "--max-sites", "5", "--program", "boltztrap2")
    assert "core-minutes; transport by boltztrap2 26.3.1" in theirs.output
    (kept,) = example.from_bands(CAMPAIGN_ID)
    assert (kept.program, kept.program_version) == ("boltztrap2", "26.3.1")
    invoke("power-factor", "--max-sites", "5", "--top", "2")
    assert programs == ["boltztrap2", "gen2dft"]


def test_a_program_that_is_missing_is_refused_before_anything_is_computed(
    example: Store, computed: list, invoke, monkeypatch, tmp_path: Path
):
    monkeypatch.setitem(sys.modules, "BoltzTraP2", None)
    file = tmp_path / "NaCl.cif"
    rock_salt("Na", "Cl", 5.6).to_file(str(file))
    for which in (("--max-sites", "5"), ("--structure", str(file), "--out", "out.json")):
        result = invoke("power-factor", *which, "--program", "boltztrap2")
        assert isinstance(result.exception, SystemExit)
        assert "program 'boltztrap2' needs BoltzTraP2" in result.output
        assert "make transport" in result.output
    assert "is not one of" in invoke("power-factor", "--program", "boltztrap").output
    assert not computed


def test_the_cheapest_may_come_first(example: Store, computed: list, invoke):
    example.database.power_factors.delete_many({})
    assert invoke("power-factor", "--max-sites", "5", "--cheapest", "--top", "5").exit_code == 0
    costs = [
        (starting_moments(crystal) is not None, relative_cost(crystal)) for crystal in computed
    ]
    assert len(costs) > 2
    assert costs == sorted(costs)
    assert costs[0] < costs[-1]


def test_a_hit_that_takes_too_long_is_passed_over_and_tried_again(
    example: Store, computed: list, invoke, monkeypatch: pytest.MonkeyPatch
):
    example.database.power_factors.delete_many({})
    limits: list[object] = []
    late = CalculationFailure(reason="too_expensive", detail="not finished after 60 CPU seconds")

    def compute(_: Structure, **how: object) -> TransportDoc | CalculationFailure:
        limits.append(how["cpu_limit"])
        return transport() if len(limits) == 2 else late

    monkeypatch.setattr(power_factor, "_in_its_own_process", compute)
    result = invoke("power-factor", "--max-sites", "5", "--cpu-limit", "60")
    assert result.exit_code == 0, result.output
    assert "passed over: too_expensive: not finished after 60 CPU seconds" in result.output
    assert limits == [60, 60]
    assert len(example.from_bands(CAMPAIGN_ID)) == 1
    assert invoke("power-factor", "--max-sites", "5", "--cpu-limit", "600").exit_code == 0
    assert limits[2:] == [600]


def test_the_cheapest_are_not_relaxed_if_they_are_metals(
    example: Store, computed: list, invoke, monkeypatch: pytest.MonkeyPatch
):
    example.database.power_factors.delete_many({})
    refused: list[object] = []

    def compute(_: Structure, **how: object) -> TransportDoc | CalculationFailure:
        refused.append(how["refuse_metals"])
        return (
            CalculationFailure(reason="metal_as_given", detail="a metal")
            if len(refused) == 1
            else transport()
        )

    monkeypatch.setattr(power_factor, "_in_its_own_process", compute)
    result = invoke("power-factor", "--max-sites", "5", "--cheapest")
    assert result.exit_code == 0, result.output
    assert ": passed over: metal_as_given: a metal\n" in result.output
    assert invoke("power-factor", "--max-sites", "5", "--top", "2").exit_code == 0
    assert refused[:2] == [True, True]
    assert len(refused) > 2
    assert not any(refused[2:])


def test_cells_that_are_too_large_are_left_out(example: Store, computed: list, invoke):
    result = invoke("power-factor", "--max-sites", "1")
    assert isinstance(result.exception, SystemExit)
    assert (
        "no hit of thermoelectric-3f9a1c0b77de with at most 1 atoms gave a power factor; "
        "--max-sites" in result.output
    )
    assert not computed


def test_a_structure_of_ones_own(computed: list, tmp_path: Path):
    cif = tmp_path / "salt.cif"
    rock_salt("Na", "Cl", 5.6).to(filename=str(cif))
    with pytest.raises(DatasetError, match="needs --out FILE"):
        power_factor.power_factor(structure=cif)
    out = tmp_path / "salt.json"
    with pytest.raises(CalculationFailed, match="metal: bands overlap"):
        power_factor.power_factor(structure=cif, out=out, engine="gpaw", preset="gpaw-quick-v1")
    power_factor.power_factor(structure=cif, out=out, engine="gpaw", preset="gpaw-quick-v1")
    read = TransportDoc.model_validate_json(out.read_text())
    assert read.table("p", "seebeck") == pytest.approx(transport().table("p", "seebeck"), rel=1e-3)
    (tmp_path / "bad.cif").write_text("nothing")
    with pytest.raises(DatasetError, match=r"bad\.cif holds no crystal that can be read"):
        power_factor.power_factor(structure=tmp_path / "bad.cif", out=out)


def test_engines_without_bands_are_refused(example: Store):
    with pytest.raises(CampaignError, match="is not one of"):
        power_factor.power_factor(engine="gpaw", preset="nonsense", max_sites=5, top=1)


def test_stored_transport_is_read_by_another_definition(example: Store, computed: list, invoke):
    assert invoke("power-factor", "--max-sites", "5").exit_code == 0
    bands = len(computed)
    result = invoke("power-factor", "--max-sites", "5", "--definition", "n-600K-1e19")
    assert result.exit_code == 0, result.output
    assert len(computed) == bands
    doc = transport()
    expected = float(doc.at("n", "power_factor_mean", 600.0, 1e19))
    line = "n-600K-1e19: electrons, 600 K, 10\u00b9\u2079 cm\u207b\u00b3: S -"
    assert line in result.output
    assert f"power factor {expected:.3g} " in result.output
    refused = invoke("power-factor", "--max-sites", "5", "--definition", "n-900K-1e19")
    assert "temperature 900 is outside 300 to 600 K" in refused.output
    unknown = invoke("power-factor", "--definition", "n-600K")
    assert "named by carriers, temperature and doping: n-600K-1e19" in unknown.output


def test_show_reads_the_transport_of_one_crystal(example: Store, invoke):
    with_bands, without = example.from_bands(CAMPAIGN_ID)
    found = invoke("show", with_bands.candidate_id, "--transport", "best-600K-optimal-1e17-1e19")
    assert found.exit_code == 0, found.output
    assert "best-600K-optimal-1e17-1e19: " in found.output
    assert "10\u00b9\u2079 cm\u207b\u00b3: S " in found.output
    none = invoke("show", without.candidate_id, "--transport", "ftcp")
    assert "is stored: gen2dft power-factor computes that of hits" in none.output


def test_the_same_crystal_of_another_campaign_is_not_computed_again(
    example: Store, computed: list, invoke, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("gen2dft.rounds.stored_transport.same_crystal", lambda *_: True)
    monkeypatch.setattr("gen2dft.rounds.stored_transport._is_fine", lambda *_: True)
    example.database.power_factors.delete_many({})
    assert invoke("power-factor", "--max-sites", "5").exit_code == 0
    (kept,) = [found for found in example.from_bands(CAMPAIGN_ID) if found.reason is None]
    elsewhere = kept.model_copy(update={"id": "e" * 24, "campaign_id": "elsewhere"})
    example.database.power_factors.delete_many({})
    hit = next(hit for hit in example.hits(CAMPAIGN_ID) if hit.candidate_id == kept.candidate_id)
    formula = Structure.from_dict(hit.structure).composition.reduced_formula
    example.insert_new(elsewhere.model_copy(update={"formula": formula}))
    again = invoke("power-factor", "--max-sites", "5", "--top", "3")
    assert "from the stored transport of elsewhere" in again.output
