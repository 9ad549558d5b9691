from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from example_crystals import example_dataset
from example_training import PROPERTIES, SPEC, small_generator

from gen2dft.crystals import CrystalTable
from gen2dft.dataset import Dataset
from gen2dft.errors import CampaignError, DatasetError, SnapshotError
from gen2dft.generators import GENERATORS, load_generator_class
from gen2dft.generators.base import Generator, TrainingResult
from gen2dft.generators.contract import validate_generator
from gen2dft.generators.ftcp.fitting import FTCPTraining
from gen2dft.generators.ftcp.generator import FTCPGenerator
from gen2dft.generators.ftcp.scalers import PropertyScaler
from gen2dft.generators.ftcp.settings import FTCPSettings
from gen2dft.generators.ftcp.trained import TrainedFTCP
from gen2dft.generators.keras_setup import load_keras
from gen2dft.generators.snapshot import to_bytes
from gen2dft.generators.split import held_out
from gen2dft.properties import Properties, Property
from gen2dft.representations import FTCP

Trained = tuple[FTCPGenerator, TrainingResult]


class Killed(Exception):
    """Stands for kill -9."""


def labelled(dataset: Dataset, **labels: np.ndarray) -> Dataset:
    return Dataset(dataset.crystals, dataset.ids, labels)


def test_the_contract_holds(trained: Trained, dataset: Dataset):
    validate_generator(trained[0], dataset.crystals)


def test_registry_loads_by_name():
    assert GENERATORS.keys() == {"ftcp", "imatgen", "prototypes", "structures", "substitution"}
    assert load_generator_class("ftcp") is FTCPGenerator
    with pytest.raises(CampaignError, match=r"Did you mean 'ftcp'"):
        load_generator_class("ftpc")


def test_training_learns_crystals_and_properties(trained: Trained, dataset: Dataset):
    generator, result = trained
    first, last = result.history[0], result.history[-1]
    assert last["reconstruction"] < 0.5 * first["reconstruction"]
    assert last["property"] < first["property"]
    decoded = generator.decode(generator.encode(dataset.crystals))
    assert len(decoded.kept) == len(dataset)
    assert (decoded.crystals.num_sites == dataset.crystals.num_sites).mean() > 0.8


def changed_weights(generator: FTCPGenerator, spec: FTCPSettings, dataset: Dataset) -> set[bool]:
    start = training(dataset, PROPERTIES, spec=spec)._untrained(dataset.crystals).networks.weights()
    after = generator.state()[1]
    return {bool((start[name] != after[name]).any()) for name in start}


def test_every_weight_is_trained_those_of_the_property_head_too(trained: Trained, dataset: Dataset):
    assert changed_weights(trained[0], SPEC, dataset) == {True}


def test_result_is_plain_and_complete(trained: Trained, dataset: Dataset):
    result = trained[1].as_dict()
    json.dumps(result, allow_nan=False)
    assert [row["epoch"] for row in result["history"]] == list(range(1, SPEC.epochs + 1))
    terms = {"loss", "reconstruction", "kl", "property"}
    assert set(result["history"][0]) == {"epoch"} | terms | {f"val_{t}" for t in terms}
    assert result["num_train"] + result["num_heldout"] == len(dataset)
    assert len(result["heldout"]["formation_energy"]["truth"]) == result["num_heldout"] > 0
    assert len(result["heldout"]["band_gap"]["truth"]) < result["num_heldout"]
    assert result["num_labels"]["formation_energy"] == result["num_train"]


def test_loss_is_the_weighted_sum_of_its_terms(trained: Trained):
    row = trained[1].history[-1]
    total = row["reconstruction"] + SPEC.beta * row["kl"] + SPEC.property_weight * row["property"]
    assert row["loss"] == pytest.approx(total, rel=1e-4)


