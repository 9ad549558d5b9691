"""The properties that labels, targets and property heads speak of, with their units.

Some are built in, packages bring more together with the step that computes them, and a campaign
file defines its own under `properties:`. `Properties` holds what one campaign or data set knows.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from gen2dft.errors import DatasetError, PluginMissing
from gen2dft.plugins import origin, registry

# Entry points of this group name a `gen2dft.property_steps.PropertyStep`.
GROUP = "gen2dft.properties"
STATIC = "static"  # what the first of a chain of steps comes after
Transform = Literal["identity", "log1p"]
Bounds = tuple[float, float]  # lowest and highest value
ANY: Bounds = (-math.inf, math.inf)
BOUNDS = ("possible", "probable")
ENERGIES = ("formation_energy", "e_above_hull")  # what references and a hull make of an energy


@dataclass(frozen=True)
class Property:
    """One labelled property of a crystal.

    Parameters
    ----------
    name
        Column name in datasets and labels.
    unit
        Unit of every stored value.
    title
        Text for axes and tables, without the unit.
    transform
        Scale on which a property head learns it: `identity`, or `log1p` for skewed positive values.
    labels
        Where more labels of it come from, for messages.
    possible
        Bounds of its values in its unit; labels beyond them are refused.
    probable
        Narrower bounds, beyond which labels are refused unless they are accepted by name.
    """

    name: str
    unit: str
    title: str
    transform: Transform = "identity"
    labels: str = ""
    possible: Bounds = ANY
    probable: Bounds = ANY

    def __post_init__(self) -> None:
        for name in BOUNDS:
            object.__setattr__(self, name, _bounds(getattr(self, name)))

    @property
    def axis(self) -> str:
        """Axis label with its unit."""
        return f"{self.title} ({self.unit})"


def _bounds(given: Iterable[float | None]) -> Bounds:
    """Bounds as numbers, of stored ones with None in the place of infinity."""
    low, high = given
    return -math.inf if low is None else low, math.inf if high is None else high


def _plain_bounds(bounds: Bounds) -> list[float | None] | None:
    """Bounds as they are stored: JSON has no infinite numbers; None where there are none at all."""
    if bounds == ANY:
        return None
    return [value if math.isfinite(value) else None for value in bounds]


WITH_ENERGIES = "use the starter set or Materials Project, or name the column: dataset.columns"
PROPERTIES: dict[str, Property] = {
    prop.name: prop
    for prop in (
        Property(
            "formation_energy",
            "eV/atom",
            "formation energy",
            labels=WITH_ENERGIES,
            possible=(-6.0, 50.0),
            probable=(-6.0, 6.0),
        ),
        Property(
            "e_above_hull",
            "eV/atom",
            "energy above hull",
            labels=WITH_ENERGIES,
            possible=(-6.0, 50.0),
            probable=(-0.5, 6.0),
        ),
        Property(
            "band_gap",
            "eV",
            "band gap",
            labels="use Materials Project, or a file that has it (dataset.columns)",
            possible=(0.0, 50.0),
            probable=(0.0, 25.0),
        ),
        Property(
            "vanadium_state",
            "elementary charges",
            "mean oxidation state of V beside O2-",
            labels="use a set of vanadium oxides (gen2dft data build vanadium-oxides)",
            possible=(0.0, 100.0),
            probable=(0.0, 20.0),
        ),
        # In the constant-relaxation-time approximation; carriers, temperature, doping and average
        # are those of the campaign's transport.definition.
        Property(
            "power_factor",
            "uW cm^-1 K^-2 at tau = 1e-14 s",
            "power factor",
            "log1p",
            labels="join published labels (dataset.labels: [ricci2017]; goes by mp-id), compute "
            "some (gen2dft data label), or use a file that has it",
            possible=(0.0, 1e6),
            probable=(0.0, 1e3),
        ),
    )
}


def plugged_step(name: str, package: str | None = None) -> Any:
    """The property step of that name, which a package brings.

    Parameters
    ----------
    package
        Where it is from, for the message.

    Raises
    ------
    KeyError
        If no package that is installed here brings it.
    PluginMissing
        If its package cannot be imported.
    """
    load = registry(GROUP)[name]
    try:
        return load()
    except (ImportError, AttributeError) as err:
        at_fault = package or origin(GROUP, name)[0]
        problem = f"{type(err).__name__}: {err}"
        raise PluginMissing(
            f"property {name!r} is computed by package {at_fault}, which cannot be loaded here: "
            f"{problem}; `gen2dft doctor` checks plugins"
        ) from err


class Properties(Mapping[str, Property]):
    """Properties by name: those that are built in, and `own` ones beside them.

    Parameters
    ----------
    own
        Those of one campaign or data set. What packages define is among them too, so that values
        can be read where the package is not installed.
    """

    def __init__(self, own: Iterable[Property] = ()) -> None:
        self.own = {prop.name: prop for prop in own if prop.name not in PROPERTIES}
        self._known = {**PROPERTIES, **self.own}

    def __getitem__(self, name: str) -> Property:
        """The property of that name; KeyError if nobody defines it."""
        return self._known[name]

    def __iter__(self) -> Iterator[str]:
        """Names, those that are built in first."""
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)

    def __eq__(self, other: object) -> bool:
        """Whether the own ones are the same; the others always are."""
        return isinstance(other, Properties) and self.own == other.own

    def __hash__(self) -> int:
        """Of the own ones."""
        return hash(frozenset(self.own.values()))

    def joined_by(self, other: Properties) -> Properties:
        """These and the own ones of another; DatasetError where a name has two units."""
        shared = self.own.keys() & other.own.keys()
        for name in sorted(shared):
            here, there = self.own[name].unit, other.own[name].unit
            if here != there:
                raise DatasetError(
                    f"property {name!r} is in {here!r} in one set of labels and in {there!r} in "
                    "the other: convert one, or take another name"
                )
        return Properties((*self.own.values(), *other.own.values()))

    def as_plain(self) -> list[dict[str, Any]]:
        """The own ones as plain values, to be stored with the data that they belong to."""
        plain = []
        for name in sorted(self.own):
            fields = asdict(self.own[name])
            del fields["labels"]  # advice for messages, which may change with the version
            for bounds in BOUNDS:
                stated = _plain_bounds(fields.pop(bounds))
                if stated is not None:
                    fields[bounds] = stated
            plain.append(fields)
        return plain


# How the tensors of a crystal become one number.
MEAN_OF_PRODUCT = "mean eigenvalue of S^2 sigma"
PRODUCT_OF_MEANS = "square of the mean eigenvalue of S, times the mean eigenvalue of sigma"


@dataclass(frozen=True)
class TransportDefinition:
    """Exact meaning of a power factor, so that labels of one meaning are never mixed with another.

    Parameters
    ----------
    name
        Canonical name; campaigns name it as `transport.definition`.
    carrier
        Holes (`p`), electrons (`n`), or those of the two that give more (`best`).
    temperature
        K.
    doping
        Carriers per cm^3, or `optimal`: where the power factor is largest in `doping_range`.
    formula
        How tensors become one number.
    citation
        Where it is from.
    doping_range
        Carriers per cm^3, lowest and highest, of an optimal doping.
    gap
        eV: conduction bands of crystals with a narrower computed gap are raised to it; None: bands
        are taken as computed.
    """

    name: str
    carrier: Literal["p", "n", "best"]
    temperature: float
    doping: float | Literal["optimal"]
    formula: str
    citation: str
    doping_range: tuple[float, float] | None = None
    gap: float | None = None

    @property
    def dopings(self) -> tuple[float, float]:
        """Lowest and highest doping at which it reads transport, carriers per cm^3."""
        if isinstance(self.doping, float):
            return self.doping, self.doping
        return self.doping_range or (0.0, 0.0)

    def as_plain(self) -> dict[str, Any]:
        """Plain values, to be stored with labels; what does not apply is left out."""
        return {key: value for key, value in asdict(self).items() if value is not None}


DEFAULT_TRANSPORT = "ricci2017"
# The published ones; gen2dft.definitions makes any other, gen2dft.transport.reductions computes
# them.
TRANSPORT_DEFINITIONS: dict[str, TransportDefinition] = {
    definition.name: definition
    for definition in (
        TransportDefinition(
            "ricci2017",
            "p",
            300.0,
            1e18,
            MEAN_OF_PRODUCT,
            "Ricci et al., Sci. Data 4, 170085 (2017)",
        ),
        TransportDefinition(
            "ftcp",
            "p",
            600.0,
            1e19,
            PRODUCT_OF_MEANS,
            "Ren et al., Matter 5, 314 (2022), labels of the published training set",
        ),
    )
}
