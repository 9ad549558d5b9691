"""Begin a campaign and its rounds: freeze the training set and the hull, give ids that depend on
content only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping

from gen2dft.campaign import CampaignSpec
from gen2dft.campaign.packages import plugin_packages
from gen2dft.dataset import Dataset
from gen2dft.ground.hulls import (
    computes_elements,
    element_energies,
    presets,
    put_hull,
    require_calibration,
)
from gen2dft.ground.stability import with_correction
from gen2dft.hashing import content_hash
from gen2dft.store.documents import CampaignDoc, RoundDoc
from gen2dft.store.store import Store, round_key
from gen2dft.thermo.hull import ReferenceHull


def campaign_id(
    spec: CampaignSpec,
    dataset: Dataset,
    hull: ReferenceHull,
    screen_hull: ReferenceHull | None = None,
    calibration_ids: Mapping[str, str] | None = None,
    elements: Mapping[str, Mapping[str, float]] | None = None,
) -> str:
    """Name and hash of all that decides the results: spec, training set, hulls, calibrations,
    elements.
    """
    return campaign_key(
        spec.name,
        hashes=(spec.content_hash(), dataset.content_hash, hull.hull_hash),
        screen_hull=None if screen_hull is None else screen_hull.hull_hash,
        calibration_ids=calibration_ids or {},
        elements=elements or {},
    )


def campaign_key(
    name: str,
    *,
    hashes: tuple[str, str, str],
    screen_hull: str | None,
    calibration_ids: Mapping[str, str],
    elements: Mapping[str, Mapping[str, float]],
) -> str:
    """The id of a campaign by the hashes of its spec, training set and hull, and by the rest."""
    content = " ".join(hashes)
    if screen_hull is not None:
        content += f" screen {screen_hull}"
    for preset, key in sorted(calibration_ids.items()):
        content += f" {preset} {key}"
    if elements:
        energies = json.dumps(elements, sort_keys=True)
        content += f" elements {energies}"
    return f"{name}-{content_hash(content, digits=8)}"


def begin_campaign(
    store: Store,
    spec: CampaignSpec,
    dataset: Dataset,
    hull: ReferenceHull,
    screen_hull: ReferenceHull | None = None,
) -> tuple[CampaignDoc, bool]:
    """Register a campaign and its first round.

    Parameters
    ----------
    dataset
        Training set; it is frozen with the campaign.
    hull
        Reference that every e_above_hull of the campaign's labels is measured against.
    screen_hull
        Reference of the surrogate, if that is another one.

    Returns
    -------
    The campaign, and whether it is new. Beginning the same campaign again changes nothing.

    Raises
    ------
    ThermoError
        If the campaign's correction must be fitted first.
    """
    store.ensure_indices()
    spec = with_correction(spec, screen_hull or hull)
    calibrations = calibration_ids(store, spec)
    elements = computed_elements(store, spec)
    key = campaign_id(spec, dataset, hull, screen_hull, calibrations, elements)
    dataset_id = store.put_blob(dataset.to_bytes(), "dataset")
    hull_name = f"{spec.hull.source} of {spec.dataset.source}"
    hull_id = put_hull(store, hull, hull_name)
    screen_hull_id = None
    if screen_hull is not None:
        screen_hull_id = put_hull(store, screen_hull, spec.dataset.source)
    document = CampaignDoc(
        id=key,
        name=spec.name,
        spec=spec.model_dump(mode="json", by_alias=True),
        spec_hash=spec.content_hash(),
        dataset_id=dataset_id,
        dataset_hash=dataset.content_hash,
        hull_id=hull_id,
        screen_hull_id=screen_hull_id,
        calibration_ids=calibrations,
        elements=elements,
        packages=plugin_packages(spec),
    )
    # Before the campaign, so that whoever sees the campaign finds its first round.
    begin_round(store, key, 0)
    created = store.insert_new(document)
    return store.campaign(key), created


def calibration_ids(store: Store, spec: CampaignSpec) -> dict[str, str]:
    """Preset to the calibration in force now.

    Empty for corrections that need none, ThermoError if one is missing.
    """
    found = {}
    for preset in presets(spec):
        calibration = require_calibration(spec, preset, store)
        if calibration is not None:
            found[preset] = calibration.id
    return found


def computed_elements(store: Store, spec: CampaignSpec) -> dict[str, dict[str, float]]:
    """Preset to the elements' energies that the engine has computed by now.

    Empty where they come from elsewhere.
    """
    if not computes_elements(spec):
        return {}
    return {preset: element_energies(spec, preset, store) for preset in presets(spec)}


def begin_round(store: Store, key: str, index: int) -> bool:
    """Register a round; True for exactly one caller."""
    document = RoundDoc(id=round_key(key, index), campaign_id=key, index=index)
    return store.insert_new(document)
