"""Property steps: each computes one property of a crystal after its static calculation.

A step ships with gen2dft or comes from another package, by an entry point of the group
`gen2dft.properties` that names a `PropertyStep`. Flows append the steps that a campaign's targets
and heads ask for; the label takes whatever values they give.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from gen2dft.engines import load_engine
from gen2dft.engines.base import CalculationFailure, Engine
from gen2dft.errors import CampaignError, PluginMissing
from gen2dft.plugins import origin, registry
from gen2dft.properties import GROUP, STATIC, Property, Transform, plugged_step

if TYPE_CHECKING:
    from jobflow import Flow, Job

    from gen2dft.campaign import CampaignSpec, Part, PropertySpec
    from gen2dft.store.store import Store

# Other packages add steps by entry points of this group, each naming a PropertyStep.
STEPS: dict[str, Callable[[], PropertyStep]] = registry(GROUP)

# From the outputs of the static calculation and of the step before (None after `static`) to a job
# or a flow whose output is the step's outcome.
Compute = Callable[[Any, Any], "Job | Flow"]


class StepOutcome(BaseModel):
    """Result of a step for one crystal, or the reason why there is none."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    values: dict[str, float] = Field({}, description="property to value, in the property's unit")
    errors: dict[str, float] = Field(
        {}, description="property to the error that its value states, in its unit"
    )
    doubts: list[str] = Field(
        [], description="why a value may mean nothing, see gen2dft.doubts: `narrow_gap`, ..."
    )
    warnings: list[str] = []
    core_hours: float = Field(0.0, description="what the step has cost")
    program: str | None = Field(
        None, description="program that made the values, if the step has a choice of them"
    )
    program_version: str | None = Field(None, description="version of that program")
    costs: dict[str, float] = Field(
        {}, description="the same by part, core-hours; empty: the step is one part"
    )
    reason: str | None = Field(
        None, description="short snake_case name of what kept the step from its property"
    )
    detail: str | None = Field(None, description="the same for people")


class Made(NamedTuple):
    """For which candidate something was computed, and by what.

    `id` is that of a label of the same.
    """

    id: str
    campaign_id: str
    candidate_id: str
    formula: str
    engine: str
    is_dft: bool
    preset: str
    settings_hash: str


def any_engine(engine: Engine) -> bool:  # noqa: ARG001 - a step that asks nothing of the engine
    """Whether a step runs that needs no more than energies and forces: always."""
    return True


def nothing_to_check(settings: Any) -> None:
    """Check of a step that runs wherever its package is installed."""
    del settings


def outcome_of(store: Store, made: Made, settings: Any, output: Any) -> StepOutcome:
    """The outcome that a step's last job gave, unless a step keeps more than that.

    A job that crashed leaves None; it, a failure and values that are no numbers become reasons.
    """
    del store, made, settings
    if output is None:
        return StepOutcome(reason="no_result", detail="its calculation left no result")
    if isinstance(output, CalculationFailure):
        return StepOutcome(**output.model_dump(include={"reason", "detail", "core_hours", "costs"}))
    outcome = StepOutcome.model_validate(output)
    broken = [name for name, value in outcome.values.items() if not math.isfinite(value)]
    if not broken:
        return outcome
    names = ", ".join(sorted(broken))
    return StepOutcome(
        warnings=outcome.warnings,
        core_hours=outcome.core_hours,
        costs=outcome.costs,
        reason="not_finite",
        detail=f"{names} came out as NaN or infinite",
    )


@dataclass(frozen=True)
class PropertyStep:
    """One property and its computation.

    Parameters
    ----------
    name, unit
        Of the property; every value is in this unit.
    maker
        Called with the names of an engine and a preset and with the campaign's settings of the
        step. It returns a function of the outputs of the static calculation and of the step before
        (None after `static`), which builds a jobflow Job or Flow. The output of that is a
        `StepOutcome`, or a `CalculationFailure`.
    after
        `static`, or the step that goes before; that one then runs too.
    title
        Text for axes and tables; the name in words unless given.
    transform
        Scale on which property heads learn it, see `gen2dft.properties.Property`.
    settings
        Model of `properties.NAME.settings` in campaign files; None: the step has no settings.
    key
        Top-level part of a campaign file that holds the settings instead.
    runs_on
        Whether an engine gives what the step needs.
    check
        Called with the settings before a campaign begins and before a worker begins a candidate;
        PluginMissing, with the remedy, if they ask for a program that is not installed here.
    keep
        Turns the output into the outcome when the label is written; a step may keep more in the
        store then. It is called again when an ingest is repeated.
    """

    name: str
    unit: str
    maker: Callable[[str, str, Any], Compute]
    after: str = STATIC
    title: str = ""
    transform: Transform = "identity"
    settings: type[Part] | None = None
    key: str | None = None
    runs_on: Callable[[Engine], bool] = any_engine
    check: Callable[[Any], None] = nothing_to_check
    keep: Callable[[Store, Made, Any, Any], StepOutcome] = outcome_of

    @property
    def definition(self) -> Property:
        """The property that labels, targets and heads speak of."""
        title = self.title or self.name.replace("_", " ")
        return Property(self.name, self.unit, title, self.transform)


