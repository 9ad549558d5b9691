from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from example_campaign import spec
from typer.testing import CliRunner

from gen2dft.cli import app as cli
from gen2dft.cli.next_step import next_steps
from gen2dft.errors import Gen2DFTError, StoreError
from gen2dft.settings import Settings
from gen2dft.store.connect import connect, open_store
from gen2dft.store.documents import CampaignDoc

ROOT = Path(__file__).parents[2]


def invoke(*arguments: str, **environment: str):
    return CliRunner().invoke(cli.app, list(arguments), env=environment)


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch):
    """Makes `gen2dft status` raise the error it is given."""

    def install(error: BaseException) -> None:
        def verb() -> None:
            raise error

        monkeypatch.setattr("gen2dft.cli.status.status", verb)

    return install


def test_help_lists_every_verb_without_importing_one():
    code = "import sys, gen2dft.cli.app as a; from typer.testing import CliRunner; "
    code += "print(CliRunner().invoke(a.app, ['--help']).output); "
    code += "print(sorted(m for m in sys.modules if m.startswith('gen2dft.')))"
    run = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    )
    assert all(
        name in run.stdout and verb.help.partition(":")[0] in run.stdout
        for name, verb in cli.VERBS.items()
    )
    assert run.stdout.rstrip().endswith(
        "['gen2dft.cli', 'gen2dft.cli.app', 'gen2dft.cli.terminal', 'gen2dft.errors']"
    )


@pytest.mark.parametrize("name", cli.VERBS)
def test_every_verb_has_a_help_page(name: str):
    result = invoke(name, "--help")
    assert result.exit_code == 0, result.output
    assert f"gen2dft {name}" in result.output or f"{name} [OPTIONS]" in result.output


def test_a_misspelt_verb_names_the_nearest():
    result = invoke("stauts")
    assert result.exit_code == 2
    assert "Did you mean 'status'" in result.output


def test_the_version():
    from gen2dft import __version__

    assert invoke("--version").output.strip() == f"gen2dft {__version__}"


def test_an_expected_error_is_one_message_and_exit_code_1(failing):
    failing(StoreError("the [store] is away"))
    result = invoke("status")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "error: the [store] is away\n"


@pytest.mark.parametrize(
    ("arguments", "environment"), [(["--debug"], {}), ([], {"GEN2DFT_DEBUG": "1"})]
)
def test_debug_shows_where_it_arose(failing, arguments: list[str], environment: dict[str, str]):
    failing(Gen2DFTError("wrong"))
    assert isinstance(invoke(*arguments, "status", **environment).exception, Gen2DFTError)


def test_ctrl_c_is_exit_code_130(failing):
    failing(KeyboardInterrupt())
    assert invoke("status").exit_code == 130


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EROFS, errno.EACCES])
def test_a_disk_that_cannot_be_used_is_named(failing, code: int):
    failing(OSError(code, "No room", "/there/file"))
    result = invoke("status")
    assert result.exit_code == 1
    assert "error: cannot use /there/file: No room; free some space" in result.stderr


def test_a_database_that_fails_midway_is_named(failing):
    from pymongo.errors import AutoReconnect

    failing(AutoReconnect("connection closed"))
    assert (
        "error: the database failed: connection closed; `gen2dft doctor`" in invoke("status").stderr
    )


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (FileNotFoundError(errno.ENOENT, "No such file", "/a"), "cannot use /a: No such file"),
        (IsADirectoryError(errno.EISDIR, "Is a directory", "/a"), "cannot use /a: Is a directory"),
        (RecursionError("maximum recursion depth"), "the input is nested too deeply"),
        (MemoryError(), "the memory does not suffice"),
        (UnicodeDecodeError("utf-8", b"a", 0, 1, "bad"), "the input holds text that is not UTF-8"),
        (StoreError("\n".join("abc" * 50)), "... and "),
        (StoreError("a\x1b[31mb"), r"a\x1b[31mb"),
    ],
)
def test_what_an_input_did_to_python_is_one_message(failing, error: Exception, sentence: str):
    failing(error)
    result = invoke("status")
    assert result.exit_code == 1
    assert result.stderr.startswith("error: ")
    assert sentence in result.stderr
    assert len(result.stderr.splitlines()) <= 20


def test_a_document_that_is_not_valid_is_named(failing):
    from pydantic import ValidationError

    with pytest.raises(ValidationError) as caught:
        CampaignDoc.model_validate({"id": 5})
    failing(caught.value)
    assert "error: CampaignDoc that was read is not valid: " in invoke("status").stderr


def test_a_database_error_does_not_print_the_servers_answer(failing):
    from pymongo.errors import OperationFailure

    failing(OperationFailure("no space left", 14031, {"ok": 0.0, "errmsg": "no space left"}))
    stderr = invoke("status").stderr
    assert "the database failed: no space left; `gen2dft doctor`" in stderr
    assert "{" not in stderr


def test_a_fault_of_the_program_keeps_its_traceback(failing):
    failing(ZeroDivisionError("a fault"))
    assert isinstance(invoke("status").exception, ZeroDivisionError)


def test_an_exit_code_of_a_verb_is_kept(failing):
    failing(typer.Exit(3))
    assert invoke("status").exit_code == 3


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_shells_can_complete(shell: str):
    words = {"COMP_WORDS": "gen2dft s", "COMP_CWORD": "1", "_TYPER_COMPLETE_ARGS": "gen2dft s"}
    action = {"_GEN2DFT_COMPLETE": f"complete_{shell}", "_TYPER_COMPLETE_FISH_ACTION": "get-args"}
    result = CliRunner().invoke(cli.app, [], prog_name="gen2dft", env={**words, **action})
    assert {name for name in cli.VERBS if name in result.output} >= {"submit", "status", "show"}
    assert "doctor" not in result.output


def test_without_anything_it_says_how_to_begin(tmp_path: Path):
    result = invoke(GEN2DFT_DATA_DIR=str(tmp_path))
    assert result.exit_code == 0
    assert "gen2dft run --campaign thermoelectric" in result.output
    assert list(tmp_path.iterdir()) == []


def campaign(state: str) -> CampaignDoc:
    hashes = {"spec_hash": "s", "dataset_id": "d", "dataset_hash": "d", "hull_id": "h"}
    plain = spec().model_dump(mode="json", by_alias=True)
    return CampaignDoc(id="toy-1", name="toy", spec=plain, state=state, **hashes)


@pytest.mark.parametrize(
    ("state", "title", "command"),
    [
        ("running", "Not finished yet: toy-1", "gen2dft status"),
        ("finished", "toy-1 is fini", "gen2dft hits -c toy"),
    ],
)
def test_with_a_campaign_it_says_how_to_go_on(
    settings: Settings, state: str, title: str, command: str
):
    open_store(settings).insert_new(campaign(state))
    said, commands = next_steps(settings)
    assert title in said
    assert command in dict(commands)


def test_every_command_that_is_named_is_a_verb(settings: Settings):
    store = open_store(settings)
    steps = list(next_steps(settings)[1])
    for state in ("running", "finished"):
        connect(settings).campaigns.delete_many({})
        store.insert_new(campaign(state))
        steps += next_steps(settings)[1]
    assert {command.split()[1] for command, _ in steps} <= set(cli.VERBS)
