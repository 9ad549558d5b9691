"""Listens to what this process writes, opens, imports and connects to.

An audit hook cannot be taken away again, so there is one, and it is deaf while nobody watches.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.fuzz.values import CANARY

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_CHANGES = ("os.mkdir", "os.rename", "os.remove", "os.symlink", "os.link", "shutil.rmtree")
_FORBIDDEN = ("socket.connect", "socket.getaddrinfo", "os.system", "os.exec", "subprocess.Popen")
_EVERYBODYS = ("/dev/null", "/dev/tty")
# The standard library's `platform.processor`, which other libraries ask.
_HARMLESS = (("uname", ["uname", "-p"]),)
_listeners: list[Watch] = []


class Watch:
    """Collects what leaves a folder.

    Parameters
    ----------
    top
        Folder of the input, with the home of the command and a place for temporary files in it;
        what lies beside them is off limits.
    """

    def __init__(self, top: Path) -> None:
        self.top = str(top.resolve())
        self.strays: dict[str, None] = {}

    def hear(self, event: str, details: tuple[Any, ...]) -> None:
        """One audit event."""
        if event == "open":
            self._opened(*details[:3])
        elif event in _CHANGES:
            self._written(event, details[0])
        elif event in _FORBIDDEN and details[:2] not in _HARMLESS:
            self.strays[f"{event} {details!r:.200}"] = None

    def find_spec(self, name: str, *_: Any) -> None:
        """As a finder of modules: one that no document may name is not looked for."""
        if CANARY in name:
            self.strays[f"import {name}"] = None

    def _opened(self, path: Any, mode: Any, flags: int) -> None:
        if flags & _WRITING:
            self._written("write", path)
        elif isinstance(path, str | bytes) and self._is_bait(name := _real(path)):
            self.strays[f"read {name}"] = None

    def _written(self, event: str, path: Any) -> None:
        if not isinstance(path, str | bytes | os.PathLike):
            return
        name = _real(path)
        if name.startswith(self.top + os.sep) and not self._is_bait(name):
            return
        if name not in _EVERYBODYS and "__pycache__" not in name:
            self.strays[f"{event} {name}"] = None

    def _is_bait(self, name: str) -> bool:
        return name.startswith(os.path.join(self.top, "outside"))


def _real(path: str | bytes | os.PathLike[Any]) -> str:
    return os.fsdecode(os.path.realpath(path))


def _hear(event: str, details: tuple[Any, ...]) -> None:
    if _listeners:
        _listeners[-1].hear(event, details)


sys.addaudithook(_hear)


@contextmanager
def watched(top: Path) -> Iterator[Watch]:
    """Everything that happens inside is heard."""
    watch = Watch(top)
    _listeners.append(watch)
    # importlib raises no audit event for a module, but asks the finders.
    sys.meta_path.insert(0, watch)
    try:
        yield watch
    finally:
        sys.meta_path.remove(watch)
        _listeners.remove(watch)
