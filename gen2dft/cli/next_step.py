"""What to do next: `gen2dft` without a verb."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console

if TYPE_CHECKING:
    from gen2dft.settings import Settings
    from gen2dft.store.documents import CampaignDoc

FIRST = (
    (
        "gen2dft run --campaign thermoelectric",
        "a whole campaign on this machine; nothing else is needed",
    ),
    ("gen2dft init", "a configuration of your own: MongoDB, a queue"),
    ("gen2dft doctor", "what works here and what is missing"),
)


def say_next_step() -> None:
    """Print the commands that make sense now."""
    from gen2dft.settings import load_settings

    console = Console(highlight=False)
    title, commands = next_steps(load_settings())
    console.print(title)
    width = max(len(command) for command, _ in commands)
    for command, meaning in commands:
        console.print(f"  [bold]{command:<{width}}[/]  {meaning}", soft_wrap=True)
    console.print("All verbs: [bold]gen2dft --help[/]", style="dim")


def next_steps(settings: Settings) -> tuple[str, list[tuple[str, str]]]:
    """A title, and commands with what they do."""
    if settings.is_embedded and not (settings.data_dir / "db").is_dir():
        return "There is no campaign yet. Begin with", list(FIRST)
    from gen2dft.store.connect import open_store

    found = open_store(settings).campaigns()
    running = [campaign for campaign in found if campaign.state == "running"]
    if running:
        return _going_on(running)
    if found:
        return f"Campaign {found[0].id} is finished. Look at it with", _looking(found[0])
    return "There is no campaign yet. Begin with", list(FIRST)


def _going_on(running: list[CampaignDoc]) -> tuple[str, list[tuple[str, str]]]:
    names = ", ".join(campaign.id for campaign in running)
    commands = [
        ("gen2dft status", "where it stands"),
        (
            "gen2dft run ...",
            "with the options it was begun with: work on it here until it is finished",
        ),
        ("gen2dft advance", "carry it on where its workers have died"),
    ]
    return f"Not finished yet: {names}", commands


def _looking(campaign: CampaignDoc) -> list[tuple[str, str]]:
    return [
        (f"gen2dft hits -c {campaign.name}", "the crystals that meet its targets"),
        (f"gen2dft report -c {campaign.name}", "its report: a page with figures"),
        (f"gen2dft status {campaign.name}", "rounds, funnel, costs"),
    ]
