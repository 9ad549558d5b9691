"""Contracts as test suites that plugins inherit; needs pytest."""
