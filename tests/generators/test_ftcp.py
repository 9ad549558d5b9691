from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from example_crystals import example_dataset
from example_training import PROPERTIES, SPEC, small_generator

from gen2dft.campaign import GeneratorSpec
from gen2dft.datasets.dataset import Dataset
from gen2dft.errors import CampaignError, DatasetError, SnapshotError
from gen2dft.generators import GENERATORS, load_generator_class
from gen2dft.generators.base import Generator, TrainingResult
from gen2dft.generators.contract import validate_generator
from gen2dft.generators.ftcp import FTCPGenerator

Trained = tuple[FTCPGenerator, TrainingResult]
SHORT = SPEC.model_copy(update={"epochs": 4})


class Killed(Exception):
    """Stands for kill -9."""


def weights(generator: FTCPGenerator) -> bytes:
    return b"".join(a.tobytes() for a in generator.state()[1].values())


def labelled(dataset: Dataset, **labels: np.ndarray) -> Dataset:
    return Dataset(dataset.crystals, dataset.ids, labels)


def test_the_contract_holds(trained: Trained, dataset: Dataset):
    validate_generator(trained[0], dataset.crystals)


def test_registry_loads_by_name():
    assert GENERATORS.keys() == {"ftcp"}
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


def test_the_property_head_itself_is_trained(dataset: Dataset):
    start, after = ({}, {})
    for found, epochs in ((start, 1), (after, 2)):
        generator = small_generator()
        spec = SHORT.model_copy(update={"epochs": epochs, "learning_rate": 1e-3 * epochs})
        generator.fit(dataset, spec, PROPERTIES, seed=3)
        found.update({k: v for k, v in generator.state()[1].items() if k.startswith("head.")})
    assert all((start[k] != after[k]).any() for k in start)


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
    rows = small_generator()
    may = np.arange(len(dataset)) < 10
    energy = dataset.label("formation_energy").copy()
    rows.fit(dataset, SHORT, ("formation_energy",), seed=0, may_hold_out=may)
    from gen2dft.generators.split import held_out

    energy[held_out(dataset.ids, SHORT.holdout, may)] = 1e3
    changed = small_generator()
    changed.fit(labelled(dataset, formation_energy=energy), SHORT, ("formation_energy",), seed=0, may_hold_out=may)
    assert weights(changed) == weights(rows)


def test_the_same_seed_gives_the_same_weights_and_another_does_not(dataset: Dataset):
    runs = []
    for seed in (1, 1, 2):
        generator = small_generator()
        generator.fit(dataset, SHORT, PROPERTIES, seed=seed)
        runs.append(weights(generator))
    assert runs[0] == runs[1] != runs[2]


