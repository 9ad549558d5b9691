from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gen2dft.cli import doctor
from gen2dft.cli.app import app
from gen2dft.cli.doctor import Check, line
from gen2dft.engines import installed
from gen2dft.settings import Settings


def run(settings: Settings | None = None, **environment: str):
    """The verb's result and its checks by name."""
    given = {**(settings.as_environment() if settings else {}), **environment}
    result = CliRunner().invoke(app, ["doctor", "--json"], env=given)
    return result, {check["name"]: check for check in json.loads(result.stdout)}


def test_a_sound_installation_passes(settings: Settings):
    result, checks = run(settings)
    needed = [
        "python",
        "settings",
        "secrets",
        "data folder",
        "database",
        "users",
        "launchpad",
        "lost runs",
        "job store",
        "queue",
    ]
    assert {name: checks[name]["state"] for name in needed} == dict.fromkeys(needed, "ok")
    assert (result.exit_code == 1) == any(check["state"] == "fail" for check in checks.values())


def test_one_line_per_check(settings: Settings):
    result = CliRunner().invoke(app, ["doctor"], env=settings.as_environment())
    _, checks = run(settings)
    assert [row.split()[0] for row in result.stdout.splitlines()] == [
        check["state"] for check in checks.values()
    ]


def test_what_is_not_ok_has_a_remedy(settings: Settings):
    _, checks = run(settings)
    assert all(check["remedy"] for check in checks.values() if check["state"] == "warn")


def test_a_database_that_is_away_fails_and_leaves_out_what_rests_on_it(tmp_path: Path):
    uri = "mongodb://ann:hush@127.0.0.1:9/?serverSelectionTimeoutMS=100"
    result, checks = run(GEN2DFT_DATABASE=uri, GEN2DFT_DATA_DIR=str(tmp_path))
    assert result.exit_code == 1
    assert checks["database"]["state"] == "fail"
    assert "127.0.0.1:9" in checks["database"]["detail"]
    assert "launchpad" not in checks
    assert "hush" not in result.stdout


def test_bad_settings_fail_and_the_rest_is_tested(tmp_path: Path):
    result, checks = run(GEN2DFT_WORKERS="none")
    assert result.exit_code == 1
    assert "GEN2DFT_WORKERS" in checks["settings"]["detail"]
    assert "tensorflow" in checks


def test_boltztrap2_has_a_line(monkeypatch: pytest.MonkeyPatch):
    from gen2dft.transport import boltztrap2

    monkeypatch.setattr(boltztrap2, "version", lambda: "26.3.1")
    monkeypatch.setattr(boltztrap2, "_load", lambda: None)
    check = doctor.check_boltztrap2()
    assert (check.state, check.detail) == ("ok", "BoltzTraP2 26.3.1")

    def broken() -> None:
        raise ImportError("no symbol")

    monkeypatch.setattr(boltztrap2, "_load", broken)
    check = doctor.check_boltztrap2()
    assert (check.state, "26.3.1 cannot be imported" in check.detail) == ("warn", True)
    monkeypatch.setattr(boltztrap2, "version", lambda: None)
    check = doctor.check_boltztrap2()
    assert (check.state, "not installed" in check.detail) == ("warn", True)
    assert "make transport" in check.remedy


def test_a_data_folder_that_cannot_be_written(tmp_path: Path):
    (tmp_path / "file").write_text("")
    check = doctor.check_disk(Settings(data_dir=tmp_path / "file"))
    assert (check.state, "cannot write" in check.detail) == ("fail", True)


@pytest.mark.parametrize(("free", "state"), [(1e8, "fail"), (1e9, "warn"), (1e11, "ok")])
def test_the_room_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, free: float, state: str
):
    monkeypatch.setattr(
        doctor.shutil, "disk_usage", lambda folder: type("Usage", (), {"free": free})
    )
    assert doctor.check_disk(Settings(data_dir=tmp_path)).state == state
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "mode", "state"),
    [
        ("database: mongodb://u:p@host/\n", 0o644, "warn"),
        ("database: mongodb://u:p@host/\n", 0o640, "warn"),
        ("database: mongodb://u:p@host/\n", 0o600, "ok"),
        ("database: mongodb://host/\n", 0o644, "ok"),
        ("database: embedded\n", 0o644, "ok"),
    ],
)
def test_files_with_a_password_are_their_owners(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, mode: int, state: str
):
    file = tmp_path / "config.yaml"
    file.write_text(text)
    file.chmod(mode)
    monkeypatch.setenv("GEN2DFT_CONFIG_FILE", str(file))
    check = doctor.check_secrets(Settings(data_dir=tmp_path / "data"))
    assert check.state == state
    if state == "warn":
        assert (str(file) in check.detail, check.remedy) == (True, f"chmod 600 {file}")


