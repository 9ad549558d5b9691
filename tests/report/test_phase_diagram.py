"""Phase diagrams: what is on the hull, which candidates are shown, and pages that need nothing from
elsewhere.
"""

from __future__ import annotations

import re
from html.parser import HTMLParser

import numpy as np
import pytest
from example_campaign import CAMPAIGN_ID
from pymatgen.core import Composition

from gen2dft.errors import ThermoError
from gen2dft.report.phase_diagram import (
    Diagram,
    corners,
    label_offsets,
    load_diagram,
    systems_of,
)
from gen2dft.report.phase_diagram_page import render, write_diagram
from gen2dft.report.phase_diagram_picture import draw
from gen2dft.store.store import Store
from gen2dft.thermo.hull import ReferenceHull

PHASES = {
    "Ca2O": -0.4,
    "CaO": -3.2,
    "CaO2": -2.3,
    "TiO2": -3.3,
    "Ti2O3": -3.1,
    "CaTiO3": -3.5,
    "Ca3Ti": 0.2,
}


@pytest.fixture
def hull() -> ReferenceHull:
    return ReferenceHull.build(map(Composition, PHASES), PHASES.values())


@pytest.fixture
def diagram(store: Store, hull: ReferenceHull) -> Diagram:
    return load_diagram(store, CAMPAIGN_ID, "Ca-Ti-O", hull)


@pytest.fixture
def candidates(store: Store) -> Store:
    """The example campaign with candidates in Ca-Ti-O: one screened, one labelled, one hit."""
    found = list(store.candidates(CAMPAIGN_ID, surrogate={"$ne": None}))
    chosen = [
        next(doc for doc in found if doc.state.startswith(state))
        for state in ("rejected", "labelled", "hit")
    ]
    for doc, formula, energy in zip(
        chosen, ("Ca2 Ti1 O4", "Ca1 Ti1 O2", "Ca1 O3"), (-3.0, -2.4, -1.7), strict=True
    ):
        surrogate = {**doc.surrogate.model_dump(), "formation_energy": energy, "e_above_hull": 0.1}
        store.set_candidate(CAMPAIGN_ID, doc.candidate_id, formula=formula, surrogate=surrogate)
    return store


def test_corners_of_the_hull_are_the_stable_phases(diagram: Diagram):
    stable = {phase.formula for phase in diagram.phases if phase.is_stable}
    assert {"CaO", "TiO2", "CaTiO3", "Ca", "Ti", "O2"} <= stable
    assert not {"Ca3Ti", "Ca2O"} & stable
    assert all(
        phase.e_above_hull == pytest.approx(0, abs=1e-9)
        for phase in diagram.phases
        if phase.is_stable
    )
    joined = {row for tie in diagram.ties for row in tie}
    assert {diagram.phases[row].formula for row in joined} == stable


def test_candidates_come_with_their_best_figures(candidates: Store, hull: ReferenceHull):
    points = {
        point.kind: point for point in load_diagram(candidates, CAMPAIGN_ID, "Ca-Ti-O", hull).points
    }
    assert set(points) == {"screened", "labelled", "hit"}
    assert points["screened"].formation_energy == -3.0
    assert points["screened"].fractions == pytest.approx((2 / 7, 1 / 7, 4 / 7))
    label = candidates.labels(CAMPAIGN_ID, candidate_id=points["hit"].candidate_id)[0]
    assert points["hit"].e_above_hull == label.values["e_above_hull"]
    assert load_diagram(candidates, CAMPAIGN_ID, "O-Ca", hull).points[0].fractions == pytest.approx(
        (0.75, 0.25)
    )


def test_a_surrogate_measured_against_another_hull_is_not_shown(
    candidates: Store, hull: ReferenceHull
):
    candidates.database.campaigns.update_one({}, {"$set": {"screen_hull_id": "0123"}})
    kinds = {point.kind for point in load_diagram(candidates, CAMPAIGN_ID, "Ca-Ti-O", hull).points}
    assert kinds == {"labelled", "hit"}


