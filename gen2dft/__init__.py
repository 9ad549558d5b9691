"""gen2dft: generative crystal design closed by first-principles validation.

In a checkout `flows/` and `launchpad/` lie beside this folder; in an installed package they lie
inside it. Either way they are imported as `gen2dft.flows` and `gen2dft.launchpad`.
"""

from pathlib import Path

__version__ = "0.1.0"

if not (Path(__file__).parent / "flows").is_dir():
    __path__.append(str(Path(__file__).parents[1]))
