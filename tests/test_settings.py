from __future__ import annotations

from pathlib import Path

import pytest

from gen2dft.errors import SettingsError
from gen2dft.settings import Settings, config_file, load_settings


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "config.yaml"
    monkeypatch.setenv("GEN2DFT_CONFIG_FILE", str(path))
    return path


def test_defaults_without_a_file(file: Path):
    settings = load_settings()
    assert settings.is_embedded
    assert settings.data_dir == file.parent
    assert settings.workers >= 1


def test_the_environment_overrides_the_file(file: Path, monkeypatch: pytest.MonkeyPatch):
    file.write_text("database_name: from_file\nworkers: 3\n")
    monkeypatch.setenv("GEN2DFT_WORKERS", "5")
    settings = load_settings()
    assert (settings.database_name, settings.workers) == ("from_file", 5)


def test_a_project_has_its_own_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("GEN2DFT_CONFIG_FILE")
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".gen2dft").mkdir()
    (tmp_path / ".gen2dft/config.yaml").write_text("workers: 1\n")
    assert config_file() == tmp_path / ".gen2dft/config.yaml"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("databse: embedded", r"config\.yaml: key 'databse' .*Did you mean 'database'"),
        ("workers: 0", r"config\.yaml: workers: .*greater than 0.*given: 0"),
        (
            "database: embeded",
            r"config\.yaml: database: must be `embedded` or a MongoDB URI like mongodb://",
        ),
        ("workers: [", r"config\.yaml, line \d+ is not valid YAML"),
        ("- a list", r"must hold lines of the form"),
        ("database_name: 2020-13-45", r"config\.yaml is not valid YAML"),
        ("[" * 3000, r"config\.yaml.* is not valid YAML"),
        ("database_name: a.b/c", r"config\.yaml: database_name: .*given: 'a\.b/c'"),
        ("database_name: ''", r"config\.yaml: database_name: "),
        ("database_name: {a: 1}", r"config\.yaml: database_name: .*given: several values"),
        ("workers: .nan", r"config\.yaml: workers: .*given: nan"),
        ("workers: 99999999999999999999", r"config\.yaml: workers: .*less than or equal to 1000"),
        ("data_dir: ~no-such-user/x", r"config\.yaml: data_dir: is no folder: .*no home folder"),
        ('data_dir: "a\\0b"', r"config\.yaml: data_dir: .*null"),
        ("1: 2", r"config\.yaml: key 1 is not one of"),
    ],
)
def test_a_bad_file_is_named_with_the_place(file: Path, text: str, message: str):
    file.write_text(text)
    with pytest.raises(SettingsError, match=message):
        load_settings()


def test_a_misspelt_variable_is_refused(file: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("GEN2DFT_DATADIR", "/somewhere")
    with pytest.raises(SettingsError, match="Did you mean 'GEN2DFT_DATA_DIR'"):
        load_settings()


def test_a_file_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "config.yaml"
    path.write_bytes(b"workers: \xff\xfe")
    monkeypatch.setenv("GEN2DFT_CONFIG_FILE", str(path))
    with pytest.raises(SettingsError, match="cannot read the configuration file"):
        load_settings()


def test_a_variable_is_named_when_its_value_is_bad(file: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("GEN2DFT_WORKERS", "many")
    with pytest.raises(SettingsError, match=r"GEN2DFT_WORKERS: .*'many'"):
        load_settings()


def test_the_environment_carries_all_settings(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    settings = Settings(
        database="mongodb://u:p@h/", database_name="x", data_dir=tmp_path / "d", workers=7
    )
    for name, value in settings.as_environment().items():
        monkeypatch.setenv(name, value)
    assert load_settings() == settings


def test_a_password_is_not_shown(file: Path):
    assert "secret" not in repr(Settings(database="mongodb://u:secret@h/"))


@pytest.mark.parametrize("name", ["/dev/null", "."])
def test_a_device_or_folder_is_no_configuration(monkeypatch: pytest.MonkeyPatch, name: str):
    monkeypatch.setenv("GEN2DFT_CONFIG_FILE", name)
    with pytest.raises(SettingsError, match=r"configuration file .* is a folder or device"):
        load_settings()


def test_a_home_of_nobody_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("GEN2DFT_CONFIG_FILE", "~no-such-user/config.yaml")
    with pytest.raises(SettingsError, match=r"no-such-user/config\.yaml: there is no home folder"):
        load_settings()
