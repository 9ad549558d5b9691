"""One crystal on the terminal: found by the beginning of its id, with its history, values and
structure.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from rich.markup import escape

from gen2dft.campaign import stored_campaign
from gen2dft.cli.common import joined, plain_table, styled_state
from gen2dft.crystal_documents import structure_of
from gen2dft.errors import StoreError, not_one_of
from gen2dft.report.bands import bands_text, transport_of, transport_text
from gen2dft.report.candidate import (
    ValueRow,
    crystal_of,
    engine_text,
    labels_of,
    remarks,
    value_rows,
    weighed_text,
)
from gen2dft.report.chances import stability_text
from gen2dft.report.on_hull import HullFacts, facts_on_hull, hull_texts
from gen2dft.report.symmetry import conventional_text, symmetry_text
from gen2dft.report.wording import counted, round_title, when
from gen2dft.store.documents import PREDICTED

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from gen2dft.campaign import CampaignSpec
    from gen2dft.store.documents import CandidateDoc, HitDoc, LabelDoc
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
    campaigns = {name for document in store.campaigns() for name in (document.id, document.name)}
    if identifier in campaigns:
        return None
    # An id is CAMPAIGN:CANDIDATE, and mostly given without its campaign.
    prefix = identifier.rpartition(":")[2]
    fitting = store.find_candidates(prefix) if len(prefix) >= SHORTEST else []
    if ":" in identifier:
        fitting = [candidate for candidate in fitting if candidate.id.startswith(identifier)]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise StoreError(_ambiguous(identifier, fitting))
    raise StoreError(_not_found(store, identifier, prefix, campaigns))


def _ambiguous(identifier: str, fitting: Sequence[CandidateDoc]) -> str:
    """Message that names the first of several crystals."""
    shown = [f"{candidate.id} ({candidate.formula})" for candidate in fitting[:SHOWN]]
    names = ", ".join(shown)
    hidden = len(fitting) - len(shown)
    more = f" and {hidden} more" if hidden else ""
    number = counted(len(fitting), "crystal")
    return f"{identifier!r} fits {number}: {names}{more}; give more of the id"


def _not_found(store: Store, identifier: str, prefix: str, campaigns: Collection[str]) -> str:
    """Message that names the crystals or the campaign that come nearest."""
    if len(prefix) < SHORTEST:
        return (
            f"{identifier!r} is too short for an id: give at least {SHORTEST} characters, see "
            "`gen2dft hits`"
        )
    # The longest beginning that fits some crystal: the id was probably mistyped behind it.
    for length in range(len(prefix) - 1, SHORTEST - 2, -1):
        near = store.find_candidates(prefix[:length])[:3]
        if near:
            names = ", ".join(f"{doc.candidate_id} ({doc.formula})" for doc in near)
            return f"no crystal's id begins with {identifier!r}; nearest: {names}"
    choices = not_one_of("campaign", identifier, campaigns)
    return f"no crystal's id begins with {identifier!r}, and {choices}"


def as_dict(store: Store, candidate: CandidateDoc) -> dict[str, Any]:
    """The candidate with its labels and its hit, for other programs."""
    hit = _hit_of(store, candidate)
    labels = labels_of(store, candidate)
    known = _spec_of(store, candidate).known_properties
    on_hull = facts_on_hull(store, candidate, labels)
    return {
        **candidate.model_dump(mode="json"),
        "labels": [label.model_dump(mode="json") for label in labels],
        "hit": hit.model_dump(mode="json") if hit else None,
        "on_hull": on_hull.as_dict() if on_hull else None,
        "units": {prop.name: prop.unit for prop in known.values()},
    }


def _spec_of(store: Store, candidate: CandidateDoc) -> CampaignSpec:
    document = store.campaign(candidate.campaign_id)
    return stored_campaign(document)


def _hit_of(store: Store, candidate: CandidateDoc) -> HitDoc | None:
    hits = store.hits(candidate.campaign_id, candidate_id=candidate.candidate_id)
    return hits[0] if hits else None


def print_crystal(store: Store, candidate: CandidateDoc, console: Console) -> None:
    """Everything about one candidate: what it is, its values, its structure, its history."""
    spec = _spec_of(store, candidate)
    labels = labels_of(store, candidate)
    title = f"[bold]{_formula(candidate)}[/]  {styled_state(candidate.state)}"
    console.print(title, highlight=False)
    on_hull = facts_on_hull(store, candidate, labels)
    console.print(_facts_table(candidate, spec, on_hull))
    console.print(_values(spec, candidate, labels))
    for text in (*remarks(labels), *_remarks_on_bands(store, candidate)):
        console.print(f"  {escape(text)}", style="yellow", highlight=False)
    if candidate.structure is not None:
        _print_structure(candidate, labels, console)
    steps = [f"{step['state']} {when(step['at'])}" for step in candidate.history]
    console.print(f"[dim]history[/]  {escape(joined(steps)) or 'none'}", highlight=False)


def _remarks_on_bands(store: Store, candidate: CandidateDoc) -> Iterator[str]:
    for computed in store.from_bands(candidate.campaign_id, candidate_id=candidate.candidate_id):
        for text in (bands_text(computed), *computed.warnings):
            yield f"from bands: {text}"


def transport_texts(
    store: Store, candidate: CandidateDoc, definitions: Sequence[str]
) -> Iterator[str]:
    """Its stored transport, read by each definition; StoreError if there is none."""
    found = store.from_bands(candidate.campaign_id, candidate_id=candidate.candidate_id)
    doc = transport_of(store, found)
    if doc is None:
        raise StoreError(
            f"no transport of {candidate.id} is stored: gen2dft power-factor computes that of hits"
        )
    for definition in definitions:
        yield transport_text(doc, definition)


def _facts_table(candidate: CandidateDoc, spec: CampaignSpec, on_hull: HullFacts | None) -> Table:
    facts = plain_table()
    facts.show_header = False
    facts.add_column(style="dim", no_wrap=True)
    facts.add_column(overflow="fold")
    of_hull = hull_texts(on_hull) if on_hull else ()
    for title, text in (*_facts(candidate, spec), *of_hull):
        facts.add_row(title, escape(text))
    return facts


def _drawn_by(candidate: CandidateDoc, spec: CampaignSpec) -> str:
    """Source, if the campaign has several, way of drawing, and point, if there is one."""
    text = candidate.sampler
    if spec.has_several_sources:
        text = f"{candidate.source}: {text}"
    if candidate.latent_row is not None:
        text = f"{text}, latent point {candidate.latent_row}"
    return text


def _facts(candidate: CandidateDoc, spec: CampaignSpec) -> Iterator[tuple[str, str]]:
    yield "id", candidate.candidate_id
    yield "campaign", f"{candidate.campaign_id}, {round_title(candidate.round_index)}"
    if candidate.origin:
        yield "file", candidate.origin
    else:
        yield "drawn by", _drawn_by(candidate, spec)
    if candidate.also_from:
        yield "also drawn by", ", ".join(candidate.also_from)
    yield "parents", ", ".join(candidate.parents) or "none"
    if candidate.recipe:
        yield "made by", candidate.recipe
    if candidate.selected_by:
        score = f", score {candidate.score:.3g}" if candidate.score is not None else ""
        yield "chosen by", f"{candidate.selected_by}{score}; attempts: {candidate.attempts}"
    if candidate.weighed:
        yield "weighed", weighed_text(candidate)
    if candidate.verdict.detail:
        yield "screen", candidate.verdict.detail
    if candidate.verdict.stability is not None:
        yield "stability", stability_text(candidate.verdict.stability)
    if candidate.verdict.symmetry is not None:
        yield "symmetry", symmetry_text(candidate.verdict.symmetry)
    if candidate.failure:
        yield "failure", candidate.failure


def _formula(candidate: CandidateDoc) -> str:
    from pymatgen.core import Composition

    if not candidate.formula:
        return "not decoded"
    composition = Composition(candidate.formula)
    return str(composition.reduced_formula)


def _values(spec: CampaignSpec, candidate: CandidateDoc, labels: Sequence[LabelDoc]) -> Table:
    """Expected and computed values, beside the campaign's targets."""
    table = plain_table("values")
    of_labels = [f"label: {engine_text(label)}" for label in labels]
    for title in ("property", "expected", *of_labels, "target"):
        table.add_column(title)
    for row in value_rows(spec, candidate, labels):
        expected = f"{row.expected}{_styled_basis(row)}"
        table.add_row(row.title, expected, *row.computed, _verdict(row))
    return table


