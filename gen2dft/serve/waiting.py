"""Requests that take long wait their turn without holding a thread that other pages need."""

from __future__ import annotations

import asyncio
from typing import Any

AT_ONCE = 8  # of a kind, of the some 40 threads of the server
SLOW = ("/optimade/", "/figures/", "/systems/", "/points")


class FewAtOnce:
    """An application that works on few slow requests of a kind at a time, and on any number of
    others.
    """

    def __init__(self, app: Any) -> None:
        self._app = app
        self._free = {part: asyncio.Semaphore(AT_ONCE) for part in SLOW}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer a request, one of the slow kinds once its turn has come."""
        kinds = [part for part in SLOW if part in scope.get("path", "")]
        if not kinds:
            await self._app(scope, receive, send)
            return
        free = self._free[kinds[0]]
        await free.acquire()
        is_held = True

        def let_go() -> None:
            nonlocal is_held
            if is_held:
                is_held = False
                free.release()

        async def send_on(message: Any) -> None:
            # The work is done once an answer begins: a slow reader takes no place.
            let_go()
            await send(message)

        try:
            await self._app(scope, receive, send_on)
        finally:
            let_go()
