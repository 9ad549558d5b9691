"""Settings of one user or project: GEN2DFT_* variables, then a configuration file, then defaults.

The file is the first of $GEN2DFT_CONFIG_FILE, ./.gen2dft/config.yaml and ~/.gen2dft/config.yaml.
What other packages of the stack already configure is read where they keep it (JOBFLOW_CONFIG_FILE,
ATOMATE2_CONFIG_FILE, FW_CONFIG_FILE, PMG_VASP_PSP_DIR, MP_API_KEY), never repeated here.
"""

from __future__ import annotations

import os
import reprlib
from pathlib import Path
from typing import Any

import yaml
from pydantic import Field, PositiveInt, SecretStr, ValidationError, field_validator
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    YamlConfigSettingsSource,
)

from gen2dft.errors import SettingsError, not_one_of

EMBEDDED = "embedded"
SCHEMES = ("mongodb://", "mongodb+srv://")
PREFIX = "GEN2DFT_"
# Set by tests alone, which validate candidates with programs that only stand in for an engine.
ALLOW_STAND_IN = f"{PREFIX}ALLOW_STAND_IN"
# Variables of this prefix that are no settings: where the file is, and whether errors show where
# they arose.
OTHER_VARIABLES = ("CONFIG_FILE", "DEBUG", "ALLOW_STAND_IN")
MAX_WORKERS = 1000  # on one machine
GB_PER_WORKER = 3.0  # a worker holds TensorFlow, PyTorch and one model of each


def config_file() -> Path:
    """The configuration file in force; it need not exist."""
    if named := os.environ.get("GEN2DFT_CONFIG_FILE"):
        return _expanded(Path(named))
    local = Path(".gen2dft/config.yaml")
    return local.resolve() if local.is_file() else Path("~/.gen2dft/config.yaml").expanduser()


def _expanded(path: Path) -> Path:
    """A path with `~` as the home folder; SettingsError for a user who does not exist."""
    try:
        return path.expanduser()
    except RuntimeError as err:
        raise SettingsError(f"{path}: there is no home folder of that user") from err


def allows_stand_in() -> bool:
    """Whether results of a program that only stands in for an engine count, as in tests."""
    return os.environ.get(ALLOW_STAND_IN) == "1"


def default_workers() -> int:
    """One worker per core that this process may use, but no more than fit into the memory."""
    cores = _usable_cores()
    try:
        memory_gb = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    except (ValueError, OSError):  # a system that does not tell
        return cores
    fitting = int(memory_gb / GB_PER_WORKER)
    return max(1, min(cores, fitting))


def _usable_cores() -> int:
    # A queue system or container may give a process fewer cores than the machine has; macOS cannot
    # tell.
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Settings(BaseSettings):
    """Where gen2dft keeps its data and how it reaches the database."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True)

    database: SecretStr = Field(
        SecretStr(EMBEDDED),
        description="`embedded` (a server of one's own in data_dir) or a MongoDB URI",
    )
    database_name: str = Field(
        "gen2dft",
        pattern=r"^[A-Za-z0-9_-]{1,60}$",
        description="name of the database on that server: letters, digits, _ and -",
    )
    data_dir: Path = Field(
        default_factory=lambda: config_file().parent,
        description="embedded database, caches, launch folders",
    )
    workers: PositiveInt = Field(
        le=MAX_WORKERS,
        default_factory=default_workers,
        description="worker processes of `gen2dft run`; default: one per core, as far as the "
        "memory goes",
    )

    @field_validator("database")
    @classmethod
    def _embedded_or_uri(cls, value: SecretStr) -> SecretStr:
        text = value.get_secret_value()
        if text != EMBEDDED and not text.startswith(SCHEMES):
            raise ValueError(
                f"must be `{EMBEDDED}` or a MongoDB URI like mongodb://user:password@host:27017/"
            )
        return value

    @field_validator("data_dir")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        try:
            return _expanded(value).resolve()
        except (SettingsError, OSError, RuntimeError) as err:  # a circle of links, in Python 3.11
            raise ValueError(f"is no folder: {err}") from err

    @property
    def is_embedded(self) -> bool:
        """Whether the database is the embedded one."""
        return self.database.get_secret_value() == EMBEDDED

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then the environment, then the configuration file."""
        del dotenv_settings, file_secret_settings
        file_settings = YamlConfigSettingsSource(settings_cls, yaml_file=config_file())
        return (init_settings, env_settings, file_settings)

    def as_environment(self) -> dict[str, str]:
        """Variables that give another process these very settings, wherever it runs."""
        values = self.model_dump(mode="json")
        # The dump hides the URI's password behind asterisks.
        values["database"] = self.database.get_secret_value()
        return {_variable(name): str(value) for name, value in values.items()}


class GivenSettings(Settings):
    """Settings of the values given alone, whatever environment and file say."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments only."""
        del settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings,)


def load_settings() -> Settings:
    """Read the settings; SettingsError names the place, the key and the nearest valid key."""
    file = config_file()
    content = _content(file)
    _refuse_unknown(file, content)
    try:
        return Settings()
    except ValidationError as err:
        problem = err.errors()[0]
        key = str(problem["loc"][0])
        variable = _variable(key)
        place = variable if variable in os.environ else f"{file}: {key}"
        what = problem["msg"].removeprefix("Value error, ")
        # The value of `database` may hold a password.
        given = "" if key == "database" else f" (given: {_shown(problem['input'])})"
        raise SettingsError(f"{place}: {what}{given}") from None


def _shown(value: object) -> str:
    """A value as messages show it; no raw lists or mappings, and not more than a line."""
    if isinstance(value, dict | list):
        return "several values"
    return reprlib.repr(value)


def _content(file: Path) -> dict[str, Any]:
    """The configuration file's keys and values; none if there is no file."""
    try:
        if file.exists() and not file.is_file():
            raise SettingsError(f"the configuration file {file} is a folder or device, no file")
        text = file.read_text(encoding="utf-8") if file.is_file() else ""
        content = yaml.safe_load(text) or {}
    except (OSError, UnicodeDecodeError) as err:
        raise SettingsError(f"cannot read the configuration file {file}: {err}") from err
    # ValueError: dates that do not exist; RecursionError: levels without end.
    except (yaml.YAMLError, ValueError, RecursionError) as err:
        mark = getattr(err, "problem_mark", None)
        place = f"{file}, line {mark.line + 1}" if mark else f"{file}"
        raise SettingsError(
            f"configuration file {place} is not valid YAML; `gen2dft init` writes a new one"
        ) from None
    if not isinstance(content, dict):
        raise SettingsError(f"configuration file {file} must hold lines of the form `key: value`")
    return content


def _refuse_unknown(file: Path, content: dict[str, Any]) -> None:
    """A misspelt setting would otherwise be passed over in silence."""
    names = Settings.model_fields
    for key in content:
        if key not in names:
            raise SettingsError(f"{file}: {not_one_of('key', key, names)}")
    variables = [_variable(name) for name in (*names, *OTHER_VARIABLES)]
    for variable in os.environ:
        if variable.startswith(PREFIX) and variable not in variables:
            raise SettingsError(f"environment: {not_one_of('variable', variable, variables)}")


def _variable(name: str) -> str:
    """Environment variable of a setting."""
    return f"{PREFIX}{name.upper()}"