def _styled_basis(row: ValueRow) -> str:
    if not row.basis:
        return ""
    style = "dim" if row.basis == PREDICTED else "yellow"
    return f" [{style}]{escape(row.basis)}[/]"


def _verdict(row: ValueRow) -> str:
    """Whether the target is met, by which kind of value, and what it asks for."""
    if not row.verdict:
        return row.wanted
    met = "[green]met[/]" if row.verdict == "met" else "[red]missed[/]"
    how = " by prediction" if row.by_prediction else ""
    return f"{met}{how}: {row.wanted}"


def _print_structure(candidate: CandidateDoc, labels: Sequence[LabelDoc], console: Console) -> None:

    data, origin = crystal_of(candidate, labels)
    structure = structure_of(data)
    lattice = structure.lattice
    lengths = ", ".join(f"{length:.3f}" for length in lattice.abc)
    angles = ", ".join(f"{angle:.1f}" for angle in lattice.angles)
    facts = joined((
        counted(len(structure), "atom"),
        f"{lattice.volume / len(structure):.1f} \u00c5\u00b3/atom",
        f"{float(structure.density):.2f} g/cm\u00b3",
    ))  # fmt: skip
    for line in (
        f"[bold]structure[/], {escape(origin)}",
        f"  a, b, c = {lengths} \u00c5; \u03b1, \u03b2, \u03b3 = {angles}\u00b0",
        f"  {facts}",
        f"  space group {escape(conventional_text(structure))}",
    ):
        console.print(line, highlight=False)
