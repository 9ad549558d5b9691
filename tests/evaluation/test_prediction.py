import numpy as np
import pytest

from gen2dft.evaluation.prediction import mean_absolute_error, median_errors, prediction_errors
from tests.toys import ToyGenerator, toy_dataset


def test_unlabelled_rows_do_not_count():
    truth = np.array([1.0, np.nan, 3.0])
    assert mean_absolute_error(truth, np.array([2.0, 100.0, 3.0])) == 0.5
    assert mean_absolute_error(np.array([np.nan]), np.zeros(1)) is None


def test_an_exact_generator_has_no_error():
    assert prediction_errors(ToyGenerator(), toy_dataset()) == {
        "formation_energy": pytest.approx(0.0)
    }


def test_the_median_is_the_training_sets():
    data = toy_dataset()
    energy = data.label("formation_energy")
    errors = median_errors(data.select([0, 1, 2]), data.select([3]), ("formation_energy",))
    assert errors["formation_energy"] == pytest.approx(abs(np.median(energy[:3]) - energy[3]))
