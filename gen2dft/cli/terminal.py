"""Output that never ends in a traceback: any locale, closed pipes, full disks, closed streams."""

from __future__ import annotations

import errno
import io
import os
import sys
import tempfile
import traceback
from typing import Any

UTF8 = "PYTHONUTF8"
MOST_LINES = 20
MOST_OF_A_LINE = 1000  # characters


def begin() -> None:
    """Prepare the process, before anything is read or written."""
    _begin_again_in_utf8()
    _open_what_is_closed()
    sys.stdout = _forgiving(sys.stdout, 1)
    sys.stderr = _forgiving(sys.stderr, 2)


def end(code: int) -> int:
    """Write out what is left; the exit code, with an error for output that is lost.

    A reader that has seen enough (`gen2dft hits | head`) is no error.
    """
    failure = _failure_of(sys.stdout)
    _failure_of(sys.stderr)
    if failure is None or failure.errno == errno.EPIPE:
        return code
    sys.stderr.write(
        f"error: the output cannot be written: {failure.strerror}; part of it is lost\n"
    )
    _failure_of(sys.stderr)
    return code or 1


def bounded(message: str, most: int = MOST_OF_A_LINE) -> str:
    """A message as it is shown: at most 20 lines of so many characters, without what would steer a
    terminal.
    """
    lines = [_line(text, most) for text in message.splitlines()]
    if len(lines) <= MOST_LINES:
        return "\n".join(lines)
    left = len(lines) - MOST_LINES + 1
    return "\n".join([*lines[: MOST_LINES - 1], f"... and {left:,} lines more"])


def kept_traceback(error: BaseException) -> str:
    """Write a traceback to a private file; where it is, in words."""
    text = "".join(traceback.format_exception(error))
    try:
        handle, path = tempfile.mkstemp(prefix="gen2dft-error-", suffix=".txt")
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
    except OSError:
        return "GEN2DFT_DEBUG=1 before the same command shows where it arose"
    return f"where it arose is in {path}"


def _line(text: str, most: int) -> str:
    from gen2dft.errors import brief

    return brief(text, most)


def _begin_again_in_utf8() -> None:
    """Start this process anew if the locale is C, in which Python knows no file with an umlaut."""
    if sys.getfilesystemencoding() == "utf-8" or os.environ.get(UTF8) == "1":
        return
    environment = {**os.environ, UTF8: "1"}
    os.execve(sys.executable, [sys.executable, *sys.orig_argv[1:]], environment)  # noqa: S606


def _open_what_is_closed() -> None:
    """Open /dev/null in the place of closed streams, or the next file would get their output."""
    while True:
        handle = os.open(os.devnull, os.O_RDWR)
        if handle > 2:
            os.close(handle)
            return
        os.set_inheritable(handle, True)


class _Forgiving(io.FileIO):
    """A stream that loses what cannot be written, and remembers why."""

    failure: OSError | None = None

    def write(self, data: Any) -> int:
        """Write, or keep the first error."""
        if self.failure is None:
            try:
                return super().write(data) or 0
            except BlockingIOError:
                raise
            except OSError as err:
                self.failure = err
        return len(data)


def _forgiving(stream: Any, handle: int) -> Any:
    """A text stream like another, on the same file."""
    encoding = getattr(stream, "encoding", None) or "utf-8"
    raw = _Forgiving(handle, "w", closefd=False)
    return io.TextIOWrapper(
        io.BufferedWriter(raw),
        encoding=encoding,
        errors="backslashreplace",
        line_buffering=handle == 2 or raw.isatty(),
    )


def _failure_of(stream: Any) -> OSError | None:
    """Why something could not be written, once all is."""
    stream.flush()
    raw = getattr(getattr(stream, "buffer", None), "raw", None)
    return raw.failure if isinstance(raw, _Forgiving) else None
