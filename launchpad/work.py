"""Work on a campaign until it is finished, is paused, or waits for answers: `gen2dft run` and the
Python API.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from gen2dft.launchpad.advance import waits_for_answers
from gen2dft.launchpad.connect import connect_launchpad
from gen2dft.launchpad.repair import crashed_steps, is_idle, repair
from gen2dft.launchpad.supervise import run_workers
from gen2dft.launchpad.worker import Worker

from gen2dft.errors import Gen2DFTError
from gen2dft.store.connect import open_to_write

if TYPE_CHECKING:
    from gen2dft.settings import Settings
    from gen2dft.store.documents import CampaignDoc


def work(
    settings: Settings,
    campaign_id: str,
    workers: int,
    watch: Callable[[], object] | None = None,
    say: Callable[[str], None] | None = None,
) -> None:
    """Work on a campaign as long as there is something to compute here.

    Parameters
    ----------
    workers
        Processes; 0: this one, which then finds generators and engines that a script registered.
    watch
        Called about once a second.
    say
        Gets a line for people when Ctrl-C was pressed.

    Raises
    ------
    Gen2DFTError
        The campaign was paused, or a step of a round crashed.
    """
    store, lpad = open_to_write(settings), connect_launchpad(settings)
    if store.campaign(campaign_id).state == "finished":
        return
    repair(store, lpad, campaign_id, retry=True)

    def tick() -> bool:
        """Show, repair once the workers have nothing to do, and say whether to go on."""
        if watch is not None:
            watch()
        if is_idle(lpad, campaign_id):
            repair(store, lpad, campaign_id)
        runs = store.campaign(campaign_id).state == "running"
        is_held_up = crashed_steps(lpad, campaign_id) or waits_for_answers(store, campaign_id)
        return runs and not is_held_up

    if not tick():  # workers take seconds to start
        pass
    elif workers:
        run_workers(settings, campaign_id, workers, tick, say)
    else:
        with _as_worker(settings):
            Worker(settings, campaign_id, tick, log_level="ERROR").run()
    _refuse_crashed(crashed_steps(lpad, campaign_id), settings)
    _refuse_paused(store.campaign(campaign_id))


@contextlib.contextmanager
def _as_worker(settings: Settings) -> Iterator[None]:
    """Let jobs of this process find the settings in its environment; FireWorks changes folders."""
    before, folder = dict(os.environ), Path.cwd()
    os.environ.update(settings.as_environment())
    try:
        yield
    finally:
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(before)


def _refuse_paused(campaign: CampaignDoc) -> None:
    if campaign.state == "paused":
        raise Gen2DFTError(f"campaign {campaign.id} is paused: {campaign.stop_reason}")


def _refuse_crashed(crashed: list[tuple[str, str]], settings: Settings) -> None:
    if crashed:
        step, error = crashed[0]
        raise Gen2DFTError(
            f"step {step!r} of the campaign crashed: {error}\nThe whole message is in the worker's "
            f"log under {settings.data_dir / 'logs'}. After mending it, the same command tries the "
            "step again."
        )
