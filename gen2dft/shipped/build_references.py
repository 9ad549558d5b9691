"""Compute a dataset with the ML potential and fit the elemental references that ship with gen2dft.

Command: `python -m gen2dft.shipped.build_references DATASET.npz OUT.json`
"""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gen2dft.dataset import Dataset
from gen2dft.engines.mlip.engine import static
from gen2dft.engines.mlip.presets import PRESETS, versions
from gen2dft.errors import CalculationFailed
from gen2dft.shipped.fit_references import OUTLIER, RIDGE, ReferenceFit, fit_references

if TYPE_CHECKING:
    from pymatgen.core import Structure

log = logging.getLogger(__name__)

CHECKPOINT_EVERY = 200


def potential_energies(dataset: Dataset, checkpoint: Path) -> NDArray[np.float64]:
    """(n,) eV/atom of every crystal as it is; NaN where the potential fails.

    An interrupted run resumes where it stopped.
    """
    energies, first = _read_checkpoint(checkpoint, dataset)
    number = len(dataset)
    for index in range(first, number):
        structure = dataset.crystals.structure(index)
        try:
            energies[index] = static(structure).energy_per_atom
        except CalculationFailed as failure:
            log.warning("%s left out: %s", dataset.ids[index], failure)
        done = index + 1
        if done % CHECKPOINT_EVERY == 0 or done == number:
            owner = np.array(dataset.content_hash)
            np.savez(checkpoint, energies=energies, done=done, dataset=owner)
            log.info("%d of %d crystals", done, number)
    return energies


def _read_checkpoint(checkpoint: Path, dataset: Dataset) -> tuple[NDArray[np.float64], int]:
    """Energies so far, and how many crystals are done; none if it is of another dataset."""
    if checkpoint.is_file():
        with np.load(checkpoint, allow_pickle=False) as saved:
            if str(saved["dataset"]) == dataset.content_hash:
                return saved["energies"].copy(), int(saved["done"])
    return np.full(len(dataset), np.nan), 0


def ground_state_energies() -> dict[str, float]:
    """Energy of each element in its ground state as ASE tabulates it, eV/atom, where ASE can build
    it.

    An element without cohesion (polonium: +1.3 eV/atom) is one that the potential was not trained
    on; it is left out.
    """
    from ase.data import chemical_symbols, reference_states

    energies = {}
    for symbol, state in zip(chemical_symbols, reference_states, strict=False):
        if state is None or state["symmetry"] in ("atom", "diatom"):
            continue
        try:
            energy = static(_ground_state(symbol)).energy_per_atom
        # ASE raises the first two for structures that it cannot build.
        except (ValueError, RuntimeError, CalculationFailed) as err:
            log.info("no prior for %s: %s", symbol, err)
            continue
        if energy < 0:
            energies[symbol] = energy
    return energies


def _ground_state(symbol: str) -> Structure:
    from ase.build import bulk
    from pymatgen.core import Structure

    atoms = bulk(symbol)
    symbols, positions = atoms.get_chemical_symbols(), atoms.get_scaled_positions()
    return Structure(atoms.cell.array, symbols, positions)


def build_references(dataset: Dataset, out: Path, command: str) -> ReferenceFit:
    """Compute, fit and write the references with their provenance.

    Energies so far are kept beside `out`.
    """
    energies = potential_energies(dataset, out.with_suffix(".energies.npz"))
    prior = ground_state_energies()
    rng = np.random.default_rng(0)
    labels = dataset.label("formation_energy")
    fit = fit_references(dataset.crystals, energies, labels, prior, rng)
    document = {
        "engine": "chgnet",
        "model": PRESETS["chgnet-v1"].model,
        "unit": "eV/atom",
        "references": fit.references,
        "provenance": _provenance(fit, dataset, command),
    }
    out.write_text(json.dumps(document, indent=1) + "\n")
    return fit


def _provenance(fit: ReferenceFit, dataset: Dataset, command: str) -> dict[str, Any]:
    how = f"ridge fit (ridge {RIDGE}) of E - Ef"
    return {
        "method": f"{how}, residuals above {OUTLIER} eV/atom dropped once",
        "prior": "ASE ground states at their experimental lattice constants",
        "dataset": dict(dataset.provenance),
        "dataset_hash": dataset.content_hash,
        "num_crystals": fit.num_crystals,
        "num_outliers": fit.num_outliers,
        "mae_eV_per_atom": round(fit.mae, 4),
        "mae_5_fold_eV_per_atom": round(fit.mae_cv, 4),
        "prior_only": list(fit.prior_only),
        "versions": versions(),
        "command": command,
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Command line of this module."""
    parser = argparse.ArgumentParser(
        prog="python -m gen2dft.shipped.build_references", description=__doc__
    )
    parser.add_argument("dataset", type=Path, help="dataset file (.npz) with formation energies")
    parser.add_argument("out", type=Path, help="JSON file to write")
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    command = f"{parser.prog} {given.dataset.name} {given.out.name}"
    dataset = Dataset.load(given.dataset)
    fit = build_references(dataset, given.out, command)
    text = "%d crystals, MAE %.4f eV/atom, cross-validated %.4f"
    log.info(text, fit.num_crystals, fit.mae, fit.mae_cv)


if __name__ == "__main__":
    main()
