"""Reference phases on FireWorks with the stand-in for VASP: the fit is there when the last is in; failures are told."""

import pytest
import stand_in_environment
from gen2dft.launchpad.references import failures, submit_references

from gen2dft.campaign import CampaignSpec
from gen2dft.rounds.calibrate import references_of
from gen2dft.rounds.phases import find_structures
from gen2dft.store.documents import CalibrationDoc, ReferenceDoc
from gen2dft.thermo.vanadium_oxides import ELEMENTS, OXIDES
from tests import toys

pytestmark = [
    pytest.mark.usefixtures("toy_plugins"),
    *(pytest.mark.filterwarnings(text) for text in stand_in_environment.WARNINGS),
]


@pytest.fixture
def wanted(monkeypatch, tmp_path):
    """References of a calibration with three oxides, of which VO2 dies at its first run."""
    from pymatgen.core import Lattice, Structure

    stand_in_environment.install(monkeypatch, tmp_path, {"O2V": ("dies", 1)})
    monkeypatch.setenv("GEN2DFT_ALLOW_STAND_IN", "1")
    monkeypatch.setattr("gen2dft.datasets.materials_project.has_key", lambda: False)
    (tmp_path / "phases").mkdir()
    sites = [[0, 0, 0], [0.5, 0.5, 0.1], [0.5, 0, 0.4], [0, 0.5, 0.5], [0.5, 0.5, 0.75]]
    Structure(Lattice.orthorhombic(2.9, 3.0, 6.2), ["V", "V", "O", "O", "O"], sites).to(tmp_path / "phases/V2O3.cif")
    validation = {"engine": "vasp", "preset": "ggau-v1", "correction": "noh2019-v1"}
    spec = CampaignSpec.model_validate({**toys.TOY_CAMPAIGN, "validation": validation})
    found, missing = find_structures((*OXIDES, *ELEMENTS), tmp_path / "phases")
    assert [phase.formula for phase in missing] == ["V3O7", "V3O5"]
    return spec, references_of(spec, found)


def test_a_calibration_through_the_queue(bench, wanted):
    store, lpad, work = bench
    spec, references = wanted
    resources = spec.resources.validate_
    assert len(submit_references(store, lpad, references, resources)) == 5
    assert len(submit_references(store, lpad, references, resources)) == 5  # on their way: nothing is added
    assert lpad.workflows.count_documents({}) == 5
    work()
    (problem,) = failures(store, lpad, references)
    assert "reference phase VO2 (mp-19094) failed with engine 'vasp', preset 'ggau-v1': vasp_died" in problem
    assert store.database.references.count_documents({}) == 4
    assert store.database.calibrations.count_documents({}) == 0

    (waiting,) = submit_references(store, lpad, references, resources)  # the one that failed is tried anew
    assert waiting.phase.formula == "VO2"
    work()
    assert failures(store, lpad, references) == []
    fit = store.calibration("noh2019-v1", "vasp", store.get(ReferenceDoc, waiting.key).settings_hash)
    assert isinstance(fit, CalibrationDoc)
    assert {row["formula"] for row in fit.rows} == {"V2O5", "VO2", "V2O3"}
    assert set(fit.elements) == {"V", "O"}
    assert not fit.complete
    assert submit_references(store, lpad, references, resources) == []
