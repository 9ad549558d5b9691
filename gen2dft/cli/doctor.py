"""The verb that tests every setting: one line per check, with the remedy."""

from __future__ import annotations

import os
import platform
import shlex
import shutil
import sys
import uuid
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

import typer
from rich.console import Console
from rich.markup import escape

from gen2dft.errors import Gen2DFTError

if TYPE_CHECKING:
    from gen2dft.settings import Settings

State = Literal["ok", "warn", "fail"]
STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}
NEEDED = ("numpy", "pymatgen", "jobflow", "fireworks", "atomate2", "pymongo", "maggma")
FREE_GB_WANTED, FREE_GB_NEEDED = 5.0, 0.5


class Check(NamedTuple):
    """One line: the test, its result, and the remedy."""

    name: str
    state: State
    detail: str
    remedy: str = ""


def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Machine-readable output.")] = False,
) -> None:
    """Test all that a campaign may need.

    Exit code 1 if something fails that a campaign on this machine needs.
    """
    found: list[Check] = []
    console = Console(highlight=False, soft_wrap=True)
    for check in checks():
        found.append(check)
        if not as_json:
            console.print(line(check))
    if as_json:
        import json

        typer.echo(json.dumps([check._asdict() for check in found], indent=2))
    if any(check.state == "fail" for check in found):
        raise typer.Exit(1)


def line(check: Check) -> str:
    """A check as one line of rich markup."""
    remedy = f" [dim]->[/] {escape(check.remedy)}" if check.remedy else ""
    state = f"[{STYLES[check.state]}]{check.state:<4}[/]"
    return f"{state} [bold]{check.name:<12}[/] {escape(check.detail)}{remedy}"


def checks() -> Iterator[Check]:
    """All checks; if settings or database fail, those that need them are left out."""
    from gen2dft.settings import load_settings

    yield check_python()
    foreign = check_foreign()
    if foreign.state == "fail":
        yield foreign  # the packages behind the other checks cannot even be imported
        return
    try:
        settings = load_settings()
    except Gen2DFTError as err:
        yield Check(
            "settings", "fail", str(err), "mend the file, or write a new one with `gen2dft init`"
        )
    else:
        yield check_settings(settings)
        yield guarded("secrets", check_secrets, settings)
        yield check_disk(settings)
        database = check_database(settings)
        yield database
        if database.state == "ok":
            yield from (guarded(name, test, settings) for name, test in ON_THE_DATABASE)
        yield guarded("queue", check_queue, settings)
    yield check_tensorflow()
    yield check_chgnet()
    yield check_gpaw()
    yield check_boltztrap2()
    yield check_potcars()
    yield check_vasp()
    yield check_key()
    yield check_plugins()


def guarded(name: str, test: Callable[[Settings], Check], settings: Settings) -> Check:
    """A check; an expected error in it is its failure."""
    from pymongo.errors import PyMongoError

    from gen2dft.store.connect import explain_database

    try:
        return test(settings)
    except Gen2DFTError as err:
        return Check(name, "fail", str(err))
    except PyMongoError as err:
        return Check(name, "fail", explain_database(err))


def check_python() -> Check:
    """Python and the packages that every campaign needs."""
    from gen2dft import __version__
    from gen2dft.engines.installed import package_version

    versions = {name: package_version(name) for name in NEEDED}
    missing = [name for name, version in versions.items() if version is None]
    if missing or sys.version_info < (3, 11):
        detail = f"Python {platform.python_version()}, missing: {', '.join(missing) or 'nothing'}"
        return Check("python", "fail", detail, "Python 3.11 or newer, then `pip install gen2dft`")
    listed = ", ".join(f"{name} {version}" for name, version in versions.items())
    return Check("python", "ok", f"{platform.python_version()}, gen2dft {__version__}, {listed}")


def check_foreign() -> Check:
    """Whether jobflow, FireWorks and atomate2 can read their own configuration files."""
    from gen2dft.launchpad.foreign import check_foreign_files

    try:
        check_foreign_files()
    except Gen2DFTError as err:
        return Check("packages", "fail", str(err), "the other checks need these packages")
    return Check("packages", "ok", "their configuration files can be read")


def check_plugins() -> Check:
    """Whether the plugins of other packages can be loaded."""
    from gen2dft.plugins import added

    found, broken = [], []
    for point in added():
        kind = _singular(point.group.rpartition(".")[2])
        package = f"{point.dist.name} {point.dist.version}" if point.dist else "unknown package"
        try:
            point.load()
        except Exception as err:  # whatever another package raises is what this line tells of
            broken.append(f"{kind} {point.name} of {package}: {type(err).__name__}: {err}")
        else:
            found.append(f"{kind} {point.name} ({package})")
    if broken:
        return Check("plugins", "warn", "; ".join(broken), "mend or remove the package")
    return Check("plugins", "ok", ", ".join(found) or "none")


def _singular(plural: str) -> str:
    """`gate` of `gates`, `property` of `properties`."""
    if plural.endswith("ies"):
        return plural.removesuffix("ies") + "y"
    return plural.removesuffix("s")


