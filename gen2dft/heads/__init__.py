"""Heads: models that predict properties of a crystal, with uncertainty."""
