"""gen2dft: generative crystal design closed by first-principles validation.

In a checkout `flows/` and `launchpad/` lie beside this folder; in an installed package they lie
inside it. Either way they are imported as `gen2dft.flows` and `gen2dft.launchpad`.
"""

from importlib import import_module
from pathlib import Path
from typing import Any

__version__ = "0.1.0"

if not (Path(__file__).parent / "flows").is_dir():
    __path__.append(str(Path(__file__).parents[1]))


def connect(*arguments: Any, **names: Any) -> Any:
    """Connect to gen2dft's database: `gen2dft.api.connect`, which says what may be given.

    Returns
    -------
    A `gen2dft.api.Session`.
    """
    # By name: everything imports this module, so it can import nothing of what lies above.
    return import_module("gen2dft.api").connect(*arguments, **names)
