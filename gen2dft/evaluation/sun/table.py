"""The table by the field's rules: shares of draws that are valid, unique, novel and stable."""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Sequence

from gen2dft.campaign import SurrogateSpec
from gen2dft.engines import load_engine
from gen2dft.evaluation.journal import Relax, surrogate_journal
from gen2dft.evaluation.setting import Setting
from gen2dft.evaluation.sun.draws import draw, sift
from gen2dft.evaluation.sun.figures import COLUMNS, LIMITS, Measured, figures_of
from gen2dft.evaluation.sun.known import Known
from gen2dft.evaluation.sun.relaxed import chosen, judged, relax_all
from gen2dft.evaluation.sun.ways import Way, choose_ways
from gen2dft.evaluation.tables import Row, Table
from gen2dft.heads.stability_trees import stability_model
from gen2dft.thermo.hull import ReferenceHull
from gen2dft.thermo.materials_project import whole_hull
from gen2dft.thermo.scales import must_share
from gen2dft.thermo.stability import StabilityModel

NAME, TITLE = "sun", "Stable, unique and novel, by the field's rules"


def sun_table(setting: Setting) -> Table:
    """The table of the ways that the budget names, against the whole hull."""
    surrogate = surrogate_of(setting)
    correction = stability_model(surrogate.engine, surrogate.preset)
    return table_against(setting, whole_hull(), correction)


def table_against(
    setting: Setting, hull: ReferenceHull, correction: StabilityModel | None
) -> Table:
    """The table, against a hull of one's own and with a correction of one's own, or none.

    Raises
    ------
    MixedEnergies
        The surrogate's energies are on another scale than the hull's.
    """
    surrogate = surrogate_of(setting)
    check_scale(surrogate, hull)
    known = Known.of(setting, hull)
    relax = surrogate_journal(surrogate, hull, setting.snapshot_dir)
    rows: list[Row] = []
    failures: Counter[str] = Counter()
    for way in choose_ways(setting.any_spec, setting.budget.ways):
        measured = measure(setting, way, known, relax, correction)
        rows += rows_of(way, measured)
        failures.update(one.failure for one in measured.relaxed if one.failure)
    notes = (_note(setting, hull, correction), *_failure_notes(failures))
    return Table(NAME, TITLE, COLUMNS, rows, notes, turned=True)


def check(setting: Setting) -> None:
    """Refuse, before work begins, ways, engines and presets that do not exist."""
    choose_ways(setting.any_spec, setting.budget.ways)
    surrogate = surrogate_of(setting)
    load_engine(surrogate.engine).preset(surrogate.preset)


def surrogate_of(setting: Setting) -> SurrogateSpec:
    """The campaign's surrogate, which symmetrises what lies within the largest limit."""
    surrogate = setting.any_spec.screening.surrogate
    return surrogate.model_copy(update={"max_e_above_hull": LIMITS[-1], "min_chance": None})


def check_scale(surrogate: SurrogateSpec, hull: ReferenceHull) -> None:
    """Refuse a surrogate whose energies never share the hull."""
    scale = load_engine(surrogate.engine).scale
    must_share(
        hull.scale,
        {scale or surrogate.engine},
        f"formation energies of engine {surrogate.engine!r}",
        "Take a potential on the hull's scale: --set screening.surrogate.engine=mlip",
    )


def measure(
    setting: Setting, way: Way, known: Known, relax: Relax, correction: StabilityModel | None
) -> Measured:
    """Draw, sift and relax what one way gives."""
    setting.progress(f"draw, {way.name}", 0, setting.budget.draws)
    draws = draw(setting, known, way)
    sieve = sift(draws.crystals, setting.any_spec.screening, known)
    most = setting.budget.relaxations
    rows = chosen(draws.crystals, sieve.new.nonzero()[0].tolist(), most, setting.seed)
    progress = functools.partial(setting.progress, f"relax, {way.name}")
    found = relax_all(draws.crystals, rows, relax, progress)
    setting.progress(f"compare, {way.name}", 0, len(found))
    return Measured(
        draws, sieve, judged(found, known.prototypes, correction), correction is not None
    )


def rows_of(way: Way, measured: Measured) -> list[Row]:
    """The row of a way, and of each method of a source that has several."""
    if not len(measured.draws):
        return [Row(way.name, {"draws": 0})]
    rows = [Row(way.name, figures_of(measured))]
    if len(way.sources) == 1 and len(measured.methods) > 1:
        for method in measured.methods:
            rows.append(Row(f"{way.name}: {method}", figures_of(measured, method)))
    return rows


def _note(setting: Setting, hull: ReferenceHull, correction: StabilityModel | None) -> str:
    """What the figures mean."""
    surrogate = surrogate_of(setting)
    engine = f"{surrogate.engine} ({surrogate.preset})"
    text = (
        f"{setting.budget.draws:,} draws of each way; at most {setting.budget.relaxations:,} of "
        f"its new crystals, chosen at random, relaxed by {engine}, a surrogate. Source: all "
        f"{len(setting.known):,} crystals. Hull: {hull.num_entries:,} compositions, "
        f"{hull.hull_hash}. New: valid, unique, and of a formula that neither has. S.U.N.: new, "
        "within the limit, and as relaxed unlike every other. In brackets the 95 % interval. "
        "Failed relaxations count as unstable. 'both' draws equally from two sources."
    )
    if correction is None:
        return f"{text} No correction of this potential is installed."
    return (
        f"{text} Corrected: the distance less what the potential errs by on published crystals; "
        "the chance is that DFT puts the crystal within the limit."
    )


def _failure_notes(failures: Counter[str]) -> Sequence[str]:
    """Why relaxations failed."""
    if not failures:
        return ()
    counts = ", ".join(f"{reason} {count}" for reason, count in failures.most_common())
    return (f"Failed relaxations: {counts}.",)
