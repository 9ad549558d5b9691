"""Values of the page of one crystal: structures, values, labels, and the trace to its latent
vector.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from gen2dft.campaign import stored_campaign
from gen2dft.crystal_documents import structure_of
from gen2dft.errors import ServeError, not_one_of
from gen2dft.report.bands import transport_of
from gen2dft.report.candidate import (
    crystal_of,
    engine_text,
    labels_of,
    remarks,
    structures_of,
    value_rows,
    weighed_text,
)
from gen2dft.report.chances import stability_text
from gen2dft.report.cif import cif_name, structure_cif
from gen2dft.report.on_hull import facts_on_hull, hull_texts
from gen2dft.report.picture import crystal_scene, crystal_svg
from gen2dft.report.symmetry import conventional_text, symmetry_text
from gen2dft.report.transport_figures import TRANSPORT_FIGURES
from gen2dft.report.wording import chemical, round_title, when
from gen2dft.review.trace import latent_vector
from gen2dft.store.documents import HitDoc, SnapshotDoc
from gen2dft.store.store import candidate_key

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from gen2dft.store.documents import CandidateDoc, LabelDoc
    from gen2dft.store.store import Store


def candidate_page(store: Store, campaign_id: str, candidate_id: str) -> dict[str, Any]:
    """Values of the page of one candidate; StoreError if there is none."""
    document = store.campaign(campaign_id)
    candidate = store.candidate(campaign_id, candidate_id)
    spec = stored_campaign(document)
    labels = labels_of(store, candidate)
    shown = _structures(candidate, labels)
    page = {"campaign": document, "candidate": candidate, "structures": shown}
    page["hit"] = store.find(HitDoc, candidate_key(campaign_id, candidate_id))
    page["facts"] = _facts_beside(shown)
    page["values"] = value_rows(spec, candidate, labels)
    page["engines"] = [engine_text(label) for label in labels]
    page["remarks"] = list(remarks(labels))
    on_hull = facts_on_hull(store, candidate, labels)
    page["on_hull"] = list(hull_texts(on_hull)) if on_hull else []
    page["costs"] = [_cost(label) for label in labels]
    page["trace"] = _trace(store, candidate)
    page["system"] = _system(candidate.formula)
    page["history"] = [(step["state"], when(step["at"])) for step in candidate.history]
    return page | _transport(store, candidate)


def _cost(label: LabelDoc) -> tuple[str, float, str, str]:
    """Engine, core-hours, settings and hull of a label."""
    return engine_text(label), label.core_hours, label.settings_hash, label.hull_id


def _transport(store: Store, candidate: CandidateDoc) -> dict[str, Any]:
    """What was computed from bands, and which figures there are of it."""
    found = store.from_bands(candidate.campaign_id, candidate_id=candidate.candidate_id)
    return {
        "bands": found,
        "curves": list(TRANSPORT_FIGURES.items()) if any(doc.transport_id for doc in found) else [],
    }


def transport_figure(store: Store, campaign_id: str, candidate_id: str, name: str) -> Any:
    """A Figure of a candidate's transport; None if there is nothing to show.

    Raises
    ------
    ServeError
        There is no figure of this name.
    """
    if name not in TRANSPORT_FIGURES:
        raise ServeError(not_one_of("figure", name, TRANSPORT_FIGURES))
    bands = store.from_bands(campaign_id, candidate_id=candidate_id)
    document = transport_of(store, bands)
    return None if document is None else TRANSPORT_FIGURES[name].draw(document)


def candidate_cif(store: Store, campaign_id: str, candidate_id: str) -> tuple[str, str]:
    """File name and text of a candidate's best structure; StoreError if it has none."""
    candidate = store.candidate(campaign_id, candidate_id)
    labels = labels_of(store, candidate)
    structure, origin = crystal_of(candidate, labels)
    comment = f"campaign {campaign_id}, candidate {candidate_id}, {origin}"
    name = cif_name(chemical(candidate.formula or ""), candidate_id)
    return name, structure_cif(structure, [comment])


