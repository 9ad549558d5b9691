"""Build the set of prototypes: known formulas put on them, ranked and relaxed with CHGNet, one
checkpoint line each.

Every formula of Ricci's table (compounds known to the Materials Project) that is charge-balanced or
has a closed shell, and the known binary intermetallics as competing phases, is put on every
prototype of its stoichiometry. One static calculation each, corrected for the wrong volume, ranks
them; the best ones are relaxed. Finished formulas stay in the checkpoint, so an interrupted build
resumes where it stopped, and a larger one continues a smaller one.
"""

from __future__ import annotations

import multiprocessing
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import cache
from math import gcd
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gen2dft.chemistry import EXCLUDED_ELEMENTS, anion, is_plausible
from gen2dft.errors import CalculationFailed
from gen2dft.generators.decorations import Decoration, decorations
from gen2dft.shipped.checkpoint import append_record, read_records
from gen2dft.shipped.prototypes_checkpoint import BuildPlan

if TYPE_CHECKING:
    from pymatgen.core import Structure

    from gen2dft.calculation import Calculation
    from gen2dft.engines.mlip.presets import MLIPPreset

    # eV/atom, prototype, crystal at its estimated volume
    Scored = tuple[float, Decoration, Structure]

# (stoichiometry, anion) to formulas
Groups = dict[tuple[Any, ...], list[str]]

GPA_A3_IN_EV = 1 / 160.21766208
SAME_SCORE = 0.002  # eV/atom
VOLUME_FACTORS = (0.85, 1.25)  # bounds of one step to the volume without pressure


