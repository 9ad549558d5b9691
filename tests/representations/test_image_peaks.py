import numpy as np
import pytest

from gen2dft.representations.image_peaks import find_peaks


def image(*centres: tuple[float, ...], size: int = 16, width: float = 1.1) -> np.ndarray:
    steps = np.stack(np.meshgrid(*[np.arange(size)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    apart = steps[:, None] - np.array(centres, dtype=float)
    apart -= size * np.round(apart / size)
    return np.exp(-(apart**2).sum(axis=2) / (2 * width**2)).sum(axis=1).astype(np.float32)


def test_a_gaussian_is_found_to_a_thousandth_of_a_voxel_across_the_faces_too():
    centres = [(5.3, 7.81, 2.25), (15.7, 0.2, 15.9)]
    peaks = find_peaks(np.stack([image(c) for c in centres]), 16, 0.02)
    assert peaks.rows.tolist() == [0, 1]
    assert peaks.positions % 16 == pytest.approx(np.array(centres) % 16, abs=1e-3)


def test_a_centre_midway_between_voxels_is_one_peak():
    peaks = find_peaks(image((4.5, 4.5, 4.5))[None], 16, 0.02)
    assert peaks.positions == pytest.approx(np.array([[4.5, 4.5, 4.5]]), abs=1e-3)


def test_the_highest_peak_of_an_image_comes_first():
    peaks = find_peaks((0.4 * image((3, 3, 3)) + 0.9 * image((10, 10, 10)))[None], 16, 0.02)
    assert peaks.positions[:, 0].round().tolist() == [10, 3]
    assert peaks.heights == pytest.approx([0.9, 0.4], abs=0.01)


@pytest.mark.parametrize("content", [0.0, 0.019, np.nan])
def test_nothing_is_no_peak(content: float):
    assert not len(find_peaks(np.full((2, 16**3), content, dtype=np.float32), 16, 0.02).rows)


def test_a_constant_image_has_one_peak_at_most():
    assert len(find_peaks(np.ones((1, 16**3), dtype=np.float32), 16, 0.02).rows) <= 1
