"""One crystal on the terminal: found by the beginning of its id, with its history, values and
structure.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from gen2dft.campaign import stored_campaign
from gen2dft.cli.common import joined, plain_table, styled_state
from gen2dft.errors import StoreError, not_one_of
from gen2dft.report.bands import bands_text
from gen2dft.report.candidate import (
    ValueRow,
    crystal_of,
    engine_text,
    labels_of,
    remarks,
    value_rows,
)
from gen2dft.report.wording import PREDICTED, counted, round_title, when

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

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
        raise StoreError(
            f"{identifier!r} fits {counted(len(fitting), 'crystal')}: {names}{more}; give more of "
            "the id"
        )
    raise StoreError(
        _not_found(store, identifier, prefix, [name for c in campaigns for name in (c.id, c.name)])
    )


def _not_found(store: Store, identifier: str, prefix: str, campaigns: list[str]) -> str:
    """Message that names the crystals or the campaign that come nearest."""
    if len(prefix) < SHORTEST:
        return (
            f"{identifier!r} is too short for an id: give at least {SHORTEST} characters, see "
            "`gen2dft hits`"
        )
    for length in range(len(prefix) - 1, SHORTEST - 2, -1):
        if near := store.find_candidates(prefix[:length])[:3]:
            names = ", ".join(f"{doc.candidate_id} ({doc.formula})" for doc in near)
            return f"no crystal's id begins with {identifier!r}; nearest: {names}"
    return (
        f"no crystal's id begins with {identifier!r}, and "
        f"{not_one_of('campaign', identifier, set(campaigns))}"
    )


def as_dict(store: Store, candidate: CandidateDoc) -> dict[str, Any]:
    """The candidate with its labels and its hit, for other programs."""
    hits = store.hits(candidate.campaign_id, candidate_id=candidate.candidate_id)
    spec = stored_campaign(store.campaign(candidate.campaign_id))
    return {
        **candidate.model_dump(mode="json"),
        "labels": [label.model_dump(mode="json") for label in labels_of(store, candidate)],
        "hit": hits[0].model_dump(mode="json") if hits else None,
        "units": {prop.name: prop.unit for prop in spec.known_properties.values()},
    }


def print_crystal(store: Store, candidate: CandidateDoc, console: Console) -> None:
    """Everything about one candidate: what it is, its values, its structure, its history."""
    console.print(
        f"[bold]{_formula(candidate)}[/]  {styled_state(candidate.state)}", highlight=False
    )
    facts = plain_table()
    facts.show_header = False
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column(overflow="fold")
    for title, text in _facts(candidate):
        facts.add_row(title, escape(text))
    console.print(facts)
    labels = labels_of(store, candidate)
    console.print(_values(store, candidate, labels))
    computed = store.from_bands(candidate.campaign_id, candidate_id=candidate.candidate_id)
    of_bands = [
        f"from bands: {text}" for found in computed for text in (bands_text(found), *found.warnings)
    ]
    for text in (*remarks(labels), *of_bands):
        console.print(f"  {escape(text)}", style="yellow", highlight=False)
    if candidate.structure is not None:
        _print_structure(store, candidate, labels, console)
    steps = (f"{step['state']} {when(step['at'])}" for step in candidate.history)
    console.print(f"[dim]history[/]  {escape(joined(steps)) or 'none'}", highlight=False)


def _drawn_by(candidate: CandidateDoc) -> str:
    """Source, if the campaign has several, way of drawing, and point, if there is one."""
    source = f"{candidate.source}: " if candidate.source else ""
    row = candidate.latent_row
    return f"{source}{candidate.sampler}" + (f", latent point {row}" if row is not None else "")


def _facts(candidate: CandidateDoc) -> Iterator[tuple[str, str]]:
    yield "id", candidate.candidate_id
    yield "campaign", f"{candidate.campaign_id}, {round_title(candidate.round_index)}"
    yield "drawn by", _drawn_by(candidate)
    yield "parents", ", ".join(candidate.parents) or "none"
    if candidate.selected_by:
        score = f", score {candidate.score:.3g}" if candidate.score is not None else ""
        yield "chosen by", f"{candidate.selected_by}{score}; attempts: {candidate.attempts}"
    if candidate.verdict.detail:
        yield "screen", candidate.verdict.detail
    if candidate.failure:
        yield "failure", candidate.failure


def _formula(candidate: CandidateDoc) -> str:
    from pymatgen.core import Composition

    return (
        str(Composition(candidate.formula).reduced_formula) if candidate.formula else "not decoded"
    )


def _values(store: Store, candidate: CandidateDoc, labels: Sequence[LabelDoc]) -> Table:
    """What was expected of the crystal, what was computed, and what the campaign wants."""
    spec = stored_campaign(store.campaign(candidate.campaign_id))
    table = plain_table("values")
    for title in (
        "property",
        "expected",
        *(f"label: {engine_text(label)}" for label in labels),
        "target",
    ):
        table.add_column(title)
    for row in value_rows(spec, candidate, labels):
        style = "dim" if row.basis == PREDICTED else "yellow"
        basis = f" [{style}]{escape(row.basis)}[/]" if row.basis else ""
        table.add_row(row.title, f"{row.expected}{basis}", *row.computed, _verdict(row))
    return table


def _verdict(row: ValueRow) -> str:
    """Whether the target is met, by which kind of value, and what it asks for."""
    if not row.verdict:
        return row.wanted
    met = "[green]met[/]" if row.verdict == "met" else "[red]missed[/]"
    return f"{met}{' by prediction' if row.by_prediction else ''}: {row.wanted}"


def _print_structure(
    store: Store, candidate: CandidateDoc, labels: Sequence[LabelDoc], console: Console
) -> None:
    from pymatgen.core import Structure

    data, origin = crystal_of(candidate, labels)
    structure = Structure.from_dict(data)
    lattice = structure.lattice
    hits = store.hits(candidate.campaign_id, candidate_id=candidate.candidate_id)
    console.print(f"[bold]structure[/], {escape(origin)}", highlight=False)
    lengths = ", ".join(f"{length:.3f}" for length in lattice.abc)
    angles = ", ".join(f"{angle:.1f}" for angle in lattice.angles)
    console.print(
        f"  a, b, c = {lengths} \u00c5; \u03b1, \u03b2, \u03b3 = {angles}\u00b0", highlight=False
    )
    facts = joined((
        counted(len(structure), "atom"),
        f"{lattice.volume / len(structure):.1f} \u00c5\u00b3/atom",
        f"{float(structure.density):.2f} g/cm\u00b3",
        f"space group {escape(hits[0].spacegroup)}" if hits else "",
    ))  # fmt: skip
    console.print(f"  {facts}", highlight=False)
