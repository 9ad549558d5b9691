"""What was computed from the bands of single crystals: power factors, in words and as a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from gen2dft.definitions import OPTIMAL, definition_of
from gen2dft.doubts import doubts_text
from gen2dft.properties import PROPERTIES
from gen2dft.report.wording import (
    basis_text,
    condition_text,
    doping_text,
    pretty,
    value_text,
    words,
)
from gen2dft.transport import POWER_FACTOR
from gen2dft.transport.reductions import CARRIER_NAMES, factor_in

if TYPE_CHECKING:
    from gen2dft.store.documents import PowerFactorDoc
    from gen2dft.store.store import Store
    from gen2dft.transport.document import TransportDoc

FACTOR = PROPERTIES[POWER_FACTOR]
# What the bands of the engines that ship leave out, whatever the preset.
LEVELS = dict.fromkeys(("gpaw", "vasp"), " (PBE, no spin-orbit coupling)")


def transport_of(store: Store, found: Sequence[PowerFactorDoc]) -> TransportDoc | None:
    """The transport behind the first of these documents that has one."""
    from gen2dft.transport.document import TransportDoc

    blob = next((document.transport_id for document in found if document.transport_id), None)
    if blob is None:
        return None
    return TransportDoc.from_bytes(store.get_blob(blob), f"blob {blob} of transport")


def bands_text(found: PowerFactorDoc) -> str:
    """A power factor computed from bands, what it means and how well it is known.

    Or why there is none.
    """
    if found.reason is not None:
        return f"{found.formula}: no power factor: {found.reason}: {found.detail}"
    mesh_error = found.relative_error
    error = "" if mesh_error is None else f" (\u00b1 {100 * mesh_error:.0f} % by the mesh)"
    doubts = f"; doubtful: {doubts_text(found.doubts)}" if found.doubts else ""
    factor = value_text(POWER_FACTOR, found.values[POWER_FACTOR])
    by = basis_text(found.engine, () if found.is_dft else (found.engine,))
    level = LEVELS.get(found.engine, "")
    return (
        f"{found.formula}: power factor {factor}{error} {pretty(FACTOR.unit)}, "
        f"{condition_text(found.definition)}{_chosen(found)}; gap "
        f"{found.values['band_gap']:.2f} eV; by {by}, {found.preset}{level}, "
        f"bands in {60 * found.core_hours:.1f} core-minutes{_program(found)}{doubts}"
    )


def transport_text(doc: TransportDoc, definition: str) -> str:
    """Stored transport read by any definition: Seebeck coefficient, conductivity, power factor.

    CampaignError if it lies outside the conditions that were computed, which it names.
    """
    from gen2dft.transport.coefficients import mean
    from gen2dft.transport.tables import TransportTables

    factor = factor_in(doc, definition_of(definition))
    kind, temperature, doping = factor.point.carrier, factor.point.temperature, factor.point.doping
    tensors = TransportTables.of(doc).at(kind, temperature, doping)
    seebeck = float(mean(tensors.seebeck)[0])
    conductivity = float(mean(tensors.conductivity)[0])
    how = ", interpolated" if factor.is_interpolated else ""
    return (
        f"{definition}: {CARRIER_NAMES[kind]}, {temperature:g} K, {doping_text(doping)}{how}: "
        f"S {seebeck:.0f} \u00b5V/K, \u03c3/\u03c4 {conductivity:.3g} S/(m s), power factor "
        f"{value_text(POWER_FACTOR, factor.value)} {pretty(FACTOR.unit)}"
    )


def _chosen(found: PowerFactorDoc) -> str:
    """Carriers and doping that turned out best, where the definition leaves them open."""
    meaning = definition_of(found.definition)
    is_open = meaning.carrier == "best" or meaning.doping == OPTIMAL
    if found.carrier is None or found.doping is None or not is_open:
        return ""
    return f" ({CARRIER_NAMES[found.carrier]}, {doping_text(found.doping)})"


def _program(found: PowerFactorDoc) -> str:
    """Program of the transport, if it is another one than gen2dft's own."""
    if found.program in (None, "gen2dft"):
        return ""
    return f"; transport by {found.program} {found.program_version}"


def bands_columns(definition: str) -> list[str]:
    """Headers of the table, for power factors by one definition."""
    return [
        f"{FACTOR.title}, {condition_text(definition)} ({pretty(FACTOR.unit)})",
        "error by the mesh",
        "doubts",
        "band gap (eV)",
        "k-points",
        "core-minutes of bands",
    ]


def bands_row(found: PowerFactorDoc) -> dict[str, Any]:
    """A row of that table; a metal or a failure says so in place of numbers."""
    unknown = value_text(POWER_FACTOR, None)
    mesh_error = found.relative_error
    factor = value_text(POWER_FACTOR, found.values.get(POWER_FACTOR))
    return {
        "formula": found.formula,
        "id": found.candidate_id,
        "cells": [
            factor if found.reason is None else words(found.reason),
            unknown if mesh_error is None else f"{100 * mesh_error:.0f} %",
            doubts_text(found.doubts) or unknown,
            value_text("band_gap", found.values.get("band_gap")),
            "\u00d7".join(map(str, found.mesh or ())) or unknown,
            f"{60 * found.core_hours:.1f}",
        ],
        "by": f"{found.engine} ({'DFT' if found.is_dft else 'not DFT'}), {found.preset}",
    }
