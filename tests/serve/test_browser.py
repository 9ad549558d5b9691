"""In a real browser: pages load without complaint, filters and order work, structures render,
scripts stay text.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from browser import Browser, chromium
from example_campaign import CAMPAIGN_ID, HITS, candidate_id

from tests.serve.conftest import EVIL

pytestmark = pytest.mark.skipif(
    chromium() is None, reason="no Chromium here: apt-get install chromium"
)
HIT = candidate_id(1, 2)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    browser = Browser(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.mark.parametrize(
    "path", ["", "/hits", "/candidates", f"/candidates/{HIT}", "/latent/0", "/systems/Na-O-Ti"]
)
def test_pages_load_without_complaint(
    browser: Browser, base: str, campaign: str, path: str
) -> None:
    browser.open(campaign + path)
    assert browser.errors() == []
    requests = browser.requests()
    assert requests and [url for url in requests if not url.startswith((base, "data:"))] == []


def test_the_filter_and_the_titles_work(browser: Browser, campaign: str) -> None:
    browser.open(f"{campaign}/hits")
    assert len(browser.texts("a.formula")) == len(HITS)
    browser.go(
        "document.querySelector('[name=elements]').value = 'K'; document.querySelector('form "
        "button').click()"
    )
    kept = browser.texts("a.formula")
    assert 0 < len(kept) < len(HITS) and all("K" in formula for formula in kept)
    browser.go(
        "[...document.querySelectorAll('th a')].find(a => a.innerText.startsWith('energy "
        "above')).click()"
    )
    values = [float(text.split()[0]) for text in browser.texts("td:nth-child(6)")]
    assert len(values) == len(kept) and values == sorted(values)
    browser.go(
        "[...document.querySelectorAll('th a')].find(a => a.innerText.startsWith('energy "
        "above')).click()"
    )
    assert [float(text.split()[0]) for text in browser.texts("td:nth-child(6)")] == values[::-1]


def test_a_structure_renders_and_turns(browser: Browser, campaign: str) -> None:
    browser.open(f"{campaign}/candidates/{HIT}")
    colours = (
        "(() => { const c = document.querySelector('.crystal canvas'); const d = c.getContext('2d')"
        ".getImageData(0, 0, c.width, c.height).data; const s = new Set(); for (let i = 0; i < "
        "d.length; i += 4)"
        " if (d[i + 3]) s.add(d[i] + ',' + d[i + 1] + ',' + d[i + 2]); return s.size })()"
    )
    assert browser.evaluate("document.querySelectorAll('.crystal canvas').length") == 2
    assert browser.evaluate(colours) > 50
    before = browser.evaluate("document.querySelector('.crystal').dataset.view")
    x, y = browser.evaluate(
        "(r => [r.x + r.width / 2, r.y + r.height / 2])"
        "(document.querySelector('.crystal canvas').getBoundingClientRect())"
    )
    for kind, dx in (("mousePressed", 0), ("mouseMoved", 60), ("mouseReleased", 60)):
        browser.call(
            "Input.dispatchMouseEvent",
            type=kind,
            x=x + dx,
            y=y,
            button="left",
            buttons=1,
            clickCount=1,
        )
    browser.wait_for(f"document.querySelector('.crystal').dataset.view !== '{before}'")


def test_a_point_of_the_latent_map_opens_its_crystal(browser: Browser, campaign: str) -> None:
    browser.open(f"{campaign}/latent/1")
    browser.wait_for("document.getElementById('map').dataset.drawn === '30'")
    browser.evaluate("document.getElementById('map').scrollIntoView({behavior: 'instant'})")
    x, y = browser.evaluate(
        "(c => { const r = canvas.getBoundingClientRect(); return [r.x + c.at[0], r.y + c.at[1]] "
        "})"
        f"(shown.find(c => c.id === '{HIT}'))"
    )
    browser.evaluate("window.here = true")
    for kind in ("mousePressed", "mouseReleased"):
        browser.call(
            "Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=1, clickCount=1
        )
    browser.wait_for("window.here === undefined && document.readyState === 'complete'")
    assert browser.evaluate("location.pathname").endswith(f"/candidates/{HIT}")


@pytest.mark.parametrize("path", ["", "/hits", "/candidates", f"/candidates/{HIT}"])
def test_a_script_in_the_database_stays_text(browser: Browser, evil_base: str, path: str) -> None:
    browser.open(f"{evil_base}campaigns/{CAMPAIGN_ID}{path}")
    assert browser.evaluate("document.title") != "owned"
    assert browser.evaluate("document.querySelector('img[src=x], script:not([src])')") is None
    assert "<script>document.title='owned'</script>" in browser.evaluate("document.body.innerText")
    assert browser.errors() == []
    assert EVIL not in browser.evaluate("document.documentElement.outerHTML.replaceAll('&lt;', '')")