def load_step(name: str, entry: PropertySpec | None = None) -> PropertyStep:
    """The step that computes a property.

    Parameters
    ----------
    entry
        What the campaign says about the property, if anything.

    Raises
    ------
    PluginMissing
        If its package is not installed here, cannot be imported, or computes another unit than the
        campaign began with.
    """
    package = entry.package if entry else None
    if name not in STEPS:
        raise PluginMissing(
            f"property {name!r} is computed by package {package or 'that brings it'}, which is not "
            "installed here: pip install it on every worker"
        )
    step: PropertyStep = plugged_step(name, package)
    if entry is None or entry.unit is None:
        return step
    if entry.unit != step.unit:
        raise PluginMissing(
            f"property {name!r} is in {entry.unit} in this campaign, but {package} computes it in "
            f"{step.unit} here: install the version that the campaign began with"
        )
    return step


def settings_of(step: PropertyStep, spec: CampaignSpec) -> Any:
    """Settings that a campaign gives to a step; CampaignError names the key that is wrong."""
    entry = spec.properties.get(step.name)
    given = entry.settings if entry else {}
    if step.key is not None:
        if given:
            raise CampaignError(f"properties.{step.name} takes its settings from `{step.key}:`")
        return getattr(spec, step.key)
    if step.settings is None:
        if given:
            raise CampaignError(f"properties.{step.name} takes no settings; leave them out")
        return None
    try:
        return step.settings.model_validate(given)
    except ValidationError as err:
        problem = err.errors()[0]
        keys = (step.name, "settings", *problem["loc"])
        place = ".".join(map(str, keys))
        raise CampaignError(f"properties.{place}: {problem['msg']}") from err


def _checked_settings(step: PropertyStep, spec: CampaignSpec) -> Any:
    """Settings of a step that can run with them here."""
    settings = settings_of(step, spec)
    step.check(settings)
    return settings


def steps_of(spec: CampaignSpec) -> tuple[PropertyStep, ...]:
    """The steps that a campaign's targets and heads ask for and its engine can serve, in the order
    in which they run.

    Raises
    ------
    PluginMissing
        If one of them is from a package that is not here.
    CampaignError
        If steps wait for each other in a circle.
    """
    found: dict[str, PropertyStep] = {}
    for name in _asked_for(spec):
        for step in _runnable(name, spec):
            found[step.name] = step
    return tuple(found.values())


def check_steps(spec: CampaignSpec) -> None:
    """Check steps and their settings: errors of `steps_of`, `settings_of` and each step's `check`,
    and CampaignError for settings that no step reads.
    """
    steps = {step.name: _checked_settings(step, spec) for step in steps_of(spec)}
    unread = [name for name, entry in spec.properties.items() if entry.settings]
    for name in unread:
        if name not in steps:
            raise CampaignError(
                f"properties.{name}.settings has no step to read it: no target and no head asks "
                "for the property, or the engine does not serve its step"
            )


def step_names(spec: CampaignSpec) -> frozenset[str]:
    """Properties that steps of a campaign compute, whether or not their packages are here."""
    names: set[str] = set()
    for name in _asked_for(spec):
        try:
            steps = _runnable(name, spec)
            names.update(step.name for step in steps)
        except PluginMissing:
            names.add(name)  # another worker computes it, so nothing else may stand in for it
    return frozenset(names)


def _asked_for(spec: CampaignSpec) -> list[str]:
    """Properties that a step computes, here or where its package is installed."""
    names = []
    left_to_heads = {target.property for target in spec.targets if target.by == "prediction"}
    for name in spec.head_properties:
        if name in left_to_heads:
            continue
        entry = spec.properties.get(name)
        is_elsewhere = entry is not None and entry.package is not None
        if name in STEPS or is_elsewhere:
            names.append(name)
    return names


def _runnable(name: str, spec: CampaignSpec) -> list[PropertyStep]:
    """A step after those that it waits for; none if the engine does not serve all of them."""
    engine = load_engine(spec.validation.engine)
    chain: list[PropertyStep] = []
    while name != STATIC:
        names = [step.name for step in chain]
        if name in names:
            circle = " after ".join([*names, name])
            raise CampaignError(f"property steps wait for each other: {circle}")
        entry = spec.properties.get(name)
        step = load_step(name, entry)
        chain.append(step)
        name = step.after
    is_served = all(step.runs_on(engine) for step in chain)
    return chain[::-1] if is_served else []


def provided(spec: CampaignSpec, engine: str) -> frozenset[str]:
    """Properties that labels of a campaign carry, made by an engine: its own and those of steps."""
    return load_engine(engine).provides | step_names(spec)


def computes(spec: CampaignSpec, preset: str) -> Mapping[str, tuple[str, Compute]]:
    """Name of each step to its predecessor and the builder of its jobs, in the order of the run.

    Parameters
    ----------
    preset
        Of the static calculation that the steps follow.

    Raises
    ------
    PluginMissing
        If a package or program that a step needs is not installed here.
    """
    engine = spec.validation.engine
    builders = {}
    for step in steps_of(spec):
        settings = _checked_settings(step, spec)
        builders[step.name] = (step.after, step.maker(engine, preset, settings))
    return builders


def made_by(name: str, outcome: StepOutcome | None = None) -> dict[str, str]:
    """Package and version of a step, as a label's provenance names them, and those of the program
    behind its outcome.
    """
    package, version = origin(GROUP, name)
    made = {"package": package, "version": version}
    if outcome is None or outcome.program is None:
        return made
    return {
        **made,
        "program": outcome.program,
        "program_version": outcome.program_version or "unknown",
    }