def test_scalers_see_the_training_part_only(dataset: Dataset):
    energy = dataset.label("formation_energy").copy()
    rows = held_out(dataset.ids, SPEC.holdout)
    energy[rows] = 1e3
    seen = [
        training(labelled(dataset, formation_energy=e))
        for e in (energy, dataset.label("formation_energy"))
    ]
    first, second = (t._untrained(dataset.crystals.select(~rows)).property_scaler for t in seen)
    assert first.low == second.low and first.high == second.high


def training(
    dataset: Dataset, properties: tuple[str, ...] = PROPERTIES[:1], **changes: object
) -> FTCPTraining:
    load_keras()
    fields = {
        "spec": SPEC,
        "properties": properties,
        "seed": 3,
        "representation": FTCP(max_sites=5),
    } | changes
    return FTCPTraining(dataset, **fields)


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 4},
        {"properties": ("band_gap",)},
        {"spec": SPEC.model_copy(update={"beta": 0.5})},
        {"may_hold_out": np.zeros(144, bool)},
        {"representation": FTCP(max_sites=6)},
        {"dataset": example_dataset().select(range(143))},
    ],
)
def test_a_checkpoint_of_another_training_is_not_taken_up(
    dataset: Dataset, change: dict[str, object]
):
    assert (
        training(**{"dataset": dataset} | change).fingerprint() != training(dataset).fingerprint()
    )
    assert training(dataset).fingerprint() == training(example_dataset()).fingerprint()


