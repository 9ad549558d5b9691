"""The thermoelectric loop with engine `vasp`: training, sampling and screen by toys; relaxation,
energy, bands and transport through FireWorks, atomate2, custodian and the stand-in for VASP.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import stand_in_environment
from gen2dft.launchpad.submit import submit
from pymatgen.core import Composition, Structure
from pymatgen.io.vasp import Vasprun

from gen2dft import generators
from gen2dft.campaign import CampaignSpec
from gen2dft.engines.vasp.presets import PRESETS
from gen2dft.rounds.prepare import check_validation, prepare
from gen2dft.store.documents import LabelDoc
from gen2dft.thermo.hull import ReferenceHull
from tests import toys
from tests.launchpad.test_campaign import check_books

pytestmark = [
    pytest.mark.usefixtures("toy_plugins"),
    *(pytest.mark.filterwarnings(text) for text in stand_in_environment.WARNINGS),
]

CATIONS, ANIONS = ("Na", "K", "Rb"), ("F", "Cl", "Br")
PRESET = "mp-ggau-v1"
TARGETS = [
    {"property": "power_factor", "min": 0.01, "optimise": "maximise"},
    {"property": "e_above_hull", "max": 0.03, "by": "screen"},
    {"property": "band_gap", "min": 0.3, "max": 2.5},
]
# By formula as the stand-in names it: bands that reach NELM, and an energy that no crystal has.
FAULTS = {"FNa": ("bands", 99), "FRb": ("deep", 99)}
GAP = 2.0  # eV, of all that the stand-in makes of one metal and one non-metal


class SaltGenerator(toys.ToyGenerator):
    """The toys' generator, which predicts that what it knows is stable."""

    name = "salts"
    properties = ("e_above_hull",)

    def predict(self, latents: np.ndarray) -> np.ndarray:
        return np.zeros((len(latents), 1))


def halide_hull() -> ReferenceHull:
    """All alkali halides that the toys can make, where the toy engine sees them."""
    halides = [{cation: 1, anion: 1} for cation in CATIONS for anion in ANIONS]
    energies = [toys.formation_energy(Composition(halide)) for halide in halides]
    return ReferenceHull.build(halides, energies, scale="materials-project")


@pytest.fixture
def spec(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> CampaignSpec:
    """A campaign of the kind of the shipped one with GPAW, small."""
    monkeypatch.setitem(generators.GENERATORS, "salts", lambda: SaltGenerator)
    dataset, hull = tmp_path / "toys.npz", tmp_path / "hull.json"
    known = toys.toy_dataset()
    labels = {**known.labels, "e_above_hull": np.zeros(len(known))}
    replace(known, labels=labels).save(dataset)
    hull.write_bytes(halide_hull().to_bytes())
    content = {
        **toys.TOY_CAMPAIGN,
        "name": "thermoelectric-vasp",
        "targets": TARGETS,
        "dataset": {"source": str(dataset), "min_labels": 5, "few_labels": "leave-open"},
        "hull": {"source": str(hull)},
        "transport": {"tolerance": 1e-3, "meshes": 2},
        "generator": {"name": "salts", "epochs": 1},
        "screening": {
            **toys.TOY_CAMPAIGN["screening"],
            "allowed_elements": [*CATIONS, *ANIONS],
            "novelty": "structure",  # the hull knows every formula
        },
        "validation": {"engine": "vasp"},
        "learning": {"rounds": 1, "batch": 4},
    }
    return CampaignSpec.model_validate(content)


@pytest.fixture
def vasp(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The stand-in for VASP with its faults, no second try, and meshes that a test can afford."""
    import atomate2

    stand_in_environment.install(monkeypatch, tmp_path, FAULTS)
    monkeypatch.setenv("GEN2DFT_ALLOW_STAND_IN", "1")
    monkeypatch.setattr(atomate2.SETTINGS, "VASP_CUSTODIAN_MAX_ERRORS", 1)
    coarse = replace(PRESETS[PRESET], uniform_kspacing=0.19)
    monkeypatch.setitem(PRESETS, PRESET, coarse)


@pytest.mark.usefixtures("vasp")
def test_from_training_to_hits_whose_gap_and_power_factor_are_computed(bench, spec, tmp_path):
    store, lpad, work = bench
    prepared = prepare(spec)
    assert check_validation(spec, prepared.dataset) == ()
    campaign_id = submit(store, lpad, spec, *prepared).campaign_id
    work()
    assert set(lpad.fireworks.distinct("state")) == {"COMPLETED"}
    assert store.campaign(campaign_id).state == "finished"
    check_books(store, campaign_id)

    labels = {formula_of(label): label for label in store.labels(campaign_id)}
    hits = {hit.formula: hit for hit in store.hits(campaign_id)}
    assert set(labels) - set(hits) == {"NaF"}
    assert len(hits) >= 2
    for formula, hit in hits.items():
        check_label(labels[formula], gaps_of_bands(tmp_path, formula))
        assert (hit.evidence, hit.is_dft) == ("mixed", False)
        assert hit.basis == {"power_factor": "vasp", "e_above_hull": "toy", "band_gap": "vasp"}
        assert hit.errors == labels[formula].errors
    check_without_bands(labels["NaF"])
    (implausible,) = store.candidates(campaign_id, state="given_up:implausible_energy")
    assert implausible.formula == "F1 Rb1"
    assert "-60.00 eV/atom is outside -25 to 10" in implausible.failure
    validated = next(s for s in store.round(campaign_id, 0).funnel if s.stage == "validate")
    assert validated.reasons == {"implausible_energy": 1}


def check_label(label: LabelDoc, gaps: list[float]) -> None:
    """VASP's gap and power factor with their error and costs, beside the surrogate's energies."""
    assert (label.engine, label.preset, label.is_dft) == ("vasp", PRESET, True)
    assert label.basis == {"formation_energy": "toy", "e_above_hull": "toy"}
    assert len(gaps) == 2  # two meshes
    assert label.values["band_gap"] == pytest.approx(gaps[-1], abs=1e-3)
    assert label.values["power_factor"] > 0.01
    assert 0 < label.errors["power_factor"] < 0.1 * label.values["power_factor"]
    assert set(label.costs) == {"relax", "static", "bands", "transport"}
    assert min(label.costs.values()) > 0
    assert sum(label.costs.values()) == pytest.approx(label.core_hours)


def check_without_bands(label: LabelDoc) -> None:
    """The gap of the static calculation is a label; there is no power factor, and why."""
    assert label.values["band_gap"] == pytest.approx(GAP)
    assert "power_factor" not in label.values
    assert any(said.startswith("no power factor: bands_not_conv") for said in label.warnings)
    assert label.costs["bands"] > 0


def formula_of(label: LabelDoc) -> str:
    return str(Structure.from_dict(label.structure).composition.reduced_formula)


def gaps_of_bands(folder: Path, formula: str) -> list[float]:
    """Gaps in eV that pymatgen reads in the vasprun.xml of all bands of a crystal, coarse mesh
    first.
    """
    found = {}
    for file in folder.glob("launcher_*/vasprun.xml.gz"):
        run = Vasprun(file, parse_dos=False, parse_potcar_file=False)
        is_it = run.final_structure.composition.reduced_formula == formula
        if is_it and run.incar.get("ICHARG") == 11:
            gap, *_ = run.eigenvalue_band_properties
            found[len(run.actual_kpoints)] = gap
    return [gap for _, gap in sorted(found.items())]
