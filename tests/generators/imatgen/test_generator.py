from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from example_oxides import SPEC, O, V, example_oxides

from gen2dft.crystals import CrystalTable
from gen2dft.dataset import Dataset
from gen2dft.errors import DatasetError, SnapshotError
from gen2dft.generators import load_generator_class
from gen2dft.generators.base import Generator, TrainingResult
from gen2dft.generators.contract import validate_generator
from gen2dft.generators.imatgen.generator import ImatgenGenerator
from gen2dft.generators.imatgen.settings import ImatgenSettings
from gen2dft.generators.snapshot import to_bytes

Trained = tuple[ImatgenGenerator, TrainingResult]
PROPERTIES = ("formation_energy",)


class Killed(Exception):
    """Stands for kill -9."""


def test_the_contract_holds(trained: Trained, oxides: Dataset):
    validate_generator(trained[0], oxides.crystals.select(np.arange(3)))


def test_it_is_registered():
    assert load_generator_class("imatgen") is ImatgenGenerator
    _: type[Generator] = ImatgenGenerator


def test_the_result_is_plain_and_tells_of_every_network(trained: Trained, oxides: Dataset):
    result = trained[1].as_dict()
    json.dumps(result, allow_nan=False)
    assert [row["epoch"] for row in result["history"]] == [1, 2, 3]
    assert result["num_train"] + result["num_heldout"] == len(oxides)
    assert set(result["figures"]) >= {
        "cell_image_mse",
        "basis_image_mse",
        "cells_read",
        "atoms_found",
        "crystals_right",
        "tensor_mse",
        "accuracy_formation_energy",
        "larger_class_formation_energy",
    }
    row = result["history"][-1]
    terms = row["reconstruction"] + SPEC.beta * row["kl"] + SPEC.property_weight * row["property"]
    assert row["loss"] == pytest.approx(terms, rel=1e-4)


def test_predictions_lie_between_the_means_of_the_classes(trained: Trained, oxides: Dataset):
    generator = trained[0]
    classes = generator.trained.classes
    assert classes.thresholds.tolist() == [-1.5]
    assert classes.means[0] == pytest.approx([-1.95, -0.95], abs=0.06)
    predicted = generator.predict(generator.encode(oxides.crystals))
    assert (predicted >= classes.means[0, 0]).all() and (predicted <= classes.means[0, 1]).all()


def test_epochs_are_numbered_through_and_an_interruption_changes_nothing(
    trained: Trained, oxides: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("gen2dft.generators.epochs.CHECKPOINT_SECONDS", -1)

    def kill(epoch: int, _: dict[str, float]) -> None:
        if epoch == 5:  # in the middle of the last stage; the epoch is done but not yet stored
            raise Killed

    with pytest.raises(Killed):
        ImatgenGenerator().fit(
            oxides, SPEC, PROPERTIES, seed=3, checkpoint_dir=tmp_path, on_epoch=kill
        )
    seen: list[int] = []
    generator = ImatgenGenerator()
    result = generator.fit(
        oxides,
        SPEC,
        PROPERTIES,
        seed=3,
        checkpoint_dir=tmp_path,
        on_epoch=lambda epoch, _: seen.append(epoch),
    )
    assert seen == list(range(5, SPEC.total_epochs(warm=False) + 1))
    assert to_bytes(generator) == to_bytes(trained[0])
    assert result.history == trained[1].history
    assert list(tmp_path.iterdir()) == []


def test_a_warm_start_keeps_the_autoencoders_and_trains_the_rest_on(
    trained: Trained, oxides: Dataset
):
    generator = ImatgenGenerator()
    result = generator.fit(oxides, SPEC, PROPERTIES, seed=3, warm_start=trained[0])
    assert result.warm and len(result.history) == SPEC.epochs_warm
    old, new = trained[0].state()[1], generator.state()[1]
    kept = {name for name in old if (old[name] == new[name]).all()}
    assert {name for name in kept if name.startswith(("cell", "basis"))} == {
        name for name in old if name.startswith(("cell", "basis"))
    }
    assert not {"encoder.00", "decoder.00", "classifier.00"} & kept


def test_a_candidate_that_outgrew_its_box_is_still_encoded(trained: Trained):
    long = CrystalTable.from_arrays(
        [np.diag([18.0, 4, 4])], [[V, O]], [[[0, 0, 0], [0.95, 0.5, 0.5]]]
    )
    assert np.isfinite(trained[0].encode(long)).all()


def test_what_does_not_fit_is_left_out_of_training_and_counted(oxides: Dataset):
    training = load_training(oxides, np.diag([18.0, 4, 4]))
    assert training.misfits.count("larger_than_box") == 1
    assert training.is_trained.sum() + training.is_held_out.sum() == len(oxides)


def load_training(oxides: Dataset, lattice: np.ndarray):
    from gen2dft.generators.imatgen.fitting import ImatgenTraining

    long = CrystalTable.from_arrays([lattice], [[V, O]], [[[0, 0, 0], [0.95, 0.5, 0.5]]])
    more = oxides.extend(Dataset(long, ("long",), {"formation_energy": np.array([-1.0])}))
    return ImatgenTraining(more, SPEC, PROPERTIES, 3)


@pytest.mark.parametrize(
    ("numbers", "message"), [((V, 26), "holds other elements"), ((V, V), "does not hold all")]
)
def test_other_elements_are_refused_by_index(trained: Trained, numbers, message):
    other = CrystalTable.from_arrays([4 * np.eye(3)], [numbers], [[[0, 0, 0], [0.5, 0.5, 0.5]]])
    with pytest.raises(DatasetError, match=rf"1 of 3 crystals: it {message}.*index 2"):
        trained[0].encode(CrystalTable.concatenate([example_oxides(2), other]))


@pytest.mark.parametrize(("properties", "message"), [
    ((), "no property to predict"),
    (("band_gap",), "0 of 24 crystals can be learnt from"),
    (("formation_energy", "band_gap"), "no crystal of the training part has a label for band_gap"),
])  # fmt: skip
def test_data_that_cannot_be_learnt_from_are_refused(oxides: Dataset, properties, message):
    with pytest.raises(DatasetError, match=message):
        ImatgenGenerator().fit(oxides, SPEC, properties, seed=3)


def test_a_warm_start_of_another_shape_is_refused(trained: Trained, oxides: Dataset):
    spec = ImatgenSettings(**SPEC.model_dump() | {"latent_dim": 17})
    with pytest.raises(SnapshotError, match=r"\(16, 2.*\(17, 2.*without a warm start"):
        ImatgenGenerator().fit(oxides, spec, PROPERTIES, seed=3, warm_start=trained[0])


def test_an_untrained_generator_says_so():
    with pytest.raises(SnapshotError, match="not trained"):
        _ = ImatgenGenerator().properties