def check_settings(settings: Settings) -> Check:
    """Which configuration is in force."""
    from gen2dft.settings import config_file

    file = config_file()
    where = str(file) if file.is_file() else f"defaults ({file} is not there)"
    variables = {name for name in os.environ if name.startswith("GEN2DFT_")}
    variables -= {"GEN2DFT_CONFIG_FILE"}  # `where` says it
    parts = [where, *sorted(variables), f"{settings.workers} workers"]
    return Check("settings", "ok", ", ".join(parts))


def check_disk(settings: Settings) -> Check:
    """Whether the data folder can be written, and has room."""
    from gen2dft.store.files import write_private

    folder = settings.data_dir
    probe = folder / f".doctor-{uuid.uuid4().hex[:8]}"
    try:
        write_private(probe, "x" * 4096)
        probe.unlink()
        free = shutil.disk_usage(folder).free / 1e9
    except (Gen2DFTError, OSError) as err:
        return Check(
            "data folder",
            "fail",
            str(err),
            "or choose another folder by `data_dir` (GEN2DFT_DATA_DIR)",
        )
    state: State = "fail" if free < FREE_GB_NEEDED else "warn" if free < FREE_GB_WANTED else "ok"
    remedy = "" if state == "ok" else f"free some space: {FREE_GB_WANTED:.0f} GB is comfortable"
    return Check("data folder", state, f"{folder}, {free:.1f} GB free", remedy)


def check_secrets(settings: Settings) -> Check:
    """Whether files with a password are their owner's alone."""
    from gen2dft.cli.secrets_in_files import open_secrets

    found = open_secrets(settings)
    if not found:
        return Check("secrets", "ok", "no file with a password can be read by others")
    names = ", ".join(str(path) for path in found)
    remedy = f"chmod 600 {' '.join(shlex.quote(str(path)) for path in found)}"
    return Check("secrets", "warn", f"others can read the password in {names}", remedy)


def check_database(settings: Settings) -> Check:
    """Whether the database can be reached, written and read."""
    from pymongo.errors import PyMongoError

    from gen2dft.store.connect import connect, database_uri, explain_database, host_of

    key = uuid.uuid4().hex
    try:
        probe = connect(settings).doctor
        probe.find_one()
        host = host_of(database_uri(settings).get_secret_value())
    except (Gen2DFTError, PyMongoError) as err:
        message = str(err) if isinstance(err, Gen2DFTError) else explain_database(err)
        return Check("database", "fail", message)
    try:
        probe.insert_one({"_id": key})
        found = probe.find_one({"_id": key})
        probe.delete_one({"_id": key})
    except PyMongoError as err:
        return Check("database", "fail", f"{host} can be read; {explain_database(err)}")
    if found is None:
        return Check(
            "database",
            "fail",
            f"what was written to {host} is not found there",
            "read preference in the URI",
        )
    kind = "embedded, " if settings.is_embedded else ""
    return Check("database", "ok", f"{kind}{host}, {settings.database_name}: written and read")


def check_users(settings: Settings) -> Check:
    """Whether the embedded server has users that may write, besides its own."""
    from gen2dft.store.connect import connect
    from gen2dft.store.first_start import USER

    if not settings.is_embedded:
        return Check("users", "ok", "the database's administrator keeps them")
    client = connect(settings).client
    writers = []
    for name in sorted({"admin", settings.database_name, *client.list_database_names()}):
        for user in client[name].command("usersInfo", 1)["users"]:
            rights = {role["role"] for role in user["roles"]}
            if (name, user["user"]) != ("admin", USER) and not rights <= {"read"}:
                writers.append(f"{user['user']} of {name}")
    if not writers:
        return Check("users", "ok", "no other user may write")
    remedy = "unless you made them: db.dropUser(NAME), and `gen2dft status` shows what is stored"
    return Check("users", "warn", f"others may write: {', '.join(writers)}", remedy)


def check_launchpad(settings: Settings) -> Check:
    """Whether FireWorks works on the database."""
    from gen2dft.launchpad.connect import connect_launchpad

    lpad = connect_launchpad(settings)
    counts = []
    for state in ("READY", "RUNNING", "FIZZLED"):
        count = lpad.fireworks.count_documents({"state": state})
        counts.append(f"{count} {state}")
    return Check("launchpad", "ok", ", ".join(counts))


def check_lost_runs(settings: Settings) -> Check:
    """Whether workers died that left their fireworks behind."""
    from gen2dft.launchpad.connect import connect_launchpad
    from gen2dft.launchpad.lost import lost_runs

    lost = lost_runs(connect_launchpad(settings))
    detail = f"{len(lost)} fireworks whose worker is gone"
    if not lost:
        return Check("lost runs", "ok", detail)
    remedy = "`gen2dft advance`, or `gen2dft run` as before, runs them again"
    return Check("lost runs", "warn", detail, remedy)


