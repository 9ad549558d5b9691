"""Representations: invertible tensors that generators read and write."""

from __future__ import annotations

from gen2dft.representations.base import DECODE_REASONS, DecodeResult, Representation
from gen2dft.representations.ftcp import FTCP

REPRESENTATIONS: dict[str, type[Representation]] = {FTCP.name: FTCP}

__all__ = ["DECODE_REASONS", "FTCP", "REPRESENTATIONS", "DecodeResult", "Representation"]
