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

from dataclasses import dataclass
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
# The encoder mirrored: kernel, stride and filters of the decoder's layers before the last.
UPWARDS = tuple(zip(KERNELS[:0:-1], STRIDES[:0:-1], FILTERS[-2::-1], strict=True))
INITIALIZER = "he_normal"
# Of convolutions that halve the image, and of transposed ones that double it.
HALVING: dict[str, Any] = {"strides": 2, "padding": "same", "kernel_initializer": INITIALIZER}
HIDDEN = 500  # of the classifier
# First bias of the images' logits, about that of a voxel's mean: an untrained network draws it.
DARK = -7.0


def cell_autoencoder(
    channels: int = CHANNELS, precision: str = "float32", *, normalised: bool = True
) -> tuple[Any, Any]:
    """Encoder (n, 32, 32, 32, 1) -> (n, 20) and decoder back; tanh code, sigmoid image."""
    design = _Design(CELL_VOXELS, CELL_CODE, channels, precision)
    return _autoencoder(design, normalised)


def basis_autoencoder(
    channels: int = CHANNELS, precision: str = "float32", *, normalised: bool = True
) -> tuple[Any, Any]:
    """Encoder (n, 64, 64, 64, 1) -> (n, 200) and decoder back.

    One for the images of all elements.
    """
    design = _Design(BASIS_VOXELS, BASIS_CODE, channels, precision)
    return _autoencoder(design, normalised)


@dataclass(frozen=True)
class _Design:
    """Sizes of an autoencoder; `precision` is that of all its layers but the last."""

    voxels: int
    code: int
    channels: int
    precision: str

    @property
    def halvings(self) -> int:
        """Convolutions of stride 2 that bring the image down to 4^3 voxels."""
        return (self.voxels // 4).bit_length() - 1


def _autoencoder(design: _Design, normalised: bool) -> tuple[Any, Any]:
    """Halve the image down to 4^3 voxels, then read these with one kernel.

    The decoder is the mirror image.
    """
    encoder = _image_encoder(design, normalised)
    decoder = _image_decoder(design)
    return encoder, decoder


def _image_encoder(design: _Design, normalised: bool) -> Any:
    voxels = design.voxels
    precision = design.precision
    image = hidden = layers.Input((voxels, voxels, voxels, 1))
    for _ in range(design.halvings):
        convolution = layers.Conv3D(design.channels, 4, **HALVING, dtype=precision)
        hidden = _leaky(convolution(hidden), precision)
    last = layers.Conv3D(design.code, 4, kernel_initializer=INITIALIZER, dtype="float32")
    hidden = last(hidden)
    hidden = layers.Reshape((design.code,))(hidden)
    if normalised:
        norm = layers.LayerNormalization(center=False, scale=False, epsilon=SMALLEST_VARIANCE)
        hidden = norm(hidden)
    code = layers.Activation("tanh")
    return keras.Model(image, code(hidden))


def _image_decoder(design: _Design) -> Any:
    channels = design.channels
    precision = design.precision
    vector = layers.Input((design.code,))
    hidden = layers.Reshape((1, 1, 1, design.code))(vector)
    first = layers.Conv3DTranspose(channels, 4, kernel_initializer=INITIALIZER, dtype=precision)
    hidden = _leaky(first(hidden), precision)
    for _ in range(design.halvings - 1):
        convolution = layers.Conv3DTranspose(channels, 4, **HALVING, dtype=precision)
        hidden = _leaky(convolution(hidden), precision)
    dark = keras.initializers.Constant(DARK)
    last = layers.Conv3DTranspose(1, 4, bias_initializer=dark, **HALVING, dtype=precision)
    hidden = last(hidden)
    image = layers.Activation("sigmoid", dtype="float32")
    return keras.Model(vector, image(hidden))


def materials_encoder(latent_dim: int) -> Any:
    """Encoder (n, 1, 200, 6) -> mean and log variance, each (n, d)."""
    tensor = hidden = layers.Input((1, LENGTH, SLOTS))
    for kernel, stride, filters in zip(KERNELS, STRIDES, FILTERS, strict=True):
        size = (1, kernel)
        strides = (1, stride)
        convolution = layers.Conv2D(filters, size, strides=strides, padding="same")
        hidden = convolution(hidden)
        hidden = _leaky(hidden)
    hidden = layers.Flatten()(hidden)
    mean = layers.Dense(latent_dim)(hidden)
    log_variance = layers.Dense(latent_dim)(hidden)
    return keras.Model(tensor, [mean, log_variance])


def materials_decoder(latent_dim: int) -> Any:
    """Decoder (n, d) -> (n, 1, 200, 6), the encoder mirrored, tanh at the end."""
    latent = layers.Input((latent_dim,))
    shortest = LENGTH // 2**3  # three of the four strides are 2
    dense = layers.Dense(shortest * FILTERS[-1])
    hidden = _leaky(dense(latent))
    hidden = layers.Reshape((1, shortest, FILTERS[-1]))(hidden)
    for kernel, stride, filters in UPWARDS:
        hidden = _transposed(hidden, kernel, stride, filters)
        hidden = _leaky(hidden)
    hidden = _transposed(hidden, KERNELS[0], STRIDES[0], SLOTS)
    last = layers.Activation("tanh")
    return keras.Model(latent, last(hidden))


def _transposed(hidden: Any, kernel: int, stride: int, filters: int) -> Any:
    size = (1, kernel)
    strides = (1, stride)
    convolution = layers.Conv2DTranspose(filters, size, strides=strides, padding="same")
    return convolution(hidden)


def classifier(latent_dim: int, num_properties: int) -> Any:
    """(n, d) -> (n, p) probabilities that each property is below its threshold.

    One hidden layer of 500.
    """
    latent = layers.Input((latent_dim,))
    hidden = layers.Dense(HIDDEN, activation="tanh")(latent)
    last = layers.Dense(num_properties, activation="sigmoid")
    return keras.Model(latent, last(hidden))


def _leaky(tensor: Any, dtype: str = "float32") -> Any:
    leaky = layers.LeakyReLU(negative_slope=LEAK, dtype=dtype)
    return leaky(tensor)
