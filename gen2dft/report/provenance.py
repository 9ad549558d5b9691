"""Provenance of a campaign's numbers: data, hull, engines, versions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from gen2dft.report.data import ReportData

if TYPE_CHECKING:
    from gen2dft.store.documents import LabelDoc


def provenance(data: ReportData) -> Iterator[tuple[str, str]]:
    """Title and text of each fact."""
    campaign, hull = data.campaign, data.hull
    source = data.spec.dataset.source
    gate = data.spec.screening.surrogate
    begun = f"{campaign.created:%Y-%m-%d %H:%M} UTC"
    yield "campaign", campaign.id
    yield "begun", f"{begun} with gen2dft {campaign.code_version}"
    yield "hash of the campaign's file", campaign.spec_hash
    yield "seed", str(data.spec.seed)
    yield "training data", f"{source}, hash {campaign.dataset_hash}"
    yield "hull", f"{hull.id}: {hull.num_entries:,} entries from {hull.source}"
    yield from campaign.packages.items()
    yield "screen", f"{gate.engine}, {gate.preset} (not DFT)"
    for text in _label_sources(data.labels):
        yield "labels", text


def _label_sources(labels: Iterable[LabelDoc]) -> Iterator[str]:
    """Each combination of engine, settings, corrections and versions among the labels, with its
    number of labels.
    """
    counts = Counter(", ".join(_source(label)) for label in labels)
    for text, count in sorted(counts.items()):
        yield f"{count:,} by {text}"


def _source(label: LabelDoc) -> Iterator[str]:
    kind = "DFT" if label.is_dft else "not DFT"
    yield f"{label.engine} ({kind})"
    yield label.preset
    yield f"settings {label.settings_hash}"
    if label.corrections:
        yield f"corrections {', '.join(label.corrections)}"
    if label.settings_changed:
        yield "settings changed by custodian"
    versions = label.provenance.get("versions") or {}
    for name, version in sorted(versions.items()):
        yield f"{name} {version}"
    steps: dict[str, dict[str, str]] = label.provenance.get("properties") or {}
    for name, made in steps.items():
        yield f"{name} by {made['package']} {made['version']}"
