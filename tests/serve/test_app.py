"""Every page answers with what the store holds, loads nothing from outside and says what it does
not understand.
"""

from __future__ import annotations

import json
import re
from urllib.parse import quote

import pymongo.errors
import pytest
from example_campaign import CAMPAIGN_ID, HITS, add_chances, candidate_id, example_store

from gen2dft.report.data import load_latents
from gen2dft.report.transport_figures import TRANSPORT_FIGURES
from gen2dft.serve.app import build_app
from gen2dft.store.store import Store
from tests.serve.conftest import EVIL, get, served

HIT, UNSOLVED = candidate_id(0, 3), candidate_id(0, 9)
PATHS = (
    "",
    "/hits",
    "/candidates",
    "/candidates?state=given_up",
    f"/candidates/{HIT}",
    f"/candidates/{UNSOLVED}",
    "/latent/0",
    "/systems",
    "/systems/Na-O-Ti",
)


def ids(page: str) -> list[str]:
    """Candidates that a page links to, each once, in order."""
    return list(dict.fromkeys(re.findall(r"/candidates/([0-9a-f]{16})", page)))


@pytest.mark.parametrize("path", PATHS)
def test_every_page_answers_and_asks_for_nothing_outside(campaign: str, path: str) -> None:
    answer = get(campaign + path)
    assert answer.status == 200, answer.text
    links = re.findall(r'(?:src|href|action)="([^"]*)"', answer.text)
    assert [link for link in links if not link.startswith(("/", "?", "#", "data:,"))] == []
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("path", ["", "/hits", f"/candidates/{HIT}"])
def test_links_lead_somewhere(base: str, campaign: str, path: str) -> None:
    links = {
        link.partition("#")[0] for link in re.findall(r'href="(/[^"]*)"', get(campaign + path).text)
    }
    assert links
    # Phase diagrams only where the little hull of the test covers the system.
    assert {link: 200 for link in links if "/systems/" not in link} == {
        link: get(base.rstrip("/") + link).status for link in links if "/systems/" not in link
    }


def test_the_first_page_lists_the_campaigns(base: str) -> None:
    page = get(base).text
    assert CAMPAIGN_ID in page and "2 of 2" in page and f">{len(HITS)}</a>" in page


def test_a_campaign_shows_funnel_failures_and_costs(campaign: str, store: Store) -> None:
    page = get(campaign).text
    for stage in store.rounds(CAMPAIGN_ID)[0].funnel:
        assert f"{stage.n_in:,}" in page
    assert re.search(r"too many attempts</a></td>\s*<td class=\"n\">2<", page)
    assert "the relaxation did not converge" in page
    hours = store.core_hours(CAMPAIGN_ID)
    assert all(f"{spent:.3g}" in page for spent in hours.values()) and sum(hours.values()) > 0


def test_hits_come_in_the_order_of_the_command_line(campaign: str, store: Store) -> None:
    best = sorted(store.hits(), key=lambda hit: -(hit.values["power_factor"] or 0))
    assert ids(get(f"{campaign}/hits").text) == [hit.candidate_id for hit in best]


@pytest.mark.parametrize("order", ["up", "down"])
@pytest.mark.parametrize(
    "field", ["power_factor", "e_above_hull", "formula", "spacegroup", "round"]
)
def test_hits_are_ordered(campaign: str, store: Store, field: str, order: str) -> None:
    def key(hit):
        return (
            hit.values[field]
            if field in hit.values
            else getattr(hit, {"round": "round_index"}.get(field, field))
        )

    shown = ids(get(f"{campaign}/hits?sort={field}&order={order}").text)
    by_id = {hit.candidate_id: key(hit) for hit in store.hits()}
    values = [by_id[i] for i in shown]
    assert len(values) == len(HITS) and values == sorted(values, reverse=order == "down")