def build_checkpoint(
    formulas: Sequence[str],
    plan: BuildPlan,
    size: int,
    path: Path,
    workers: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> list[dict[str, Any]]:
    """Work through the formulas until `size` crystals have converged.

    Parameters
    ----------
    formulas
        Reduced formulas, in the order in which they are taken, see `ordered_formulas`.
    plan
        What decides the outcome.
    size
        Converged relaxations wanted; fewer when the formulas run out.
    path
        Checkpoint, JSON lines, appended to.
    workers
        Processes; the outcome does not depend on it.
    progress
        Called with (crystals so far, size).

    Returns
    -------
    list of dict
        One record per formula, in order; the last ones of a larger checkpoint are left out.

    Raises
    ------
    DatasetError
        If the checkpoint belongs to another plan.
    OutputError
        If it cannot be written.
    """
    values = asdict(plan)
    known = {record["formula"]: record for record in read_records(path, values)}
    todo = [formula for formula in formulas if formula not in known]
    records: list[dict[str, Any]] = []
    count = 0
    # Fresh records come in the order of the formulas, so each is the one whose turn it is.
    with _outcomes(todo, plan, workers) as fresh:
        for formula in formulas:
            if count >= size:
                break
            record = known.get(formula)
            if record is None:
                record = next(fresh)
                append_record(path, values, record)
            records.append(record)
            count += sum(result["converged"] for result in record["relaxed"])
            if progress:
                progress(count, size)
    return records


def ordered_formulas(known: Sequence[str], plan: BuildPlan) -> list[str]:
    """Known formulas in the order in which a build takes them: seeded, balanced over stoichiometry
    and anion.

    A class of m formulas (same stoichiometry and anion) is met with weight sqrt(m), so that oxides
    do not crowd out the rest.

    Parameters
    ----------
    known
        Formulas of known compounds, any elements.
    plan
        Its seed shuffles each class; formulas without a prototype of at most its `max_sites` are
        left out.
    """
    from pymatgen.core import Composition

    rng = np.random.default_rng(plan.seed)
    # The order of the kinds is that of their random draws.
    classes: dict[str, Groups] = {"ternary": {}, "binary": {}, "intermetallic": {}}
    for formula in sorted(set(known)):
        amounts = Composition(formula).get_el_amt_dict()
        counts = {symbol: int(amount) for symbol, amount in amounts.items()}
        if len(counts) not in (2, 3) or not EXCLUDED_ELEMENTS.isdisjoint(counts):
            continue
        stoichiometry = tuple(sorted(counts.values()))
        kind = _kind(counts)
        if kind and _fitting(stoichiometry, plan):
            group = classes[kind].setdefault((*stoichiometry, anion(counts)), [])
            group.append(formula)
    lists = [_balanced(groups, rng) for groups in classes.values()]
    shares = (1 - plan.binaries, plan.binaries * 2 / 3, plan.binaries / 3)
    return _interleave(lists, shares)


def rank(formula: str, plan: BuildPlan) -> tuple[list[Scored], dict[str, int]]:
    """Prototypes for a formula in order of their estimated energy, eV/atom, with the counted
    failures.
    """
    from pymatgen.core import Composition

    composition = Composition(formula).get_el_amt_dict()
    symbols = sorted(composition, key=lambda symbol: (composition[symbol], symbol))
    counts = tuple(int(composition[symbol]) for symbol in symbols)
    scored: list[Scored] = []
    reasons: Counter[str] = Counter()
    for decoration in _fitting(counts, plan):
        try:
            structure = _sized(decoration.fill(symbols))
            scored.append(_score(decoration, structure, plan))
        except CalculationFailed as failure:
            reasons[failure.reason] += 1
    scored.sort(key=_by_score)
    best, others = scored[: plan.refined], scored[plan.refined :]
    refined: list[Scored] = []
    for _, decoration, structure in best:
        try:
            refined.append(_score(decoration, structure, plan))
        except CalculationFailed as failure:
            reasons[failure.reason] += 1
    refined.sort(key=_by_score)
    # The others stay behind, although the refined ones may have risen above them.
    return refined + others, dict(reasons)


def work_on(formula: str, plan: BuildPlan) -> dict[str, Any]:
    """Rank the prototypes of a formula, relax the best, and tell all in one JSON-able record."""
    from gen2dft.engines.mlip.engine import relax

    ranked, failed = rank(formula, plan)
    reasons = Counter(failed)
    chosen = _best(ranked, plan)
    relaxed = []
    for score, decoration, structure in chosen:
        try:
            result = relax(structure, _preset(plan))
        except CalculationFailed as failure:
            reasons[failure.reason] += 1
        else:
            relaxed.append(_as_record(decoration, score, result))
    return {
        "formula": formula,
        "relaxed": relaxed,
        "failed": dict(reasons),
        "not_among_the_best": len(ranked) - len(chosen),
    }


def _best(ranked: Sequence[Scored], plan: BuildPlan) -> list[Scored]:
    """Those that are relaxed, the lowest first."""
    chosen: list[Scored] = []
    for item in ranked:
        score = item[0]
        if chosen and score - chosen[0][0] >= plan.max_energy_gap:
            continue
        # Equal energies are the same crystal met as two prototypes, e.g. rock salt as B1 and as
        # B24.
        is_new = all(abs(score - other[0]) > SAME_SCORE for other in chosen)
        if is_new and len(chosen) < plan.relaxations:
            chosen.append(item)
    return chosen


@contextmanager
def _outcomes(
    formulas: Sequence[str], plan: BuildPlan, workers: int
) -> Iterator[Iterator[dict[str, Any]]]:
    """Records of the formulas in their order, from this process or from a pool that ends with the
    block.
    """
    tasks = [(formula, plan) for formula in formulas]
    if workers == 1:
        yield map(_work_on_task, tasks)
        return
    context = multiprocessing.get_context("spawn")
    with context.Pool(workers) as pool:  # leaving the block terminates the workers
        yield pool.imap(_work_on_task, tasks)


def _work_on_task(task: tuple[str, BuildPlan]) -> dict[str, Any]:
    return work_on(*task)


@cache
def _preset(plan: BuildPlan) -> MLIPPreset:
    from gen2dft.engines.mlip.presets import get_preset

    return replace(get_preset(plan.preset), max_steps=plan.max_steps)


@cache
def _all_decorations(max_sites: int) -> tuple[Decoration, ...]:
    return tuple(decorations(max_sites))


@cache
def _fitting(counts: tuple[int, ...], plan: BuildPlan) -> tuple[Decoration, ...]:
    """Decorations of a stoichiometry (ascending), those of high symmetry first."""
    known = _all_decorations(plan.max_sites)
    fitting = [decoration for decoration in known if _reduced(decoration.counts) == counts]
    fitting.sort(key=lambda found: (-found.space_group, len(found.blocks), found.name))
    tried = []
    sites = 0
    for decoration in fitting:
        if sites >= plan.sites_tried:
            break
        tried.append(decoration)
        sites += len(decoration.blocks)
    return tuple(tried)


def _reduced(counts: Sequence[int]) -> tuple[int, ...]:
    """Numbers of atoms of the smallest formula unit."""
    divisor = gcd(*counts)
    return tuple(count // divisor for count in counts)


def _sized(structure: Structure) -> Structure:
    """The structure at the volume that its bond lengths suggest (pymatgen's DLS prediction)."""
    from pymatgen.analysis.structure_prediction.volume_predictor import DLSVolumePredictor

    try:
        volume = DLSVolumePredictor().predict(structure)  # type: ignore[no-untyped-call]
        structure.scale_lattice(volume)
    except (ValueError, ArithmeticError) as err:
        raise CalculationFailed("no_volume_predicted", f"{structure.formula}: {err}") from err
    return structure


def _at_zero_pressure(result: Calculation) -> tuple[float, float]:
    """Energy (eV/atom) and volume factor after an estimated relaxation of the volume.

    To second order the energy falls by p^2 V / 2B and the volume grows by p V / B; B = 100 GPa + 4
    |p|, since the bulk modulus rises with pressure about four times as fast (Murnaghan).
    """
    pressure = 0.0
    if result.stress is not None:
        pressure = -float(np.trace(result.stress)) / 3
    modulus = 100 + 4 * abs(pressure)
    volume, atoms = result.structure.volume, len(result.structure)
    gain = pressure**2 * volume / atoms / (2 * modulus) * GPA_A3_IN_EV
    factor = np.clip(1 + pressure / modulus, *VOLUME_FACTORS)
    return result.energy_per_atom - gain, float(factor)


def _as_record(decoration: Decoration, score: float, result: Calculation) -> dict[str, Any]:
    structure = result.structure
    lattice = np.round(structure.lattice.matrix, 5)
    positions = np.round(structure.frac_coords % 1.0, 6)
    return {
        "prototype": decoration.name,
        "score": round(score, 4),
        "energy": round(result.energy_per_atom, 5),
        "converged": result.converged,
        "steps": result.num_steps,
        "lattice": lattice.tolist(),
        "numbers": [int(site.specie.Z) for site in structure],
        "frac": positions.tolist(),
    }


def _kind(counts: Mapping[str, int]) -> str | None:
    plausible = is_plausible(counts)
    if len(counts) == 3:
        return "ternary" if plausible else None
    return "binary" if plausible else "intermetallic"


def _balanced(groups: Groups, rng: np.random.Generator) -> list[str]:
    """Each group shuffled, then merged with weights that are the square roots of their sizes."""
    in_order = sorted(groups)
    lists: list[list[str]] = []
    for place in rng.permutation(len(groups)):
        shuffled = rng.permutation(groups[in_order[place]])
        lists.append(shuffled.tolist())
    weights = [len(formulas) ** 0.5 for formulas in lists]
    return _interleave(lists, weights)


def _interleave(lists: Sequence[Sequence[str]], shares: Sequence[float]) -> list[str]:
    """Merge so that every beginning of the result has the shares, while the lists last."""
    places = []
    for which, share in enumerate(shares):
        for index in range(len(lists[which])):
            position = (index + 0.5) / share
            places.append((position, which, index))
    places.sort()
    return [lists[which][index] for _, which, index in places]


def _score(decoration: Decoration, structure: Structure, plan: BuildPlan) -> Scored:
    from gen2dft.engines.mlip.engine import static

    result = static(structure, _preset(plan))
    score, factor = _at_zero_pressure(result)
    resized = structure.copy()
    resized.scale_lattice(structure.volume * factor)
    return score, decoration, resized


def _by_score(item: Scored) -> tuple[float, str]:
    return item[0], item[1].name
