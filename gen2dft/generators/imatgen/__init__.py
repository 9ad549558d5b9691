"""iMatGen: crystals of two elements as images, Noh et al., Matter 1, 1370 (2019)."""