@pytest.mark.parametrize(
    ("query", "fits"),
    [
        ("elements=K", lambda hit: "K" in hit.formula),
        ("elements=O,%20K", lambda hit: {"K", "O"} <= set(re.findall("[A-Z][a-z]?", hit.formula))),
        ("formula=tio", lambda hit: "TiO" in hit.formula),
        ("e_above_hull_max=0.005", lambda hit: hit.values["e_above_hull"] <= 0.005),
        (
            "power_factor_min=2&power_factor_max=3.1",
            lambda hit: 2 <= hit.values["power_factor"] <= 3.1,
        ),
        ("basis=dft", lambda hit: hit.is_dft),
    ],
)
def test_hits_are_filtered(campaign: str, store: Store, query: str, fits) -> None:
    wanted = {hit.candidate_id for hit in store.hits() if fits(hit)}
    assert len(wanted) < len(HITS)
    assert set(ids(get(f"{campaign}/hits?{query}").text)) == wanted


@pytest.mark.parametrize(
    ("path", "status", "message"),
    [
        ("/hits?band_gap_min=wide", 400, "band_gap_min = 'wide' is not a number"),
        ("/hits?band_gap_min=nan", 400, "is not a number"),
        ("/hits?sort=price", 400, "sort 'price' is not one of"),
        ("/hits?elements=Xx", 400, "elements: 'Xx' is no element"),
        ("/candidates?page=0", 400, "page = '0' must be a whole number from 1"),
        ("/candidates?state=lost", 400, "state 'lost' is not one of"),
        ("/figures/nothing", 400, "figure 'nothing' is not one of"),
        (f"/candidates/{HIT}/figures/nothing", 400, "figure 'nothing' is not one of"),
        ("/systems/Xx-O", 400, "must name two or three different elements"),
        ("/systems/Fe-O", 400, "is not covered"),
        ("/candidates/ffff", 404, "no document"),
        ("/latent/7", 404, "no document"),
        ("/nothing", 404, "there is no page"),
    ],
)
def test_what_is_not_understood_is_named(
    campaign: str, path: str, status: int, message: str
) -> None:
    answer = get(campaign + path)
    assert answer.status == status
    assert message in answer.text.replace("&#39;", "'")


def test_candidates_are_listed_by_state_and_page(
    campaign: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert set(ids(get(f"{campaign}/candidates?state=given_up:too_many_attempts").text)) == {
        candidate_id(i, 9) for i in (0, 1)
    }
    monkeypatch.setattr("gen2dft.serve.campaigns.ROWS", 25)
    pages = [ids(get(f"{campaign}/candidates?state=&page={page}").text) for page in (1, 2, 3)]
    assert [len(page) for page in pages] == [25, 25, 10]
    assert len({key for page in pages for key in page}) == 60


def test_a_crystal_is_traced_back_to_its_latent_vector(campaign: str, store: Store) -> None:
    page, document = get(f"{campaign}/candidates/{HIT}").text, store.round(CAMPAIGN_ID, 0)
    vector = load_latents(store, document.latents_id).latents[
        store.candidate(CAMPAIGN_ID, HIT).latent_row
    ]
    assert ", ".join(f"{x:.4g}" for x in vector) in page
    assert (
        document.snapshot_id in page
        and "starter-0003" in page
        and "as proposed, not relaxed" in page
    )
    assert "<td>Pm-3m, conventional cell 4.000" in page
    scenes = re.findall(r'data-scene="([^"]*)"', page)
    atoms = json.loads(scenes[0].replace("&#34;", '"'))["atoms"]
    assert len(scenes) == 2 and {atom["symbol"] for atom in atoms} == {"Sr", "Nb", "O"}


def test_bands_and_transport_where_they_were_computed(campaign: str) -> None:
    semiconductor, metal, neither = (
        f"{campaign}/candidates/{candidate_id(*place)}" for place in HITS[:3]
    )
    page = get(semiconductor).text
    figures = re.findall(r'src="([^"]*/figures/[^"]*)"', page)
    assert [url.rpartition("/")[2] for url in figures] == list(TRANSPORT_FIGURES)
    for name in TRANSPORT_FIGURES:
        answer = get(f"{semiconductor}/figures/{name}")
        assert (answer.status, answer.headers["Content-Type"]) == (200, "image/png")
    assert "ricci2017" in page and "8 \u00d7 8 \u00d7 8" in page
    assert "metal: bands overlap" in get(metal).text and "/figures/" not in get(metal).text
    assert get(f"{metal}/figures/bands").status == 204
    assert 'id="transport"' not in get(neither).text


def test_the_cif_of_a_crystal(campaign: str) -> None:
    answer = get(f"{campaign}/candidates/{HIT}/cif")
    assert answer.headers["Content-Disposition"] == f'attachment; filename="SrNbO3_{HIT}.cif"'
    assert "_cell_length_a" in answer.text and HIT in answer.text


def test_the_latent_map_knows_every_candidate(campaign: str, store: Store) -> None:
    points = json.loads(get(f"{campaign}/latent/1/points").text)
    kinds = {point["id"]: point["kind"] for point in points["candidates"]}
    assert len(kinds) == 30
    assert {key for key, kind in kinds.items() if kind == "hit"} == {
        candidate_id(*hit) for hit in HITS if hit[0] == 1
    }
    assert set(points["properties"]) == {"power_factor", "e_above_hull", "band_gap"}
    assert len(points["training"]["x"]) == len(points["training"]["values"]["band_gap"]) == 900


def test_a_figure_of_the_report(campaign: str) -> None:
    answer = get(f"{campaign}/figures/costs")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "image/png")