def test_an_interrupted_training_ends_as_if_it_had_not_been(
    trained: Trained, dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("gen2dft.generators.epochs.CHECKPOINT_SECONDS", -1)

    def kill(epoch: int, _: dict[str, float]) -> None:
        if epoch == 12:
            raise Killed

    with pytest.raises(Killed):
        small_generator().fit(
            dataset, SPEC, PROPERTIES, seed=3, checkpoint_dir=tmp_path, on_epoch=kill
        )
    seen: list[int] = []
    generator = small_generator()
    result = generator.fit(
        dataset,
        SPEC,
        PROPERTIES,
        seed=3,
        checkpoint_dir=tmp_path,
        on_epoch=lambda epoch, _: seen.append(epoch),
    )
    assert seen == list(range(12, SPEC.epochs + 1))
    assert to_bytes(generator) == to_bytes(trained[0])
    assert result.history == trained[1].history
    assert list(tmp_path.iterdir()) == []


def test_a_warm_start_keeps_scalers_and_goes_on_from_the_weights(
    trained: Trained, dataset: Dataset
):
    cold = trained[1].history
    energy = dataset.label("formation_energy")
    more = labelled(dataset, formation_energy=energy * 3, band_gap=dataset.label("band_gap"))
    generator = FTCPGenerator()
    result = generator.fit(more, SPEC, PROPERTIES, seed=3, warm_start=trained[0])
    assert result.warm and len(result.history) == SPEC.epochs_warm
    assert result.history[0]["reconstruction"] < cold[1]["reconstruction"]
    old, new = trained[0].state()[1], generator.state()[1]
    assert all(
        (old[k] == new[k]).all() for k in ("property_low", "property_high", "g_std", "factor_std")
    )
    assert (old["encoder.00"] != new["encoder.00"]).any()


def test_a_warm_start_of_another_variant_is_refused(trained: Trained, dataset: Dataset):
    spec = FTCPSettings(**SPEC.model_dump() | {"variant": "published"})
    with pytest.raises(
        SnapshotError, match=r"variant 'gen2dft': 'published' is asked for; train without a warm"
    ):
        FTCPGenerator().fit(dataset, spec, PROPERTIES, seed=3, warm_start=trained[0])


def test_the_published_variant_keeps_the_contract(dataset: Dataset):
    spec = FTCPSettings(**SPEC.model_dump() | {"variant": "published", "epochs": 2})
    generator = small_generator()
    generator.fit(dataset, spec, PROPERTIES, seed=3)
    validate_generator(generator, dataset.crystals)
    assert changed_weights(generator, spec, dataset) == {True}


@pytest.mark.parametrize(
    "change", [{"properties": ("band_gap",)}, {"spec": SPEC.model_copy(update={"latent_dim": 9})}]
)
def test_a_warm_start_of_another_shape_is_refused(
    trained: Trained, dataset: Dataset, change: dict[str, object]
):
    arguments = {"spec": SPEC, "properties": PROPERTIES} | change
    with pytest.raises(
        SnapshotError, match=r"cannot start from a generator of 8 latent dimensions.*without a warm"
    ):
        FTCPGenerator().fit(dataset, seed=3, warm_start=trained[0], **arguments)


def test_batches_with_no_or_one_label_work(dataset: Dataset):
    gap = np.where(np.arange(len(dataset)) < 1, 1.5, np.nan)
    spec = SPEC.model_copy(update={"epochs": 2, "variant": "published"})
    nothing = np.zeros(len(dataset), bool)
    result = small_generator().fit(
        labelled(dataset, band_gap=gap), spec, ("band_gap",), seed=0, may_hold_out=nothing
    )
    assert result.num_labels == {"band_gap": 1}
    assert result.num_heldout == 0 and result.reconstruction.elements_right is None
    assert all(np.isfinite(list(row.values())).all() for row in result.history)
    json.dumps(result.as_dict(), allow_nan=False)


def test_a_property_without_labels_is_refused(dataset: Dataset):
    with pytest.raises(
        DatasetError, match=r"no crystal of the training part has a label for power_factor: add"
    ):
        small_generator().fit(dataset, SPEC, ("formation_energy", "power_factor"), seed=0)


def test_no_property_is_refused(dataset: Dataset):
    with pytest.raises(DatasetError, match=r"no property to predict"):
        small_generator().fit(dataset, SPEC, (), seed=0)


def test_too_few_crystals_are_refused(dataset: Dataset):
    with pytest.raises(DatasetError, match=r"1 crystals to train on"):
        small_generator().fit(
            dataset.select([0]), FTCPSettings(holdout=0.01), ("formation_energy",), seed=0
        )


def test_crystals_that_do_not_fit_are_refused(dataset: Dataset):
    with pytest.raises(DatasetError, match=r"54 of 144 crystals.*more than 4 sites"):
        FTCPGenerator(FTCP(max_sites=4)).fit(dataset, SPEC, PROPERTIES, seed=0)


def test_crystals_that_do_not_fit_are_named_by_their_index_when_encoded(
    trained: Trained, dataset: Dataset
):
    large = CrystalTable.from_arrays(
        [9 * np.eye(3)], [[3] * 6], [np.random.default_rng(0).random((6, 3))]
    )
    table = CrystalTable.concatenate([dataset.crystals] * 3 + [large])
    with pytest.raises(DatasetError, match=r"1 of 433 crystals.*index 432"):
        trained[0].encode(table)


def test_an_untrained_generator_says_so():
    with pytest.raises(SnapshotError, match=r"not trained"):
        _ = FTCPGenerator().properties


def test_the_class_is_a_generator():
    _: type[Generator] = FTCPGenerator
    assert example_dataset().num_labels()["band_gap"] == 36


def test_a_snapshot_knows_the_scale_of_a_property_of_ones_own(trained: Trained):
    model = trained[0].trained
    names = [f"own_{column}" for column in range(len(PROPERTIES))]
    known = Properties(Property(name, "GPa", name, "log1p") for name in names)
    scaler = PropertyScaler.fit(np.geomspace(1, 400, 20 * len(names)).reshape(20, -1), names, known)
    own = replace(model, property_scaler=scaler)
    again = TrainedFTCP.from_state(json.loads(json.dumps(own.config())), own.arrays())
    assert again.property_scaler.transforms == ("log1p",) * len(names)
    latents = model.latent_mean[None, :]
    np.testing.assert_array_equal(again.predict(latents), own.predict(latents))
    assert "transforms" not in model.config()
