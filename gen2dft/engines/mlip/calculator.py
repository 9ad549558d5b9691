"""CHGNet as an ASE calculator, at half the cost of the one it ships with.

Only `gen2dft.engines.mlip.engine` imports this module, and only when it computes: torch and chgnet
load with it.
"""

from __future__ import annotations

import contextlib
import functools
import io
import warnings
from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from ase import Atoms
from ase.calculators.calculator import Calculator, all_changes
from chgnet.model.model import CHGNet
from numpy.typing import NDArray
from pymatgen.core import Lattice, Structure

from gen2dft.errors import CalculationFailed

MAX_ATOMIC_NUMBER = 94


class CHGNetCalculator(Calculator):
    """Energy (eV), forces (eV/Angstrom), stress (eV/Angstrom^3) and magnetic moments of CHGNet.

    The shipped calculator differentiates the energy twice (positions, then strain) and keeps the
    graph for a third derivative that only training needs. One derivative by fractional coordinates
    f and lattice L (rows) gives both: cart = f L, so dE/dcart = dE/df L^-T; and L -> L (1 +
    strain), so dE/dstrain = L^T dE/dL.

    Raises
    ------
    CalculationFailed
        `isolated_atoms` or `element_not_supported`: the model cannot represent the structure.
    """

    implemented_properties: ClassVar[Sequence[str]] = ("energy", "forces", "stress", "magmoms")

    def __init__(self, model: CHGNet) -> None:
        super().__init__()
        self.model = model

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: Sequence[str] | None = None,
        system_changes: Sequence[str] = all_changes,
    ) -> None:
        """Compute everything at once; the results are kept until the atoms change."""
        super().calculate(atoms, properties, system_changes)
        with _known_warnings_ignored():
            graph = self._graph()
            prediction = self.model([graph], task="em")
        per_atom, count = prediction["e"].sum(), len(self.atoms)
        variables = [graph.atom_frac_coord, graph.lattice]
        by_frac, by_lattice = torch.autograd.grad(per_atom * count, variables)
        energy = float(per_atom.detach()) * count
        lattice = np.asarray(self.atoms.cell)
        self.results = {
            "energy": energy,
            "free_energy": energy,
            "forces": -_numbers(by_frac) @ np.linalg.inv(lattice).T,
            "stress": _stress(lattice, _numbers(by_lattice)),
            "magmoms": _numbers(prediction["m"][0].detach()),
        }

    def _graph(self) -> Any:
        if self.atoms.numbers.max() > MAX_ATOMIC_NUMBER:
            raise CalculationFailed(
                "element_not_supported", f"CHGNet knows elements 1 to {MAX_ATOMIC_NUMBER} only"
            )
        lattice = Lattice(self.atoms.cell.array)
        structure = Structure(lattice, self.atoms.numbers, self.atoms.get_scaled_positions())
        try:
            return self.model.graph_converter(structure)
        except ValueError as err:
            detail = f"an atom of {structure.formula} has no neighbour within the cutoff"
            raise CalculationFailed("isolated_atoms", detail) from err


@contextlib.contextmanager
def _known_warnings_ignored() -> Iterator[None]:
    with warnings.catch_warnings():
        # chgnet makes a plain number of a volume that carries a gradient, and writes formulas of
        # noble gases.
        warnings.filterwarnings(
            "ignore", "Converting a tensor with requires_grad=True", UserWarning
        )
        warnings.filterwarnings("ignore", "No Pauling electronegativity", UserWarning)
        yield


def _numbers(tensor: torch.Tensor) -> NDArray[np.float64]:
    return tensor.numpy().astype(float)


def _stress(lattice: NDArray[np.float64], by_lattice: NDArray[np.float64]) -> NDArray[np.float64]:
    """(6,) eV/Angstrom^3 in Voigt order: L^T dE/dL over the volume, made symmetric."""
    stress = lattice.T @ by_lattice / abs(np.linalg.det(lattice))
    symmetric = (stress + stress.T) / 2
    return symmetric[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]


@functools.cache
def calculator(model_name: str) -> CHGNetCalculator:
    """The calculator of this process, on one thread: two threads are slower than one on a busy
    machine.
    """
    torch.set_num_threads(1)
    with contextlib.redirect_stdout(io.StringIO()):
        model = CHGNet.load(model_name=model_name, use_device="cpu", verbose=False)
    model.eval()
    model.requires_grad_(False)  # only the structure is differentiated
    model.graph_converter.set_isolated_atom_response("error")
    return CHGNetCalculator(model)
