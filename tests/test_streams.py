"""Each purpose draws numbers of its own, and always the same ones."""

import ast

import numpy as np
import pytest

from gen2dft.loop.view import ACQUISITION_STREAMS, SAMPLING_STREAMS
from gen2dft.streams import EvaluationStream, Stream, Streams
from tests.test_layers import modules


@pytest.mark.parametrize("family", [Stream, EvaluationStream])
def test_no_two_streams_of_a_seed_sequence_share_a_number(family):
    numbers = [int(stream) for stream in family.__members__.values()]
    assert len(set(numbers)) == len(numbers)


def test_the_numbers_of_stored_campaigns_stay():
    assert {stream.name: int(stream) for stream in Stream} == {
        "SAMPLING": 0,
        "LATENT_MAP": 1,
        "ACQUISITION": 2,
        "ENSEMBLE": 3,
        "SURROGATE_NOISE": 4,
        "GATE_AUDIT": 5,
        "OXIDE_FIGURES": 9,
        "ACQUISITION_OF_CONTROL": 11,
        "SAMPLING_OF_CONTROL": 20,
    }


def test_a_stream_is_the_end_of_the_seed_sequence():
    drawn = Streams(seed=7, round_index=2).rng(Stream.GATE_AUDIT).random(4)
    assert np.array_equal(drawn, np.random.default_rng([7, 2, 5]).random(4))
    part = Streams(seed=7, round_index=2).rng(Stream.GATE_AUDIT, 3).random(4)
    assert np.array_equal(part, np.random.default_rng([7, 2, 5, 3]).random(4))


def test_the_arms_of_a_round_share_no_stream():
    streams = [*SAMPLING_STREAMS.values(), *ACQUISITION_STREAMS.values()]
    assert len(set(streams)) == 4


def test_no_step_asks_for_a_stream_by_its_bare_number():
    bare = [
        f"{name}:{node.lineno}"
        for name, tree in modules().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "rng"
        and any(isinstance(part, ast.Constant) for part in node.args)
    ]
    assert not bare
