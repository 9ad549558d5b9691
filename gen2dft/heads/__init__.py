"""Heads: what predicts properties of a crystal, with uncertainty."""
