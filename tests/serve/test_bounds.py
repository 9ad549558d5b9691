"""No request costs the server more than some seconds, and none of them is answered by 500."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote, urlencode

import pytest
from example_campaign import CAMPAIGN_ID

from gen2dft.serve.app import build_app
from gen2dft.serve.optimade import build_optimade
from gen2dft.serve.waiting import AT_ONCE
from gen2dft.store.store import Store
from tests.serve.conftest import Answer, get, served

HERE = f"campaigns/{CAMPAIGN_ID}"
DEEP = "(" * 900 + "nelements=3" + ")" * 900


def search(base: str, **fields: str) -> Answer:
    return get(f"{base}optimade/v1/structures?{urlencode(fields)}")


def found(base: str, text: str) -> set[str]:
    answer = search(base, filter=text, page_limit="100")
    assert answer.status == 200, answer.text
    return {
        entry["attributes"]["chemical_formula_reduced"] for entry in json.loads(answer.text)["data"]
    }


@pytest.mark.parametrize(
    ("name", "value"),
    [("page_limit", "-1"), ("page_limit", "abc"), ("page_limit", "NaN"), ("page_limit", "1.5"),
     ("page_offset", "-1"), ("page_offset", "abc"), ("page_offset", "9" * 30),
     ("page_offset", "NaN"),
     ("page_number", "x"), ("page_number", "9" * 40), ("sort", "nope"), ("sort", "species"),
     ("response_fields", "nope"), ("response_format", "xml"), ("email_address", "nope"),
     ("nonsense", "1")],
)  # fmt: skip
def test_a_bad_field_of_a_search_is_400(base: str, name: str, value: str) -> None:
    answer = search(base, **{name: value})
    assert answer.status == 400
    assert json.loads(answer.text)["errors"][0]["detail"]


@pytest.mark.filterwarnings("ignore:Field '_id' has an unrecognised prefix")
@pytest.mark.parametrize(
    "text",
    ['last_modified>"abc"', 'last_modified<"2020-13-41T00:00:00Z"', "last_modified>1e400",
     'last_modified HAS "x"', 'chemical_formula_reduced CONTAINS 5', '_id="abc"',
     "nelements=", "=3", '"', "x" * 5000, DEEP, " AND ".join(["nelements=3"] * 200),
     'id="' + "x" * 3000 + '"', "nelements=3 AND"],
)  # fmt: skip
def test_a_bad_filter_is_400(base: str, text: str) -> None:
    answer = search(base, filter=text)
    assert answer.status == 400
    detail = json.loads(answer.text)["errors"][0]["detail"]
    assert len(detail) < 300
    assert "Traceback" not in detail


@pytest.mark.parametrize(
    ("query", "status", "text"),
    [
        ("filter=_gen2dft_is_dft=TRUE", 501, "cannot filter by true and false"),
        ('filter=elements:elements_ratios HAS "Si":0.5', 501, "Correlated list queries"),
        ("filter", 400, "without an equal sign"),
        ("page_limit=501", 403, "Max allowed page_limit is 500"),
    ],
)
def test_what_the_library_does_not_know_is_said(
    base: str, query: str, status: int, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    answer = get(f"{base}optimade/v1/structures?{quote(query, safe='=&')}")
    assert answer.status == status
    assert text in answer.text and "object at 0x" not in answer.text
    assert [record for record in caplog.records if record.exc_info] == []


def test_deep_filters_are_refused_wherever_they_are_asked(base: str) -> None:
    for kind in ("links", "references"):
        assert get(f"{base}optimade/v1/{kind}?filter={quote(DEEP)}").status == 400
    assert get(f"{base}optimade/v1/structures/{quote('(' * 1000)}").status in (200, 404)


@pytest.mark.parametrize("pattern", ["(", "(K+)+$", "K.*", "[A-Z]", "^", "$", "|", r"\\", "*"])
def test_texts_of_filters_are_literal(base: str, pattern: str) -> None:
    for way in ("CONTAINS", "STARTS WITH", "ENDS WITH"):
        assert found(base, f'chemical_formula_reduced {way} "{pattern}"') == set()


def test_texts_are_found_where_they_stand(base: str) -> None:
    every = found(base, "nelements>0")
    formula = sorted(every)[0]
    ways = {"CONTAINS": formula[1:-1], "STARTS WITH": formula[:2], "ENDS": formula[-2:]}
    kept = {
        "CONTAINS": {name for name in every if formula[1:-1] in name},
        "STARTS WITH": {name for name in every if name.startswith(formula[:2])},
        "ENDS": {name for name in every if name.endswith(formula[-2:])},
    }
    for way, text in ways.items():
        assert found(base, f'chemical_formula_reduced {way} "{text}"') == kept[way] != set()


def test_moments_are_compared(base: str) -> None:
    every = found(base, "nelements>0")
    assert found(base, 'last_modified>"2020-01-01T00:00:00Z"') == every
    assert found(base, 'last_modified<"2020-01-01T00:00:00Z"') == set()


def test_pages_cover_all_entries_in_order(base: str) -> None:
    ids: list[str] = []
    total = json.loads(search(base).text)["meta"]["data_returned"]
    for first in range(0, total, 5):
        answer = search(base, page_limit="5", page_offset=str(first), sort="-id")
        page = json.loads(answer.text)
        ids += [entry["id"] for entry in page["data"]]
        assert page["meta"]["more_data_available"] is (first + 5 < total)
    assert len(ids) == total
    assert ids == sorted(ids, reverse=True)


def test_a_search_ends_when_its_time_is_over(base: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gen2dft.serve.optimade_entries.SECONDS", -1.0)
    answer = search(base, filter="nelements=3")
    assert answer.status == 503
    assert "ask for less at once" in answer.text


def test_slow_searches_block_no_page(
    base: str, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    del base  # begun, so that the library is imported
    # More searches than the server has threads hang until the pages were answered.
    from gen2dft.serve import optimade_entries

    begun, go_on = threading.Semaphore(0), threading.Event()
    passes = optimade_entries._passes

    def hang(*args: object) -> bool:
        begun.release()
        assert go_on.wait(60)
        return passes(*args)

    monkeypatch.setattr(optimade_entries, "_passes", hang)

    def make(base: str) -> object:
        return build_app(store, optimade=build_optimade(store, "hits", f"{base}optimade"))

    with served(make) as base, ThreadPoolExecutor(60) as readers:
        slow = [readers.submit(search, base, filter="nelements>0") for _ in range(60)]
        for _ in range(AT_ONCE):
            assert begun.acquire(timeout=60)
        pages = [get(f"{base}{page}") for page in ("", HERE, f"{HERE}/hits?sort=best")]
        go_on.set()
        assert {page.status for page in pages} == {200}
        # Those that hung longer than a search may take are told so.
        assert {answer.result().status for answer in slow} <= {200, 503}


def test_slow_figures_block_no_page(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go_on = threading.Semaphore(0), threading.Event()

    def hang(*_: object) -> None:
        begun.release()
        assert go_on.wait(60)

    monkeypatch.setattr("gen2dft.serve.app.transport_figure", hang)
    figures = [f"{HERE}/candidates/c{number}/figures/x" for number in range(60)]
    with served(lambda _: build_app(store)) as base, ThreadPoolExecutor(60) as readers:
        slow = [readers.submit(get, base + figure) for figure in figures]
        assert begun.acquire(timeout=60)
        pages = [get(f"{base}{page}") for page in ("", HERE, f"{HERE}/hits?sort=formula")]
        go_on.set()
        assert {page.status for page in pages} == {200}
        assert {answer.result().status for answer in slow} == {204}


@pytest.mark.parametrize(
    ("path", "status"),
    [(f"{HERE}/latent/{'9' * 5000}", 414), (f"{HERE}/latent/{'9' * 20}", 404), ("x" * 3000, 414),
     (f"?{'a=1&' * 5000}", 414), ("static/%2e%2e%2f%2e%2e%2fetc%2fpasswd", 404),
     ("campaigns/%00", 404), ("campaigns/%ff%fe", 404), ("campaigns/x%0d%0aSet-Cookie:%20a=b", 404),
     (f"{HERE}/hits?page=-1", 400), (f"{HERE}/hits?page={'9' * 30}", 400),
     (f"{HERE}/hits?band_gap_min=nan", 400), (f"{HERE}/hits?band_gap_max=1e999", 400),
     (f"{HERE}/hits?formula=((((a%2B)%2B)$", 200), (f"{HERE}/hits?sort=__class__", 400),
     (f"{HERE}/candidates?page=0", 400), (f"{HERE}/systems/%00", 400),
     (f"{HERE}/candidates/%00/cif", 404), (f"{HERE}/figures/%2e%2e", 400), ("?token=%ff", 200)],
)  # fmt: skip
def test_a_strange_address_is_answered(base: str, path: str, status: int) -> None:
    answer = get(base + path)
    assert answer.status == status, answer.text[:300]
    assert "Set-Cookie" not in answer.headers
    assert "Traceback" not in answer.text
