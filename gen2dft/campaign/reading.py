"""Campaign files read, and what is wrong in them told by place and remedy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Protocol

import yaml
from pydantic import ValidationError

from gen2dft.campaign.gate_list import ALREADY_RESOLVED
from gen2dft.campaign.problems import explain
from gen2dft.campaign.sources import generator_class
from gen2dft.campaign.spec import CampaignSpec
from gen2dft.errors import CampaignError, not_one_of


def builtin_campaigns() -> list[str]:
    """Names of the campaign files that ship with gen2dft."""
    folder = resources.files("gen2dft.flows") / "campaigns"
    return sorted(
        entry.name.removesuffix(".yaml")
        for entry in folder.iterdir()
        if entry.name.endswith(".yaml")
    )


Change = Callable[[dict[str, Any]], None]


def load_campaign(
    name_or_file: str,
    overrides: Mapping[str, Any] | None = None,
    change: Change | None = None,
) -> CampaignSpec:
    """Read a campaign by its built-in name or from a YAML file.

    Parameters
    ----------
    name_or_file
        `thermoelectric`, or a path that ends in .yaml or .yml.
    overrides
        Dotted keys to values set after reading, e.g. `{"learning.rounds": 3}`.
    change
        Changes the content after that, before it is checked.

    Raises
    ------
    CampaignError
        Unknown name, unreadable file or invalid content; the message names file, field and remedy.
    """
    if name_or_file.endswith((".yaml", ".yml")):
        path = Path(name_or_file)
        if not path.is_file():
            raise CampaignError(f"campaign file {path} does not exist")
        return parse_campaign(_read(path), str(path), overrides, change)
    if name_or_file not in builtin_campaigns():
        message = not_one_of("campaign", name_or_file, builtin_campaigns())
        raise CampaignError(f"{message} To use a file of your own: -f FILE.yaml")
    resource = resources.files("gen2dft.flows") / "campaigns" / f"{name_or_file}.yaml"
    origin = f"campaign {name_or_file}"
    return parse_campaign(resource.read_text(), origin, overrides, change)


def parse_campaign(
    text: str,
    origin: str,
    overrides: Mapping[str, Any] | None = None,
    change: Change | None = None,
) -> CampaignSpec:
    """Parse the YAML text of a campaign; `origin` names it in messages."""
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as err:
        raise CampaignError(f"{origin} is not valid YAML: {err}") from err
    if not isinstance(data, dict):
        raise CampaignError(f"{origin} must be a mapping with keys like `name` and `targets`")
    for key, value in (overrides or {}).items():
        _set_dotted(data, key, value)
    if change is not None:
        change(data)
    try:
        spec = CampaignSpec.model_validate(data)
    except ValidationError as err:
        raise CampaignError(_not_valid(origin, err, data)) from err
    _require_generators(spec, origin)
    return spec


class StoredCampaign(Protocol):
    """What a stored campaign says of itself."""

    @property
    def id(self) -> str:
        """Id of the campaign."""

    @property
    def spec(self) -> dict[str, Any]:
        """The resolved spec."""

    @property
    def packages(self) -> dict[str, str]:
        """Names in the spec that plugins bring, to name and version of the package."""


def stored_campaign(campaign: StoredCampaign, *, to_work: bool = False) -> CampaignSpec:
    """The spec of a stored campaign.

    Parameters
    ----------
    to_work
        Check that the plugins it names are installed here. To look at results, nobody needs them.

    Raises
    ------
    CampaignError
        This machine lacks a plugin, or the spec was written by an incompatible version.
    """
    context = None if to_work else {ALREADY_RESOLVED: True}
    try:
        return CampaignSpec.model_validate(campaign.spec, context=context)
    except ValidationError as err:
        begun_with = [f"{package} ({name})" for name, package in campaign.packages.items()]
        hint = f"\nIt was begun with {', '.join(begun_with)}: pip install them here"
        origin = f"the stored spec of campaign {campaign.id}"
        message = _not_valid(origin, err, campaign.spec)
        raise CampaignError(message + hint if begun_with else message) from err


def _require_generators(spec: CampaignSpec, origin: str) -> None:
    """CampaignError if a generator is not installed, which a stored campaign may do without."""
    for index, source in enumerate(spec.sources):
        place = f"generators.{index}.name" if spec.generators else "generator.name"
        try:
            generator_class(source.name)
        except CampaignError as err:
            raise CampaignError(f"{origin} is not valid:\n  {place}: {err}") from err


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as err:
        raise CampaignError(f"cannot read campaign file {path}: {err}") from err


def _set_dotted(data: dict[str, Any], key: str, value: Any) -> None:
    *folders, last = key.split(".")
    part: Any = data
    for folder in folders:
        if isinstance(part, list):
            part = part[_place(part, folder, key)]
        else:
            part = part.setdefault(folder, {})
    part[_place(part, last, key) if isinstance(part, list) else last] = value


def _place(part: list[Any], step: str, key: str) -> int:
    """The place in a list that a step of a dotted key names, from 0."""
    if step.isdecimal() and int(step) < len(part):
        return int(step)
    raise CampaignError(
        f"{key}: {step!r} is no place in a list of {len(part)}; they are counted from 0"
    )


def _not_valid(origin: str, err: ValidationError, data: object) -> str:
    lines = [f"  {line}" for line in explain(err, CampaignSpec, data)]
    return "\n".join([f"{origin} is not valid:", *lines])
