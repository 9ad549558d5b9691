"""What a campaign stands on: hull, references, energy scale, calibration."""