@pytest.mark.parametrize("name", ["db.json", "fireworks/my_launchpad.yaml", "data/jobflow.yaml"])
def test_files_of_the_stack_are_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
):
    monkeypatch.setenv("GEN2DFT_CONFIG_FILE", str(tmp_path / "config.yaml"))
    settings = Settings(data_dir=tmp_path / "data")
    file = tmp_path / name
    file.parent.mkdir(exist_ok=True)
    file.write_text('{"admin_user": "x", "admin_password": null}')
    file.chmod(0o644)
    assert doctor.check_secrets(settings).state == "ok"
    file.write_text('{"admin_user": "x", "admin_password": "hush"}')
    check = doctor.check_secrets(settings)
    assert (check.state, name in check.detail, "hush" in check.detail) == ("warn", True, False)


def test_users_who_may_write_are_named(settings: Settings):
    from gen2dft.store.connect import connect

    database = connect(settings)
    roles = {"reader": "read", "mallory": "readWrite"}
    for user, role in roles.items():
        given = [{"role": role, "db": database.name}]
        database.command("createUser", user, pwd="evil", roles=given)
    check = doctor.check_users(settings)
    database.command("dropUser", "mallory")
    assert (check.state, "dropUser" in check.remedy) == ("warn", True)
    assert check.detail == f"others may write: mallory of {database.name}"
    assert doctor.check_users(settings).state == "ok"


def test_lost_runs_are_told_and_left(settings: Settings, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(
        "gen2dft.launchpad.lost.lost_runs", lambda lpad: [{"fw_id": 1}, {"fw_id": 2}]
    )
    check = doctor.check_lost_runs(settings)
    assert (check.state, check.detail) == ("warn", "2 fireworks whose worker is gone")
    assert "gen2dft advance" in check.remedy


def test_a_job_store_without_room_for_arrays(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from jobflow import SETTINGS, JobStore
    from maggma.stores import MemoryStore

    monkeypatch.setenv("JOBFLOW_CONFIG_FILE", str(tmp_path / "own.yaml"))
    monkeypatch.setattr(SETTINGS, "JOB_STORE", JobStore(MemoryStore()))
    check = doctor.check_job_store(settings)
    assert check.state == "fail"
    assert "no additional store `data`" in check.detail


def test_the_probe_of_the_job_store_leaves_nothing(settings: Settings):
    from gen2dft.store.connect import connect

    assert doctor.check_job_store(settings).state == "ok"
    assert connect(settings).outputs.count_documents({}) == 0
    assert connect(settings)["outputs_data.files"].count_documents({}) == 0


def test_a_queue_without_its_commands(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("GEN2DFT_CONFIG_FILE", str(tmp_path / "config.yaml"))
    (tmp_path / "fireworks").mkdir()
    (tmp_path / "fireworks/my_qadapter.yaml").write_text(
        "_fw_name: CommonAdapter\n_fw_q_type: SLURM\n"
    )
    monkeypatch.setattr(doctor.shutil, "which", lambda command: None)
    check = doctor.check_queue(settings)
    assert (check.state, check.detail) == ("warn", "not found: sbatch, squeue")


@pytest.mark.parametrize(("sets", "state"), [([], "warn"), (["POT_GGA_PAW_PBE"], "ok")])
def test_the_folder_of_potcars(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sets: list[str], state: str
):
    monkeypatch.setenv("PMG_VASP_PSP_DIR", str(tmp_path))
    for name in sets:
        (tmp_path / name).mkdir()
    assert doctor.check_potcars().state == state


@pytest.mark.parametrize(
    ("command", "found"),
    [
        ("vasp_nowhere", False),
        ("sh", True),
        ("srun -n 4 vasp_nowhere", False),
        ("$NOTHING", False),
        ("", False),
    ],
)
def test_the_command_of_vasp(monkeypatch: pytest.MonkeyPatch, command: str, found: bool):
    import atomate2

    monkeypatch.setattr(atomate2.SETTINGS, "VASP_CMD", command)
    assert installed.vasp_command() == (command, found)


@pytest.mark.parametrize(("key", "state"), [("", "warn"), ("abc", "ok")])
def test_the_key_of_the_materials_project_is_not_shown(
    monkeypatch: pytest.MonkeyPatch, key: str, state: str
):
    monkeypatch.setattr(
        installed, "pymatgen_setting", lambda name: key if name == "MP_API_KEY" else None
    )
    check = doctor.check_key()
    assert check.state == state
    assert "abc" not in check.detail


def test_a_missing_package_names_how_to_install_it(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(installed, "package_version", lambda module, *distributions: None)
    assert doctor.check_chgnet().remedy == "pip install 'gen2dft[mlip]'"
    assert {doctor.check_python().state, doctor.check_tensorflow().state} == {"fail"}


def test_brackets_are_no_markup():
    assert "gen2dft\\[mlip]" in line(Check("chgnet", "fail", "", "pip install 'gen2dft[mlip]'"))


def test_versions_of_packages():
    assert installed.package_version("no_such_module") is None
    assert installed.package_version(
        "typer", "no-such-distribution", "typer"
    ) == installed.package_version("typer")
    assert installed.package_version("typer", "no-such-distribution") == "of unknown version"
