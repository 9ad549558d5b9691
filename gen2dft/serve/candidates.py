"""The page of one crystal: structures, values, labels, and its way back to the latent vector."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from gen2dft.campaign import stored_campaign
from gen2dft.errors import ServeError, not_one_of
from gen2dft.report.bands import transport_of
from gen2dft.report.candidate import (
    crystal_of,
    engine_text,
    labels_of,
    remarks,
    structures_of,
    value_rows,
)
from gen2dft.report.cif import cif_name, structure_cif
from gen2dft.report.picture import crystal_scene, crystal_svg
from gen2dft.report.transport_figures import TRANSPORT_FIGURES
from gen2dft.report.wording import chemical, round_title, when
from gen2dft.review.trace import latent_vector
from gen2dft.store.documents import HitDoc, SnapshotDoc
from gen2dft.store.store import candidate_key

if TYPE_CHECKING:
    from gen2dft.store.documents import CandidateDoc
    from gen2dft.store.store import Store


def candidate_page(store: Store, campaign_id: str, candidate_id: str) -> dict[str, Any]:
    """What the page of one candidate shows; StoreError if there is none."""
    document, candidate = store.campaign(campaign_id), store.candidate(campaign_id, candidate_id)
    labels = labels_of(store, candidate)
    shown = [
        _shown(data, what, i)
        for i, (data, what) in enumerate(_first_and_last(structures_of(candidate, labels)))
    ]
    return {
        "campaign": document,
        "candidate": candidate,
        "hit": store.find(HitDoc, candidate_key(campaign_id, candidate_id)),
        "labels": labels,
        "engines": [engine_text(label) for label in labels],
        "values": value_rows(stored_campaign(document), candidate, labels),
        "remarks": list(remarks(labels)),
        "structures": shown,
        "facts": [
            (title, [s["facts"][title] for s in shown])
            for title in (shown[0]["facts"] if shown else ())
        ],
        "trace": _trace(store, candidate),
        **_transport(store, candidate),
        "costs": [
            (engine_text(label), label.core_hours, label.settings_hash, label.hull_id)
            for label in labels
        ],
        "system": _system(candidate.formula),
        "history": [(step["state"], when(step["at"])) for step in candidate.history],
    }


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
    document = transport_of(store, store.from_bands(campaign_id, candidate_id=candidate_id))
    return None if document is None else TRANSPORT_FIGURES[name].draw(document)


def candidate_cif(store: Store, campaign_id: str, candidate_id: str) -> tuple[str, str]:
    """File name and text of a candidate's best structure; StoreError if it has none."""
    candidate = store.candidate(campaign_id, candidate_id)
    structure, origin = crystal_of(candidate, labels_of(store, candidate))
    comments = (f"campaign {campaign_id}, candidate {candidate_id}, {origin}",)
    return cif_name(chemical(candidate.formula or ""), candidate_id), structure_cif(
        structure, comments
    )


def _first_and_last(
    structures: list[tuple[dict[str, Any], str]],
) -> list[tuple[dict[str, Any], str]]:
    """The best structure and the decoded one, to be compared."""
    return structures if len(structures) < 2 else [structures[0], structures[-1]]


def _shown(data: dict[str, Any], what: str, number: int) -> dict[str, Any]:
    """A structure as picture, as numbers for the viewer, and in words."""
    from markupsafe import Markup
    from pymatgen.core import Structure

    structure = Structure.from_dict(data)
    lattice = structure.lattice
    return {
        "what": what,
        "picture": Markup(crystal_svg(structure, f"s{number}")),  # noqa: S704 - escaped text
        "scene": crystal_scene(structure),
        "facts": {
            "a, b, c (\u00c5)": ", ".join(f"{length:.3f}" for length in lattice.abc),
            "\u03b1, \u03b2, \u03b3 (\u00b0)": ", ".join(
                f"{angle:.1f}" for angle in lattice.angles
            ),
            "atoms in the cell": str(len(structure)),
            "volume (\u00c5\u00b3/atom)": f"{lattice.volume / len(structure):.2f}",
            "density (g/cm\u00b3)": f"{float(structure.density):.2f}",
            "shortest distance (\u00c5)": _shortest(structure),
        },
    }


def _shortest(structure: Any) -> str:
    """The shortest distance between two atoms, an atom's own images included."""
    import numpy as np

    distances = structure.distance_matrix + np.diag([min(structure.lattice.abc)] * len(structure))
    return f"{float(distances.min()):.2f}"


def _trace(store: Store, candidate: CandidateDoc) -> dict[str, Any]:
    """Where a candidate is from: generator, training set, sampler, parents, latent vector."""
    document = store.round(candidate.campaign_id, candidate.round_index)
    snapshot = store.find(SnapshotDoc, document.snapshot_id) if document.snapshot_id else None
    vector = [float(x) for x in latent_vector(store, candidate)]
    return {
        "round": round_title(candidate.round_index),
        "round_index": candidate.round_index,
        "snapshot": snapshot,
        "vector": vector,
        "text": ", ".join(f"{x:.4g}" for x in vector),
        "chosen": candidate.selected_by,
        "screen": candidate.verdict.detail,
    }


def _system(formula: str | None) -> str | None:
    """`V-O` for the phase diagram of a crystal of two or three elements."""
    symbols = sorted(set(re.findall(r"[A-Z][a-z]?", formula or "")))
    return "-".join(symbols) if len(symbols) in (2, 3) else None
