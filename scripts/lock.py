"""Write requirements.lock: what pip resolves for gen2dft with the extras of the demo and the tests.

Usage: python scripts/lock.py [--torch torch==2.13.0]

Nothing is installed: pip resolves as if the environment were empty (`--dry-run --ignore-installed`)
and reports. PyTorch and what only its CUDA build needs are left out, because the user chooses that
build (`make TORCH=...`). The rest is the same for either build.
"""

from __future__ import annotations

import argparse
import json
import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOCK = ROOT / "requirements.lock"
EXTRAS = ("mlip", "serve", "web", "labels", "docs", "dev")
# CUDA libraries that PyTorch's default build brings. nvidia-ml-py3 stays: CHGNet imports it, it is
# pure Python.
TORCH_BUILD = re.compile(r"torch|triton|cuda-.*|nvidia-(?!ml-py3$).*")
LINUX_X86 = "platform_machine == 'x86_64' and sys_platform == 'linux'"
NOT_LINUX_X86 = "platform_machine != 'x86_64' or sys_platform != 'linux'"


def resolve(torch: str) -> list[tuple[str, str]]:
    """Names and versions of everything that the extras need, as pip resolves them here and now."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        wanted = [torch, f"{ROOT}[{','.join(EXTRAS)}]"]
        command = [
            sys.executable,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--dry-run",
            "--ignore-installed",
        ]
        subprocess.run([*command, "--report", str(report), *wanted], check=True)
        packages = json.loads(report.read_text())["install"]
    return [(canonical(p["metadata"]["name"]), p["metadata"]["version"]) for p in packages]


def canonical(name: str) -> str:
    """A project's name as PEP 503 spells it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def lock_text(packages: Iterable[tuple[str, str]], torch: str) -> str:
    """Content of the lock file; one exact pin a line, sorted."""
    pins = sorted(f"{name}=={version}" for name, version in packages if is_locked(name))
    lines = [line for pin in pins for line in pin_lines(pin)]
    python = ".".join(platform.python_version_tuple()[:2])
    header = [
        f"# Made by `make lock` with Python {python} on {platform.system()} {platform.machine()}; "
        "do not edit.",
        f"# gen2dft[{','.join(EXTRAS)}] without PyTorch, which is installed first: {torch}",
    ]
    return "\n".join([*header, *lines]) + "\n"


def pin_lines(pin: str) -> list[str]:
    """Lines of one pin.

    TensorFlow goes by two names, since its small CPU build exists for Linux on x86-64 only.
    """
    if not pin.startswith("tensorflow-cpu=="):
        return [pin]
    return [f"{pin}; {LINUX_X86}", f"{pin.replace('-cpu', '', 1)}; {NOT_LINUX_X86}"]


def is_locked(name: str) -> bool:
    """Whether a package belongs into the lock file."""
    return name != "gen2dft" and not TORCH_BUILD.fullmatch(name)


def main() -> None:
    """Resolve and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--torch", default="torch==2.13.0", help="requirement of the PyTorch to resolve against"
    )
    torch = parser.parse_args().torch
    LOCK.write_text(lock_text(resolve(torch), torch))
    print(f"wrote {LOCK.name}")


if __name__ == "__main__":
    main()
