"""The networks of iMatGen, Noh et al., Matter 1, 1370 (2019), supporting information.

Kernels, strides and channels are the supplement's; convolutions with stride keep the size over the
stride (`same`), the last one of an autoencoder has no padding (`valid`) and sees all that is left.
The supplement gives no biases and the published code has none; here each layer has one, because the
background of an image, zero nearly everywhere, is then learnt by one number. The text of the
supplement speaks of a basis code of 500; its table, and the code, have 200 channels, and so it is
here.

One thing stands between the supplement's layers unless `normalised` is off: before the tanh each
code is shifted and scaled to mean 0 and variance 1 over its own numbers. Without it the first
steps, whose gradients are nearly the same for all images, drive every number of every code to 1 or
-1, where a tanh has no slope: the encoder learns no more.
"""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from gen2dft.representations.image_grids import BASIS_VOXELS, CELL_VOXELS

CELL_CODE, BASIS_CODE = 20, 200
CHANNELS = 64  # of all layers of an autoencoder but the last
LEAK = 0.2
SMALLEST_VARIANCE = 1e-6  # of a code's numbers, added where they are scaled to variance 1
LENGTH, SLOTS = 200, 6  # of the tensor that the materials generator reads: 1 x 200 x 6
KERNELS, STRIDES, FILTERS = (4, 4, 4, 1), (2, 2, 2, 1), (100, 100, 100, 50)
HIDDEN = 500  # of the classifier
# first bias of the images' logits, about that of a voxel's mean: a network that knows nothing draws
# it
DARK = -7.0


def cell_autoencoder(
    channels: int = CHANNELS, precision: str = "float32", *, normalised: bool = True
) -> tuple[Any, Any]:
    """Encoder (n, 32, 32, 32, 1) -> (n, 20) and decoder back; tanh code, sigmoid image."""
    return _autoencoder(CELL_VOXELS, CELL_CODE, channels, precision, normalised)


def basis_autoencoder(
    channels: int = CHANNELS, precision: str = "float32", *, normalised: bool = True
) -> tuple[Any, Any]:
    """Encoder (n, 64, 64, 64, 1) -> (n, 200) and decoder back.

    One for the images of all elements.
    """
    return _autoencoder(BASIS_VOXELS, BASIS_CODE, channels, precision, normalised)


def _autoencoder(
    voxels: int, code: int, channels: int, precision: str, normalised: bool
) -> tuple[Any, Any]:
    """Halve the image down to 4^3 voxels, then read these with one kernel.

    The decoder is the mirror image.
    """
    halvings = (voxels // 4).bit_length() - 1
    fast: dict[str, Any] = {"dtype": precision, "kernel_initializer": "he_normal"}
    halving = {"strides": 2, "padding": "same", **fast}
    image = hidden = layers.Input((voxels, voxels, voxels, 1))
    for _ in range(halvings):
        hidden = _leaky(layers.Conv3D(channels, 4, **halving)(hidden), precision)
    hidden = layers.Reshape((code,))(layers.Conv3D(code, 4, **fast | {"dtype": "float32"})(hidden))
    if normalised:
        hidden = layers.LayerNormalization(center=False, scale=False, epsilon=SMALLEST_VARIANCE)(
            hidden
        )
    encoder = keras.Model(image, layers.Activation("tanh")(hidden))

    vector = layers.Input((code,))
    hidden = layers.Reshape((1, 1, 1, code))(vector)
    hidden = _leaky(layers.Conv3DTranspose(channels, 4, **fast)(hidden), precision)
    for _ in range(halvings - 1):
        hidden = _leaky(layers.Conv3DTranspose(channels, 4, **halving)(hidden), precision)
    hidden = layers.Conv3DTranspose(
        1, 4, bias_initializer=keras.initializers.Constant(DARK), **halving
    )(hidden)
    return encoder, keras.Model(vector, layers.Activation("sigmoid", dtype="float32")(hidden))


def materials_encoder(latent_dim: int) -> Any:
    """Encoder (n, 1, 200, 6) -> mean and log variance, each (n, d)."""
    tensor = hidden = layers.Input((1, LENGTH, SLOTS))
    for kernel, stride, filters in zip(KERNELS, STRIDES, FILTERS, strict=True):
        hidden = _leaky(
            layers.Conv2D(filters, (1, kernel), strides=(1, stride), padding="same")(hidden)
        )
    hidden = layers.Flatten()(hidden)
    outputs = [layers.Dense(latent_dim)(hidden), layers.Dense(latent_dim)(hidden)]
    return keras.Model(tensor, outputs)


def materials_decoder(latent_dim: int) -> Any:
    """Decoder (n, d) -> (n, 1, 200, 6), the encoder mirrored, tanh at the end."""
    latent = layers.Input((latent_dim,))
    shortest = LENGTH // 2**3
    hidden = layers.Reshape((1, shortest, FILTERS[-1]))(
        _leaky(layers.Dense(shortest * FILTERS[-1])(latent))
    )
    steps = zip(KERNELS[::-1], STRIDES[::-1], (*FILTERS[-2::-1], SLOTS), strict=True)
    for place, (kernel, stride, filters) in enumerate(steps):
        convolution = layers.Conv2DTranspose(
            filters, (1, kernel), strides=(1, stride), padding="same"
        )
        hidden = convolution(hidden)
        hidden = _leaky(hidden) if place < len(KERNELS) - 1 else layers.Activation("tanh")(hidden)
    return keras.Model(latent, hidden)


def classifier(latent_dim: int, num_properties: int) -> Any:
    """(n, d) -> (n, p) probabilities that each property is below its threshold.

    One hidden layer of 500.
    """
    latent = layers.Input((latent_dim,))
    hidden = layers.Dense(HIDDEN, activation="tanh")(latent)
    return keras.Model(latent, layers.Dense(num_properties, activation="sigmoid")(hidden))


def _leaky(tensor: Any, dtype: str = "float32") -> Any:
    return layers.LeakyReLU(negative_slope=LEAK, dtype=dtype)(tensor)
