"""The FTCP generator: the autoencoder of FTCP matrices, in two variants."""
