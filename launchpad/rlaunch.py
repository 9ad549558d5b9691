"""FireWorks' rlaunch with gen2dft's LaunchPad: `python -m gen2dft.launchpad.rlaunch` takes the same
arguments.

It is what the queue jobs of `gen2dft init` run. FireWorks' own is as good on MongoDB; see
`gen2dft.launchpad.ids`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence


def main(arguments: Sequence[str]) -> int:
    """Launch rockets; the exit code."""
    from fireworks.scripts import rlaunch_run
    from gen2dft.launchpad.ids import SharedLaunchPad

    rlaunch_run.LaunchPad = SharedLaunchPad
    return int(rlaunch_run.rlaunch(arguments))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
