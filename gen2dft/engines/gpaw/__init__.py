"""Engine `gpaw`: real DFT without a licence, with GPAW in plane waves."""
