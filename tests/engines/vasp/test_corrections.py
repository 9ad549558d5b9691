import pytest

from gen2dft.engines.vasp import corrections

ZBRENT = {
    "handler": {"@module": "custodian.vasp.handlers", "@class": "VaspErrorHandler"},
    "errors": ["zbrent"],
    "actions": [
        {"file": "CONTCAR", "action": {"_file_copy": {"dest": "POSCAR"}}},
        {"dict": "INCAR", "action": {"_set": {"EDIFF": 1e-6}}},
    ],
}
WALLTIME = {
    "handler": {"@class": "WalltimeHandler"},
    "errors": ["Walltime reached"],
    "actions": None,
}


def log(*actions):
    return [
        {"corrections": [{"handler": {"@class": "H"}, "errors": ["e"], "actions": list(actions)}]}
    ]


def test_handlers_that_would_split_the_data_set_are_left_out():
    names = [type(handler).__name__ for handler in corrections.fresh_handlers()]
    assert {"KspacingMetalHandler", "IncorrectSmearingHandler"}.isdisjoint(names)
    assert {"VaspErrorHandler", "UnconvergedErrorHandler", "WalltimeHandler"} <= set(names)


def test_all_other_handlers_of_atomate2_are_there():
    from atomate2.vasp.run import DEFAULT_HANDLERS

    left_out = {type(handler).__name__ for handler in DEFAULT_HANDLERS} - set(corrections.HANDLERS)
    assert left_out == {"KspacingMetalHandler", "IncorrectSmearingHandler"}


def test_each_run_has_handlers_of_its_own():
    first, second = corrections.fresh_handlers(), corrections.fresh_handlers()
    assert not {id(handler) for handler in first} & {id(handler) for handler in second}


@pytest.mark.parametrize("variable", ["JOB_END_TIME", "SLURM_JOB_END_TIME"])
def test_the_end_of_the_queue_job_is_known_to_the_walltime_handler(variable, monkeypatch):
    import time

    monkeypatch.setenv("CUSTODIAN_WALLTIME_START", "Sun Nov 01 00:00:00 UTC 2026")
    monkeypatch.setenv(variable, str(int(time.time()) + 7200))
    handler = corrections.fresh_handlers()[-1]
    assert handler.wall_time == pytest.approx(7200, abs=5)
    assert handler.start_time.year > 2000


def test_only_what_was_done_counts_as_a_correction():
    (correction,) = corrections.applied([{"corrections": [ZBRENT, WALLTIME]}])
    assert correction.handler == "VaspErrorHandler"
    assert correction.errors == ["zbrent"]
    assert correction.actions == ["CONTCAR: copied to POSCAR", "INCAR: EDIFF = 1e-06"]


@pytest.mark.parametrize(
    ("action", "changed"),
    [
        ({"dict": "INCAR", "action": {"_set": {"ALGO": "Normal", "NELMIN": 8}}}, False),
        ({"file": "WAVECAR", "action": {"_file_delete": {"mode": "actual"}}}, False),
        ({"dict": "INCAR", "action": {"_set": {"ALGO": "Normal", "SIGMA": 0.01}}}, True),
        ({"dict": "INCAR", "action": {"_unset": {"LREAL": 1}}}, True),
        ({"dict": "KPOINTS", "action": {"_set": {"generation_style": "Gamma"}}}, True),
        ({"dict": "POSCAR", "action": {"_set": {"structure": {}}}}, True),
    ],
)
def test_what_changes_the_energy_is_told_from_what_does_not(action, changed):
    assert corrections.changes_settings(log(action)) is changed
    assert corrections.applied(log(action))[0].actions


def test_no_log_means_no_corrections(tmp_path):
    assert corrections.read_log(tmp_path) == []
