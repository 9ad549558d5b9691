"""Campaign files read, and what is wrong in them told by place and remedy."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, get_args, get_origin

import yaml
from pydantic import BaseModel, ValidationError

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
        return CampaignSpec.model_validate(data)
    except ValidationError as err:
        raise CampaignError(f"{origin} is not valid:\n" + "\n".join(_explain(err))) from err


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as err:
        raise CampaignError(f"cannot read campaign file {path}: {err}") from err


def _set_dotted(data: dict[str, Any], key: str, value: Any) -> None:
    *folders, last = key.split(".")
    for folder in folders:
        data = data.setdefault(folder, {})
    data[last] = value


def _explain(err: ValidationError) -> list[str]:
    """One line per problem: where, what, and for a misspelt key the nearest valid one."""
    lines = []
    for problem in err.errors():
        place = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            valid = _keys_at(CampaignSpec, problem["loc"][:-1])
            near = difflib.get_close_matches(str(problem["loc"][-1]), valid, n=1, cutoff=0.4)
            hint = (
                f"did you mean {near[0]!r}?" if near else f"valid keys: {', '.join(sorted(valid))}"
            )
            lines.append(f"  {place}: unknown key; {hint}")
        else:
            given = (
                f" (given: {problem['input']!r})"
                if not isinstance(problem["input"], dict | list)
                else ""
            )
            lines.append(
                f"  {place or 'file'}: {problem['msg'].removeprefix('Value error, ')}{given}"
            )
    return lines


def _keys_at(model: type[BaseModel], place: Sequence[int | str]) -> list[str]:
    """Valid keys of the part at `place`."""
    names_an_entry = False
    for step in place:
        if isinstance(step, int) or names_an_entry:
            names_an_entry = False
            continue
        info = next(f for n, f in model.model_fields.items() if step in (n, f.alias))
        # The keys of a mapping, such as `properties`, are names that the file chooses.
        names_an_entry = get_origin(info.annotation) is dict
        model = next(t for t in (info.annotation, *get_args(info.annotation)) if _is_model(t))
    return [field.alias or name for name, field in model.model_fields.items()]


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)
