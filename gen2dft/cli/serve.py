"""The verb that serves the web page."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer
from rich.console import Console

from gen2dft.cli.common import open_store

console = Console()


class Shared(StrEnum):
    """Crystals that an OPTIMADE client sees."""

    hits = "hits"
    computed = "computed"


def serve(
    host: Annotated[
        str,
        typer.Option(
            "--host", help="Address to listen at; beyond this machine readers need the token."
        ),
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", min=0, max=65535, help="Port; 0: a free one.")
    ] = 8765,
    token: Annotated[
        str | None,
        typer.Option(
            "--token", help="What readers must know; default: none here, a fresh one elsewhere."
        ),
    ] = None,
    optimade: Annotated[
        Shared | None,
        typer.Option(
            "--optimade",
            help="Serve these crystals under /optimade/v1 too: hits, or all that have a label.",
        ),
    ] = None,
) -> None:
    """Show campaigns, hits, crystals and latent spaces in the browser. The page only reads."""
    from gen2dft.serve.security import is_loopback
    from gen2dft.serve.server import address, listen, reader_token, require_packages
    from gen2dft.serve.server import serve as serve_app

    require_packages()
    from gen2dft.serve.app import build_app
    from gen2dft.serve.mirror import MirrorStore
    from gen2dft.serve.optimade import build_optimade

    needed = reader_token(host, token)
    listening = listen(host, port)
    store = MirrorStore(open_store().database)
    store.begin()
    base = f"{address(listening, None)}optimade"
    shared = build_optimade(store, optimade.value, base) if optimade else None
    app = build_app(store, token=needed, any_host=not is_loopback(host), optimade=shared)
    console.print(address(listening, needed), highlight=False, soft_wrap=True)
    if optimade:
        console.print(f"{base}/v1 (OPTIMADE: {optimade.value})", highlight=False, soft_wrap=True)
    console.print("Ctrl-C stops it", style="dim")
    serve_app(app, listening)
