"""Compute a dataset with the ML potential and fit the elemental references that ship with gen2dft.

Command: `python -m gen2dft.shipped.build_references DATASET.npz OUT.json`
"""

from __future__ import annotations

import argparse
import json
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gen2dft.dataset import Dataset
from gen2dft.engines.mlip.engine import static
from gen2dft.engines.mlip.presets import PRESETS, versions
from gen2dft.errors import CalculationFailed
from gen2dft.shipped.fit_references import OUTLIER, RIDGE, ReferenceFit, fit_references

log = logging.getLogger(__name__)

CHECKPOINT_EVERY = 200


def potential_energies(dataset: Dataset, checkpoint: Path) -> NDArray[np.float64]:
    """(n,) eV/atom of every crystal as it is; NaN where the potential fails.

    A killed run continues where it was.
    """
    energies = np.full(len(dataset), np.nan)
    done = 0
    if checkpoint.is_file():
        with np.load(checkpoint, allow_pickle=False) as saved:
            if str(saved["dataset"]) == dataset.content_hash:
                energies, done = saved["energies"].copy(), int(saved["done"])
    for index in range(done, len(dataset)):
        try:
            energies[index] = static(dataset.crystals.structure(index)).energy_per_atom
        except CalculationFailed as failure:
            log.warning("%s left out: %s", dataset.ids[index], failure)
        if (index + 1) % CHECKPOINT_EVERY == 0 or index + 1 == len(dataset):
            np.savez(
                checkpoint,
                energies=energies,
                done=index + 1,
                dataset=np.array(dataset.content_hash),
            )
            log.info("%d of %d crystals", index + 1, len(dataset))
    return energies


def ground_state_energies() -> dict[str, float]:
    """Energy of each element in its ground state as ASE tabulates it, eV/atom, where ASE can build
    it.

    An element without cohesion (polonium: +1.3 eV/atom) is one that the potential was not trained
    on; it is left out.
    """
    from ase.build import bulk
    from ase.data import chemical_symbols, reference_states
    from pymatgen.core import Structure

    energies = {}
    for number, state in enumerate(reference_states):
        symbol = chemical_symbols[number]
        if number == 0 or state is None or state["symmetry"] in ("atom", "diatom"):
            continue
        try:
            atoms = bulk(symbol)
            structure = Structure(
                atoms.cell.array, atoms.get_chemical_symbols(), atoms.get_scaled_positions()
            )
            if (energy := static(structure).energy_per_atom) < 0:
                energies[symbol] = energy
        except (
            ValueError,
            RuntimeError,
            CalculationFailed,
        ) as err:  # ase.build.bulk lacks the structure
            log.info("no prior for %s: %s", symbol, err)
    return energies


def build_references(dataset: Dataset, out: Path, command: str) -> ReferenceFit:
    """Compute, fit and write the references with their provenance.

    Energies so far are kept beside `out`.
    """
    energies = potential_energies(dataset, out.with_suffix(".energies.npz"))
    prior = ground_state_energies()
    rng = np.random.default_rng(0)
    fit = fit_references(dataset.crystals, energies, dataset.label("formation_energy"), prior, rng)
    document = {
        "engine": "chgnet",
        "model": PRESETS["chgnet-v1"].model,
        "unit": "eV/atom",
        "references": fit.references,
        "provenance": {
            "method": f"ridge fit (ridge {RIDGE}) of E - Ef, residuals above {OUTLIER} eV/atom "
            "dropped once",
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
        },
    }
    out.write_text(json.dumps(document, indent=1) + "\n")
    return fit


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
    fit = build_references(Dataset.load(given.dataset), given.out, command)
    log.info(
        "%d crystals, MAE %.4f eV/atom, cross-validated %.4f", fit.num_crystals, fit.mae, fit.mae_cv
    )


if __name__ == "__main__":
    main()
