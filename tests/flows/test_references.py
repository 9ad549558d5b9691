"""The flow of one reference phase, run by jobflow without a queue."""

import mongomock
import pytest
from gen2dft.flows import jobs
from gen2dft.flows.references import ReferenceMaker
from jobflow import JobStore, run_locally
from maggma.stores import MemoryStore

from gen2dft.campaign import StageResources
from gen2dft.ground.calibrate import Reference
from gen2dft.ground.phases import Found
from gen2dft.store.documents import ReferenceDoc
from gen2dft.store.store import Store
from gen2dft.thermo.reference_phases import molecule
from tests import toys

pytestmark = pytest.mark.usefixtures("toy_plugins")

SALT = Found("NaCl", "mp-22862", toys.rock_salt("Na", "Cl", 5.6), "a test")


@pytest.fixture
def store(monkeypatch):
    found = Store(mongomock.MongoClient(tz_aware=True)["test"])
    monkeypatch.setattr(jobs, "open_store", lambda _: found)
    return found


def run(phase, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    flow = ReferenceMaker.of_engine("toy", "toy-v1").make(
        Reference("key", phase, "toy", "toy-v1"), StageResources()
    )
    run_locally(flow, store=JobStore(MemoryStore()), log=False)
    return flow


def test_a_crystal_is_relaxed_and_kept(store, tmp_path, monkeypatch):
    flow = run(SALT, tmp_path, monkeypatch)
    assert [job.name for job in flow.jobs] == ["toy", "toy static", "keep_reference"]
    document = store.get(ReferenceDoc, "key")
    assert (document.formula, document.name, document.engine) == ("NaCl", "mp-22862", "toy")
    assert document.energy_per_atom == pytest.approx(
        toys.formation_energy(SALT.structure.composition)
    )
    assert document.settings_hash == "toyhash"
    belongs = {"campaign_id": "references-toy", "reference_id": "key", "stage": "validate"}
    assert all(job.metadata["gen2dft"] == belongs for job in flow.jobs)


def test_a_molecule_is_computed_as_it_is(store, tmp_path, monkeypatch):
    flow = run(
        Found("N2", "element-N", molecule("N", 1.1), "a test", is_molecule=True),
        tmp_path,
        monkeypatch,
    )
    assert [job.name for job in flow.jobs] == ["toy static", "keep_reference"]


def test_what_crashed_is_not_kept(store, tmp_path, monkeypatch):
    monkeypatch.setattr(toys.ToyMaker, "crash", True)
    run(SALT, tmp_path, monkeypatch)
    assert store.find(ReferenceDoc, "key") is None
