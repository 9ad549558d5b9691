from pathlib import Path

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from gen2dft.campaign import ScreeningSpec
from gen2dft.crystals import CrystalTable
from gen2dft.dataset import Dataset
from gen2dft.errors import CampaignError
from gen2dft.screening.charge import MEASURED_RATIO, MEASURED_STRICT_RATIO
from gen2dft.screening.gates import PlannedGate, load_gate, run_gates, screening_gates, stage_count
from gen2dft.screening.gates import table as table_of_reasons


def salt(a: str, b: str, length: float = 3.6, z: float = 0.5) -> Structure:
    return Structure(Lattice.cubic(length), [a, b], [[0, 0, 0], [0.5, 0.5, z]])


KNOWN = [salt("Na", "Cl"), salt("K", "Cl", 4), salt("K", "Br", 4), salt("Na", "O")]
CANDIDATES = [
    salt("Na", "Cl", 3.7),
    salt("Na", "Br"),
    salt("Na", "Br", 3.7),
    salt("Rb", "Br", 4.2),
    salt("K", "O"),
    salt("Na", "Br", 9.0),
    Structure(Lattice.cubic(3.6), ["Na", "Cl"], [[0, 0, 0], [0, 0, 0.5]]),
]


@pytest.fixture
def known() -> Dataset:
    return Dataset(CrystalTable.from_structures(KNOWN), tuple("abcd"), {})


def test_each_candidate_gets_the_reason_of_the_first_gate_that_stops_it(known: Dataset):
    kept, reasons, counts, _ = run_gates(
        CrystalTable.from_structures(CANDIDATES), screening_gates(ScreeningSpec(), known)
    )
    assert reasons == [
        "known_formula",
        None,
        "duplicate_in_batch",
        "element_not_allowed",
        "not_charge_balanced",
        "volume_out_of_range",
        "known_formula",
    ]
    assert kept.tolist() == [1]
    assert [count.stage for count in counts] == [
        "geometry",
        "elements",
        "charge",
        "formula",
        "duplicates",
    ]


def test_the_funnel_adds_up_from_stage_to_stage(known: Dataset):
    kept, reasons, counts, _ = run_gates(
        CrystalTable.from_structures(CANDIDATES), screening_gates(ScreeningSpec(), known)
    )
    assert counts[0].n_in == len(CANDIDATES)
    assert [count.n_in for count in counts[1:]] == [count.n_out for count in counts[:-1]]
    assert counts[-1].n_out == len(kept) == reasons.count(None)
    assert sum(sum(count.reasons.values()) for count in counts) == len(CANDIDATES) - len(kept)


def test_formulas_of_the_hull_are_known_although_it_has_no_structures(known: Dataset):
    crystals = CrystalTable.from_structures(CANDIDATES)
    _, before, *_ = run_gates(crystals, screening_gates(ScreeningSpec(), known))
    row = before.index(None)
    phases = frozenset([crystals.formulas()[row]])
    _, after, *_ = run_gates(crystals, screening_gates(ScreeningSpec(), known, phases=phases))
    assert after[row] == "known_formula"
    by_structure = ScreeningSpec(novelty="structure")
    _, others, *_ = run_gates(crystals, screening_gates(by_structure, known, phases=phases))
    assert others[row] is None


def test_novelty_by_structure_lets_known_formulas_pass(known: Dataset):
    spec = ScreeningSpec(novelty="structure", charge_balance=False)
    _, reasons, counts, _ = run_gates(
        CrystalTable.from_structures(CANDIDATES), screening_gates(spec, known)
    )
    assert [reasons[0], reasons[4], reasons[6]] == ["duplicate_of_known", None, None]
    assert [count.stage for count in counts] == ["geometry", "elements", "duplicates"]


def test_candidates_of_earlier_rounds_are_not_taken_again(known: Dataset):
    earlier = CrystalTable.from_structures([salt("Na", "Br", 3.8) * (1, 2, 1)])
    gates = screening_gates(ScreeningSpec(), known, earlier)
    assert run_gates(CrystalTable.from_structures(CANDIDATES), gates)[1][1] == "duplicate_in_store"


