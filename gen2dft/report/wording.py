"""Names, numbers and the basis of values in words, the same in reports and on the command line."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, get_args

from gen2dft.definitions import definition_of
from gen2dft.properties import PROPERTIES, Property
from gen2dft.report.chances import expected_hits
from gen2dft.store.documents import OPEN, PREDICTED, Evidence
from gen2dft.thermo.placing import HULL_INCOMPLETE, HULL_MIXES_R2SCAN

if TYPE_CHECKING:
    from gen2dft.campaign import Target
    from gen2dft.store.documents import HitDoc, LabelDoc

# Functions that speak of properties take those of a campaign (`CampaignSpec.known_properties`) as
# `known`; without them they know the built-in ones alone.
Known = Mapping[str, Property]
_DIRECTIONS = {"maximise": "as large as possible", "minimise": "as small as possible"}
_SUPERSCRIPTS = str.maketrans(
    "-0123456789", "\u207b\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079"
)


def words(name: str) -> str:
    """A reason, stage or state as text: `rejected:misses_band_gap` becomes `rejected: misses band
    gap`.
    """
    for prop in PROPERTIES.values():
        name = name.replace(prop.name, prop.title)
    return name.replace("_", " ").replace(":", ": ")


def pretty(text: str) -> str:
    """A unit as it is printed: `uW cm^-1` becomes `\u00b5W cm\u207b\u00b9`."""
    text = re.sub(r"\b1e(-?\d+)", r"10^\1", text)
    text = re.sub(r"\^(-?\d+)", _superscript, text)
    text = re.sub(r"\bu(?=[WV]\b)", "\u00b5", text)
    return re.sub(r"\btau\b", "\u03c4", text)


def _superscript(power: re.Match[str]) -> str:
    return power[1].translate(_SUPERSCRIPTS)


def most_frequent_first(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """Reasons or states with their numbers; the order of equal numbers stays."""
    return sorted(counts.items(), key=lambda item: -item[1])


def counted(number: int, noun: str) -> str:
    """`1 hit`, `2 hits`."""
    ending = "" if number == 1 else "s"
    return f"{number:,} {noun}{ending}"


def as_utc(moment: datetime) -> datetime:
    """A moment from the database, which is in UTC even if the driver drops the time zone."""
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC)


def when(moment: datetime) -> str:
    """A moment as people read it."""
    return f"{as_utc(moment):%Y-%m-%d %H:%M} UTC"


def duration(seconds: float) -> str:
    """A time span as people read it: `42 s`, `3 min 05 s`, `2 h 10 min`."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    return f"{whole // 3600} h {whole % 3600 // 60:02d} min"


def round_title(index: int) -> str:
    """Rounds count from 0 in the store and from 1 for readers."""
    return f"round {index + 1}"


def value_text(name: str, value: float | None, known: Known = PROPERTIES) -> str:
    """A property's value with its significant digits, without its unit."""
    if value is None:
        return "\u2013"
    per_atom = name in known and known[name].unit == "eV/atom"
    return f"{value:.3f}" if per_atom else f"{value:.3g}"


def with_error(name: str, value: float | None, error: float | None, known: Known) -> str:
    """A property's value and the error that it states, `4.02 \u00b1 0.3`, without the unit."""
    text = value_text(name, value, known)
    if value is None or error is None:
        return text
    return f"{text} \u00b1 {error:.2g}"


def target_text(target: Target, known: Known = PROPERTIES) -> str:
    """A target in words, with its unit."""
    unit = pretty(known[target.property].unit)
    wish = ", ".join(_bounds(target))
    parts = [f"{wish} {unit}"] if wish else []
    if target.optimise:
        parts.append(_DIRECTIONS[target.optimise])
    return "; ".join(parts)


def _bounds(target: Target) -> Iterator[str]:
    """Values that a target accepts."""
    if target.near:
        values = " or ".join(f"{value:g}" for value in target.near)
        yield f"near {values} (\u00b1 {target.tolerance:g})"
    if target.min is not None and target.max is not None:
        yield f"{target.min:g} to {target.max:g}"
    elif target.min is not None:
        yield f"at least {target.min:g}"
    elif target.max is not None:
        yield f"at most {target.max:g}"


def basis_text(basis: str, surrogates: Iterable[str]) -> str:
    """Basis of a value: `predicted`, or the engine and whether it is a surrogate."""
    if basis in (PREDICTED, OPEN):
        return basis
    return f"{basis} (surrogate)" if basis in surrogates else f"{basis} (DFT)"


def condition_text(definition: str) -> str:
    """Carriers, temperature and doping of a power factor's definition, and the gap it assumes."""
    known = definition_of(definition)
    kind = {"p": "holes", "n": "electrons", "best": "the better carriers"}[known.carrier]
    if known.doping_range is None:
        doping = doping_text(known.dopings[0])
    else:
        low, high = map(doping_text, known.doping_range)
        doping = f"best doping from {low} to {high}"
    assumed = "" if known.gap is None else f", gap opened to {known.gap:g} eV"
    return f"{kind}, {known.temperature:g} K, {doping}{assumed}"


def doping_text(doping: float) -> str:
    """A doping as it is printed: 3.2e20 with superscripts, and its unit."""
    exponent = math.floor(math.log10(doping) + 1e-9)
    mantissa = f"{doping / 10.0**exponent:.2g}"
    factor = "" if mantissa == "1" else f"{mantissa}\u00d7"
    return factor + pretty(f"1e{exponent} cm^-3")


def surrogate_engines(labels: Iterable[LabelDoc], hits: Iterable[HitDoc] = ()) -> set[str]:
    """Names of the engines behind labels and hits that are not DFT.

    Parameters
    ----------
    hits
        Their own labels must be among the labels: an engine that no label calls DFT is none.
    """
    labels = list(labels)
    engines = [(label.engine, label.is_dft) for label in labels]
    named: set[str] = set()
    for label in labels:
        named.update(label.basis.values())
    for hit in hits:
        named.update(hit.basis.values())
    return not_dft(engines, named)


def not_dft(engines: Iterable[tuple[str, bool]], named: Iterable[str]) -> set[str]:
    """Engines that are not DFT: those said not to be, and those named that nothing calls DFT.

    Parameters
    ----------
    engines
        Of labels, and whether they are DFT.
    named
        Engines of single values; `predicted` and `open` may be among them.
    """
    found = set(named) - {PREDICTED, OPEN}
    dft: set[str] = set()
    for engine, is_dft in engines:
        (dft if is_dft else found).add(engine)
    return found - dft


def evidence_counts(kinds: Iterable[str]) -> dict[str, int]:
    """Number of hits by their evidence, the strongest first; kinds without any are left out."""
    counts = Counter(kinds)
    return {kind: counts[kind] for kind in get_args(Evidence) if counts[kind]}


def evidence_text(counts: Mapping[str, int]) -> str:
    """`2 dft, 3 mixed`."""
    return ", ".join(f"{number:,} {kind}" for kind, number in counts.items())


def remark_text(remarks: Iterable[str]) -> str:
    """Remarks on a hit in words: `hull incomplete`."""
    return ", ".join(map(words, remarks))


def remarks_on(hit: HitDoc) -> list[str]:
    """Everything that a list of hits remarks on one: its own remarks, a known formula, and the
    verdicts of other hulls that take it away.
    """
    found = [*hit.remarks, KNOWN_FORMULA] if hit.known_formula else list(hit.remarks)
    lost = [f"no hit by hull {key}" for key, verdict in hit.other_hulls.items() if verdict != "hit"]
    return found + lost


KNOWN_FORMULA = "known_formula"


def honest_notes(
    hits: Sequence[HitDoc], surrogates: Iterable[str], known: Known = PROPERTIES
) -> list[str]:
    """Caveats that a reader of the hits must know, in whole sentences; empty without hits."""
    bases = {named for hit in hits for named in hit.basis.items()}
    engines = {basis for _, basis in bases}.difference((PREDICTED, OPEN))
    not_dft = sorted(surrogates)
    notes = []
    if hits and not_dft:
        share = "only" if engines <= set(not_dft) else "partly"
        rest = f"{share} on a surrogate ({', '.join(not_dft)})"
        notes.append(
            f"These hits rest {rest}, not on DFT: they are candidates for DFT, not validated."
        )
    notes += _notes_on_the_chances(hits)
    predicted = sorted(known[name].title for name, basis in bases if basis == PREDICTED)
    if predicted:
        notes.append(
            f"Values marked \u201cpredicted\u201d ({'; '.join(predicted)}) are the generator's own "
            "predictions; "
            "no engine has computed them."
        )
    still_open = sorted({known[name].title for name, basis in bases if basis == OPEN})
    if still_open:
        notes.append(
            f"Open ({'; '.join(still_open)}): no label of the training set and no engine of this "
            "campaign tells yet; "
            "a hit meets all other targets."
        )
    if hits and not notes:
        notes.append(f"All values of the hits were computed by DFT ({', '.join(sorted(engines))}).")
    return [*notes, *_notes_on_the_hull(hits)]


def _notes_on_the_chances(hits: Sequence[HitDoc]) -> Iterator[str]:
    expected, number = expected_hits(hits)
    if not number:
        return
    yield (
        "Distances to the hull by a potential are corrected for what published DFT says of it; "
        "each has its error and the chance that DFT confirms the target. By these chances DFT "
        f"confirms the stability of about {expected:.1f} of {number}."
    )
    unlike = sum(hit.stability is not None and hit.stability.unlike for hit in hits)
    if unlike:
        yield (
            f"{unlike} of them: the correction has seen no composition like it, and the error is "
            "wider."
        )


def _notes_on_the_hull(hits: Sequence[HitDoc]) -> Iterator[str]:
    doubtful = sum(HULL_INCOMPLETE in hit.remarks for hit in hits)
    if doubtful:
        yield (
            f"{doubtful} of the {len(hits)} hits say \u201chull incomplete\u201d: they lie so far "
            "below the hull that it lacks phases there. Their distance does not measure stability."
        )
    mixed = sum(HULL_MIXES_R2SCAN in hit.remarks for hit in hits)
    if mixed:
        yield (
            f"{mixed} of the {len(hits)} hits say \u201chull mixes r2scan\u201d: a phase into "
            "which they would fall apart has no GGA energy but one of the scheme that mixes in "
            "r2SCAN."
        )


def ranked(
    hits: Sequence[HitDoc], targets: Sequence[Target], known: Known = PROPERTIES
) -> tuple[list[HitDoc], str]:
    """Hits, best first, and the order in words: by the optimised property, else by closeness, else
    by stability. Those below which the hull lacks phases follow the others.
    """
    in_order, order = _ranked(hits, targets, known)
    return sorted(in_order, key=lambda hit: HULL_INCOMPLETE in hit.remarks), order


def _ranked(
    hits: Sequence[HitDoc], targets: Sequence[Target], known: Known
) -> tuple[list[HitDoc], str]:
    for target in targets:
        if target.optimise and _has_values(hits, target):
            return _by_size(hits, target, known)
    for target in targets:
        if target.near and _has_values(hits, target):
            order = f"distance of the {known[target.property].title} to the target"
            return sorted(hits, key=lambda hit: (_distance(target, hit), hit.id)), order
    stable_first = sorted(hits, key=lambda hit: (hit.values.get("e_above_hull") or 0.0, hit.id))
    return stable_first, "energy above hull"


def by_chance(hits: Sequence[HitDoc], *, down: bool = True) -> list[HitDoc]:
    """Hits by the chance that DFT confirms their stability; those without one come last."""
    chances = {hit.id: hit.stability.chance for hit in hits if hit.stability is not None}
    known = [hit for hit in hits if hit.id in chances]
    known.sort(key=lambda hit: (chances[hit.id], hit.id), reverse=down)
    return known + [hit for hit in hits if hit.id not in chances]


def _has_values(hits: Sequence[HitDoc], target: Target) -> bool:
    return any(hit.values[target.property] is not None for hit in hits)


def _by_size(hits: Sequence[HitDoc], target: Target, known: Known) -> tuple[list[HitDoc], str]:
    """Hits by the property that the target optimises, and that order in words."""
    maximised = target.optimise == "maximise"
    sign = -1 if maximised else 1
    first = "largest" if maximised else "smallest"
    order = f"{known[target.property].title}, {first} first"

    def place(hit: HitDoc) -> tuple[float, str]:
        value = hit.values[target.property] or 0.0
        return sign * value, hit.id

    return sorted(hits, key=place), order


def _distance(target: Target, hit: HitDoc) -> float:
    value = hit.values[target.property]
    if value is None:
        return math.inf
    return min(abs(value - wanted) for wanted in target.near)


@lru_cache(maxsize=100_000)
def chemical(formula: str) -> str:
    """A candidate's formula, stored as `O3 Sr1 Ti1`, as chemists write it: `SrTiO3`.

    Other texts stay as they are.
    """
    if not re.fullmatch(r"[A-Z][a-z]?\d+( [A-Z][a-z]?\d+)*", formula):
        return formula
    from pymatgen.core import Composition

    return str(Composition(formula).reduced_formula)
