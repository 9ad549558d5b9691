"""Reference phases as fireworks: insert those that are not computed yet, work on them, see which
failed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from gen2dft.launchpad.connect import connect_launchpad
from gen2dft.launchpad.repair import is_idle, last_words

from gen2dft.errors import ThermoError
from gen2dft.store.documents import ReferenceDoc

if TYPE_CHECKING:
    from fireworks import LaunchPad

    from gen2dft.campaign import StageResources
    from gen2dft.ground.calibrate import Reference
    from gen2dft.settings import Settings
    from gen2dft.store.store import Store


def submit_references(
    store: Store, lpad: LaunchPad, references: Sequence[Reference], resources: StageResources
) -> list[Reference]:
    """Insert a workflow for each reference that is neither computed nor on its way.

    One that failed is tried anew.

    Returns
    -------
    All that are not computed yet.
    """
    from gen2dft.flows.references import ReferenceMaker
    from jobflow.managers.fireworks import flow_to_workflow

    waiting = [
        reference for reference in references if store.find(ReferenceDoc, reference.key) is None
    ]
    workflows = []
    for reference in waiting:
        known = list(lpad.fireworks.find(_query(reference), {"fw_id": 1, "state": 1}))
        if any(firework["state"] == "FIZZLED" for firework in known):
            lpad.archive_wf(known[0]["fw_id"])
        elif known:
            continue
        maker = ReferenceMaker.of_engine(reference.engine, reference.preset)
        workflows.append(flow_to_workflow(maker.make(reference, resources), store=None))
    if workflows:
        lpad.bulk_add_wfs(workflows)
    return waiting


def compute_here(
    store: Store,
    settings: Settings,
    references: Sequence[Reference],
    resources: StageResources,
    workers: int,
    on_tick: Callable[[int], None],
    say: Callable[[str], None] | None = None,
) -> None:
    """Insert the missing calculations, and work on them with processes of this machine until all
    are done.

    Parameters
    ----------
    on_tick
        Called about once a second with the number of references that are computed.
    say
        As for `run_workers`.

    Raises
    ------
    ThermoError
        References that failed, each with its reason; the others are computed and kept.
    """
    from gen2dft.flows.references import work_of
    from gen2dft.launchpad.supervise import run_workers

    lpad = connect_launchpad(settings)
    waiting = submit_references(store, lpad, references, resources)
    if not waiting:
        return
    work = work_of(waiting[0].engine)

    def tick() -> bool:
        computed = sum(
            store.find(ReferenceDoc, reference.key) is not None for reference in references
        )
        on_tick(computed)
        return computed < len(references) and not is_idle(lpad, work)

    run_workers(settings, work, workers, tick, say)
    if problems := failures(store, lpad, waiting):
        raise ThermoError("\n".join(problems))


def failures(store: Store, lpad: LaunchPad, references: Sequence[Reference]) -> list[str]:
    """Why references are not there, as far as their fireworks tell; one text each."""
    found = []
    for reference in references:
        if store.find(ReferenceDoc, reference.key) is not None:
            continue
        crashed = lpad.fireworks.find({**_query(reference), "state": "FIZZLED"}, {"fw_id": 1}).sort(
            "fw_id", -1
        )
        if (last := next(iter(crashed), None)) is not None:
            found.append(last_words(lpad, last["fw_id"]))
    return found


def _query(reference: Reference) -> dict[str, Any]:
    """Fireworks of a reference that are not archived."""
    from gen2dft.flows.references import work_of

    place = {"campaign_id": work_of(reference.engine), "reference_id": reference.key}
    return {
        **{f"spec.gen2dft.{name}": value for name, value in place.items()},
        "state": {"$ne": "ARCHIVED"},
    }
