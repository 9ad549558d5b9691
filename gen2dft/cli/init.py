"""The verb that writes configuration: settings, and FireWorks' files for a queue."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from gen2dft.cli.options import MANY, out_folder

if TYPE_CHECKING:
    from gen2dft.settings import Settings

console = Console(highlight=False, soft_wrap=True)

HEAD = """\
# Settings of gen2dft; variables GEN2DFT_* overrule them. Written by `gen2dft init`;
# `gen2dft doctor` tests them.
#   database       embedded (a server of one's own on this machine), or a MongoDB URI
#   database_name  name of the database on that server
#   data_dir       embedded database, caches, launch folders, reports; default: this folder
#   workers        processes of `gen2dft run`; default: one per core, as far as the memory goes
"""


def init(
    local: Annotated[
        bool,
        typer.Option("--local", help="For this project only: ./.gen2dft in place of ~/.gen2dft."),
    ] = False,
    scheduler: Annotated[
        str | None,
        typer.Option(
            "--scheduler", help="Also write FireWorks' files for a queue: slurm, pbs or sge."
        ),
    ] = None,
    category: Annotated[
        str,
        typer.Option(
            "--category",
            help="With --scheduler: files of workers that take only stages of this category.",
        ),
    ] = "",
    pack: Annotated[
        int,
        typer.Option(
            "--pack",
            min=1,
            max=MANY,
            help="With --scheduler: fireworks side by side in one queue job.",
        ),
    ] = 1,
    database: Annotated[
        str | None, typer.Option("--database", help="`embedded`, or a MongoDB URI.")
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", help="Name of the database on that server.")
    ] = None,
    data_dir: Annotated[
        Path | None,
        typer.Option("--data-dir", help="Where data are kept.", parser=out_folder, metavar="DIR"),
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Overwrite without asking.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be written, write nothing.")
    ] = False,
) -> None:
    """Write the configuration.

    Again: changes only what is asked for, and never overwrites without asking.
    """
    from gen2dft.settings import config_file

    path = Path(".gen2dft/config.yaml").resolve() if local else config_file()
    values = _present(path)
    if database is not None:
        values["database"] = database
    if name is not None:
        values["database_name"] = name
    if data_dir is not None:
        values["data_dir"] = str(data_dir.expanduser().resolve())
    settings = _settings(path, values)
    files = {path: _config_text(values or {"database": "embedded"})}
    if scheduler is not None:
        files |= _queue_files(settings, scheduler, path, dry_run, category, pack)
    for file, text in files.items():
        _write(file, text, yes, dry_run)
    if not dry_run:
        _say_next(settings, path, scheduler, category, pack)


def _present(path: Path) -> dict[str, Any]:
    """Settings that the file holds already; a file that cannot be read has nothing to keep."""
    from gen2dft.errors import SettingsError
    from gen2dft.plain_yaml import read_yaml_file
    from gen2dft.settings import Settings

    try:
        content = read_yaml_file(path, "configuration file", SettingsError)
    except SettingsError:
        return {}
    if not isinstance(content, dict):
        return {}
    known = Settings.model_fields
    return {key: value for key, value in content.items() if key in known}


def _settings(path: Path, values: Mapping[str, Any]) -> Settings:
    """The settings as they will be read from the file; SettingsError if they cannot be."""
    from pydantic import ValidationError

    from gen2dft.errors import SettingsError
    from gen2dft.settings import GivenSettings

    try:
        return GivenSettings(**{"data_dir": path.parent, **values})
    except ValidationError as err:
        problem = err.errors()[0]
        what = problem["msg"].removeprefix("Value error, ")
        raise SettingsError(f"{problem['loc'][0]}: {what}") from None


def _config_text(values: Mapping[str, Any]) -> str:
    import yaml

    return HEAD + yaml.safe_dump(dict(values), sort_keys=False)


def _queue_files(
    settings: Settings, scheduler: str, config: Path, dry_run: bool, category: str, pack: int
) -> dict[Path, str]:
    """FireWorks' files, once jobflow's own is written, which they name."""
    from gen2dft.launchpad.config_files import fireworks_files
    from gen2dft.launchpad.connect import CONFIG_VARIABLE, configure_jobflow, jobflow_file

    folder = _queue_folder(config, category)
    jobflow_config, is_own = jobflow_file(settings)
    environment = {**os.environ, CONFIG_VARIABLE: str(jobflow_config)}
    files = fireworks_files(
        settings, scheduler, folder, config, environment, category=category, pack=pack
    )
    if not dry_run:
        if is_own:
            configure_jobflow(settings)
        (folder / "logs").mkdir(parents=True, exist_ok=True)
        (settings.data_dir / "launches").mkdir(parents=True, exist_ok=True)
    return files


def _queue_folder(config: Path, category: str) -> Path:
    """Where FireWorks' files of one kind of workers lie."""
    from gen2dft.errors import SettingsError

    if not re.fullmatch(r"[\w-]*", category):
        raise SettingsError(
            f"--category {category!r} names a folder too: use letters, digits, - and _ only"
        )
    return config.parent / (f"fireworks-{category}" if category else "fireworks")


def _write(path: Path, text: str, yes: bool, dry_run: bool) -> None:
    """Write a file unless it is there with this text; ask before another text is overwritten."""
    from gen2dft.store.files import write_private

    present = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else None
    if present == text:
        console.print(f"unchanged  {path}", style="dim")
        return
    is_new = present is None
    if dry_run:
        console.print(f"would {'write' if is_new else 'overwrite'}  {path}")
        return
    if is_new or yes or typer.confirm(f"{path} has other content. Overwrite it?"):
        write_private(path, text)
        console.print(f"written    {path}")
    else:
        console.print(f"left       {path}")


def _say_next(
    settings: Settings, config: Path, scheduler: str | None, category: str, pack: int
) -> None:
    console.print("\nNext: [bold]gen2dft doctor[/] tests it all.")
    if not scheduler:
        console.print("      [bold]gen2dft run --campaign thermoelectric[/] works on this machine.")
        return
    folder = _queue_folder(config, category)
    console.print(f"Look through {folder / 'my_qadapter.yaml'}: account, partition, modules. Then")
    launches = settings.data_dir / "launches"
    # Reservation mode binds one firework to each queue job, so it does not go with packed jobs.
    reserve = "" if pack > 1 else " -r"
    for command in (
        f"export GEN2DFT_CONFIG_FILE={config} FW_CONFIG_FILE={folder / 'FW_config.yaml'}",
        "gen2dft submit --campaign thermoelectric",
        f"cd {launches} && qlaunch{reserve} rapidfire -m 20 --nlaunches infinite",
    ):
        console.print(f"  {command}", markup=False)
