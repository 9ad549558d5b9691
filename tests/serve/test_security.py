"""Only who may read reads."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from gen2dft.serve.app import build_app
from gen2dft.serve.security import COOKIE, is_loopback
from gen2dft.store.store import Store
from tests.serve.conftest import get, served

TOKEN = "a-token-that-is-long-enough"


@pytest.fixture(scope="module")
def guarded(store: Store) -> Iterator[str]:
    """Address of a page that asks for a token and may have any name."""
    with served(lambda _: build_app(store, token=TOKEN, any_host=True)) as base:
        yield base


@pytest.mark.parametrize("path", ["", "static/page.css", "campaigns/x/hits", "optimade/v1/info"])
@pytest.mark.parametrize("query", ["", "?token=", "?token=wrong", f"?token={TOKEN}x"])
def test_without_the_token_nothing_is_read(guarded: str, path: str, query: str) -> None:
    answer = get(f"{guarded}{path}{query}", Cookie=f"{COOKIE}=wrong", Authorization="Bearer wrong")
    assert answer.status == 401
    assert TOKEN not in answer.text + str(answer.headers)


def test_the_token_moves_from_the_address_into_a_cookie(guarded: str) -> None:
    answer = get(f"{guarded}campaigns/x?token={TOKEN}&sort=a")
    assert (answer.status, answer.headers["Location"]) == (303, "/campaigns/x?sort=a")
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie and "SameSite=strict" in cookie
    assert get(guarded, Cookie=cookie.partition(";")[0]).status == 200


def test_a_redirect_stays_here(guarded: str) -> None:
    assert get(f"{guarded}/evil.example/x?token={TOKEN}").headers["Location"] == "/evil.example/x"


def test_programs_send_the_token_as_a_header(guarded: str) -> None:
    assert get(guarded, Authorization=f"Bearer {TOKEN}").status == 200


def test_without_a_token_other_names_are_refused(base: str) -> None:
    assert get(base, Host="evil.example").status == 400
    assert get(base, Host="localhost").status == 200


@pytest.mark.parametrize(
    ("host", "here"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("10.0.0.1", False),
        ("a.b", False),
    ],
)
def test_what_counts_as_this_machine(host: str, here: bool) -> None:
    assert is_loopback(host) is here