def test_assets_are_those_of_the_package_alone(base: str) -> None:
    assert get(f"{base}static/crystal.js").headers["Content-Type"].startswith("text/javascript")
    assert get(f"{base}static/app.py").status == 400
    assert get(f"{base}static/..%2Fapp.py").status in (400, 404)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_nothing_can_be_written(campaign: str, method: str) -> None:
    assert get(campaign, method).status == 405


@pytest.mark.parametrize("path", ["", "/hits", "/candidates", f"/candidates/{HIT}", "/latent/0"])
def test_texts_of_the_database_are_escaped(evil_base: str, path: str) -> None:
    answer = get(
        f"{evil_base}campaigns/{CAMPAIGN_ID}{path}?formula={quote(EVIL)}"
        if path == "/hits"
        else f"{evil_base}campaigns/{CAMPAIGN_ID}{path}"
    )
    assert answer.status == 200
    assert "<script>document" not in answer.text and "<img src=x" not in answer.text
    assert "&lt;script&gt;" in answer.text


def test_a_database_that_does_not_answer(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: Store) -> None:
        raise pymongo.errors.AutoReconnect("gone")

    monkeypatch.setattr(Store, "campaigns", broken)
    with served(lambda _: build_app(store)) as base:
        answer = get(base)
    assert answer.status == 503 and "the database failed (AutoReconnect)" in answer.text


def test_pages_tell_what_dft_is_expected_to_say() -> None:
    store = example_store()
    records = add_chances(store)
    with served(lambda _: build_app(store)) as base:
        place = f"{base}campaigns/{CAMPAIGN_ID}"
        table = get(f"{place}/hits?sort=chance&order=down").text
        page = get(f"{place}/candidates/{candidate_id(*HITS[2])}").text
    best_first = [candidate_id(*hit) for hit in reversed(HITS)]
    assert ids(table) == best_first
    assert "Candidates for DFT" in table
    for record in records:
        assert f"{record.potential:.3f}</td>" in table
        assert f"{100 * record.chance:.0f} %" in table
    assert "at most 0.03 with a chance of 50 %" in page


def test_pages_of_campaigns_without_a_correction_have_no_such_column(campaign: str) -> None:
    assert "by the potential" not in get(f"{campaign}/hits").text
