"""Many files in one go: failures are outcomes, also that of a worker which is killed."""

from __future__ import annotations

import os
import pickle
import signal
from pathlib import Path

import pytest
from example_bands import cosine_bands
from gpaw_files import write_gpw

from gen2dft.errors import CalculationFailed
from gen2dft.transport.batch import transport_of_files
from gen2dft.transport.document import TransportDoc
from gen2dft.transport.settings import TransportSettings

FEW = TransportSettings(
    temperatures=(300.0,), dopings=(1e18,), grid_spacing=0.06, max_spacing=0.3, hall=False
)


def test_one_that_fails_does_not_stop_the_rest(tmp_path: Path):
    good = [
        write_gpw(tmp_path / f"{gap}.gpw", cosine_bands((8, 8, 8), gap=gap), 2.0)
        for gap in (0.8, 1.2)
    ]
    metal = write_gpw(tmp_path / "metal.gpw", cosine_bands((8, 8, 8), gap=-0.3, direct=False), 2.0)
    broken = tmp_path / "broken.gpw"
    broken.write_text("nothing")
    outcomes = dict(transport_of_files([good[0], metal, broken, good[1]], FEW, workers=2))
    assert set(outcomes) == {*good, metal, broken}
    for path in good:
        assert isinstance(outcomes[path], TransportDoc)
    reasons = {
        path.name: outcome.reason
        for path, outcome in outcomes.items()
        if isinstance(outcome, CalculationFailed)
    }
    assert reasons == {"metal.gpw": "metal", "broken.gpw": "unreadable"}


def test_failures_travel_between_processes():
    failure = pickle.loads(pickle.dumps(CalculationFailed("metal", "why", "/somewhere")))
    assert (failure.reason, failure.detail, failure.directory) == ("metal", "why", "/somewhere")
    assert str(failure) == "metal: why (files: /somewhere)"


def die(path: Path, settings: TransportSettings) -> None:
    """Stands in for a computation that the system kills."""
    if "killer" in path.name:
        os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_killed_worker_takes_nobody_else_with_it(monkeypatch: pytest.MonkeyPatch):
    from gen2dft.transport import batch

    monkeypatch.setattr(batch, "transport_of_file", die)
    paths = [Path("a.gpw"), Path("killer.gpw"), Path("b.gpw"), Path("c.gpw")]
    outcomes = dict(transport_of_files(paths, FEW, workers=1))
    failed = {
        path.name for path, outcome in outcomes.items() if isinstance(outcome, CalculationFailed)
    }
    assert failed == {"killer.gpw"}
    assert len(outcomes) == 4
    with pytest.raises(
        CalculationFailed, match=r"killed: the process that computed it was killed; was there"
    ):
        raise outcomes[Path("killer.gpw")]
