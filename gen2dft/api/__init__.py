"""The Python API: what `gen2dft` does on the command line, for scripts and notebooks."""

from gen2dft.api.campaign import Campaign
from gen2dft.api.session import Session, connect

__all__ = ["Campaign", "Session", "connect"]
