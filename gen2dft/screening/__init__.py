"""Gates between decoding and validation; each crystal they stop has exactly one reason."""
