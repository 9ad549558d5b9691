import numpy as np
import pytest

pytest.importorskip("ase")


@pytest.mark.parametrize("seed", range(3))
def test_forces_and_positions_are_those_of_ase(seed: int):
    from ase.build import bulk
    from ase.calculators.emt import EMT
    from ase.filters import FrechetCellFilter

    from gen2dft.engines.mlip.cell_filter import CachedCellFilter

    filters = []
    for kind in (FrechetCellFilter, CachedCellFilter):
        rng = np.random.default_rng(seed)
        atoms = bulk("CuAu", "rocksalt", a=5.0) * (2, 1, 1)
        atoms.calc = EMT()
        both = kind(atoms)
        for _ in range(2):
            both.set_positions(both.get_positions() + rng.normal(0, 0.2, (7, 3)))
        filters.append(both)
    np.testing.assert_allclose(filters[1].get_forces(), filters[0].get_forces(), atol=1e-9)
    np.testing.assert_allclose(filters[1].get_positions(), filters[0].get_positions(), atol=1e-9)


def test_forces_follow_the_positions():
    from ase.build import bulk
    from ase.calculators.emt import EMT

    from gen2dft.engines.mlip.cell_filter import CachedCellFilter

    atoms = bulk("Cu", a=3.6)
    atoms.calc = EMT()
    cell = CachedCellFilter(atoms)
    first = cell.get_forces()
    cell.set_positions(cell.get_positions() + 0.02 * np.eye(4, 3, k=-1))
    assert np.abs(cell.get_forces() - first).max() > 1e-3
