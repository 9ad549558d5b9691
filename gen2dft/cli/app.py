"""The `gen2dft` command: its verbs, loaded only when called, and errors as people read them."""

from __future__ import annotations

import errno
import importlib
import sys
from typing import Annotated, Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup

from gen2dft.errors import Gen2DFTError

DISK_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)


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
        "trace", "trace", "Follow a hit back to the training set, and decode it again.", "Results"
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
        return (name, load_verb(name), rest) if name in VERBS else (name, None, rest)

    def invoke(self, ctx: Any) -> Any:
        """Run a verb; expected errors end with a message on standard error and exit code 1, Ctrl-C
        with 130.
        """
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            say_error("stopped by Ctrl-C; the same command goes on where it was")
            raise typer.Exit(130) from None
        except Exception as err:
            message = explain(err)
            if message is None or ctx.params.get("debug"):
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
    if isinstance(err, OSError) and err.errno in DISK_ERRORS:
        return (
            f"cannot use {err.filename or 'the disk'}: {err.strerror}; free some space or "
            "rights there"
        )
    pymongo_errors = sys.modules.get("pymongo.errors")
    if pymongo_errors is not None and isinstance(err, pymongo_errors.PyMongoError):
        return (
            f"the database failed: {err}; `gen2dft doctor` tests it, and the same command "
            "goes on where it was"
        )
    return None


def say_error(message: str) -> None:
    """One message on standard error, in red where there are colours."""
    from rich.console import Console
    from rich.text import Text

    Console(stderr=True, highlight=False).print(
        Text(f"error: {message}", style="red"), soft_wrap=True
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
    app(prog_name="gen2dft")


if __name__ == "__main__":
    main()
