"""VASP's energies where they meet corrections, scales and both stages: one crystal, computed by the
stand-in.
"""

import pytest
import stand_in_environment
from pymatgen.core import Lattice, Structure

from gen2dft.campaign import CampaignSpec
from gen2dft.engines import load_engine
from gen2dft.errors import CorrectionRefused
from gen2dft.rounds.begin import begin_campaign
from gen2dft.rounds.footing import footing_of
from gen2dft.rounds.ingest import ingest
from gen2dft.rounds.labelling import corrected_energy
from gen2dft.rounds.round import Round
from gen2dft.store.documents import CalibrationDoc, CandidateDoc
from gen2dft.store.store import candidate_key
from gen2dft.thermo.hull import ReferenceHull
from gen2dft.thermo.noh2019 import DE_O
from tests import toys

pytestmark = [pytest.mark.filterwarnings(text) for text in stand_in_environment.WARNINGS]

VO = Structure(Lattice.orthorhombic(2.9, 3.0, 3.1), ["V", "O"], [[0, 0, 0], [0.5, 0.5, 0.45]])
COARSE, FINE = (
    {"V": -3.8, "O": -0.1},
    {"V": -3.9, "O": -0.2},
)  # made up, as the stand-in's energies are
MP2020 = -0.687 / 2 - 1.7 / 2  # eV/atom of VO: oxide, and V in oxides


@pytest.fixture(scope="module")
def computed(tmp_path_factory):
    """Preset to the document of VO; custodian had to mend the relaxation with ggau-v1."""
    from gen2dft.engines.vasp.attempts import Spent, relax_attempt, single_attempt

    folder, documents = tmp_path_factory.mktemp("vasp"), {}
    with pytest.MonkeyPatch.context() as patch:
        stand_in_environment.install(patch, folder, {"OV": ("zbrent", 1)})
        for preset in ("ggau-v1", "ggau-refine-v1", "vo-pbe-v1"):
            (folder / preset).mkdir()
            patch.chdir(folder / preset)
            relaxes = preset == "ggau-v1"
            documents[preset] = (
                relax_attempt(preset, VO, Spent())
                if relaxes
                else single_attempt("static", preset, VO)
            )
    return documents


@pytest.fixture(autouse=True)
def _stand_in_is_welcome(monkeypatch):
    monkeypatch.setenv("GEN2DFT_ALLOW_STAND_IN", "1")


def campaign(store, scale="materials-project", **validation):
    """A round with one queued candidate, `vo`.

    Its labels are measured against two vanadium oxides.
    """
    fields = {
        "engine": "vasp",
        "preset": "ggau-v1",
        "correction": "mp2020-v1",
        "references": COARSE,
        **validation,
    }
    spec = CampaignSpec.model_validate({**toys.TOY_CAMPAIGN, "validation": fields})
    hull = ReferenceHull.build([{"V": 2, "O": 5}, {"V": 1, "O": 1}], [-2.3, -2.0], scale=scale)
    document, _ = begin_campaign(store, spec, toys.toy_dataset(), hull)
    place = {
        "campaign_id": document.id,
        "round_index": 0,
        "sampler": "random",
        "parents": [],
        "latent_row": 0,
    }
    key = candidate_key(document.id, "vo")
    store.insert_new(
        CandidateDoc(id=key, candidate_id="vo", state="queued", structure=VO.as_dict(), **place)
    )
    return Round(store, document.id, 0)


def mixture(elements):
    return (elements["V"] + elements["O"]) / 2


def test_vasp_says_functional_and_u(computed):
    kinds = {preset: (doc.run_type, doc.hubbards) for preset, doc in computed.items()}
    with_u = ("GGA+U", {"V": 3.25})
    assert kinds == {"ggau-v1": with_u, "ggau-refine-v1": with_u, "vo-pbe-v1": ("GGA", {})}