def check_job_store(settings: Settings) -> Check:
    """Whether jobs can keep their outputs, and other processes read them."""
    from gen2dft.launchpad.connect import configure_jobflow
    from gen2dft.launchpad.job_store import REMEDY, try_job_store

    file = configure_jobflow(settings)
    if problem := try_job_store():
        return Check("job store", "fail", f"{file}: {problem}", REMEDY)
    return Check("job store", "ok", f"{file}: written here, read by a second process")


ON_THE_DATABASE: tuple[tuple[str, Callable[[Settings], Check]], ...] = (
    ("users", check_users),
    ("launchpad", check_launchpad),
    ("lost runs", check_lost_runs),
    ("job store", check_job_store),
)


def check_queue(settings: Settings) -> Check:
    """Whether the commands of the queue are there that FireWorks' files name."""
    from gen2dft.launchpad.config_files import scheduler_commands
    from gen2dft.settings import config_file

    del settings
    commands = scheduler_commands(config_file().parent / "fireworks")
    if not commands:
        return Check("queue", "ok", "none; campaigns run on this machine")
    missing = [command for command in commands if shutil.which(command) is None]
    if missing:
        return Check(
            "queue",
            "warn",
            f"not found: {', '.join(missing)}",
            "submit from a machine of the cluster",
        )
    return Check("queue", "ok", ", ".join(commands))


def check_tensorflow() -> Check:
    """Whether generators can be trained."""
    from gen2dft.engines.installed import package_version

    version = package_version("tensorflow", "tensorflow", "tensorflow-cpu")
    if version is None:
        return Check(
            "tensorflow",
            "fail",
            "not installed: no generator can be trained",
            "pip install tensorflow-cpu",
        )
    return Check("tensorflow", "ok", f"tensorflow {version}")


def check_chgnet() -> Check:
    """Whether the ML potential is there, which screens every campaign."""
    from gen2dft.engines.installed import package_version

    versions = {name: package_version(name) for name in ("chgnet", "torch")}
    missing = [name for name, version in versions.items() if version is None]
    if missing:
        detail = f"not installed: {', '.join(missing)}; candidates cannot be screened"
        return Check("chgnet", "fail", detail, "pip install 'gen2dft[mlip]'")
    listed = ", ".join(f"{name} {version}" for name, version in versions.items())
    return Check("chgnet", "ok", listed)


def check_gpaw() -> Check:
    """Whether the free DFT engine is there."""
    from gen2dft.engines.installed import package_version

    version = package_version("gpaw")
    if version is None:
        return Check("GPAW", "warn", "not installed", "for engine gpaw, free DFT: make gpaw")
    return Check("GPAW", "ok", f"gpaw {version}")


def check_boltztrap2() -> Check:
    """Whether transport can be computed with BoltzTraP2; gen2dft's own program is always there."""
    from gen2dft.errors import PluginMissing
    from gen2dft.transport.boltztrap2 import check_installed, version

    try:
        check_installed()
    except PluginMissing:
        detail = "not installed: power factors come from gen2dft's own program alone"
        if version() is not None:
            detail = f"{version()} cannot be imported: `transport.program: boltztrap2` is refused"
        return Check(
            "BoltzTraP2", "warn", detail, "for transport.program boltztrap2: make transport"
        )
    return Check("BoltzTraP2", "ok", f"BoltzTraP2 {version()}")


def check_potcars() -> Check:
    """Whether VASP's pseudopotentials are there."""
    from gen2dft.engines.installed import potcar_folders

    folder, sets = potcar_folders()
    if folder is None:
        return Check(
            "POTCARs",
            "warn",
            "PMG_VASP_PSP_DIR is not set",
            "for engine vasp: pmg config -p SOURCE DIR",
        )
    if not sets:
        return Check(
            "POTCARs",
            "warn",
            f"no PBE set in {folder}",
            "for engine vasp: it must hold POT_GGA_PAW_PBE",
        )
    return Check("POTCARs", "ok", f"{folder}: {', '.join(sets)}")


def check_vasp() -> Check:
    """Whether atomate2's command for VASP is found."""
    from gen2dft.engines.installed import vasp_command

    command, is_found = vasp_command()
    if is_found:
        return Check("VASP", "ok", command)
    remedy = "for engine vasp: ATOMATE2_VASP_CMD='srun vasp_std', or VASP_CMD in ~/.atomate2.yaml"
    return Check("VASP", "warn", f"`{command}` is not found here (queue jobs may find it)", remedy)


def check_key() -> Check:
    """Whether the Materials Project can be asked."""
    from gen2dft.engines.installed import pymatgen_setting

    if pymatgen_setting("MP_API_KEY") or pymatgen_setting("PMG_MAPI_KEY"):
        return Check("MP key", "ok", "MP_API_KEY is set")
    remedy = (
        "for dataset materials-project: a free key from https://materialsproject.org/api; "
        "export MP_API_KEY"
    )
    return Check("MP key", "warn", "MP_API_KEY is not set", remedy)
