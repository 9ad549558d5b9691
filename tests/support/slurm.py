"""A real SLURM of one node on loopback, in a folder of its own, without systemd: munged, slurmctld
and slurmd.

They run as children of this process and end with `stop`. SLURM starts jobs under their users'
names, so it wants root.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

PROGRAMS = ("munged", "munge", "slurmctld", "slurmd", "sbatch", "scancel", "squeue", "sinfo")
PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/local/sbin", "/usr/sbin", "/sbin"])
START_SECONDS = 60.0

CONFIG = """\
ClusterName=tests
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmdPort={node_port}
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.sock
CredType=cred/munge
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
MpiDefault=none
SwitchType=switch/none
LaunchParameters=disable_send_gids
ReturnToService=2
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0,sched_interval=2,bf_interval=2
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
KillWait=2
MinJobAge=300
SlurmdParameters=config_overrides
NodeName={host} NodeHostname={host} NodeAddr=127.0.0.1 CPUs={cpus} State=UNKNOWN
PartitionName=tests Nodes={host} Default=YES MaxTime=INFINITE DefaultTime=10 State=UP
"""


def why_not() -> str | None:
    """Why SLURM cannot run here; None if it can."""
    missing = [program for program in PROGRAMS if not shutil.which(program, path=PATH)]
    if missing:
        return f"no {missing[0]} here: apt-get install slurm-wlm munge"
    return (
        None
        if os.getuid() == 0
        else "slurmd starts jobs under their users' names and so needs root"
    )


class Slurm:
    """One node with `cpus` cores in `folder`, which needs a short name: a socket's path has 107
    characters at most.
    """

    def __init__(self, folder: Path, cpus: int = 8) -> None:
        self.folder = folder
        self.cpus = cpus
        self.servers: list[subprocess.Popen[bytes]] = []
        self.environment = {**os.environ, "SLURM_CONF": str(folder / "slurm.conf"), "PATH": PATH}

    def start(self) -> None:
        """Start the three servers; the node is ready when this returns."""
        folder = self.folder
        for name in ("state", "spool"):
            (folder / name).mkdir()
        (folder / "munge.key").write_bytes(os.urandom(128))
        (folder / "munge.key").chmod(0o600)
        host = socket.gethostname().partition(".")[0]
        ports = {"port": _free_port(), "node_port": _free_port()}
        (folder / "slurm.conf").write_text(
            CONFIG.format(host=host, folder=folder, cpus=self.cpus, **ports)
        )
        places = {
            "key-file": "munge.key",
            "socket": "munge.sock",
            "pid-file": "munge.pid",
            "seed-file": "munge.seed",
        }
        options = [f"--{name}={folder / file}" for name, file in places.items()]
        self._serve("munged", "--foreground", "--force", *options)
        self._wait(
            lambda: self.command("munge", "-S", str(folder / "munge.sock"), "-n").returncode == 0
        )
        self._serve("slurmctld", "-D")
        self._serve("slurmd", "-D", "-N", host)
        self._wait(
            lambda: self.command("sinfo", "-h", "-o", "%T").stdout.strip() in ("idle", "mixed")
        )

    def stop(self) -> None:
        """End all jobs and the servers."""
        self.cancel_all()
        for server in reversed(self.servers):
            server.terminate()
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()

    def cancel_all(self) -> None:
        """End all jobs, and wait until they have ended."""
        self.command("scancel", "--me", "--signal=KILL", "--full")
        self.command("scancel", "--me")
        deadline = time.monotonic() + START_SECONDS
        while self.jobs() and time.monotonic() < deadline:
            time.sleep(0.2)

    def command(self, *words: str) -> subprocess.CompletedProcess[str]:
        """One of SLURM's commands."""
        return subprocess.run(
            words, env=self.environment, capture_output=True, text=True, timeout=60, check=False
        )

    def jobs(self) -> list[str]:
        """Ids of the jobs that wait or run."""
        return self.command("squeue", "-h", "-o", "%i").stdout.split()

    def log(self) -> str:
        """The last words of the servers."""
        return "\n".join(path.read_text()[-1500:] for path in self.folder.glob("*.log"))

    def _serve(self, *words: str) -> None:
        with (self.folder / f"{words[0]}.out").open("wb") as log:
            self.servers.append(
                subprocess.Popen(
                    words, env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
                )
            )

    def _wait(self, condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not condition():
            if time.monotonic() > deadline or any(
                server.poll() is not None for server in self.servers
            ):
                outputs = "\n".join(path.read_text()[-500:] for path in self.folder.glob("*.out"))
                raise RuntimeError(f"SLURM does not start:\n{outputs}\n{self.log()}")
            time.sleep(0.1)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
