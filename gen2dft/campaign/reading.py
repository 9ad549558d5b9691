"""Campaign files read, and what is wrong in them told by place and remedy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Protocol

from pydantic import ValidationError

from gen2dft.campaign.gate_list import ALREADY_RESOLVED
from gen2dft.campaign.hull import MATERIALS_PROJECT, ON_ITS_SCALE
from gen2dft.campaign.problems import explain
from gen2dft.campaign.sources import generator_class
from gen2dft.campaign.spec import CampaignSpec
from gen2dft.errors import CampaignError, brief, not_one_of, shown
from gen2dft.plain_yaml import DEEPEST, read_text, read_yaml, why_unreadable
from gen2dft.plugins import registry

WRONG_KIND = ("_type", "_parsing", "finite_number")  # ends of pydantic's names of problems
DIGITS = 9


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
        return parse_campaign(_read(path), brief(str(path), 300), overrides, change)
    if name_or_file not in builtin_campaigns():
        message = not_one_of("campaign", name_or_file, builtin_campaigns())
        raise CampaignError(f"{message} To use a file of your own: -f FILE.yaml")
    resource = resources.files("gen2dft.flows") / "campaigns" / f"{name_or_file}.yaml"
    origin = f"campaign {name_or_file}"
    return parse_campaign(resource.read_text(encoding="utf-8"), origin, overrides, change)


def parse_campaign(
    text: str,
    origin: str,
    overrides: Mapping[str, Any] | None = None,
    change: Change | None = None,
) -> CampaignSpec:
    """Parse the YAML text of a campaign; `origin` names it in messages."""
    data = read_yaml(text, origin, CampaignError)
    if not isinstance(data, dict):
        raise CampaignError(f"{origin} must be a mapping with keys like `name` and `targets`")
    for key, value in (overrides or {}).items():
        _set_dotted(data, key, value)
    if change is not None:
        _refuse_wrong_kinds(data, origin)
        change(data)
    try:
        spec = CampaignSpec.model_validate(data)
    except ValidationError as err:
        raise CampaignError(_not_valid(origin, err, data)) from err
    _require_generators(spec, origin)
    _require_scale(spec, origin)
    _require_columns(spec, origin)
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


def _require_scale(spec: CampaignSpec, origin: str) -> None:
    """CampaignError for a scale of energies that nothing here computes on."""
    scale = spec.hull.scale
    known = (MATERIALS_PROJECT, *registry("gen2dft.engines"))
    if scale is not None and scale.partition(":")[0] not in known:
        raise CampaignError(
            f"{origin} is not valid:\n  hull.scale: {not_one_of('scale', scale, known)} An "
            "engine's may end in its run type (gpaw:PBE); leave the key out if it is none of them"
        )


def _require_columns(spec: CampaignSpec, origin: str) -> None:
    """CampaignError for columns that nobody reads."""
    source, columns = spec.dataset.source, spec.dataset.columns
    if columns and source in ON_ITS_SCALE:
        raise CampaignError(
            f"{origin} is not valid:\n  dataset.columns: source {source!r} is no table of yours; "
            "leave `columns` out, or name a file (dataset.source)"
        )


def _read(path: Path) -> str:
    try:
        return read_text(path)
    except FileNotFoundError:
        raise CampaignError(f"campaign file {path} does not exist") from None
    except (OSError, ValueError) as err:
        where = brief(str(path), 300)
        raise CampaignError(f"cannot read campaign file {where}: {why_unreadable(err)}") from err


def _refuse_wrong_kinds(data: Mapping[str, Any], origin: str) -> None:
    """CampaignError if a part is no part at all, so that what changes the data may rely on that."""
    try:
        CampaignSpec.model_validate(data)
    except ValidationError as err:
        if any(problem["type"].endswith(WRONG_KIND) for problem in err.errors()):
            raise CampaignError(_not_valid(origin, err, data)) from err


def _set_dotted(data: dict[str, Any], key: str, value: Any) -> None:
    steps = key.split(".")
    if len(steps) > DEEPEST or not all(steps):
        raise CampaignError(
            f"{brief(key)!r} is no key of a campaign file: write parts with dots between, such as "
            "learning.batch"
        )
    part: Any = data
    for done, step in enumerate(steps[:-1], start=1):
        inner = _inside(part, step, key)
        if inner is None:
            inner = {}
            _put(part, step, key, inner)
        if not isinstance(inner, dict | list):
            raise CampaignError(
                f"{brief(key)}: {brief('.'.join(steps[:done]))} is {shown(inner)}, which has no "
                "keys of its own"
            )
        part = inner
    _put(part, steps[-1], key, value)


def _inside(part: Any, step: str, key: str) -> Any:
    """What a list or mapping holds at a step of a dotted key; None: nothing yet."""
    return part[_place(part, step, key)] if isinstance(part, list) else part.get(step)


def _put(part: Any, step: str, key: str, value: Any) -> None:
    part[_place(part, step, key) if isinstance(part, list) else step] = value


def _place(part: list[Any], step: str, key: str) -> int:
    """The place in a list that a step of a dotted key names, from 0."""
    if step.isascii() and step.isdecimal() and len(step) < DIGITS and int(step) < len(part):
        return int(step)
    raise CampaignError(
        f"{brief(key)}: {brief(step)!r} is no place in a list of {len(part)}; they are counted "
        "from 0"
    )


def _not_valid(origin: str, err: ValidationError, data: object) -> str:
    lines = [f"  {line}" for line in explain(err, CampaignSpec, data)]
    return "\n".join([f"{origin} is not valid:", *lines])
