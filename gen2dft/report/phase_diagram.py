"""The phase diagram of one chemical system, read from the store: phases of the hull, and the
candidates among them.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gen2dft.errors import ThermoError
from gen2dft.report.style import HIT, SURROGATE, VALIDATED
from gen2dft.report.wording import most_frequent_first
from gen2dft.store.documents import StabilityRecord, StoredVerdict

if TYPE_CHECKING:
    from gen2dft.store.store import Store
    from gen2dft.thermo.hull import ReferenceHull
    from gen2dft.thermo.lower_hull import LowerHull

SCREENED, LABELLED, IS_HIT = "screened", "labelled", "hit"
KINDS = {SCREENED: (SURROGATE, "o"), LABELLED: (VALIDATED, "o"), IS_HIT: (HIT, "*")}
WORST_SHOWN = 0.3  # eV/atom; the end of the colour scale
HEIGHT = float(np.sqrt(3) / 2)  # of a triangle of edge 1
NEAR = 0.06  # atomic fraction; names of phases nearer than this would overlap
RISES = 0.04  # eV/atom; the branch of the hull that climbs faster takes names to its right


@dataclass(frozen=True)
class Phase:
    """A phase of the reference: atomic fractions in the order of the diagram's elements, energies
    in eV/atom.
    """

    formula: str
    fractions: tuple[float, ...]
    formation_energy: float
    e_above_hull: float
    is_stable: bool


@dataclass(frozen=True)
class Point:
    """A candidate: `kind` is `screened` (the surrogate's figures), `labelled` or `hit`.

    Energies in eV/atom.
    """

    candidate_id: str
    formula: str
    fractions: tuple[float, ...]
    formation_energy: float
    e_above_hull: float
    kind: str
    engine: str
    is_dft: bool


@dataclass(frozen=True)
class Diagram:
    """Phases, tie lines and candidates of a phase diagram.

    Parameters
    ----------
    elements
        Two or three symbols.
    phases
        Phases of the reference, the pure elements among them.
    ties
        Pairs of rows of `phases` that the hull joins.
    points
        Candidates of the campaign.
    """

    campaign_id: str
    hull_id: str
    elements: tuple[str, ...]
    phases: tuple[Phase, ...]
    ties: tuple[tuple[int, int], ...]
    points: tuple[Point, ...]

    @property
    def system(self) -> str:
        """`Ca-Ti-O`."""
        return "-".join(self.elements)

    @property
    def is_binary(self) -> bool:
        """Whether there are two elements, not three."""
        return len(self.elements) == 2

    def phases_that_are(self, *, stable: bool) -> list[Phase]:
        """Phases on the hull, or above it."""
        return [phase for phase in self.phases if phase.is_stable == stable]

    @property
    def surrogates(self) -> list[str]:
        """Engines of the candidates that are not DFT."""
        return sorted({point.engine for point in self.points if not point.is_dft})

    def points_of(self, kind: str) -> list[Point]:
        """Candidates of one kind."""
        return [point for point in self.points if point.kind == kind]

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


def load_diagram(store: Store, campaign_id: str, system: str, hull: ReferenceHull) -> Diagram:
    """Read the phase diagram of one chemical system.

    Parameters
    ----------
    system
        `V-O`: two or three symbols; the first is at the left.
    hull
        The campaign's hull.

    Raises
    ------
    ThermoError
        The text names no chemical system, or the hull does not cover it.
    """
    elements = _elements(system)
    if gap := hull.gap(elements):
        raise ThermoError(
            f"{gap}: there is no diagram to draw; `gen2dft hull` lists the systems of the "
            "candidates"
        )
    lower = hull.system(elements)
    phases = tuple(_phases(hull, lower, elements))
    ties = _ties(lower)
    points = list(_points(store, campaign_id, elements))
    points.sort(key=lambda point: (point.e_above_hull, point.formula))
    return Diagram(campaign_id, hull.hull_hash, elements, phases, ties, tuple(points))


def _phases(hull: ReferenceHull, lower: LowerHull, elements: Sequence[str]) -> Iterator[Phase]:
    above = lower.energies - lower.energy(lower.fractions)
    # Only corners of the hull count as stable: a point that merely lies on a tie line may be a
    # phase of which only the energy of the hull beneath it is known.
    rows = np.arange(len(lower.energies))
    stable = np.isin(rows, lower.facets)
    known = hull.phases(elements)
    for (formula, energy), distance, is_stable in zip(known, above, stable, strict=True):
        name = _formula(formula)
        fractions = _fractions(dict(formula), elements)
        # Rounding may place a corner a little below its own hull.
        e_above_hull = max(float(distance), 0.0)
        yield Phase(name, fractions, energy, e_above_hull, bool(is_stable))


def _ties(lower: LowerHull) -> tuple[tuple[int, int], ...]:
    """Edges of the hull's facets, each once: neighbours share an edge."""
    ties: set[tuple[int, int]] = set()
    for facet in lower.facets:
        rows = sorted(int(row) for row in facet)
        ties.update(itertools.combinations(rows, 2))
    return tuple(sorted(ties))


_POINT_FIELDS = (
    "candidate_id", "formula", "state",
    "surrogate.formation_energy", "surrogate.e_above_hull", "surrogate.engine",
    "surrogate.stability",
)  # fmt: skip


def _points(store: Store, campaign_id: str, elements: tuple[str, ...]) -> Iterator[Point]:
    """Candidates within the chemical system: by their label, else by the surrogate."""
    labels = _labels_on_the_hull(store, campaign_id)
    # A surrogate's distances to a hull of its own do not belong in this diagram.
    same_hull = store.campaign(campaign_id).screen_hull_id is None
    for found in store.candidate_fields(campaign_id, _POINT_FIELDS, surrogate={"$ne": None}):
        counts = _counts(found.get("formula") or "")
        if not counts or not set(counts) <= set(elements):
            continue
        formula = _formula(tuple(sorted(counts.items())))
        fractions = _fractions(counts, elements)
        place = (found["candidate_id"], formula, fractions)
        label = labels.get(found["candidate_id"])
        verdict = StoredVerdict.of(found["surrogate"])
        if label is not None:
            kind = IS_HIT if found["state"] == "hit" else LABELLED
            values = label["values"]
            raised = values["formation_energy"] + _correction(label.get("stability"))
            energies = (raised, values["e_above_hull"])
            surrogate = label.get("basis", {}).get("formation_energy")
            engine = surrogate or label["engine"]
            yield Point(*place, *energies, kind, engine, label["is_dft"] and not surrogate)
        elif (
            same_hull and verdict.formation_energy is not None and verdict.e_above_hull is not None
        ):
            own = verdict.stability
            raised = verdict.formation_energy + (0.0 if own is None else own.correction)
            energies = (raised, verdict.e_above_hull)
            yield Point(*place, *energies, SCREENED, verdict.engine, False)


def _correction(stability: Mapping[str, Any] | None) -> float:
    """What the correction of a potential adds to a label's energy, eV/atom."""
    return 0.0 if stability is None else StabilityRecord.model_validate(stability).correction


def _labels_on_the_hull(store: Store, campaign_id: str) -> dict[str, dict[str, Any]]:
    """Candidate to its label, of those whose label was measured against the hull."""
    fields = ("candidate_id", "values", "engine", "is_dft", "basis", "stability")
    found = store.label_fields(campaign_id, fields)
    return {label["candidate_id"]: label for label in found if "e_above_hull" in label["values"]}


def systems_of(store: Store, campaign_id: str) -> dict[str, int]:
    """Chemical systems of the candidates that were measured against the hull, with their numbers.

    The most frequent come first.
    """
    counts: dict[str, int] = {}
    for found in store.candidate_fields(campaign_id, ("formula",), surrogate={"$ne": None}):
        elements = _counts(found.get("formula") or "")
        name = "-".join(sorted(elements))
        counts[name] = counts.get(name, 0) + 1
    by_name = dict(sorted(counts.items()))
    return dict(most_frequent_first(by_name))


def _elements(system: str) -> tuple[str, ...]:
    from pymatgen.core import Element

    elements = tuple(part.strip() for part in system.split("-"))
    are_different = len(set(elements)) == len(elements)
    are_valid = all(map(Element.is_valid_symbol, elements))
    if len(elements) not in (2, 3) or not are_different or not are_valid:
        raise ThermoError(
            f"--system {system!r} must name two or three different elements, e.g. V-O or Li-Fe-O"
        )
    return elements


@lru_cache(maxsize=100_000)
def _counts(formula: str) -> Mapping[str, float]:
    from pymatgen.core import Composition

    return dict(Composition(formula).get_el_amt_dict()) if formula else {}


def _fractions(counts: Mapping[str, float], elements: Sequence[str]) -> tuple[float, ...]:
    total = sum(counts.values())
    numbers = [counts.get(symbol, 0.0) for symbol in elements]
    return tuple(number / total for number in numbers)


def _formula(formula: Sequence[tuple[str, float]]) -> str:
    from pymatgen.core import Composition

    return str(Composition(dict(formula)).reduced_formula)


def lowest_energy(diagram: Diagram) -> float:
    """The lowest formation energy of phases and candidates, eV/atom.

    The pure elements are at 0 at most.
    """
    drawn: list[Phase | Point] = [*diagram.phases, *diagram.points]
    return min(item.formation_energy for item in drawn)


def corners(fractions: Sequence[tuple[float, ...]]) -> NDArray[np.float64]:
    """(n, 2) places of (n, 3) compositions in a triangle of edge 1: first element left, second
    right, third on top.
    """
    table = np.asarray(fractions, dtype=np.float64).reshape(-1, 3)
    _, second, third = table.T
    right = second + 0.5 * third
    return np.column_stack([right, HEIGHT * third])


def label_offsets(diagram: Diagram) -> dict[str, tuple[float, float, str]]:
    """Formula of each stable phase to where its name stands: right and up of it in points, and its
    alignment.

    In a binary, elements are named above; compounds below, neighbours in turn nearer and farther;
    on the rising branch to the right. In a ternary, away from the middle.
    """
    stable = diagram.phases_that_are(stable=True)
    if diagram.is_binary:
        return _offsets_below(stable)
    offsets = {}
    places = corners([phase.fractions for phase in stable])
    for phase, place in zip(stable, places, strict=True):
        right, up = _outwards(place)
        offsets[phase.formula] = (right, up, "center")
    return offsets


def _offsets_below(stable: Sequence[Phase]) -> dict[str, tuple[float, float, str]]:
    offsets: dict[str, tuple[float, float, str]] = {}
    last = Phase("", (1.0, -1.0), 0.0, 0.0, is_stable=True)  # far to the left of all
    in_a_row, climbing = 0, 0
    for phase in sorted(stable, key=lambda phase: phase.fractions[1]):
        here, before = phase.fractions[1], last.fractions[1]
        is_near = here - before < NEAR
        rises = is_near and phase.formation_energy > last.formation_energy + RISES
        in_a_row = in_a_row + 1 if is_near else 0
        climbing = climbing + 1 if rises else 0
        offsets[phase.formula] = _offset(phase, in_a_row, climbing)
        last = phase
    return offsets


def _offset(phase: Phase, in_a_row: int, climbing: int) -> tuple[float, float, str]:
    """Where a name stands, given its near neighbours to the left, all and on the rising branch."""
    if phase.formation_energy >= 0:
        return 0.0, 12.0, "center"
    if climbing:
        step = min(climbing, 3)
        return 8.0, -21.0 + 9 * step, "left"
    step = in_a_row % 3
    return 0.0, -12.0 - 13 * step, "center"


def _outwards(place: NDArray[np.float64]) -> tuple[float, float]:
    """Offset of a label in points, away from the middle of the triangle."""
    middle = np.array([0.5, HEIGHT / 3])
    away = place - middle
    length = float(np.linalg.norm(away)) or 1.0
    right, up = away * (13, 11) / length
    # A phase in the very middle has no direction away from it: its name stands above.
    if length <= 0.05:
        up = 11
    return float(right), float(up)
