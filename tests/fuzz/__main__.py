"""The long run: `python -m tests.fuzz --examples 1000 --processes 200 --out DIR`."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "support"))

from tests.fuzz.entry_points import ENTRY_POINTS
from tests.fuzz.long_run import LongRun


def main() -> int:
    """Run, write the tables, and return 1 if a rule was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--examples", type=int, default=1000, help="inputs of each entry point")
    parser.add_argument("--processes", type=int, default=200, help="inputs as processes, in all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, default=Path("build/fuzz"), help="a new folder")
    parser.add_argument("--only", choices=sorted(ENTRY_POINTS), action="append")
    asked = parser.parse_args()
    run = LongRun(asked.out, asked.seed, asked.only or list(ENTRY_POINTS))
    run.in_one_process(asked.examples)
    run.as_processes(asked.processes)
    sys.stdout.write(run.write_tables() + "\n")
    return 1 if run.broken else 0


if __name__ == "__main__":
    sys.exit(main())