def test_an_interrupted_training_ends_as_if_it_had_not_been(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("gen2dft.generators.training.CHECKPOINT_SECONDS", -1)
    straight, resumed = small_generator(), small_generator()
    whole = straight.fit(dataset, SHORT, PROPERTIES, seed=5)

    def kill(epoch: int, _: dict[str, float]) -> None:
        if epoch == 3:
            raise Killed

    with pytest.raises(Killed):
        small_generator().fit(dataset, SHORT, PROPERTIES, seed=5, checkpoint_dir=tmp_path, on_epoch=kill)
    seen: list[int] = []
    rest = resumed.fit(
        dataset, SHORT, PROPERTIES, seed=5, checkpoint_dir=tmp_path, on_epoch=lambda epoch, _: seen.append(epoch)
    )
    assert seen == [3, 4]
    assert weights(resumed) == weights(straight)
    assert rest.history == whole.history
    assert list(tmp_path.iterdir()) == []


def test_a_checkpoint_of_other_data_is_not_taken_up(dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("gen2dft.generators.training.CHECKPOINT_SECONDS", -1)

    def kill(epoch: int, _: dict[str, float]) -> None:
        if epoch == 2:
            raise Killed

    with pytest.raises(Killed):
        small_generator().fit(dataset, SHORT, PROPERTIES, seed=5, checkpoint_dir=tmp_path, on_epoch=kill)
    seen: list[int] = []
    small_generator().fit(
        dataset, SHORT, PROPERTIES, seed=6, checkpoint_dir=tmp_path, on_epoch=lambda epoch, _: seen.append(epoch)
    )
    assert seen == [1, 2, 3, 4]


def test_a_warm_start_keeps_scalers_and_goes_on_from_the_weights(trained: Trained, dataset: Dataset):
    cold = trained[1].history
    energy = dataset.label("formation_energy")
    more = labelled(dataset, formation_energy=energy * 3, band_gap=dataset.label("band_gap"))
    generator = FTCPGenerator()
    result = generator.fit(more, SPEC, PROPERTIES, seed=3, warm_start=trained[0])
    assert result.warm and len(result.history) == SPEC.epochs_warm
    assert result.history[0]["reconstruction"] < cold[1]["reconstruction"]
    old, new = trained[0].state()[1], generator.state()[1]
    assert all((old[k] == new[k]).all() for k in ("property_low", "property_high", "lattice_mean", "factor_std"))
    assert (old["encoder.00"] != new["encoder.00"]).any()


@pytest.mark.parametrize("change", [{"properties": ("band_gap",)}, {"spec": SPEC.model_copy(update={"latent_dim": 9})}])
def test_a_warm_start_of_another_shape_is_refused(trained: Trained, dataset: Dataset, change: dict[str, object]):
    arguments = {"spec": SPEC, "properties": PROPERTIES} | change
    with pytest.raises(SnapshotError, match=r"cannot start from a generator of 8 latent dimensions.*without a warm"):
        FTCPGenerator().fit(dataset, seed=3, warm_start=trained[0], **arguments)


@pytest.mark.parametrize("num_labels", [1, 3])
def test_batches_with_no_or_one_label_work(dataset: Dataset, num_labels: int):
    gap = np.where(np.arange(len(dataset)) < num_labels, 1.5, np.nan)
    result = small_generator().fit(
        labelled(dataset, band_gap=gap), SHORT, ("band_gap",), seed=0, may_hold_out=np.zeros(len(dataset), bool)
    )
    assert result.num_labels == {"band_gap": num_labels}
    assert result.num_heldout == 0 and result.reconstruction.elements_right is None
    assert all(np.isfinite(list(row.values())).all() for row in result.history)
    json.dumps(result.as_dict(), allow_nan=False)


def test_a_property_without_labels_is_refused(dataset: Dataset):
    with pytest.raises(DatasetError, match=r"no crystal of the training part has a label for power_factor: add"):
        small_generator().fit(dataset, SHORT, ("formation_energy", "power_factor"), seed=0)


def test_no_property_is_refused(dataset: Dataset):
    with pytest.raises(DatasetError, match=r"no property to predict"):
        small_generator().fit(dataset, SHORT, (), seed=0)


def test_too_few_crystals_are_refused(dataset: Dataset):
    with pytest.raises(DatasetError, match=r"1 crystals to train on"):
        small_generator().fit(dataset.select([0]), GeneratorSpec(holdout=0.01), ("formation_energy",), seed=0)


def test_crystals_that_do_not_fit_are_refused(dataset: Dataset):
    from gen2dft.representations import FTCP

    with pytest.raises(DatasetError, match=r"54 of 144 crystals.*more than 4 sites"):
        FTCPGenerator(FTCP(max_sites=4)).fit(dataset, SHORT, PROPERTIES, seed=0)


def test_crystals_that_do_not_fit_are_named_by_their_index_when_encoded(trained: Trained, dataset: Dataset):
    from gen2dft.crystals import CrystalTable

    large = CrystalTable.from_arrays([9 * np.eye(3)], [[3] * 6], [np.random.default_rng(0).random((6, 3))])
    table = CrystalTable.concatenate([dataset.crystals] * 3 + [large])
    with pytest.raises(DatasetError, match=r"1 of 433 crystals.*index 432"):
        trained[0].encode(table)


def test_an_untrained_generator_says_so():
    with pytest.raises(SnapshotError, match=r"not trained"):
        _ = FTCPGenerator().properties


def test_the_class_is_a_generator():
    _: type[Generator] = FTCPGenerator
    assert example_dataset().num_labels()["band_gap"] == 36
