"""The list of gates in a campaign file: names and settings, in the order in which they run.

The gates themselves lie above this room. Their settings are looked up in the registry, where those
that ship and those of other packages are named alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field, ValidationError

from gen2dft.campaign.bounds import Angle, Ascending, Length, Scale, Volume
from gen2dft.campaign.part import Fraction, Part
from gen2dft.campaign.problems import explain
from gen2dft.errors import not_one_of, shown
from gen2dft.funnel import AFTER_GATES, BEFORE_GATES
from gen2dft.plugins import registry

GROUP = "gen2dft.gates"
DEFAULT = "default"  # in a list: all gates that the keys of `screening` ask for
ALREADY_RESOLVED = "gates_already_resolved"  # in pydantic's context: the list is a stored one
# Names that no gate may have: other stages of the funnel are told by theirs.
RESERVED = (DEFAULT, *BEFORE_GATES, *AFTER_GATES)
P = TypeVar("P", bound=Part)
GateEntry = dict[str, dict[str, Any]]  # one name to the gate's settings


class GeometrySettings(Part):
    """Limits of the gate `geometry`, which are keys of `screening` as well."""

    min_distance_ratio: Scale = Field(
        0.6, description="shortest distance over the sum of covalent radii"
    )
    min_distance: Length = Field(0.7, description="shortest distance, Angstrom")
    volume_per_atom: Annotated[tuple[Volume, Volume], Ascending] = Field(
        (4.0, 120.0), description="Angstrom^3 per atom"
    )
    angles: Annotated[tuple[Angle, Angle], Ascending] = Field(
        (25.0, 155.0), description="cell angles, degree"
    )


class WeighingSettings(Part):
    """Keys that every gate in a list may have beside its own."""

    mode: Literal["refuse", "weigh"] = Field(
        "refuse",
        description="what becomes of a crystal that the gate finds a fault in: refused, or kept "
        "with its chance multiplied by `ratio`",
    )
    ratio: Fraction | None = Field(
        None,
        description="share of good crystals among those refused, over that among those passed; by "
        "default the gate's measured one",
    )


WEIGHING = tuple(WeighingSettings.model_fields)  # no gate may have settings of these names


# Keys of `screening` that decide which gates run by default, and with which settings.
DECISIVE = (*GeometrySettings.model_fields, "charge_balance", "novelty")


def default_gates(keys: Mapping[str, Any]) -> list[GateEntry]:
    """The gates that the keys of `screening` ask for, the cheapest first."""
    limits = {name: keys[name] for name in GeometrySettings.model_fields}
    gates: list[GateEntry] = [{"geometry": limits}, {"elements": {}}]
    if keys["charge_balance"]:
        gates.append({"charge": {"strict": keys["charge_balance"] == "strict"}})
    if keys["novelty"] == "formula":
        gates.append({"formula": {}})
    novel = {} if keys["novelty"] != "none" else {"known": False}
    return [*gates, {"duplicates": novel}]


def resolve_gates(listed: Any, keys: Mapping[str, Any]) -> tuple[GateEntry, ...]:
    """The gates of a list with all their settings; `default` is replaced by those of the keys.

    Settings that an entry leaves out come from the keys of `screening`, where there are such, and
    else from the gate. All are written out, so that another version of a plugin, with other
    defaults, makes another campaign.

    Raises
    ------
    ValueError
        A gate that is unknown or named twice, wrong settings, a list that contradicts the keys.
    """
    if not isinstance(listed, list | tuple) or not listed:
        raise ValueError(
            f"give a list of gates, each a name or {{name: settings}}, such as [{DEFAULT}]; "
            "without the key the other keys of `screening` decide"
        )
    by_keys = default_gates(keys)
    entries: list[GateEntry] = []
    for entry in listed:
        name, given = _name_and_settings(entry)
        if name == DEFAULT:
            entries += by_keys
        else:
            entries.append({name: {**_settings_in(by_keys, name), **given}})
    _refuse_twice([name for entry in entries for name in entry])
    _refuse_contradictions(entries, keys)
    return tuple(
        {name: _complete(name, given)} for entry in entries for name, given in entry.items()
    )


def without_weighing(settings: Mapping[str, Any]) -> tuple[dict[str, Any], float | None]:
    """A gate's own settings of those in a resolved list, and its ratio; None: it refuses."""
    own = {key: value for key, value in settings.items() if key not in WEIGHING}
    return own, settings.get("ratio")


