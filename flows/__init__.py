"""Jobflow flows of gen2dft: a round (train, propose, screen, select) and a candidate (relax,
static, ingest).
"""
