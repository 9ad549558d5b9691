"""Values, units and their basis in words."""

from __future__ import annotations

import pytest

from gen2dft.campaign import Target
from gen2dft.report.data import ReportData
from gen2dft.report.wording import (
    basis_text,
    chemical,
    honest_notes,
    pretty,
    ranked,
    remark_text,
    remarks_on,
    target_text,
    value_text,
    words,
)


@pytest.mark.parametrize(
    ("unit", "printed"),
    [
        ("eV/atom", "eV/atom"),
        (
            "uW cm^-1 K^-2 at tau = 1e-14 s",
            "\u00b5W cm\u207b\u00b9 K\u207b\u00b2 at \u03c4 = 10\u207b\u00b9\u2074 s",
        ),
        ("uV/K", "\u00b5V/K"),
        ("cm^-3", "cm\u207b\u00b3"),
    ],
)
def test_units_as_printed(unit: str, printed: str) -> None:
    assert pretty(unit) == printed


def test_reasons_name_properties_by_their_titles() -> None:
    assert words("misses_e_above_hull") == "misses energy above hull"
    assert words("atoms_too_close") == "atoms too close"


@pytest.mark.parametrize(
    ("target", "text"),
    [
        (Target(property="e_above_hull", max=0.03), "at most 0.03 eV/atom"),
        (Target(property="band_gap", min=0.3, max=1.5), "0.3 to 1.5 eV"),
        (
            Target(property="formation_energy", near=(-0.5, -0.3), tolerance=0.1),
            "near -0.5 or -0.3 (\u00b1 0.1) eV/atom",
        ),
        (
            Target(property="band_gap", min=1, optimise="minimise"),
            "at least 1 eV; as small as possible",
        ),
        (Target(property="band_gap", optimise="maximise"), "as large as possible"),
    ],
)
def test_targets_in_words(target: Target, text: str) -> None:
    assert target_text(target) == text


def test_digits_and_missing_values() -> None:
    assert value_text("e_above_hull", 0.01234) == "0.012"
    assert value_text("power_factor", 12.345) == "12.3"
    assert value_text("band_gap", None) == "\u2013"


def test_basis_tells_surrogate_from_dft() -> None:
    assert basis_text("mlip", {"mlip"}) == "mlip (surrogate)"
    assert basis_text("vasp", {"mlip"}) == "vasp (DFT)"
    assert basis_text("predicted", {"mlip"}) == "predicted"


def test_notes_of_surrogate_hits_say_so_and_name_predictions(data: ReportData) -> None:
    first, second = honest_notes(data.hits, {"mlip"})
    assert "only on a surrogate (mlip), not on DFT" in first
    assert "band gap; power factor" in second


def test_notes_of_dft_hits(data: ReportData) -> None:
    hits = [
        hit.model_copy(update={"basis": dict.fromkeys(hit.values, "vasp"), "is_dft": True})
        for hit in data.hits
    ]
    assert honest_notes(hits, set()) == ["All values of the hits were computed by DFT (vasp)."]
    assert honest_notes([], set()) == []


def test_hits_are_ranked_by_the_optimised_property(data: ReportData) -> None:
    found, order = ranked(data.hits, data.spec.targets)
    values = [hit.values["power_factor"] for hit in found]
    assert values == sorted(values, reverse=True)
    assert order == "power factor, largest first"


def test_hits_whose_hull_lacks_phases_come_last_and_are_told(data: ReportData) -> None:
    best, *others = ranked(data.hits, data.spec.targets)[0]
    marked = best.model_copy(update={"remarks": ["hull_incomplete"]})
    found, _ = ranked([marked, *others], data.spec.targets)
    assert found == [*others, marked]
    *_, note = honest_notes(found, {"mlip"})
    assert note.startswith(f"1 of the {len(found)} hits say \u201chull incomplete\u201d")


def test_other_remarks_do_not_change_the_order(data: ReportData) -> None:
    best, *others = ranked(data.hits, data.spec.targets)[0]
    fields = {"remarks": ["hull_mixes_r2scan"], "known_formula": True, "other_hulls": {"aa": "hit"}}
    marked = best.model_copy(update=fields)
    found, _ = ranked([*others, marked], data.spec.targets)
    assert found == [marked, *others]
    assert remark_text(remarks_on(marked)) == "hull mixes r2scan, known formula"
    *_, note = honest_notes(found, {"mlip"})
    assert note.startswith(f"1 of the {len(found)} hits say \u201chull mixes r2scan\u201d")


def test_hits_are_ranked_by_closeness_else_by_stability(data: ReportData) -> None:
    near = Target(property="band_gap", near=(0.8,), tolerance=0.5)
    hits = [
        hit.model_copy(update={"values": {**hit.values, "band_gap": i / 4}})
        for i, hit in enumerate(data.hits)
    ]
    assert ranked(hits, [near])[0][0].values["band_gap"] == 0.75
    stable = ranked(hits, [Target(property="e_above_hull", max=0.1)])[0]
    assert stable[0].values["e_above_hull"] == min(hit.values["e_above_hull"] for hit in hits)


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        ("O3 Sr1 Ti1", "SrTiO3"),
        ("Ca1 Mg1 Tl1", "CaMgTl"),
        ("SrTiO3", "SrTiO3"),
        ("not decoded", "not decoded"),
        ("<b>1 O1", "<b>1 O1"),
    ],
)
def test_formulas_as_chemists_write_them(stored: str, shown: str) -> None:
    assert chemical(stored) == shown
