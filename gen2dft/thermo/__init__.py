"""Thermodynamics: elemental references and the hull that distances are measured against."""
