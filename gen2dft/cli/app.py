"""The `gen2dft` command: its verbs, loaded only when called, and errors as people read them."""

from __future__ import annotations

import errno
import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup

from gen2dft.cli.terminal import begin, bounded, end, kept_traceback
from gen2dft.errors import Gen2DFTError

DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)


# Verbs that must work where the configuration of other packages is broken, or never read it.
WITHOUT_OTHERS = ("init", "doctor", "presets")
# Whose errors are of variables and files that atomate2, jobflow and FireWorks read.
OTHER_SETTINGS = ("pydantic_settings", "fireworks.utilities.exceptions")
# Typer has a Click of its own or an installed one, by version; its public error derives from it.
MOST_OF_AN_OPTION = 400  # characters of a message about one, which Typer puts in a box
WRONG_USAGE: type[Exception] = typer.BadParameter.mro()[2]
# What an input did to Python, where nobody closer to it has said so.
OF_THE_INPUT: tuple[tuple[type[Exception], str], ...] = (
    (UnicodeError, "the input holds text that is not UTF-8; convert it, or look for a wrong file"),
    (RecursionError, "the input is nested too deeply; flatten it"),
    (
        MemoryError,
        "the memory does not suffice; give a smaller input, or fewer workers (`--workers`)",
    ),
)


class Verb(NamedTuple):
    """Where a verb is: a function with Typer parameters, or a Typer application."""

    module: str
    attribute: str
    help: str
    panel: str


VERBS = {
    "init": Verb(
        "init", "init", "Write the configuration, and FireWorks' files for a queue.", "Set up"
    ),
    "doctor": Verb(
        "doctor", "doctor", "Test every setting; one line per check, with the remedy.", "Set up"
    ),
    "presets": Verb("presets", "app", "Named settings of engines: list, show.", "Set up"),
    "data": Verb("data", "app", "Training data: list, build, label, import, info.", "Set up"),
    "submit": Verb("campaigns", "submit", "Submit a campaign for workers elsewhere.", "Campaigns"),
    "run": Verb(
        "campaigns",
        "run",
        "Submit a campaign and work on it here until it is finished.",
        "Campaigns",
    ),
    "status": Verb(
        "status", "status", "Where campaigns, rounds and candidates stand.", "Campaigns"
    ),
    "ledger": Verb(
        "ledger", "ledger", "Core-hours by stage, round, sampler and per hit.", "Campaigns"
    ),
    "advance": Verb(
        "campaigns",
        "advance",
        "Carry campaigns on, and repair what dead workers left.",
        "Campaigns",
    ),
    "ask": Verb("ask", "ask", "Which crystals to compute elsewhere next.", "Campaigns"),
    "tell": Verb("ask", "tell", "Take the results that were computed elsewhere.", "Campaigns"),
    "calibrate": Verb(
        "thermo", "calibrate", "Fit a campaign's correction to reference phases.", "Campaigns"
    ),
    "hits": Verb(
        "results", "hits", "Crystals that meet the targets: table, JSON, CSV, CIF.", "Results"
    ),
    "candidates": Verb(
        "candidates",
        "candidates",
        "Values of every crystal that was given or computed: table, JSON, CSV.",
        "Results",
    ),
    "show": Verb(
        "results", "show", "One candidate: where it is from and what is known of it.", "Results"
    ),
    "trace": Verb(
        "lineage", "trace", "Follow a hit back to the training set, and decode it again.", "Results"
    ),
    "serve": Verb("serve", "serve", "Show campaigns, hits and crystals in the browser.", "Results"),
    "report": Verb(
        "results", "report", "Write the report of a campaign: one HTML page and figures.", "Results"
    ),
    "power-factor": Verb(
        "power_factor", "power_factor", "Compute power factors of the best hits by DFT.", "Results"
    ),
    "decompose": Verb(
        "decompose", "decompose", "Compute competing phases by DFT: is a hit stable?", "Results"
    ),
    "export": Verb(
        "exchange", "export", "Write a campaign as one archive, to hand on or keep.", "Results"
    ),
    "import": Verb("exchange", "import_", "Restore a campaign from an archive.", "Results"),
    "migrate": Verb(
        "migrate", "migrate", "Bring documents of older versions up to date.", "Results"
    ),
    "evaluate": Verb(
        "evaluate", "evaluate", "Judge the generator by the tables of the FTCP paper.", "Results"
    ),
    "bench-loop": Verb(
        "bench_loop", "bench_loop", "Measure what the closed loop gains per oracle call.", "Results"
    ),
    "oxides": Verb(
        "oxides", "oxides", "Tables and figures of the iMatGen paper for a campaign.", "Results"
    ),
    "hull": Verb(
        "thermo", "hull", "Draw a phase diagram with the candidates of a campaign.", "Results"
    ),
    "rehull": Verb(
        "thermo",
        "rehull",
        "Measure a campaign against another hull: verdicts that change.",
        "Results",
    ),
}