def _structures(candidate: CandidateDoc, labels: Sequence[LabelDoc]) -> list[dict[str, Any]]:
    """The best structure and the decoded one, to be compared."""
    found = structures_of(candidate, labels)
    compared = found if len(found) < 2 else [found[0], found[-1]]
    return [_shown(data, what, number) for number, (data, what) in enumerate(compared)]


def _shown(data: dict[str, Any], what: str, number: int) -> dict[str, Any]:
    """A structure as picture, as numbers for the viewer, and in words."""
    from markupsafe import Markup

    structure = structure_of(data)
    picture = Markup(crystal_svg(structure, f"s{number}"))  # noqa: S704 - escaped text
    scene = crystal_scene(structure)
    facts = dict(_facts(structure))
    return {"what": what, "picture": picture, "scene": scene, "facts": facts}


def _facts(structure: Structure) -> Iterator[tuple[str, str]]:
    """Title and text of each figure that readers compare."""
    lattice = structure.lattice
    lengths = [f"{length:.3f}" for length in lattice.abc]
    angles = [f"{angle:.1f}" for angle in lattice.angles]
    volume = lattice.volume / len(structure)
    density = float(structure.density)
    yield "a, b, c (\u00c5)", ", ".join(lengths)
    yield "\u03b1, \u03b2, \u03b3 (\u00b0)", ", ".join(angles)
    yield "atoms in the cell", str(len(structure))
    yield "space group", conventional_text(structure)
    yield "volume (\u00c5\u00b3/atom)", f"{volume:.2f}"
    yield "density (g/cm\u00b3)", f"{density:.2f}"
    yield "shortest distance (\u00c5)", f"{_shortest(structure):.2f}"


def _facts_beside(shown: Sequence[dict[str, Any]]) -> list[tuple[str, list[str]]]:
    """Title of each fact with its texts, one per structure."""
    rows: dict[str, list[str]] = {}
    for structure in shown:
        for title, text in structure["facts"].items():
            rows.setdefault(title, []).append(text)
    return list(rows.items())


def _shortest(structure: Structure) -> float:
    """The shortest distance between two atoms, an atom's own images included, in Angstrom."""
    import numpy as np

    # Its distance to itself is zero in the matrix, but to its next image an edge of the cell.
    own_image = min(structure.lattice.abc)
    distances = structure.distance_matrix + own_image * np.eye(len(structure))
    return float(distances.min())


def _trace(store: Store, candidate: CandidateDoc) -> dict[str, Any]:
    """Origin of a candidate: round, generator, latent vector, screen."""
    document = store.round(candidate.campaign_id, candidate.round_index)
    snapshot_id = candidate.snapshot_id or document.snapshot_of(candidate.source)
    snapshot = store.find(SnapshotDoc, snapshot_id) if snapshot_id else None
    vector = [float(x) for x in latent_vector(store, candidate)]
    numbers = [f"{x:.4g}" for x in vector]
    symmetry, stability = candidate.verdict.symmetry, candidate.verdict.stability
    return {
        "round": round_title(candidate.round_index),
        "round_index": candidate.round_index,
        "snapshot": snapshot,
        "vector": vector,
        "text": ", ".join(numbers),
        "chosen": candidate.selected_by,
        "screen": candidate.verdict.detail,
        "weighed": weighed_text(candidate) if candidate.weighed else None,
        "symmetry": symmetry_text(symmetry) if symmetry else None,
        "stability": stability_text(stability) if stability else None,
    }


def _system(formula: str | None) -> str | None:
    """`V-O` for the phase diagram of a crystal of two or three elements."""
    symbols = set(re.findall(r"[A-Z][a-z]?", formula or ""))
    if len(symbols) not in (2, 3):
        return None
    return "-".join(sorted(symbols))
