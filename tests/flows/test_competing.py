"""Competing phases in the flow of a candidate, run by jobflow without a queue."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import competing_toys
import pytest
from competing_toys import KEY, ToldEngine, folder_of, told_engine, use_hull, waiting
from gen2dft.flows import candidates, competing
from gen2dft.flows.candidates import expand
from jobflow import JobStore, run_locally
from maggma.stores import MemoryStore

from gen2dft.rounds.competing import Told
from gen2dft.rounds.round import Round
from gen2dft.store.documents import LabelDoc, ReferenceDoc
from gen2dft.store.store import Store

pytestmark = pytest.mark.usefixtures("toy_plugins")
Run = Callable[..., LabelDoc]


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> ToldEngine:
    return told_engine(monkeypatch)


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Store:
    found = competing_toys.new_store()
    monkeypatch.setattr(competing, "open_store", lambda _: found)
    for module in (candidates, competing):
        monkeypatch.setattr(module, "open_round", lambda *key: Round(found, *key))
    return found


@pytest.fixture
def run(store: Store, told: ToldEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs the flow of a candidate; its label."""
    monkeypatch.chdir(tmp_path)

    def to_the_end(context: Round, key: str = KEY) -> LabelDoc:
        flow = expand(context, key)
        if flow is not None:
            run_locally(flow, store=JobStore(MemoryStore()), log=False)
        (label,) = store.labels(context.campaign_id, candidate_id=key)
        return label

    return to_the_end


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Structures of both products."""
    return folder_of(tmp_path / "phases", "NaCl", "NaBr")


def test_the_distance_to_the_hull_becomes_a_decomposition_energy(run, store, told, folder):
    context = waiting(store, competing_structures=str(folder))
    label = run(context)
    assert label.values["e_above_hull"] == pytest.approx(-2.9 - (-3.0 - 2.6) / 2)
    assert "e_above_hull" not in label.basis and label.basis["formation_energy"] == "toy"
    record = label.decomposition
    assert (record.replaced, record.replaced_basis) == (0.02, "toy")
    shares = {product.formula: product.share for product in record.products}
    assert shares == {"Br1 Na1": pytest.approx(0.5), "Cl1 Na1": pytest.approx(0.5)}
    (hit,) = store.hits(context.campaign_id)
    assert (hit.evidence, hit.basis) == ("dft", {"e_above_hull": "told"})
    assert hit.values["e_above_hull"] == label.values["e_above_hull"]


def test_a_candidate_that_dft_puts_too_high_is_no_hit(run, store, told, folder):
    told.energies["Na2BrCl"] = -2.7  # 0.1 above its products, whatever the screen said
    context = waiting(store, competing_structures=str(folder))
    assert run(context).values["e_above_hull"] == pytest.approx(0.1)
    assert store.candidate(context.campaign_id, KEY).state == "labelled"
    assert store.hits(context.campaign_id) == []


def test_phases_are_shared_between_candidates_and_campaigns(run, store, told, folder):
    where = str(folder)
    first = run(waiting(store, competing_structures=where))
    assert sorted(told.asked) == ["Na2BrCl", "NaBr", "NaCl"]
    assert first.costs["competing"] == pytest.approx(first.core_hours - 0.02)
    told.energies["Na3BrCl2"] = -2.9
    context = waiting(store, competing_structures=where, key="a" * 16, formula="Na3BrCl2")
    second = run(context, "a" * 16)
    assert told.asked.count("NaCl") == told.asked.count("NaBr") == 1
    assert second.values["e_above_hull"] == pytest.approx(-2.9 - (2 * -3.0 - 2.6) / 3)
    assert "competing" not in second.costs
    elsewhere = waiting(store, name="other", key="b" * 16, formula="Na3BrCl2")
    assert run(elsewhere, "b" * 16).is_decomposed  # without the folder even
    assert told.asked.count("NaCl") == 1
    assert len(store.ids(ReferenceDoc)) == 2


def test_structures_come_from_the_dataset_first(run, store, told, tmp_path):
    where = folder_of(tmp_path / "phases", "NaCl", "NaBr")
    label = run(waiting(store, competing_structures=str(where)))
    origins = {product.formula: product.origin for product in label.decomposition.products}
    assert origins["Cl1 Na1"] == "dataset"
    assert origins["Br1 Na1"] == str(where / "NaBr.cif")


def test_a_phase_without_a_structure_leaves_the_evidence_as_it_was(run, store, told):
    context = waiting(store)  # the dataset has no NaBr
    label = run(context)
    assert label.values["e_above_hull"] == 0.02
    assert label.basis["e_above_hull"] == "toy"
    assert label.decomposition.energy is None
    (missing,) = label.decomposition.missing
    assert missing.formula == "Br1 Na1"
    assert "no structure: neither the dataset nor a folder" in missing.problem
    assert any("Br1 Na1: no structure" in text for text in label.warnings)
    (hit,) = store.hits(context.campaign_id)
    assert hit.evidence == "surrogate"


def test_a_phase_that_fails_is_named_and_tried_once_per_campaign(run, store, told, folder):
    told.fails.add("NaBr")
    where = str(folder)
    label = run(waiting(store, competing_structures=where))
    (missing,) = label.decomposition.missing
    assert missing.problem == "exploded: NaBr does not like it"
    assert label.values["e_above_hull"] == 0.02
    told.energies["Na3BrCl2"] = -2.9
    context = waiting(store, competing_structures=where, key="a" * 16, formula="Na3BrCl2")
    again = run(context, "a" * 16)
    assert told.asked.count("NaBr") == 1
    assert again.decomposition.missing[0].problem == missing.problem


def test_a_phase_that_crashes_does_not_hang_the_candidate(
    run, store, told, folder, monkeypatch: pytest.MonkeyPatch
):
    def crash(*_: object) -> None:
        raise RuntimeError("the disk is full")

    monkeypatch.setattr(competing, "kept", crash)
    label = run(waiting(store, competing_structures=str(folder)))
    assert {product.problem for product in label.decomposition.products} == {"not computed"}


def test_a_worker_killed_in_between_goes_on_from_the_phases_that_are_kept(
    run, store, told, folder, monkeypatch: pytest.MonkeyPatch
):
    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    context = waiting(store, competing_structures=str(folder))
    with monkeypatch.context() as patch:
        patch.setattr(Told, "joined", killed)
        with pytest.raises(KeyboardInterrupt):
            run(context)
    assert len(store.ids(ReferenceDoc)) == 2
    assert store.labels(context.campaign_id) == []
    label = run(context)
    assert told.asked.count("NaCl") == told.asked.count("NaBr") == 1
    assert label.decomposition.energy == pytest.approx(-0.1)


def test_the_candidates_own_phase_is_left_out(run, store, told, folder, monkeypatch):
    use_hull(monkeypatch, {**competing_toys.PHASES, "Na2BrCl": -5.0})
    label = run(waiting(store, competing_structures=str(folder)))
    assert {product.formula for product in label.decomposition.products} == {"Br1 Na1", "Cl1 Na1"}
    assert label.doubts == ["known_formula"]
    assert label.values["e_above_hull"] == pytest.approx(-0.1)


def test_a_molecular_element_among_the_products_is_a_doubt(run, store, told, tmp_path, monkeypatch):
    use_hull(monkeypatch, {"NaCl": -2.0, "KCl": -1.0})
    told.energies.update({"NaCl3": -2.3, "Cl2": -1.5})
    where = folder_of(tmp_path / "phases", "Cl2")
    context = waiting(store, competing_structures=str(where), formula="NaCl3")
    label = run(context)
    assert label.values["e_above_hull"] == pytest.approx(-2.3 - 0.5 * -3.0 - 0.5 * -1.5)
    assert label.doubts == ["molecular_reference"]
    (hit,) = store.hits(context.campaign_id)
    assert hit.doubts == ["molecular_reference"]


def test_energies_of_other_run_types_are_not_compared(run, store, told, folder):
    told.run_types["NaCl"] = "PBE+U"
    label = run(waiting(store, competing_structures=str(folder)))
    (missing,) = label.decomposition.missing
    assert "computed in PBE+U, the candidate in PBE" in missing.problem
    assert label.values["e_above_hull"] == 0.02


def test_nothing_is_computed_for_what_cannot_become_a_hit(run, store, told, folder):
    context = waiting(store, competing_structures=str(folder))
    screened = store.candidate(context.campaign_id, KEY).verdict
    far = screened.model_copy(update={"e_above_hull": 0.2})
    store.set_candidate(context.campaign_id, KEY, surrogate=far.model_dump())
    label = run(context)
    assert told.asked == ["Na2BrCl"]
    assert label.decomposition is None and label.values["e_above_hull"] == 0.2


def test_a_crystal_computed_before_has_its_phases_computed_all_the_same(run, store, told, folder):
    told_before = waiting(store, name="before", competing=False)
    assert run(told_before).decomposition is None
    label = run(waiting(store, competing_structures=str(folder)))
    assert told.asked.count("Na2BrCl") == 1
    assert label.reused_from is not None
    assert label.decomposition.energy == pytest.approx(-0.1)


def test_a_folder_that_has_gone_is_named(run, store, told, folder):
    context = waiting(store, competing_structures=str(folder))
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()
    label = run(context)
    assert any(f"folder of structures {folder} does not exist" in text for text in label.warnings)
