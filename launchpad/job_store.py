"""Whether jobflow's store serves campaigns: one process writes to it, another one reads it there.

A store that lives in the memory of its process, which jobflow takes where none is configured,
answers the process that asks it and no other; the workers of a campaign are others. The second
process is this module: `python -m gen2dft.launchpad.job_store UUID`.
"""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
from typing import TYPE_CHECKING, Any

from gen2dft.launchpad.connect import jobflow_file

from gen2dft.errors import SettingsError
from gen2dft.store.connect import reason_of
from gen2dft.store.processes import module_command, module_environment

if TYPE_CHECKING:
    from jobflow import JobStore

    from gen2dft.settings import Settings

MODULE = "gen2dft.launchpad.job_store"
OUTPUT = {"array": [1, 2, 3]}
SECONDS = 120.0  # for the second process, which imports jobflow
REMEDY = (
    "name a MongoStore with an additional store `data` under JOB_STORE there; or keep results in "
    "the campaign's database: unset JOBFLOW_CONFIG_FILE, and move ~/.jobflow.yaml away"
)


def refuse_private_store(settings: Settings) -> None:
    """SettingsError for a store of the user's own that workers could not share.

    The store that gen2dft configures itself is in the campaign's database.
    """
    file, is_own = jobflow_file(settings)
    if is_own:
        return
    if problem := try_job_store():
        raise SettingsError(f"job store of {file}: {problem}; {REMEDY}")


def try_job_store() -> str | None:
    """Write to jobflow's store, arrays included, read it from a second process, and clean up.

    Returns
    -------
    The problem; None if there is none.
    """
    key = f"doctor-{uuid.uuid4().hex}"
    place = {"uuid": key, "index": 1}
    try:
        store = _store()
        if "data" not in store.additional_stores:
            return "there is no additional store `data` for large arrays"
        store.connect()
        store.update([{**place, "output": OUTPUT}], key=["uuid", "index"], save={"data": "array"})
        try:
            found = store.get_output(key, load=True)
            read = _read_elsewhere(key)
        finally:
            store.remove_docs(place)
    except Exception as err:  # a store of the user's may be of any kind and raise anything
        return f"{type(err).__name__}: {reason_of(err)}"
    if found != OUTPUT:
        return "what was written is not read again"
    return None if read == OUTPUT else _not_shared(store)


def _store() -> JobStore:
    from jobflow import SETTINGS

    return SETTINGS.JOB_STORE


def _not_shared(store: JobStore) -> str:
    """The problem of a store that only the process sees that wrote to it."""
    stores = [store.docs_store, *store.additional_stores.values()]
    kinds = sorted({type(part).__name__ for part in stores})
    return (
        f"what one process writes to it ({', '.join(kinds)}) a second one does not find, so "
        "workers would wait for results that never come"
    )


def _read_elsewhere(key: str) -> Any:
    """What a second process reads under a key; None if it finds nothing."""
    done = subprocess.run(
        [*module_command(MODULE), key],
        capture_output=True,
        text=True,
        timeout=SECONDS,
        env=module_environment(),
    )
    last = done.stdout.strip().splitlines()[-1:]
    return json.loads(last[0]) if done.returncode == 0 and last else None


def main(arguments: list[str]) -> int:
    """Print the output that the store keeps under a key; exit code 1 if there is none."""
    (key,) = arguments
    store = _store()
    store.connect()
    try:
        found = store.get_output(key, load=True)
    except ValueError:  # so jobflow says that it has nothing under a key
        return 1
    sys.stdout.write(json.dumps(found) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
