"""What is told of one candidate, checked before it goes anywhere: names, units, numbers, scale."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from gen2dft.campaign.engine_defaults import EXTERNAL, EXTERNAL_DFT
from gen2dft.engines import ENGINES, load_engine
from gen2dft.engines.external import TOLD
from gen2dft.errors import AnswerError, CampaignError, not_one_of
from gen2dft.hashing import content_hash
from gen2dft.thermo.scales import MATERIALS_PROJECT, engine_scale

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from gen2dft.engines.base import Engine
    from gen2dft.properties import Properties

FORMATION_ENERGY, DISTANCE = "formation_energy", "e_above_hull"
ALIASES = {"mp2020": MATERIALS_PROJECT}
LONGEST_REASON = 40  # characters; reasons are counted in tables
LONGEST_DETAIL = 2000  # characters; a program may repeat itself without end
_WITH_UNIT = re.compile(r"^\s*(.*?)\s*(?:\((.*)\))?\s*$", re.DOTALL)
_ENGINE = re.compile(r"^([\w-]+):([\w.-]+)$")


@dataclass(frozen=True)
class Answer:
    """What came out for one candidate: a result, or why there is none.

    Parameters
    ----------
    values
        Property to value in the property's unit. `formation_energy` (eV/atom) takes a `scale`.
    structure
        Relaxed crystal; None: as it was asked for.
    energy
        Total energy of the cell of `structure`, eV, in the place of `formation_energy`.
    scale
        What the energy is measured on: the hull's scale, or `mp2020` for the Materials Project's
        corrected energies.
    dft
        Whether DFT computed it; None: the engine in `basis` says so, and else it did not.
    basis
        What computed or measured it: free text such as `VASP 6, PBE`, or an engine of gen2dft's
        with its preset, `mlip:chgnet-v1`.
    failed
        Why there is no result; nothing else is told then.
    core_hours
        What it has cost; counted in the budget.
    """

    values: Mapping[str, float] = field(default_factory=dict)
    structure: Structure | None = None
    energy: float | None = None
    scale: str | None = None
    dft: bool | None = None
    basis: str = ""
    failed: str = ""
    core_hours: float = 0.0

    @property
    def has_energy(self) -> bool:
        """Whether a formation energy is told, or can be had."""
        return self.energy is not None or FORMATION_ENERGY in self.values

    @property
    def named_scale(self) -> str | None:
        """The scale by the name that hulls use."""
        return ALIASES.get(self.scale or "", self.scale)

    @property
    def reason(self) -> str:
        """Why there is no result, as a short snake_case name."""
        words = re.sub("[^a-z0-9]+", "_", self.failed.lower())
        return words[:LONGEST_REASON].strip("_") or "failed"

    def digest(self) -> str:
        """Hash of everything that is told: the same answer again is no second one."""
        content = {name: value for name, value in vars(self).items() if name != "structure"}
        content["values"] = dict(self.values)
        if self.structure is not None:
            content["structure"] = self.structure.as_dict(verbosity=0)
        return content_hash(json.dumps(content, sort_keys=True, default=str), digits=16)


@dataclass(frozen=True)
class Origin:
    """Who an answer is by, as labels name it."""

    engine: Engine
    preset: str
    settings_hash: str

    @property
    def is_named(self) -> bool:
        """Whether an engine of gen2dft's computed it."""
        return self.engine.name not in (EXTERNAL, EXTERNAL_DFT)

    @property
    def scale(self) -> str | None:
        """What energies are on unless the answer says so; None where only the answer can."""
        if not self.is_named:
            return None
        return self.engine.scale or engine_scale(self.engine.name, None)

    @classmethod
    def of(cls, answer: Answer) -> Origin:
        """From the basis; AnswerError if it contradicts `dft`, or DFT does not say what it was."""
        found = _ENGINE.match(answer.basis)
        if found is None or found[1] not in ENGINES:
            if answer.dft and not answer.basis:
                raise AnswerError(
                    "a result by DFT needs its basis, program and functional: basis='VASP 6, PBE'"
                )
            engine = load_engine(EXTERNAL_DFT if answer.dft else EXTERNAL)
            settings_hash = engine.preset(TOLD).settings_hash
            return cls(engine, answer.basis or TOLD, settings_hash)
        engine = load_engine(found[1])
        if answer.dft is not None and answer.dft != engine.is_dft:
            kind = "DFT" if engine.is_dft else "a surrogate, and never called DFT"
            raise AnswerError(f"basis {answer.basis!r}: engine {engine.name!r} is {kind}")
        return cls(engine, found[2], _settings_hash(engine, found[2]))


