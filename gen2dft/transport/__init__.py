"""Transport from first principles: bands on a uniform mesh to Seebeck, conductivity and power
factor.

The method is BoltzTraP2's (Madsen, Carrete and Verstraete, Comput. Phys. Commun. 231, 140 (2018)):
Fourier interpolation of the bands, then integrals of the Boltzmann equation in the
constant-relaxation-time approximation.
"""

# The property that labels, targets and heads know it by.
POWER_FACTOR = "power_factor"