def test_an_empty_table_passes_through(known: Dataset):
    kept, reasons, counts, _ = run_gates(
        CrystalTable.from_structures([]), screening_gates(ScreeningSpec(), known)
    )
    assert (kept.tolist(), reasons) == ([], [])
    assert all(count.n_in == count.n_out == 0 for count in counts)


def test_a_gate_that_loses_crystals_is_found():
    with pytest.raises(ValueError, match="shorter"):
        run_gates(
            CrystalTable.from_structures(CANDIDATES),
            [PlannedGate("careless", lambda table: [None])],
        )


def test_kept_rows_are_rows_of_the_table():
    def every_second(table: CrystalTable) -> list[str | None]:
        return [None if i % 2 else "even" for i in range(len(table))]

    kept, *_ = run_gates(
        CrystalTable.from_structures(CANDIDATES),
        [PlannedGate("one", every_second), PlannedGate("two", every_second)],
    )
    assert kept.dtype == np.int64
    assert kept.tolist() == [3]


def test_stage_count_counts_reasons():
    count = stage_count("x", ["b", None, "a", "b"])
    assert (count.n_in, count.n_out, count.reasons) == (4, 1, {"a": 1, "b": 2})


def test_gates_run_in_the_order_of_the_list(known: Dataset):
    spec = ScreeningSpec(gates=["formula", {"geometry": {"min_distance": 1.0}}])
    _, reasons, counts, _ = run_gates(
        CrystalTable.from_structures(CANDIDATES), screening_gates(spec, known)
    )
    assert [count.stage for count in counts] == ["formula", "geometry"]
    assert reasons[0] == "known_formula" and reasons[5] == "volume_out_of_range"
    assert reasons[2] is None


def test_without_the_gate_for_formulas_known_structures_are_duplicates(known: Dataset):
    spec = ScreeningSpec(gates=["geometry", "duplicates"])
    _, reasons, *_ = run_gates(
        CrystalTable.from_structures(CANDIDATES), screening_gates(spec, known)
    )
    assert reasons[0] == "duplicate_of_known"


def test_an_unknown_gate_names_the_nearest():
    with pytest.raises(CampaignError, match=r"gate 'formla' is not one of .* mean 'formula'"):
        load_gate("formla")


def test_the_table_in_the_documents_is_the_registry():
    page = Path(__file__).resolve().parents[2] / "docs" / "gates.md"
    assert table_of_reasons() in page.read_text()


def test_a_gate_that_weighs_keeps_what_it_finds_a_fault_in(known: Dataset):
    listed = ["geometry", {"charge": {"mode": "weigh"}}, "duplicates"]
    gates = screening_gates(ScreeningSpec(gates=listed), known)
    kept, reasons, counts, weighed = run_gates(CrystalTable.from_structures(CANDIDATES), gates)
    assert reasons[4] is None and 4 in kept
    assert weighed == {4: {"not_charge_balanced": MEASURED_RATIO}}
    charge = counts[1]
    assert (charge.n_in, charge.n_out, charge.reasons) == (6, 6, {})
    assert charge.weighed == {"not_charge_balanced": 1}
    assert counts[2].n_in == 6


def test_what_a_gate_weighed_a_later_gate_may_refuse(known: Dataset):
    listed = [{"formula": {"mode": "weigh", "ratio": 0.5}}, "duplicates"]
    gates = screening_gates(ScreeningSpec(gates=listed), known)
    _, reasons, _, weighed = run_gates(CrystalTable.from_structures(CANDIDATES), gates)
    assert reasons[0] == "duplicate_of_known"
    assert weighed[0] == {"known_formula": 0.5}


def test_measured_ratios_go_by_the_settings():
    assert load_gate("charge").measured_ratio == MEASURED_RATIO
    assert load_gate("charge", {"strict": True}).measured_ratio == MEASURED_STRICT_RATIO
    assert load_gate("formula").measured_ratio is None
