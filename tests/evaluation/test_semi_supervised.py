import numpy as np
import pytest

from gen2dft.dataset import Dataset
from gen2dft.errors import DatasetError
from gen2dft.evaluation.semi_supervised import check_labels, label_figures, rank_correlation
from tests.toys import toy_dataset


def test_ranks_alone_count():
    values = np.array([1.0, 5.0, 2.0, 9.0])
    assert rank_correlation(values, np.exp(values)) == pytest.approx(1.0)
    assert rank_correlation(values, -values) == pytest.approx(-1.0)


def test_equal_values_share_their_rank():
    # scipy.stats.spearmanr([1, 2, 2, 4], [1, 3, 2, 4]) = 0.9487
    assert rank_correlation(np.array([1.0, 2, 2, 4]), np.array([1.0, 3, 2, 4])) == pytest.approx(
        0.94868, abs=1e-5
    )


def test_a_constant_prediction_has_no_rank():
    assert rank_correlation(np.arange(4.0), np.ones(4)) is None


def test_unlabelled_crystals_do_not_count():
    figures = label_figures(np.array([1.0, np.nan, 3.0, 4.0]), np.array([1.0, 99.0, 3.0, 5.0]))
    assert figures["mae"] == pytest.approx(1 / 3) and figures["spearman"] == pytest.approx(1.0)


def test_too_few_labels_are_refused_before_training():
    data = toy_dataset()
    factor = np.array([1.0, 2, 3, 4, np.nan, np.nan, 5, 6])
    data = Dataset(data.crystals, data.ids, {"power_factor": factor})
    with pytest.raises(
        DatasetError, match=r"there are 4 and 2: add --set dataset.labels=\[ricci2017\]"
    ):
        check_labels(data.select(np.arange(5)), data.select([6, 7]))
