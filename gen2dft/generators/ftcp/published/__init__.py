"""The variant `published`: networks, loss and scaling as in Ren et al., arXiv:2005.07609."""
