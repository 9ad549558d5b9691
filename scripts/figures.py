"""The README's figures from a real run: the funnel of a campaign, and what `gen2dft serve` shows of
it.

Usage: python scripts/figures.py FOLDER [--campaign NAME]

FOLDER holds a finished run, as `make demo` leaves it. The pages are photographed with a headless
Chromium; without one only the funnel is drawn.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import threading
from io import BytesIO
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FIGURES = ROOT / "docs" / "figures"
WIDTH = 1200  # pixels of what is kept
sys.path.insert(0, str(ROOT / "tests" / "support"))


def keep(png: bytes, name: str) -> None:
    """Write a picture no wider than `WIDTH`, in a palette, so that it is small."""
    from PIL import Image

    picture = Image.open(BytesIO(png)).convert("RGB")
    picture.thumbnail((WIDTH, 10 * WIDTH))
    path = FIGURES / name
    picture.quantize(256, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE).save(
        path, optimize=True
    )
    print(f"wrote {path.relative_to(ROOT)}, {path.stat().st_size // 1000} kB")


def main() -> None:
    """Draw and photograph."""
    from gen2dft.report.data import load_report_data
    from gen2dft.report.figures import FIGURES as KINDS
    from gen2dft.report.style import png
    from gen2dft.settings import Settings
    from gen2dft.store.connect import open_store

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="of a finished run")
    parser.add_argument("--campaign", help="name or id; the newest unless given")
    given = parser.parse_args()
    if not (given.folder / "db").is_dir():
        parser.error(
            f"{given.folder} holds no database: run `make demo` first, or name the folder of a run"
        )
    store = open_store(Settings(data_dir=given.folder, database="embedded"))
    campaign_id = store.find_campaign(given.campaign).id
    funnel = KINDS["funnel"].draw(load_report_data(store, campaign_id))
    if funnel is None:
        parser.error(f"{campaign_id} has no round with a funnel yet")
    keep(png(funnel), "funnel.png")
    photograph(store, campaign_id)


def photograph(store: object, campaign_id: str) -> None:
    """The hits and the first of them, as the browser shows them."""
    from browser import Browser, chromium
    from uvicorn import Server

    from gen2dft.serve.app import build_app
    from gen2dft.serve.mirror import MirrorStore
    from gen2dft.serve.server import address, listen, server_config

    if chromium() is None:
        print("no Chromium here (apt-get install chromium): the screenshots stay as they are")
        return
    mirror = MirrorStore(store.database)  # type: ignore[attr-defined]
    listening = listen("127.0.0.1", 0)
    server = Server(server_config(build_app(mirror)))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    place = f"{address(listening, None)}campaigns/{campaign_id}"
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        browser = Browser(Path(folder))
        try:
            browser.open(f"{place}/hits")
            photo = Path(folder) / "page.png"
            browser.screenshot(photo)
            keep(photo.read_bytes(), "serve-hits.png")
            first = browser.evaluate("document.querySelector('a.formula').href")
            browser.open(first)
            browser.wait_for("document.querySelector('.crystal canvas') !== null")
            browser.screenshot(photo)
            keep(photo.read_bytes(), "serve-candidate.png")
        finally:
            browser.close()
    server.should_exit = True
    thread.join(30)


if __name__ == "__main__":
    main()