def _settings_hash(engine: Engine, preset: str) -> str:
    try:
        return engine.preset(preset).settings_hash
    except CampaignError as err:
        raise AnswerError(
            f"basis '{engine.name}:{preset}': {err}; any other program is named in words, as "
            "'VASP 6, PBE'"
        ) from err


def property_of(text: str, known: Properties) -> str:
    """Name of the property in `band_gap` or `band_gap (eV)`.

    Raises
    ------
    AnswerError
        There is no such property, or its unit is another one.
    """
    name, unit = split_unit(text)
    if name not in known:
        raise AnswerError(not_one_of("property", name, known))
    if unit is not None and unit != known[name].unit:
        raise AnswerError(
            f"{name} is told in {unit!r}, and its unit is {known[name].unit!r}: convert the values"
        )
    if name == DISTANCE:
        raise AnswerError(
            f"{DISTANCE} is not told: it is measured against the campaign's hull; tell "
            f"{FORMATION_ENERGY} or energy, and its scale"
        )
    return name


def split_unit(text: str) -> tuple[str, str | None]:
    """Name and unit of a column or key such as `band_gap (eV)`; None where no unit is given."""
    found = _WITH_UNIT.match(text)
    if found is None:  # matches any text
        return text, None
    return found[1], found[2]


def checked(answer: Answer, known: Properties) -> Answer:
    """The answer with plain names of properties.

    Raises
    ------
    AnswerError
        An unknown property, another unit, something that is no number, an energy without its scale
        or cell, a failure beside a result, or nothing at all.
    """
    _check_kinds(answer)
    values = {property_of(name, known): value for name, value in answer.values.items()}
    for name, value in {**values, "energy": answer.energy, "core_hours": answer.core_hours}.items():
        if value is not None:
            _must_be_number(name, value)
    if answer.core_hours < 0:
        raise AnswerError(f"core_hours is {answer.core_hours:g}: a cost is at least 0")
    has_result = bool(values) or answer.energy is not None
    if has_result and answer.failed:
        raise AnswerError(
            f"a result and a failure ({answer.failed!r}) are told at once: tell one of them"
        )
    if not has_result and not answer.failed:
        raise AnswerError("nothing is told: give values, energy, or why it failed (failed=...)")
    numbers = {name: float(value) for name, value in values.items()}
    plain = replace(answer, values=numbers, failed=(answer.failed or "")[:LONGEST_DETAIL])
    _check_energy(plain)
    return plain


def _check_kinds(answer: Answer) -> None:
    """AnswerError for an argument of another kind, as a script may give it."""
    if not isinstance(answer.values, Mapping) or not all(map(_is_text, answer.values)):
        raise AnswerError('values are told by property: values={"band_gap": 0.6}')
    for name in ("scale", "basis", "failed"):
        given = getattr(answer, name)
        if given is not None and not _is_text(given):
            raise AnswerError(f"{name} is {given!r}: write it as text")
    if answer.dft is not None and not isinstance(answer.dft, bool):
        raise AnswerError(f"dft is {answer.dft!r}: True or False")


def _is_text(given: object) -> bool:
    return isinstance(given, str)


def _must_be_number(name: str, value: Any) -> None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    # NumPy's numbers are registered as neither, but behave alike.
    is_number = is_number or type(value).__module__ == "numpy"
    if not is_number or not math.isfinite(value):
        raise AnswerError(f"{name} is {value!r}, which is no finite number")


def _check_energy(answer: Answer) -> None:
    if answer.energy is not None and FORMATION_ENERGY in answer.values:
        raise AnswerError(f"energy and {FORMATION_ENERGY} are told at once: tell one of them")
    if answer.energy is not None and answer.structure is None:
        raise AnswerError(
            "energy is that of a cell, eV: tell the relaxed structure too, or formation_energy in "
            "eV/atom"
        )
    if answer.scale is not None and not answer.has_energy:
        raise AnswerError(f"scale {answer.scale!r} is told without an energy")
