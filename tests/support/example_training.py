"""Settings of a training that takes seconds."""

from __future__ import annotations

from gen2dft.generators.ftcp.generator import FTCPGenerator
from gen2dft.generators.ftcp.settings import FTCPSettings
from gen2dft.representations import FTCP

SPEC = FTCPSettings(
    latent_dim=8, epochs=20, epochs_warm=3, batch_size=16, learning_rate=3e-3, beta=1e-3
)
PROPERTIES = ("formation_energy", "band_gap")


def small_generator() -> FTCPGenerator:
    """Room for five sites: less to compute."""
    return FTCPGenerator(FTCP(max_sites=5))
