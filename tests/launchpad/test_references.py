"""Reference phases on FireWorks with the stand-in for VASP: the fit is there when the last is in.

Failures are told.
"""

from dataclasses import replace

import pytest
import stand_in_environment
from gen2dft.launchpad.references import compute_here, failures, submit_references

from gen2dft.campaign import CampaignSpec, StageResources
from gen2dft.errors import CalculationFailed, ThermoError
from gen2dft.ground.calibrate import Reference, references_of
from gen2dft.ground.phases import Found, find_structures
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
    Structure(Lattice.orthorhombic(2.9, 3.0, 6.2), ["V", "V", "O", "O", "O"], sites).to(
        tmp_path / "phases/V2O3.cif"
    )
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
    assert (
        len(submit_references(store, lpad, references, resources)) == 5
    )  # on their way: nothing is added
    assert lpad.workflows.count_documents({}) == 5
    work()
    problems = failures(store, lpad, references)
    assert len(problems) == 1, problems
    problem = problems[0]
    assert (
        "reference phase VO2 (mp-19094) failed with engine 'vasp', preset 'ggau-v1': vasp_died"
        in problem
    )
    assert store.database.references.count_documents({}) == 4
    assert store.database.calibrations.count_documents({}) == 0

    (waiting,) = submit_references(
        store, lpad, references, resources
    )  # the one that failed is tried anew
    assert waiting.phase.formula == "VO2"
    work()
    assert failures(store, lpad, references) == []
    fit = store.calibration(
        "noh2019-v1", "vasp", store.get(ReferenceDoc, waiting.key).settings_hash
    )
    assert isinstance(fit, CalibrationDoc)
    assert {row["formula"] for row in fit.rows} == {"V2O5", "VO2", "V2O3"}
    assert set(fit.elements) == {"V", "O"}
    assert not fit.complete
    assert submit_references(store, lpad, references, resources) == []


def salt(cation: str, anion: str) -> Reference:
    phase = Found(
        f"{cation}{anion}", f"toy-{cation}{anion}", toys.rock_salt(cation, anion, 5.6), "a test"
    )
    return Reference(f"key of {phase.formula}", phase, "toy", "toy-v1")


def test_work_here_goes_on_until_all_is_computed_and_tells_what_failed(
    bench, settings, monkeypatch
):
    store, _, work = bench
    seen, asked = [], []

    def in_this_process(_, work_of_engine, workers, tick, say):
        asked.append((work_of_engine, workers))
        assert tick()
        work()
        assert not tick()

    monkeypatch.setattr("gen2dft.launchpad.supervise.run_workers", in_this_process)
    good, bad = salt("Na", "Cl"), salt("K", "Br")
    relax = toys.toy_relax

    def picky(structure, preset):
        if "Br" in structure.composition:
            raise CalculationFailed("exploded", "too hot")
        return relax(structure, preset)

    monkeypatch.setattr(toys, "TOY_ENGINE", replace(toys.TOY_ENGINE, relax=picky, static=picky))
    with pytest.raises(
        ThermoError, match=r"phase KBr \(toy-KBr\) failed with engine 'toy', .*: exploded: too hot"
    ):
        compute_here(store, settings, [good, bad], StageResources(), 1, seen.append)
    assert store.find(ReferenceDoc, good.key) is not None
    assert (asked, seen) == ([("references-toy", 1)], [0, 1])
    compute_here(store, settings, [good], StageResources(), 1, seen.append)  # nothing is left to do
    assert len(asked) == 1
