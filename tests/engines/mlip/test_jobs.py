import pytest
from jobflow import Flow, JobStore, run_locally
from maggma.stores import MemoryStore
from monty.json import MontyDecoder
from pymatgen.core import Lattice, Structure

from gen2dft.engines import load_engine
from gen2dft.engines.base import CalculationDoc, CalculationFailure
from gen2dft.engines.makers import makers_of

pytest.importorskip("chgnet")
NACL = Structure(Lattice.cubic(3.3), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])


def outcomes(structure: Structure) -> list[object]:
    makers = makers_of(load_engine("mlip"), "chgnet-screen-v1")
    relax = makers.relax.make(structure)
    static = makers.static.make(prev=relax.output)
    store = JobStore(MemoryStore())
    done = run_locally(Flow([relax, static]), store=store, log=False, raise_immediately=True)
    assert set(done) == {relax.uuid, static.uuid}
    store.connect()
    return [
        MontyDecoder().process_decoded(store.get_output(job.uuid, load=True))
        for job in (relax, static)
    ]


def test_relax_and_static_pass_their_documents_on():
    relax, static = outcomes(NACL)
    assert isinstance(relax, CalculationDoc)
    assert isinstance(static, CalculationDoc)
    assert (relax.task, static.task) == ("relax", "static")
    assert static.energy == pytest.approx(relax.energy, abs=1e-4)
    assert static.preset == "chgnet-screen-v1"
    assert static.settings_hash == load_engine("mlip").preset("chgnet-screen-v1").settings_hash
    assert not static.is_dft


def test_a_failure_is_an_outcome_with_its_reason():
    crushed = NACL.copy()
    crushed.scale_lattice(2.0)
    for outcome in outcomes(crushed):
        assert isinstance(outcome, CalculationFailure)
        assert outcome.reason == "volume_out_of_range"


def test_makers_have_defaults_of_their_own():
    makers = makers_of(load_engine("mlip"), "chgnet-v1")
    assert makers.relax.name == "mlip relax"
    assert makers.static.name == "mlip static"
    assert type(makers.relax)(preset="chgnet-screen-v1") != type(makers.relax)()
