"""Physical constants of CODATA 2014, those of BoltzTraP2, ASE and GPAW, so that numbers agree
beyond six digits.
"""

from __future__ import annotations

E_CHARGE = 1.6021766208e-19  # C; also J per eV
HBAR = 1.054571800e-34  # J s
ELECTRON_MASS = 9.10938356e-31  # kg
BOLTZMANN = 1.38064852e-23 / E_CHARGE  # eV/K
ANGSTROM = 1e-10  # m
CM3_PER_A3 = 1e-24

# A relaxation time has to be said with every number that needs one; all published labels take this
# one.
RELAXATION_TIME = 1e-14  # s