def test_corrected_energies_meet_the_hull_of_their_scale(store, computed):
    context, doc = campaign(store), computed["ggau-v1"]
    assert ingest(context, "vo", [doc]) in ("labelled", "hit")
    (label,) = store.labels(context.campaign_id)
    assert (label.run_type, label.corrections) == ("GGA+U", ["mp2020-v1"])
    assert sum(label.adjustments.values()) == pytest.approx(MP2020)
    assert label.values["formation_energy"] == pytest.approx(
        doc.energy_per_atom - mixture(COARSE) + MP2020
    )
    assert {"e_above_hull", "band_gap"} <= set(label.values)


def test_energies_without_u_are_refused_and_their_cost_counts(store, computed):
    context = campaign(store, preset="vo-pbe-v1")
    assert ingest(context, "vo", [computed["vo-pbe-v1"]]) == "given_up:correction_refused"
    assert context.store.candidate(context.campaign_id, "vo").lost_core_hours > 0


@pytest.mark.parametrize(
    ("scale", "preset", "state"),
    [
        ("materials-project", "ggau-v1", "given_up:energies_not_comparable"),
        ("vasp:GGA+U", "vo-pbe-v1", "given_up:energies_not_comparable"),
        ("gpaw:GGA+U", "ggau-v1", "given_up:energies_not_comparable"),
        ("vasp:GGA+U", "ggau-v1", "labelled"),
    ],
)
def test_uncorrected_energies_meet_their_own_kind_alone(store, computed, scale, preset, state):
    context = campaign(store, scale, preset=preset, correction="none")
    assert ingest(context, "vo", [computed[preset]]) == state


def test_a_calibration_brings_its_own_elements(store, computed):
    preset = load_engine("vasp").preset("ggau-v1")
    fit = {
        "de_v": -1.7,
        "standard_error": 0.01,
        "confidence": 0.02,
        "rms": 0.01,
        "rows": [],
        "complete": True,
    }
    store.insert_new(
        CalibrationDoc(
            id="fit", correction="noh2019-v1", engine="vasp", is_dft=True, preset=preset.name,
            settings_hash=preset.settings_hash, elements=FINE, **fit,
        )
    )  # fmt: skip
    context = campaign(store, correction="noh2019-v1", references={})
    doc = computed["ggau-v1"]
    energy = corrected_energy(footing_of(context), "vo", doc)
    assert energy.scale == "materials-project"
    assert energy.value == pytest.approx(doc.energy_per_atom - mixture(FINE) + (DE_O - 1.7) / 2)
    with pytest.raises(
        CorrectionRefused, match=r"correction 'noh2019-v1' does not hold for vo \(VO\)"
    ):
        corrected_energy(
            footing_of(context), "vo", doc.model_copy(update={"run_type": "GGA", "hubbards": {}})
        )


def test_a_refined_label_keeps_what_custodian_did_before(store, computed):
    refine = {"preset": "ggau-refine-v1", "max_e_above_hull": 9.0, "references": FINE}
    context = campaign(store, refine=refine)
    coarse, fine = computed["ggau-v1"], computed["ggau-refine-v1"]
    ingest(context, "vo", [coarse], [fine])
    (label,) = store.labels(context.campaign_id)
    assert label.preset == "ggau-refine-v1"
    made = [(row["preset"], row["task"], row["handler"], row["errors"]) for row in label.custodian]
    assert made == [("ggau-v1", "relax", "VaspErrorHandler", ["zbrent"])]
    assert label.values["formation_energy"] == pytest.approx(
        fine.energy_per_atom - mixture(FINE) + MP2020
    )
    first = label.provenance["first_stage"]["values"]["formation_energy"]
    assert first == pytest.approx(coarse.energy_per_atom - mixture(COARSE) + MP2020)
    assert label.core_hours == pytest.approx(coarse.core_hours + fine.core_hours)


def test_a_stand_in_is_refused_in_either_stage(store, computed, monkeypatch):
    monkeypatch.delenv("GEN2DFT_ALLOW_STAND_IN")
    refine = {"preset": "ggau-refine-v1", "max_e_above_hull": 9.0, "references": FINE}
    context = campaign(store, refine=refine)
    real = computed["ggau-v1"].model_copy(update={"is_stand_in": False})
    assert ingest(context, "vo", [real], [computed["ggau-refine-v1"]]) == "given_up:refine_stand_in"
