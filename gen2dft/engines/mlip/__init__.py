"""Engine `mlip`: the universal potential CHGNet 0.3.0, a surrogate that is never called DFT."""