def gate_class(name: str) -> Any:
    """A registered gate.

    Raises
    ------
    ValueError
        No package installed here brings a gate of that name, or it cannot be imported.
    """
    if name in RESERVED:
        raise ValueError(f"gate {name!r}: the name is taken, by another stage of the funnel")
    gates = registry(GROUP)
    if name not in gates:
        raise ValueError(
            f"{not_one_of('gate', name, gates)} If another package brings it, install that package "
            "on this machine (pip install); `gen2dft doctor` lists what is installed"
        )
    try:
        return gates[name]()
    except (ImportError, AttributeError) as err:
        raise ValueError(
            f"gate {name!r} cannot be loaded ({err}): reinstall the package that brings it"
        ) from err


def _name_and_settings(entry: Any) -> tuple[str, Mapping[str, Any]]:
    if isinstance(entry, str):
        return entry, {}
    if not isinstance(entry, Mapping) or len(entry) != 1:
        raise ValueError(f"{shown(entry)} is not a gate: give a name, or {{name: settings}}")
    (name, given), *_ = entry.items()
    if given is None:  # `- charge:` in YAML
        return str(name), {}
    if name == DEFAULT:
        raise ValueError(f"`{DEFAULT}` is not a gate that has settings: name it alone")
    if not isinstance(given, Mapping):
        raise ValueError(f"gate {shown(name)} cannot have {shown(given)}: give {{name: settings}}")
    return str(name), {str(key): value for key, value in given.items()}


def _settings_in(entries: Sequence[GateEntry], name: str) -> dict[str, Any]:
    return next((entry[name] for entry in entries if name in entry), {})


def _refuse_twice(names: Sequence[str]) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"gates named twice: {', '.join(twice)}")


def _refuse_contradictions(entries: Sequence[GateEntry], keys: Mapping[str, Any]) -> None:
    names = {name for entry in entries for name in entry}
    if "charge" in names and not keys["charge_balance"]:
        raise ValueError("gate 'charge' is listed, but charge_balance is false: drop one of them")
    if "formula" in names and keys["novelty"] != "formula":
        raise ValueError(
            f"gate 'formula' is listed, but novelty is {keys['novelty']!r}: drop one of them"
        )


def _complete(name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The settings of a gate with its defaults, as plain values."""
    gate = gate_class(name)
    general = {key: given[key] for key in WEIGHING if key in given}
    own = {key: value for key, value in given.items() if key not in WEIGHING}
    settings = _validated(name, gate.Settings, own)
    weighing = _validated(name, WeighingSettings, general)
    found: dict[str, Any] = settings.model_dump(mode="json")
    if weighing.mode == "weigh":
        found |= {"mode": "weigh", "ratio": _ratio(name, gate(settings), weighing.ratio)}
    elif weighing.ratio is not None:
        raise ValueError(f"gate {name!r}: ratio counts with `mode: weigh` alone; add it")
    return found


def _validated(name: str, settings: type[P], given: Mapping[str, Any]) -> P:
    try:
        return settings.model_validate(given)
    except ValidationError as err:
        raise ValueError(f"gate {name!r}: {'; '.join(explain(err, settings))}") from err


def _ratio(name: str, gate: Any, given: float | None) -> float:
    """The ratio that a weighing gate goes by; `gate` with its settings."""
    if gate.must_refuse:
        raise ValueError(f"gate {name!r} cannot weigh: {gate.must_refuse}; drop `mode`")
    ratio = gate.measured_ratio if given is None else given
    if ratio is None:
        raise ValueError(
            f"gate {name!r}: its ratio has not been measured; give one, such as `ratio: 0.3` "
            "(benchmarks/bench_gates.py measures it)"
        )
    return float(ratio)
