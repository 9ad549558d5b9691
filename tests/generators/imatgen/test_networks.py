"""Shapes and numbers of weights against the supplement's kernels, strides and channels."""

import pytest

from gen2dft.generators.keras_setup import load_keras

load_keras()

from gen2dft.generators.imatgen import networks  # noqa: E402

WIDE = 64  # channels of the supplement


def kernels(network) -> list[tuple[int, ...]]:
    return [tuple(w.shape) for w in network.weights if w.name == "kernel"]


def shapes(network) -> list[tuple[int, ...]]:
    """Output shapes of the layers that have weights."""
    return [layer.output.shape[1:] for layer in network.layers if layer.weights]


@pytest.mark.parametrize(("build", "code", "sizes"), [
    (networks.cell_autoencoder, 20, [16, 8, 4]),
    (networks.basis_autoencoder, 200, [32, 16, 8, 4]),
])  # fmt: skip
def test_autoencoders_are_the_supplements(build, code: int, sizes: list[int]):
    encoder, decoder = build()
    assert shapes(encoder) == [(n, n, n, WIDE) for n in sizes] + [(1, 1, 1, code)]
    up = [(n, n, n, WIDE) for n in sizes[::-1]]
    assert shapes(decoder) == [*up, (2 * sizes[0],) * 3 + (1,)]
    down = (
        [(4, 4, 4, 1, WIDE)] + [(4, 4, 4, WIDE, WIDE)] * (len(sizes) - 1) + [(4, 4, 4, WIDE, code)]
    )
    assert kernels(encoder) == down
    # A transposed convolution has the kernel of the convolution that it turns round.
    assert kernels(decoder) == down[::-1]


@pytest.mark.parametrize(("build", "kernel_weights"), [
    (networks.cell_autoencoder, 4096 + 2 * 262144 + 81920),
    (networks.basis_autoencoder, 4096 + 3 * 262144 + 819200),
])  # fmt: skip
def test_numbers_of_weights(build, kernel_weights: int):
    encoder, decoder = build()
    biases = [sum(s[-1] for s in shapes(network)) for network in (encoder, decoder)]
    assert encoder.count_params() == kernel_weights + biases[0]
    assert decoder.count_params() == kernel_weights + biases[1]


def test_codes_are_scaled_before_their_tanh_unless_as_published():
    import numpy as np

    images = np.zeros((2, 32, 32, 32, 1), dtype=np.float32)
    images[0, 16, 16, 16], images[1, 14:18] = 1.0, 0.5
    codes, published = (
        np.asarray(networks.cell_autoencoder(4, normalised=on)[0](images, training=False))
        for on in (True, False)
    )
    before = np.arctanh(codes.astype(np.float64))
    assert before.mean(axis=1) == pytest.approx([0, 0], abs=1e-4)
    assert before.std(axis=1) == pytest.approx([1, 1], abs=0.05)
    assert np.arctanh(published).std(axis=1)[0] < 0.5  # one voxel moves little


def test_the_materials_generator_is_the_supplements():
    encoder, decoder = networks.materials_encoder(500), networks.materials_decoder(500)
    assert shapes(encoder) == [
        (1, 100, 100),
        (1, 50, 100),
        (1, 25, 100),
        (1, 25, 50),
        (500,),
        (500,),
    ]
    assert kernels(encoder)[:4] == [
        (1, 4, 6, 100),
        (1, 4, 100, 100),
        (1, 4, 100, 100),
        (1, 1, 100, 50),
    ]
    assert [output.shape[1:] for output in encoder.outputs] == [(500,), (500,)]
    assert shapes(decoder) == [(1250,), (1, 25, 100), (1, 50, 100), (1, 100, 100), (1, 200, 6)]
    assert kernels(decoder)[1:] == [
        (1, 1, 100, 50),
        (1, 4, 100, 100),
        (1, 4, 100, 100),
        (1, 4, 6, 100),
    ]
    kernel_weights = 2400 + 2 * 40000 + 5000
    assert encoder.count_params() == kernel_weights + 350 + 2 * (1250 * 500 + 500)
    assert decoder.count_params() == kernel_weights + 306 + 500 * 1250 + 1250
    assert networks.classifier(500, 1).count_params() == 500 * 500 + 500 + 500 + 1
