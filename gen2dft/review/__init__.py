"""Looks back at finished rounds: the way of a crystal, verdicts against another hull."""