@pytest.mark.parametrize("system", ["Ca-O", "Ca-Ti-O"])
def test_picture_and_page_are_written(
    candidates: Store, hull: ReferenceHull, tmp_path, system: str
):
    picture, page = write_diagram(load_diagram(candidates, CAMPAIGN_ID, system, hull), tmp_path)
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.name == f"hull-{system}.png"
    assert page.name == f"hull-{system}.html"


def test_the_picture_names_every_stable_phase(candidates: Store, hull: ReferenceHull):
    diagram = load_diagram(candidates, CAMPAIGN_ID, "Ca-O", hull)
    texts = [
        text.get_text().replace("$_{", "").replace("}$", "") for text in draw(diagram).axes[0].texts
    ]
    assert (
        set(texts)
        == {p.formula for p in diagram.phases if p.is_stable}
        == set(label_offsets(diagram))
    )


class Page(HTMLParser):
    """Tags with their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs) -> None:
        self.tags.append((tag, dict(attrs)))

    handle_startendtag = handle_starttag


@pytest.mark.parametrize("system", ["Ca-O", "Ca-Ti-O"])
def test_the_page_shows_everything_and_loads_nothing(
    candidates: Store, hull: ReferenceHull, system: str
):
    diagram = load_diagram(candidates, CAMPAIGN_ID, system, hull)
    text = render(diagram)
    page = Page(text)
    shapes = [attrs for tag, attrs in page.tags if tag == "circle"]
    assert len(shapes) == len(diagram.phases) + len(diagram.points)
    tips = "\n".join(str(attrs["data-tip"]) for attrs in shapes)
    assert all(
        p.candidate_id in tips and f"{p.formation_energy:.3f}" in tips for p in diagram.points
    )
    assert not [attrs for _, attrs in page.tags if "src" in attrs or "href" in attrs]
    assert not re.search(r"https?://", text)
    width, height = map(float, next(a["viewbox"] for t, a in page.tags if t == "svg").split()[2:])
    assert all(0 <= float(a["cx"]) <= width and 0 <= float(a["cy"]) <= height for a in shapes)
    assert "Figures of mlip are a surrogate" in text


def test_what_a_database_holds_is_escaped(diagram: Diagram):
    evil = Diagram("<script>alert(1)</script>", *list(vars(diagram).values())[1:])
    assert "<script>alert" not in render(evil)


def test_a_triangle_has_its_corners():
    places = corners([(1, 0, 0), (0, 1, 0), (0, 0, 1), (1 / 3, 1 / 3, 1 / 3)])
    assert places[:2] == pytest.approx(np.array([[0, 0], [1, 0]]))
    assert places[3] == pytest.approx(places[:3].mean(axis=0))


def test_systems_of_the_candidates_are_counted(candidates: Store):
    systems = systems_of(candidates, CAMPAIGN_ID)
    found = candidates.candidates(CAMPAIGN_ID, surrogate={"$ne": None})
    own = [
        doc for doc in found if set(Composition(doc.formula).get_el_amt_dict()) == {"Ca", "Ti", "O"}
    ]
    assert systems["Ca-O-Ti"] == len(own) >= 2
    assert list(systems.values()) == sorted(systems.values(), reverse=True)


@pytest.mark.parametrize(
    ("system", "message"),
    [
        ("V", "must name two or three different elements"),
        ("V-V", "must name two or three"),
        ("V-Xx", "must name two or three"),
        ("Li-Fe-O-P", "must name two or three"),
        (
            "V-O",
            r"system O-V is not covered: no phase of the reference holds V: there is no "
            r"diagram to draw",
        ),
    ],
)
def test_systems_that_cannot_be_drawn_are_refused(
    store: Store, hull: ReferenceHull, system: str, message: str
):
    with pytest.raises(ThermoError, match=message):
        load_diagram(store, CAMPAIGN_ID, system, hull)
