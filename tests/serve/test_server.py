"""Where the server listens and who may read."""

from __future__ import annotations

import re

import pytest

from gen2dft.errors import ServeError
from gen2dft.serve.server import address, listen, reader_token, require_packages
from gen2dft.store.filters import shortened


def test_a_token_is_made_wherever_others_can_reach() -> None:
    assert reader_token("127.0.0.1", None) is None
    made = {reader_token("0.0.0.0", None) for _ in range(2)}
    assert len(made) == 2 and all(len(token) >= 24 for token in made)
    assert reader_token("127.0.0.1", "my-own-token-of-16") == "my-own-token-of-16"
    with pytest.raises(ServeError, match="at least 16 characters"):
        reader_token("0.0.0.0", "short")


def test_a_taken_port_is_named() -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        assert address(taken, None) == f"http://127.0.0.1:{port}/"
        assert address(taken, "a-b_c") == f"http://127.0.0.1:{port}/?token=a-b_c"
        with pytest.raises(
            ServeError, match=f"cannot listen at '127.0.0.1', port {port}: .*--host and --port"
        ):
            listen("127.0.0.1", port)


@pytest.mark.parametrize(
    "host",
    ["no such host", "x" * 70, "a\0b", "a..b", "\udcff", "300.1.1.1", "127.0.0.1:80", "-1", ""],
)
def test_a_strange_host_is_named(host: str) -> None:
    message = f"cannot listen at {re.escape(shortened(host))}, port 0: .*--host and --port"
    with pytest.raises(ServeError, match=message):
        listen(host, 0)


@pytest.mark.parametrize(
    "token", ["a" * 15, "a b" * 9, "a;b=c" * 5, "a\r\nSet-Cookie: x=1", "\xe9" * 20]
)
def test_a_token_that_no_cookie_can_carry_is_refused(token: str) -> None:
    with pytest.raises(ServeError, match="at least 16 characters, of letters, digits"):
        reader_token("127.0.0.1", token)


def test_missing_packages_are_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    with pytest.raises(
        ServeError, match=r"starlette, uvicorn, optimade not installed.*gen2dft\[web\]"
    ):
        require_packages()
