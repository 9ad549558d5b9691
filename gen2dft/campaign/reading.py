"""Campaign files read, and what is wrong in them told by place and remedy."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError

from gen2dft.campaign.generator import GeneratorSpec
from gen2dft.campaign.part import Part
from gen2dft.campaign.sources import DEFAULT, generator_class, settings_class
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


def load_campaign(name_or_file: str, overrides: Mapping[str, Any] | None = None) -> CampaignSpec:
    """Read a campaign by its built-in name or from a YAML file.

    Parameters
    ----------
    name_or_file
        `thermoelectric`, or a path that ends in .yaml or .yml.
    overrides
        Dotted keys to values set after reading, e.g. `{"learning.rounds": 3}`.

    Raises
    ------
    CampaignError
        Unknown name, unreadable file or invalid content; the message names file, field and remedy.
    """
    if name_or_file.endswith((".yaml", ".yml")):
        path = Path(name_or_file)
        if not path.is_file():
            raise CampaignError(f"campaign file {path} does not exist")
        return parse_campaign(_read(path), str(path), overrides)
    if name_or_file not in builtin_campaigns():
        message = not_one_of("campaign", name_or_file, builtin_campaigns())
        raise CampaignError(f"{message} To use a file of your own: -f FILE.yaml")
    resource = resources.files("gen2dft.flows") / "campaigns" / f"{name_or_file}.yaml"
    return parse_campaign(resource.read_text(), f"campaign {name_or_file}", overrides)


def parse_campaign(
    text: str, origin: str, overrides: Mapping[str, Any] | None = None
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
    try:
        spec = CampaignSpec.model_validate(data)
    except ValidationError as err:
        raise CampaignError(f"{origin} is not valid:\n" + "\n".join(_explain(err, data))) from err
    _require_generators(spec, origin)
    return spec


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


def _explain(err: ValidationError, data: Mapping[str, Any]) -> list[str]:
    """One line per problem: where, what, and for a misspelt key the nearest valid one."""
    lines = []
    for problem in err.errors():
        place = ".".join(str(step) for step in problem["loc"])
        if problem["type"] == "extra_forbidden":
            found = _unknown_key(problem["loc"], data)
        else:
            found = problem["msg"].removeprefix("Value error, ") + _given(problem["input"])
        lines.append(f"  {place or 'file'}: {found}")
    return lines


def _given(value: object) -> str:
    return "" if isinstance(value, dict | list) else f" (given: {value!r})"


def _unknown_key(place: Sequence[int | str], data: object) -> str:
    """What to say of the key at `place`, which its part does not have."""
    *above, key = place
    part, name = _part_at(above, data)
    valid = [field.alias or name for name, field in part.model_fields.items()]
    near = difflib.get_close_matches(str(key), valid, n=1, cutoff=0.4)
    hint = f"did you mean {near[0]!r}?" if near else f"valid keys: {', '.join(sorted(valid))}"
    owner = f" of generator {name!r}" if name else ""
    return f"unknown key{owner}; {hint}"


def _part_at(place: Sequence[int | str], data: object) -> tuple[type[BaseModel], str]:
    """The class that reads the part at `place`, and the generator whose settings it is, if any."""
    part: type[Part] = CampaignSpec
    generator = ""
    for step in place:
        data = _inside(data, step)
        if isinstance(step, str):
            part, generator = _part_of(part, step), ""
        if part is GeneratorSpec and isinstance(data, Mapping):
            generator = str(data.get("name", DEFAULT))
            part = settings_class(generator)
    return part, generator


def _inside(data: Any, step: int | str) -> object:
    """What lies in the data at a step; None for a part given by another name."""
    try:
        return data[step]
    except (LookupError, TypeError):
        return None


def _part_of(part: type[Part], key: str) -> type[Part]:
    """The class of the part at a key of another part, or in a list there."""
    field = next(f for name, f in part.readable().items() if key in (name, f.alias))
    return next(choice for choice in _types_in(field.annotation) if _is_part(choice))


def _types_in(annotation: Any) -> Iterator[Any]:
    """An annotation and all that it is composed of."""
    yield annotation
    for inner in get_args(annotation):
        yield from _types_in(inner)


def _is_part(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, Part)
