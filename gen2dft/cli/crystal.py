"""One crystal on the terminal: found by the beginning of its id, with its history, values and structure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from gen2dft.cli.common import counted, joined, plain_table, styled_state, when
from gen2dft.errors import StoreError, not_one_of
from gen2dft.properties import PROPERTIES
from gen2dft.report.wording import (
    PREDICTED,
    basis_text,
    power_factor_text,
    pretty,
    round_title,
    target_text,
    value_text,
)

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from gen2dft.campaign import Target
    from gen2dft.store.documents import CandidateDoc, LabelDoc
    from gen2dft.store.store import Store

SHORTEST = 4  # characters of an id that are enough to look for
SHOWN = 8  # candidates named when an id fits several


def find_crystal(store: Store, identifier: str) -> CandidateDoc | None:
    """The candidate whose id begins so; None if it names a campaign.

    Raises
    ------
    StoreError
        If no crystal, or more than one, fits; the message names those that come nearest.
    """
    campaigns = store.campaigns()
    if any(identifier in (c.id, c.name) for c in campaigns):
        return None
    prefix = identifier.rpartition(":")[2]
    found = store.find_candidates(prefix) if len(prefix) >= SHORTEST else []
    fitting = [doc for doc in found if ":" not in identifier or doc.id.startswith(identifier)]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        names = ", ".join(f"{doc.id} ({doc.formula})" for doc in fitting[:SHOWN])
        more = f" and {len(fitting) - SHOWN} more" if len(fitting) > SHOWN else ""
        raise StoreError(f"{identifier!r} fits {counted(len(fitting), 'crystal')}: {names}{more}; give more of the id")
    raise StoreError(_not_found(store, identifier, prefix, [name for c in campaigns for name in (c.id, c.name)]))


def _not_found(store: Store, identifier: str, prefix: str, campaigns: list[str]) -> str:
    """Message that names the crystals or the campaign that come nearest."""
    if len(prefix) < SHORTEST:
        return f"{identifier!r} is too short for an id: give at least {SHORTEST} characters, see `gen2dft hits`"
    for length in range(len(prefix) - 1, SHORTEST - 2, -1):
        if near := store.find_candidates(prefix[:length])[:3]:
            names = ", ".join(f"{doc.candidate_id} ({doc.formula})" for doc in near)
            return f"no crystal's id begins with {identifier!r}; nearest: {names}"
    return f"no crystal's id begins with {identifier!r}, and {not_one_of('campaign', identifier, set(campaigns))}"


def crystal_of(store: Store, candidate: CandidateDoc) -> tuple[dict[str, Any], str]:
    """The best structure there is of a candidate (pymatgen dictionary), and what it is.

    Raises
    ------
    StoreError
        If the latent point could not be decoded.
    """
    for label in _labels(store, candidate):
        return label.structure, f"relaxed by {_engine(label)}"
    surrogate = candidate.surrogate or {}
    if surrogate.get("structure"):
        return surrogate["structure"], f"relaxed by the screen ({surrogate.get('engine')}, not DFT)"
    if candidate.structure is not None:
        return candidate.structure, "as decoded, not relaxed"
    raise StoreError(f"candidate {candidate.candidate_id} has no structure: its state is {candidate.state}")


def _labels(store: Store, candidate: CandidateDoc) -> list[LabelDoc]:
    """Labels of a candidate, DFT first."""
    found = store.labels(candidate.campaign_id, candidate_id=candidate.candidate_id)
    return sorted(found, key=lambda label: not label.is_dft)


def _engine(label: LabelDoc) -> str:
    return f"{label.engine} {label.preset} ({'DFT' if label.is_dft else 'surrogate, not DFT'})"


def as_dict(store: Store, candidate: CandidateDoc) -> dict[str, Any]:
    """The candidate with its labels and its hit, for other programs."""
    hits = store.hits(candidate.campaign_id, candidate_id=candidate.candidate_id)
    return {
        **candidate.model_dump(mode="json"),
        "labels": [label.model_dump(mode="json") for label in _labels(store, candidate)],
        "hit": hits[0].model_dump(mode="json") if hits else None,
        "units": {prop.name: prop.unit for prop in PROPERTIES.values()},
    }


def print_crystal(store: Store, candidate: CandidateDoc, console: Console) -> None:
    """Everything about one candidate: what it is, its values, its structure, its history."""
    console.print(f"[bold]{_formula(candidate)}[/]  {styled_state(candidate.state)}", highlight=False)
    facts = plain_table()
    facts.show_header = False
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column(overflow="fold")
    for title, text in _facts(candidate):
        facts.add_row(title, escape(text))
    console.print(facts)
    console.print(_values(store, candidate))
    for text in _remarks(store, candidate):
        console.print(f"  {escape(text)}", style="yellow", highlight=False)
    if candidate.structure is not None:
        _print_structure(store, candidate, console)
    steps = (f"{step['state']} {when(step['at'])}" for step in candidate.history)
    console.print(f"[dim]history[/]  {escape(joined(steps)) or 'none'}", highlight=False)


def _facts(candidate: CandidateDoc) -> Iterator[tuple[str, str]]:
    yield "id", candidate.candidate_id
    yield "campaign", f"{candidate.campaign_id}, {round_title(candidate.round_index)}"
    yield "drawn by", f"{candidate.sampler}, latent point {candidate.latent_row}"
    yield "parents", ", ".join(candidate.parents) or "none"
    if candidate.selected_by:
        score = f", score {candidate.score:.3g}" if candidate.score is not None else ""
        yield "chosen by", f"{candidate.selected_by}{score}; attempts: {candidate.attempts}"
    if detail := (candidate.surrogate or {}).get("detail"):
        yield "screen", str(detail)
    if candidate.failure:
        yield "failure", candidate.failure


def _formula(candidate: CandidateDoc) -> str:
    from pymatgen.core import Composition

    return str(Composition(candidate.formula).reduced_formula) if candidate.formula else "not decoded"


def _values(store: Store, candidate: CandidateDoc) -> Table:
    """What was expected of the crystal, what was computed, and what the campaign wants."""
    from gen2dft.campaign import CampaignSpec

    labels = _labels(store, candidate)
    spec = CampaignSpec.model_validate(store.campaign(candidate.campaign_id).spec)
    targets = {target.property: target for target in spec.targets}
    table = plain_table("values")
    for title in ("property", "expected", *(f"label: {_engine(label)}" for label in labels), "target"):
        table.add_column(title)
    for name, prop in PROPERTIES.items():
        computed = [label.values.get(name) for label in labels]
        if name not in candidate.predicted and name not in targets and not any(v is not None for v in computed):
            continue
        wanted = _verdict(targets[name], computed, candidate.predicted.get(name)) if name in targets else ""
        cells = [value_text(name, value) for value in computed]
        table.add_row(f"{prop.title} ({pretty(prop.unit)})", _expected(candidate, name), *cells, wanted)
    return table


def _remarks(store: Store, candidate: CandidateDoc) -> Iterator[str]:
    """What a reader of the labels should know: warnings, and what custodian changed while they were computed."""
    for label in _labels(store, candidate):
        yield from label.warnings
        for made in label.custodian:
            where = f"custodian, {made['preset']} {made['task']}"
            yield f"{where}, {', '.join(made['errors'])}: {'; '.join(made['actions'])}"
        if label.settings_changed:
            yield "the energy belongs to the settings that custodian changed, not to the preset's own"
    for computed in store.power_factors(candidate.campaign_id, candidate_id=candidate.candidate_id):
        yield f"from bands: {power_factor_text(computed)}"


def _verdict(target: Target, computed: list[float | None], predicted: float | None) -> str:
    """Whether a target is met, by which kind of value, and what it asks for."""
    from gen2dft.targets import is_met

    label = next((value for value in computed if value is not None), None)
    value = predicted if label is None else label
    if value is None:
        return target_text(target)
    met = "[green]met[/]" if is_met(target, value) else "[red]missed[/]"
    return f"{met}{'' if label is not None else ' by prediction'}: {target_text(target)}"


def _expected(candidate: CandidateDoc, name: str) -> str:
    """Value before validation, and whether the surrogate or the generator's head gave it."""
    surrogate = candidate.surrogate or {}
    if surrogate.get(name) is not None:
        engine = str(surrogate.get("engine"))
        return f"{value_text(name, surrogate[name])} [yellow]{escape(basis_text(engine, {engine}))}[/]"
    if name in candidate.predicted:
        return f"{value_text(name, candidate.predicted[name])} [dim]{PREDICTED}[/]"
    return value_text(name, None)


def _print_structure(store: Store, candidate: CandidateDoc, console: Console) -> None:
    from pymatgen.core import Structure

    data, origin = crystal_of(store, candidate)
    structure = Structure.from_dict(data)
    lattice = structure.lattice
    hits = store.hits(candidate.campaign_id, candidate_id=candidate.candidate_id)
    console.print(f"[bold]structure[/], {escape(origin)}", highlight=False)
    lengths = ", ".join(f"{length:.3f}" for length in lattice.abc)
    angles = ", ".join(f"{angle:.1f}" for angle in lattice.angles)
    console.print(f"  a, b, c = {lengths} \u00c5; \u03b1, \u03b2, \u03b3 = {angles}\u00b0", highlight=False)
    facts = joined((
        counted(len(structure), "atom"),
        f"{lattice.volume / len(structure):.1f} \u00c5\u00b3/atom",
        f"{float(structure.density):.2f} g/cm\u00b3",
        f"space group {escape(hits[0].spacegroup)}" if hits else "",
    ))  # fmt: skip
    console.print(f"  {facts}", highlight=False)
