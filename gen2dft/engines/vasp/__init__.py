"""Engine `vasp`: VASP through atomate2's jobs and custodian, with named and versioned presets."""
