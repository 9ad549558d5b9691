"""The tables by which a generator is judged, on any dataset; see docs/evaluation.md."""
