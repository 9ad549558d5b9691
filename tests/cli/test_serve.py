"""serve on the command line: what it prints, and what it refuses."""

from __future__ import annotations

import pytest

from gen2dft.serve.server import listen
from gen2dft.store.store import Store


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Applications that would be served; their sockets are closed."""
    apps: list[object] = []

    def note(app: object, listening) -> None:
        listening.close()
        apps.append(app)

    monkeypatch.setattr("gen2dft.serve.server.serve", note)
    return apps


def test_serve_prints_where_the_page_is(example: Store, invoke, served: list[object]) -> None:
    output = invoke("serve", "--port", "0", "--optimade", "hits").output
    assert "http://127.0.0.1:" in output and "/optimade/v1 (OPTIMADE: hits)" in output
    assert "token" not in output
    assert len(served) == 1


def test_beyond_this_machine_a_token_is_needed(
    example: Store, invoke, served: list[object]
) -> None:
    assert "?token=" in invoke("serve", "--host", "0.0.0.0", "--port", "0").output
    assert (
        "?token=my-own-token-of-16"
        in invoke("serve", "--port", "0", "--token", "my-own-token-of-16").output
    )


def test_bad_input(example: Store, invoke, served: list[object]) -> None:
    with listen("127.0.0.1", 0) as taken:
        result = invoke("serve", "--port", str(taken.getsockname()[1]))
    assert result.exit_code == 1 and "choose others with --host and --port" in result.output
    assert "at least 16 characters" in invoke("serve", "--token", "short").output
    assert invoke("serve", "--optimade", "everything").exit_code == 2
    assert served == []
