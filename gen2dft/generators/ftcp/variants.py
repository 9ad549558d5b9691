"""The variants of the FTCP generator by name."""

from __future__ import annotations

from gen2dft.generators.ftcp.networks import Variant


def load_variant(name: str) -> Variant:
    """The variant of that name; loads Keras."""
    if name == "published":
        from gen2dft.generators.ftcp.published.variant import PUBLISHED

        return PUBLISHED
    from gen2dft.generators.ftcp.staged.variant import STAGED

    return STAGED