class LazyGroup(TyperGroup):
    """Lists its verbs without importing them, and turns errors into one message and an exit
    code.
    """

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        for name, verb in VERBS.items():
            self.add_command(TyperCommand(name, help=verb.help, rich_help_panel=verb.panel))

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The verb itself in place of its entry in the list."""
        name, _, rest = super().resolve_command(ctx, args)
        if name not in VERBS:
            return name, None, rest
        if name not in WITHOUT_OTHERS and not {"-h", "--help"} & set(rest):
            from gen2dft.launchpad.foreign import check_foreign_files

            check_foreign_files()
        return name, load_verb(name), rest

    def make_context(self, *arguments: Any, **extra: Any) -> Any:
        """Options of all verbs, which may be wrong."""
        with _told(is_debug=False):
            return super().make_context(*arguments, **extra)

    def invoke(self, ctx: Any) -> Any:
        """Run a verb; expected errors end with a message on standard error and exit code 1, Ctrl-C
        with 130.
        """
        with _told(is_debug=bool(ctx.params.get("debug"))):
            return super().invoke(ctx)


@contextmanager
def _told(*, is_debug: bool) -> Iterator[None]:
    """Turns expected errors into one message and an exit code."""
    try:
        yield
    except KeyboardInterrupt:
        say_error("stopped by Ctrl-C; the same command goes on where it was")
        raise typer.Exit(130) from None
    except WRONG_USAGE as err:
        err.message = bounded(err.message, MOST_OF_AN_OPTION)  # type: ignore[attr-defined] # which all of them have
        raise
    except Exception as err:
        message = explain(err)
        if message is None or is_debug:
            raise
        say_error(message)
        raise typer.Exit(1) from err


def load_verb(name: str) -> Any:
    """The command behind a name of `VERBS`."""
    verb = VERBS[name]
    target = getattr(importlib.import_module(f"gen2dft.cli.{verb.module}"), verb.attribute)
    if isinstance(target, typer.Typer):
        command = typer.main.get_command(target)
    else:
        alone = typer.Typer(add_completion=False)
        alone.command(name)(target)
        command = typer.main.get_command(alone)
    command.name = name
    return command


def explain(err: Exception) -> str | None:
    """What to tell people of an error that is not a fault of the program; None if it is one."""
    if isinstance(err, Gen2DFTError):
        return str(err)
    if isinstance(err, OSError) and err.errno is not None:
        remedy = "free some space or rights there"
        if err.errno not in DISK_ERRORS:
            remedy = "is the name right?"
        return f"cannot use {err.filename or 'a file or device'}: {err.strerror}; {remedy}"
    for kinds, sentence in OF_THE_INPUT:
        if isinstance(err, kinds):
            return sentence
    return _of_libraries(err)


def _of_libraries(err: Exception) -> str | None:
    """What to tell of an error of the database or of a document."""
    pymongo_errors = sys.modules.get("pymongo.errors")
    if pymongo_errors is not None and isinstance(err, pymongo_errors.PyMongoError):
        from gen2dft.store.connect import explain_database

        return explain_database(err)
    if type(err).__module__.startswith(OTHER_SETTINGS):
        return f"another package cannot use its own configuration: {err}; mend file or variable"
    pydantic = sys.modules.get("pydantic")
    if pydantic is not None and isinstance(err, pydantic.ValidationError):
        problem = err.errors()[0]
        place = ".".join(map(str, problem["loc"])) or "as a whole"
        return (
            f"{err.title} that was read is not valid: {place}: {problem['msg']} "
            f"({err.error_count()} problems)"
        )
    return None


def say_error(message: str) -> None:
    """One message on standard error, in red where there are colours."""
    from rich.console import Console
    from rich.text import Text

    Console(stderr=True, highlight=False).print(
        Text(f"error: {bounded(message)}", style="red"), soft_wrap=True
    )


app = typer.Typer(
    cls=LazyGroup,
    name="gen2dft",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _say_version(wanted: bool) -> None:
    if wanted:
        from gen2dft import __version__

        typer.echo(f"gen2dft {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def root(
    ctx: typer.Context,
    debug: Annotated[
        bool,
        typer.Option(
            "--debug", envvar="GEN2DFT_DEBUG", help="Show where in the program an error arose."
        ),
    ] = False,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_say_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Generative crystal design closed by first-principles validation: train, sample, screen,
    validate, learn.
    """
    del debug, version  # read by LazyGroup.invoke and by the callback
    if ctx.invoked_subcommand is None:
        from gen2dft.cli.next_step import say_next_step

        say_next_step()


def main() -> None:
    """Entry point of the `gen2dft` command."""
    begin()
    try:
        app(prog_name="gen2dft")
    except SystemExit as err:
        code = err.code if isinstance(err.code, int) else int(err.code is not None)
    except KeyboardInterrupt:
        code = 130
    except Exception as err:
        if _is_debug():
            raise
        say_error(
            f"this is a fault of gen2dft ({type(err).__name__}: {err}); {kept_traceback(err)}, "
            "please report it with the command"
        )
        code = 1
    sys.exit(end(code))


def _is_debug() -> bool:
    return "--debug" in sys.argv or os.environ.get("GEN2DFT_DEBUG", "0") not in ("", "0", "false")


if __name__ == "__main__":
    main()
