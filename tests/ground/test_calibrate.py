"""Reference phases of the campaign's own engine, and the refusal to rank before they exist."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from pymatgen.core import Lattice, Structure

from gen2dft import engines
from gen2dft.calculation import Calculation
from gen2dft.campaign import CampaignSpec
from gen2dft.engines.base import Engine, without_references
from gen2dft.engines.kit import run_task
from gen2dft.errors import (
    CalculationFailed,
    CampaignError,
    CorrectionRefused,
    DatasetError,
    SettingsError,
    ThermoError,
)
from gen2dft.ground.calibrate import (
    check_engine,
    fit_calibration,
    fits_of,
    keep_reference,
    phase_fields,
    references_of,
)
from gen2dft.ground.hulls import campaign_hull
from gen2dft.ground.phases import find_structures, needed_phases, refuse_missing, wanted_phases
from gen2dft.rounds.begin import begin_campaign
from gen2dft.rounds.footing import footing_of
from gen2dft.rounds.labelling import corrected_energy, told_by
from gen2dft.rounds.prepare import check_validation
from gen2dft.rounds.round import Round
from gen2dft.store.documents import ReferenceDoc
from gen2dft.thermo.hull import ReferenceHull
from gen2dft.thermo.noh2019 import DE_O
from gen2dft.thermo.vanadium_oxides import ELEMENTS, OXIDES
from tests import toys

TRUE_DE_V = -1.71
KNOWN = {phase.formula: phase.formation_energy for phase in OXIDES}
E_V, E_O = -9.08, -4.95


class Made(toys.ToyPreset):
    pass


def made_energy(structure: Structure, noise: float = 0.0) -> float:
    """GGA+U energy of a vanadium oxide, such that dE_V comes out as made; elements in GGA."""
    composition = structure.composition
    r_v, r_o = composition.get_atomic_fraction("V"), composition.get_atomic_fraction("O")
    mixture = r_v * E_V + r_o * E_O
    if composition.is_element:
        return mixture
    return (
        KNOWN[composition.reduced_formula]
        - r_v * TRUE_DE_V
        - r_o * DE_O
        + mixture
        + noise * (r_v - 0.35)
    )


def made_engine(noise: float = 0.0, u: float = 3.25) -> Engine:
    def compute(structure: Structure, preset: str) -> Calculation:
        is_oxide = not structure.composition.is_element
        energy = made_energy(structure, noise)
        kind = {
            "run_type": "GGA+U" if is_oxide else "GGA",
            "hubbards": {"V": u} if is_oxide else {},
        }
        return Calculation(structure=structure, energy_per_atom=energy, converged=True, **kind)

    fields = {"name": "made", "is_dft": True, "relax": compute, "static": compute, "scale": None}
    return Engine(**{**vars(toys.TOY_ENGINE), **fields})


@pytest.fixture
def made(monkeypatch):
    monkeypatch.setitem(engines.ENGINES, "made", lambda: made_engine())


def compute(store, references):
    """What the jobs of the references do, one after another."""
    for reference in references:
        engine, prev = engines.load_engine(reference.engine), []
        for task in ("static",) if reference.phase.is_molecule else ("relax", "static"):
            start = (reference.phase.structure, None) if not prev else (None, prev[-1])
            prev.append(run_task(task, engine, reference.preset, *start))
        keep_reference(store, reference.key, phase_fields(reference), prev)


def calibrate(store, spec, phases):
    references = references_of(spec, phases)
    compute(store, references)
    return fits_of(store, references)


def vanadium_spec(**validation) -> CampaignSpec:
    fields = {"engine": "made", "preset": "toy-v1", "correction": "noh2019-v1", **validation}
    return CampaignSpec.model_validate({**toys.TOY_CAMPAIGN, "validation": fields})


def crystal(formula: str) -> Structure:
    """Some crystal of that formula."""
    counts = {"V3O7": (3, 7), "V3O5": (3, 5)}[formula]
    n = sum(counts)
    return Structure(
        Lattice.orthorhombic(3, 3, 3 * n),
        ["V"] * counts[0] + ["O"] * counts[1],
        [[0, 0, i / n] for i in range(n)],
    )


@pytest.fixture
def folder(tmp_path):
    for formula in ("V3O7", "V3O5"):
        crystal(formula).to(tmp_path / f"{formula}.cif")
    return tmp_path


def test_a_dft_engine_computes_oxides_and_elements_a_surrogate_oxides_alone(made):
    assert needed_phases(vanadium_spec()) == (*OXIDES, *ELEMENTS)
    assert needed_phases(vanadium_spec(engine="toy")) == OXIDES
    assert needed_phases(vanadium_spec(correction="none")) == ()


def test_structures_come_from_files_then_online_then_the_literature(folder):
    v3o7 = {"material_id": "mp-622640", "structure": crystal("V3O7")}
    vo2 = {"material_id": "mp-19094", "structure": OXIDES[2].literature().as_dict()}
    queries = []

    def search(**query):
        queries.append(query)
        return [v3o7, vo2]

    client = SimpleNamespace(materials=SimpleNamespace(summary=SimpleNamespace(search=search)))
    found, missing = find_structures(OXIDES, folder, client)
    assert not missing
    origins = {phase.formula: phase.origin for phase in found}
    assert origins["V3O7"].endswith("V3O7.cif")
    assert origins["VO2"] == "materials-project"
    assert origins["V2O5"].startswith("literature: Enjalbert and Galy")
    assert queries[0]["material_ids"] == ["mp-25620", "mp-19094", "mp-25787"]


def test_what_has_no_structure_is_named_with_the_ways_to_one(monkeypatch):
    monkeypatch.setattr("gen2dft.datasets.materials_project.has_key", lambda: False)
    found, missing = find_structures(OXIDES)
    assert [phase.formula for phase in found] == ["V2O5", "VO2", "V2O3"]
    with pytest.raises(
        ThermoError, match=r"no structure of V3O7 \(mp-622640\), V3O5 \(mp-622497\): set MP_API_KEY"
    ):
        refuse_missing(missing)


def test_files_that_are_wrong_are_named(folder):
    with pytest.raises(DatasetError, match=r"folder of structures .* does not exist"):
        find_structures(OXIDES, folder / "nowhere")
    crystal("V3O7").to(folder / "again.cif")
    with pytest.raises(DatasetError, match=r"both hold V3O7: leave one of them"):
        find_structures(OXIDES, folder)
    (folder / "again.cif").write_text("nonsense")
    with pytest.raises(DatasetError, match=r"again\.cif holds no crystal that can be read"):
        find_structures(OXIDES, folder)


def test_the_fit_returns_the_parameter_and_is_stored_once(made, store, folder):
    spec = vanadium_spec()
    found, missing = wanted_phases(spec, folder)
    assert not missing
    references = references_of(spec, found)
    compute(store, references[:-1])
    assert fits_of(store, references) == []  # one is still to come
    (fit,) = calibrate(store, spec, found)
    assert fit.de_v == pytest.approx(TRUE_DE_V, abs=1e-9)
    assert fit.elements == {"V": pytest.approx(E_V), "O": pytest.approx(E_O)}
    assert fit.complete
    assert [row["corrected"] for row in fit.rows] == pytest.approx(list(KNOWN.values()))
    (again,) = calibrate(store, spec, found)
    assert again.id == fit.id
    assert store.database.calibrations.count_documents({}) == 1
    assert store.database.references.count_documents({}) == 7


def test_each_preset_of_a_campaign_is_fitted(made, store, folder):
    spec = vanadium_spec(refine={"preset": "toy-fine-v1", "max_e_above_hull": 0.1})
    found, _ = find_structures(needed_phases(spec), folder)
    assert {fit.preset for fit in calibrate(store, spec, found)} == {"toy-v1", "toy-fine-v1"}


def test_nothing_is_ranked_before_the_fit_exists(made, store, folder):
    spec, dataset = vanadium_spec(), toys.toy_dataset()
    hull = ReferenceHull.build(
        [{"V": 2, "O": 5}, {"V": 1, "O": 2}], [-2.305, -2.488], scale="materials-project"
    )
    with pytest.raises(
        ThermoError,
        match=r"uses correction 'noh2019-v1', which is not fitted yet.*nothing is ranked",
    ):
        begin_campaign(store, spec, dataset, hull)
    found, _ = find_structures(needed_phases(spec), folder)
    (fit,) = calibrate(store, spec, found)
    document, _ = begin_campaign(store, spec, dataset, hull)
    assert document.calibration_ids == {"toy-v1": fit.id}
    context = Round(store, document.id, 0)
    calculation = toys.run_task("static", made_engine(), "toy-v1", OXIDES[2].literature(), None)
    energy = corrected_energy(footing_of(context), "some", calculation)
    assert energy.value == pytest.approx(KNOWN["VO2"])
    assert energy.adjustments == {
        "noh2019 O2 correction": pytest.approx(DE_O * 2 / 3),
        "noh2019 dE_V": pytest.approx(TRUE_DE_V / 3),
    }
    store.database.campaigns.update_one({}, {"$set": {"calibration_ids": {}}})
    with pytest.raises(
        ThermoError, match="has no calibration of correction 'noh2019-v1' for preset 'toy-v1'"
    ):
        footing_of(Round(store, document.id, 0)).fitted("toy-v1")


def test_settings_that_the_correction_does_not_hold_for_are_not_fitted(monkeypatch, store, folder):
    monkeypatch.setitem(engines.ENGINES, "made", lambda: made_engine(u=0.0))
    spec = vanadium_spec()
    found, _ = find_structures(needed_phases(spec), folder)
    with pytest.raises(
        CorrectionRefused, match=r"does not hold for mp-.*U\(V\) = 0 eV, expected 3.25 eV"
    ):
        calibrate(store, spec, found)


def test_a_failed_reference_is_named(monkeypatch, store):
    def fails(structure, preset):
        raise CalculationFailed("exploded", "too hot")

    engine = replace(made_engine(), relax=fails)
    monkeypatch.setitem(engines.ENGINES, "made", lambda: engine)
    found, _ = find_structures(OXIDES[:1])
    with pytest.raises(
        ThermoError, match=r"reference phase V2O5 \(mp-25620\) failed with engine 'made'.*exploded"
    ):
        calibrate(store, vanadium_spec(), found)


def test_what_a_stand_in_computed_is_no_reference(monkeypatch, store):
    engine = made_engine()

    def stands_in(structure, preset):
        return engine.static(structure, preset).model_copy(update={"is_stand_in": True})

    monkeypatch.setitem(engines.ENGINES, "made", lambda: replace(engine, static=stands_in))
    found, _ = find_structures(OXIDES[:1])
    with pytest.raises(ThermoError, match=r"reference phase V2O5 .* only stands in for the engine"):
        calibrate(store, vanadium_spec(), found)


def test_what_the_engine_lacks_is_said_before_anything_is_computed(monkeypatch, store):
    lacking = replace(
        made_engine(), check=lambda preset, symbols: (f"no licence for {sorted(symbols)}",)
    )
    monkeypatch.setitem(engines.ENGINES, "made", lambda: lacking)
    found, _ = find_structures(OXIDES[:1])
    with pytest.raises(SettingsError, match=r"no licence for \['O', 'V'\]"):
        check_engine(vanadium_spec(), found, works_here=True)
    assert check_engine(vanadium_spec(), found, works_here=False) == ("no licence for ['O', 'V']",)


def test_dft_without_elements_is_not_fitted(made):
    with pytest.raises(
        ThermoError, match="the fit needs the energy of V, O2, computed with engine 'made'"
    ):
        fit_calibration(made_engine(), "toy-v1", "noh2019-v1", {})


def test_a_surrogates_own_elements_are_used(store, monkeypatch, folder):
    surrogate = Engine(**{**vars(made_engine()), "is_dft": False, "scale": "materials-project",
                          "formation_energy": lambda c, e: e - c.get_atomic_fraction("V") * E_V
                          - c.get_atomic_fraction("O") * E_O})  # fmt: skip
    monkeypatch.setitem(engines.ENGINES, "made", lambda: surrogate)
    spec = vanadium_spec()
    found, _ = find_structures(needed_phases(spec), folder)
    (fit,) = calibrate(store, spec, found)
    assert (fit.elements, fit.is_dft) == ({}, False)
    assert fit.de_v == pytest.approx(TRUE_DE_V, abs=1e-9)


@pytest.fixture
def own_hull(tmp_path):
    """Fields of a campaign whose engine computes its hull."""
    toys.toy_dataset().save(tmp_path / "toys.npz")
    return {
        "dataset": {"source": str(tmp_path / "toys.npz"), "min_labels": 5},
        "hull": {"source": "engine"},
    }


def test_the_engines_own_hull_is_made_of_the_stable_phases_of_the_data(store, own_hull):
    spec = CampaignSpec.model_validate({**toys.TOY_CAMPAIGN, **own_hull})
    found, missing = wanted_phases(spec)
    assert not missing
    assert {phase.name for phase in found} == set(toys.toy_dataset().ids)
    calm = [phase for phase in found if not explodes(phase.structure)]
    assert calibrate(store, spec, calm) == []
    hull = campaign_hull(spec, store=store)
    assert hull.num_entries == len(calm)
    for document in store.references("toy", "toyhash"):
        assert isinstance(document, ReferenceDoc)
        composition = Structure.from_dict(document.structure).composition
        assert np.isclose(hull.e_above_hull(composition, document.energy_per_atom), 0)


def own_spec(own_hull, *symbols):
    """A campaign of a few elements with a DFT engine that computes its elements and its hull."""
    screening = {**toys.TOY_CAMPAIGN["screening"], "allowed_elements": symbols}
    validation = {"engine": "plain", "preset": "toy-v1"}
    fields = {**toys.TOY_CAMPAIGN, **own_hull, "screening": screening, "validation": validation}
    return CampaignSpec.model_validate(fields)


@pytest.fixture
def plain(monkeypatch):
    """A DFT engine without references: -3 eV for each atom, and the toys' formation energy for
    compounds.
    """

    def compute_energy(structure, preset):
        composition = structure.composition
        energy = -3.0 + (0 if composition.is_element else toys.formation_energy(composition))
        return Calculation(
            structure=structure, energy_per_atom=energy, converged=True, run_type="PBE"
        )

    changes = {"is_dft": True, "scale": None, "formation_energy": without_references("plain")}
    engine = replace(
        toys.TOY_ENGINE, name="plain", relax=compute_energy, static=compute_energy, **changes
    )
    monkeypatch.setitem(engines.ENGINES, "plain", lambda: engine)
    return engine


def test_a_dft_engine_computes_its_elements_and_phases_of_these_elements_alone(
    store, own_hull, plain
):
    spec = own_spec(own_hull, "Na", "K", "Cl", "Br")
    found, missing = wanted_phases(spec)
    assert {phase.formula for phase in found} == {"Na", "K", "NaCl", "KBr"}
    assert [phase.formula for phase in missing] == ["Br", "Cl"]
    with pytest.raises(
        ThermoError, match=r"no structure of Br \(element-Br\), Cl \(element-Cl\): put CIF"
    ):
        refuse_missing(missing)


def test_own_elements_are_frozen_with_the_campaign_and_measure_its_labels(store, own_hull, plain):
    spec, dataset = own_spec(own_hull, "Mg", "Sr", "O"), toys.toy_dataset()
    with pytest.raises(
        CampaignError,
        match="engine 'plain' has computed no energy of Mg, O, Sr with preset 'toy-v1'",
    ):
        check_validation(spec, dataset, store)
    found, _ = wanted_phases(spec)
    assert {phase.formula: phase.is_molecule for phase in found} == {
        "Mg": False, "O2": True, "Sr": False, "MgO": False,
    }  # fmt: skip
    assert calibrate(store, spec, found) == []
    assert check_validation(spec, dataset, store) == ()
    hull = campaign_hull(spec, store=store)
    assert hull.scale == "plain:GGA"
    document, _ = begin_campaign(store, spec, dataset, hull)
    assert document.elements == {"toy-v1": {"Mg": -3.0, "O": -3.0, "Sr": -3.0}}
    crystal = toys.rock_salt("Sr", "O", 5.1)
    context = Round(store, document.id, 0)
    told = told_by(footing_of(context), "some", run_task("static", plain, "toy-v1", crystal, None))
    values, energy = told.values, told.energy
    assert values["formation_energy"] == pytest.approx(toys.formation_energy(crystal.composition))
    assert energy.scale == hull.scale
    assert {"e_above_hull"} <= set(values)


def explodes(structure: Structure) -> bool:
    try:
        return not toys.toy_relax(structure, "toy-v1").converged
    except CalculationFailed:
        return True
