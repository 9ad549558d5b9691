"""What makes a power factor doubtful."""

from __future__ import annotations

import pytest
from example_campaign import transport

from gen2dft.doubts import MESH_NOT_CONVERGED, NARROW_GAP, doubts_text, is_unfit
from gen2dft.transport.convergence import step_of, summary_of
from gen2dft.transport.document import TransportDoc
from gen2dft.transport.doubts import doubts_of, least_gap


def of_gaps(*gaps: float) -> TransportDoc:
    """Transport whose meshes gave these gaps, eV, and one power factor."""
    docs = [transport().model_copy(update={"band_gap": gap}) for gap in gaps]
    steps = [step_of(doc, "ricci2017") for doc in docs]
    series = summary_of(steps, "ricci2017", tolerance=0.05)
    return docs[-1].model_copy(update={"convergence": series})


@pytest.mark.parametrize(
    ("gap", "temperature", "doubts"),
    [
        (1.0, 300.0, []),
        (0.27, 300.0, []),
        (0.25, 300.0, [NARROW_GAP]),
        (0.27, 600.0, [NARROW_GAP]),
        (0.53, 600.0, []),
    ],
)
def test_a_gap_is_narrow_below_ten_kt(gap: float, temperature: float, doubts: list[str]):
    assert doubts_of(of_gaps(gap, gap), temperature) == doubts


def test_a_gap_that_closes_with_the_mesh_is_narrow():
    assert doubts_of(of_gaps(0.92, 0.5), 300.0) == [NARROW_GAP]
    assert doubts_of(of_gaps(0.55, 0.5), 300.0) == []
    assert least_gap(of_gaps(0.92, 0.5)) == pytest.approx(0.08)


def test_one_mesh_is_not_converged():
    assert doubts_of(of_gaps(1.0), 300.0) == [MESH_NOT_CONVERGED]
    assert doubts_of(transport(), 300.0) == [MESH_NOT_CONVERGED]


def test_documents_of_older_versions_tell_no_gaps():
    doc = of_gaps(0.9, 0.3)
    assert doc.convergence is not None
    steps = [step.model_copy(update={"band_gap": None}) for step in doc.convergence.steps]
    series = doc.convergence.model_copy(update={"steps": tuple(steps)})
    assert least_gap(doc.model_copy(update={"convergence": series})) == 0.3


def test_doubts_in_words():
    assert not doubts_text([])
    assert doubts_text([MESH_NOT_CONVERGED, "of_a_plugin"]) == (
        "mesh not converged to the campaign's tolerance; of a plugin"
    )
    assert is_unfit([MESH_NOT_CONVERGED, NARROW_GAP])
    assert not is_unfit([MESH_NOT_CONVERGED])
