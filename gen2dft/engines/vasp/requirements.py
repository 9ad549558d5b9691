"""What VASP needs before it can run: pseudopotentials, a command, and settings that leave the
presets alone.
"""

from __future__ import annotations

import socket
from collections.abc import Collection
from pathlib import Path

from gen2dft.engines.installed import POTCAR_FOLDERS, pymatgen_setting, vasp_command
from gen2dft.engines.vasp.corrections import ALGORITHM_TAGS
from gen2dft.engines.vasp.presets import base_settings, get_preset
from gen2dft.errors import CampaignError, SettingsError

NAMED_AT_MOST = 8
# The Materials Project itself left this one: its energies of Yb compounds were wrong.
DOUBTFUL = {"Yb_2": "it keeps Yb divalent, and Yb is mostly 3+"}


def check(preset: str, symbols: Collection[str]) -> tuple[str, ...]:
    """Check all that a preset needs for crystals of these elements.

    Parameters
    ----------
    symbols
        Every element that may occur.

    Returns
    -------
    What is missing on this machine but may be there on those that compute.

    Raises
    ------
    CampaignError
        Unknown preset, or an element that it was not made for.
    SettingsError
        Pseudopotentials are missing, or atomate2's settings would change the preset.
    """
    check_elements(preset, symbols)
    check_incar_updates(preset)
    check_potcars(preset, symbols)
    return tuple(filter(None, [missing_command()]))


def check_elements(preset: str, symbols: Collection[str]) -> None:
    """CampaignError if the preset has no pseudopotential or no U for one of the elements."""
    settings = get_preset(preset)
    strangers = sorted(set(symbols) - set(settings.pseudopotentials))
    if not strangers:
        return
    what = "pseudopotential and U" if settings.uses_u and settings.elements else "pseudopotential"
    if settings.elements:
        remedy = (
            f"it is for {', '.join(settings.elements)} only; preset mp-ggau-v1 is for other "
            "chemistries, or name "
        )
        remedy += (
            f"the elements wanted: screening.allowed_elements: [{', '.join(settings.elements)}]"
        )
    else:
        remedy = f"leave them out: screening.excluded_elements: [{', '.join(strangers)}]"
    raise CampaignError(
        f"preset {preset} of engine 'vasp' has no {what} for {_some(strangers)}: {remedy}"
    )


def check_potcars(preset: str, symbols: Collection[str]) -> None:
    """SettingsError if the POTCAR of one of the elements is not found."""
    named = pymatgen_setting("PMG_VASP_PSP_DIR")
    if named is None:
        raise SettingsError(
            "engine 'vasp' needs VASP's pseudopotentials: set PMG_VASP_PSP_DIR (or "
            "~/.config/.pmgrc.yaml) to the "
            f"folder that holds {_functional_folder()}; `pmg config -p SOURCE DIR` makes it from "
            "what VASP delivers"
        )
    folder = Path(named).expanduser() / _functional_folder()
    table = get_preset(preset).pseudopotentials
    wanted = [table[symbol] for symbol in sorted(set(symbols) & set(table))]
    functional = base_settings()["POTCAR_FUNCTIONAL"]
    remarks = "".join(f"; {doubt}" for doubt in doubts(preset, symbols))
    if not folder.is_dir():
        raise SettingsError(
            f"PMG_VASP_PSP_DIR is {named}, but {folder} is not a folder: PAW sets of functional "
            f"{functional} are expected there, {_some(wanted)} among them{_other_sets(named)}"
            f"{remarks}"
        )
    missing = [name for name in wanted if not _is_there(folder, name)]
    if missing:
        raise SettingsError(
            f"no POTCAR of {_some(missing)} in {folder}, which preset {preset} needs (functional "
            f"{functional}): put them there{_alike(folder, missing)}{remarks}"
        )


def doubts(preset: str, symbols: Collection[str]) -> tuple[str, ...]:
    """What is known to be doubtful about a preset's pseudopotentials of some elements."""
    table = get_preset(preset).pseudopotentials
    found = []
    for symbol in sorted(set(symbols) & set(table)):
        name = table[symbol]
        if name in DOUBTFUL:
            found.append(
                f"{name} of preset {preset} is doubtful: {DOUBTFUL[name]}; leave {symbol} out "
                f"(screening.excluded_elements: [{symbol}]) unless you mean it"
            )
    return tuple(found)


def _other_sets(named: str) -> str:
    """The PAW PBE sets of other versions that are there."""
    there = [name for name in POTCAR_FOLDERS if (Path(named).expanduser() / name).is_dir()]
    if not there:
        return ""
    return f"; {', '.join(there)} is there, another version, whose energies are not the preset's"


def _alike(folder: Path, missing: Collection[str]) -> str:
    """Other POTCARs of the elements that lack theirs."""
    elements = [name.partition("_")[0] for name in missing]
    names = {path.name.removeprefix("POTCAR.").removesuffix(".gz") for path in folder.iterdir()}
    alike = sorted(name for name in names if name.partition("_")[0] in elements)
    return f" (there: {_some(alike)}, which the preset does not use)" if alike else ""


def _is_there(folder: Path, name: str) -> bool:
    """Whether a POTCAR lies in a folder, zipped or not, by either of pymatgen's conventions."""
    from monty.os.path import zpath

    places = (folder / f"POTCAR.{name}", folder / name / "POTCAR")
    return any(Path(zpath(str(place))).is_file() for place in places)


def missing_command() -> str | None:
    """What is wrong with atomate2's VASP command on this machine; None if it is found."""
    command, is_found = vasp_command()
    if is_found:
        return None
    return (
        f"VASP's command `{command}` is not found on {socket.gethostname()}: set "
        "ATOMATE2_VASP_CMD, or VASP_CMD in "
        "atomate2's settings file, such as `srun vasp_std`, and load VASP's module where it runs"
    )


def check_incar_updates(preset: str) -> None:
    """SettingsError if atomate2's VASP_INCAR_UPDATES would change what a preset computes."""
    from atomate2 import SETTINGS

    foreign = sorted({tag.upper() for tag in SETTINGS.VASP_INCAR_UPDATES} - ALGORITHM_TAGS)
    if foreign:
        raise SettingsError(
            f"VASP_INCAR_UPDATES in atomate2's settings sets {_some(foreign)}, which preset "
            f"{preset} has fixed: leave "
            "there only tags that change no result, such as NCORE and KPAR"
        )


def _functional_folder() -> str:
    """Folder of the PAW PBE sets below PMG_VASP_PSP_DIR, as pymatgen looks for it."""
    from pymatgen.core import SETTINGS
    from pymatgen.io.vasp import PotcarSingle

    functional = base_settings()["POTCAR_FUNCTIONAL"]
    renamed = SETTINGS.get("PMG_VASP_PSP_SUB_DIRS", {})
    return str(renamed.get(functional, PotcarSingle.functional_dir[functional]))


def _some(names: Collection[str]) -> str:
    """The first names, and how many there are more."""
    listed = list(names)
    more = len(listed) - NAMED_AT_MOST
    first = ", ".join(listed[:NAMED_AT_MOST])
    return f"{first} and {more} more" if more > 0 else first
