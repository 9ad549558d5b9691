"""The data of a campaign file for crystals of one's own, in the place of its generators."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from gen2dft.campaign.gate_list import DEFAULT
from gen2dft.errors import CampaignError

GENERATOR = "structures"
DRAWN_BY = ("generator", "generators", "sampling", "draws")  # keys that say how crystals are made
MAX_SITES = "generator.max_sites"  # the one key of these that given crystals have, too
NOVELTY_GATES = ("formula", "duplicates")
# For decoded nonsense; primitive cells of published crystals (Bi2Te3: 24.2 degrees) lie outside.
ANGLES = (10.0, 170.0)
# With `--all`, what no crystal is.
WIDEST = {
    "min_distance_ratio": 0.2,
    "min_distance": 0.5,
    "volume_per_atom": (1.0, 1000.0),
    "angles": (1.0, 179.0),
}


@dataclass(frozen=True)
class Given:
    """Crystals that take the place of a campaign's generators.

    Parameters
    ----------
    snapshot
        Id of the stored crystals.
    number
        How many they are.
    elements
        Symbols of their elements.
    novelty
        Whether the campaign's novelty is asked for.
    everything
        Whether gates and screen reject none of them.
    """

    snapshot: str
    number: int
    elements: tuple[str, ...]
    novelty: bool = False
    everything: bool = False


def take_the_place(data: dict[str, Any], given: Given, asked: Collection[str]) -> None:
    """Put crystals in the place of the generators of a campaign file.

    Parameters
    ----------
    data
        Content of the file with the command line's overrides; it is changed.
    asked
        Dotted keys of the command line, which stay as they are.

    Raises
    ------
    CampaignError
        The command line sets what given crystals do not have.
    """
    _refuse_meaningless(data, asked)
    _replace_generators(data, given, asked)
    _set_unless_asked(data, asked, "dataset.few_labels", "leave-open")
    _one_round(data, given, asked)
    _loosen_refinement(data)
    screening = _part(data, "screening")
    _judge(screening, given, asked)
    surrogate = _part(screening, "surrogate")
    _set_unless_asked(data, asked, "screening.surrogate.max_relaxations", None)
    if given.everything:
        surrogate["verdict"] = "mark"


def replaced(data: Mapping[str, Any]) -> str:
    """Names of the generators that a campaign file names, to tell that they are not used."""
    listed = data.get("generators") or [data.get("generator") or {}]
    return ", ".join(str(dict(entry).get("name", "ftcp")) for entry in listed)


def _refuse_meaningless(data: Mapping[str, Any], asked: Collection[str]) -> None:
    for key in asked:
        if key.partition(".")[0] in DRAWN_BY and key != MAX_SITES:
            raise CampaignError(
                f"--set {key} and --structures do not go together: nothing is generated; only "
                f"{MAX_SITES} may be set"
            )
    if "learning.rounds" in asked and data["learning"]["rounds"] != 1:
        raise CampaignError(
            "--structures gives the crystals of one round: leave --rounds out (a second campaign "
            "of other crystals is another `gen2dft submit --structures`)"
        )


def _replace_generators(data: dict[str, Any], given: Given, asked: Collection[str]) -> None:
    old = data.get("generators") or [data.get("generator") or {}]
    wanted = [name for source in old for name in source.get("properties", ())]
    generator: dict[str, Any] = {"name": GENERATOR, "snapshot": given.snapshot}
    if wanted:
        generator["properties"] = list(dict.fromkeys(wanted))
    if MAX_SITES in asked:
        generator["max_sites"] = data["generator"]["max_sites"]
    for key in DRAWN_BY:
        data.pop(key, None)
    data["generator"] = generator
    data["draws"] = given.number


def _one_round(data: dict[str, Any], given: Given, asked: Collection[str]) -> None:
    """All crystals are computed in the one round, unless a smaller batch is asked for."""
    learning = _part(data, "learning")
    learning["rounds"] = 1
    learning["control"] = 0.0
    if "learning.batch" in asked:
        return
    learning["batch"] = given.number
    for key in ("learning.audit", "learning.gate_audit"):
        _set_unless_asked(data, asked, key, 0.0)


def _loosen_refinement(data: dict[str, Any]) -> None:
    """A limit per way of sampling becomes one limit, the largest."""
    refine = _part(data, "validation").get("refine") or {}
    limits = refine.get("max_e_above_hull")
    if isinstance(limits, Mapping) and limits:
        refine["max_e_above_hull"] = max(limits.values())


def _judge(screening: dict[str, Any], given: Given, asked: Collection[str]) -> None:
    """Which gates judge the crystals, and what they compare them with."""
    if given.everything:
        screening.update({key: WIDEST[key] for key in WIDEST if f"screening.{key}" not in asked})
        screening.update(allowed_elements=list(given.elements), excluded_elements=[])
        screening.update(novelty="none", gates=["geometry"])
        return
    if "screening.angles" not in asked:
        screening["angles"] = ANGLES
    if not screening.get("allowed_elements"):
        # Not those of the training set, which has nothing to do with the crystals.
        screening["allowed_elements"] = list(given.elements)
    if not (given.novelty or "screening.novelty" in asked):
        screening["novelty"] = "none"
    screening["gates"] = _gates(screening)


def _gates(screening: Mapping[str, Any]) -> list[Any]:
    """The campaign's gates; none on novelty where that is not asked for."""
    novelty = screening.get("novelty", "formula")
    by_default = ["geometry", "elements"]
    if screening.get("charge_balance", True) is not False:
        by_default.append("charge")
    if novelty == "formula":
        by_default.append("formula")
    by_default.append("duplicates")
    listed: list[Any] = []
    for entry in screening.get("gates") or [DEFAULT]:
        listed += by_default if entry == DEFAULT else [entry]
    found: list[Any] = []
    for entry in listed:
        name = entry if isinstance(entry, str) else next(iter(entry))
        if name in NOVELTY_GATES and novelty == "none":
            continue
        found.append({"elements": {"any_number": True}} if name == "elements" else entry)
    return found


def _part(data: dict[str, Any], name: str) -> dict[str, Any]:
    """A part of the file, which is there from now on."""
    if data.get(name) is None:
        data[name] = {}
    part: dict[str, Any] = data[name]
    return part


def _set_unless_asked(
    data: dict[str, Any], asked: Collection[str], key: str, value: object
) -> None:
    if key in asked:
        return
    *folders, last = key.split(".")
    part = data
    for folder in folders:
        part = _part(part, folder)
    part[last] = value
