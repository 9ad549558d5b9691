"""One round of a campaign, step by step: train, propose, screen, select, ingest, close.

Each step is a function of a Store and a campaign; it reads what the step before left there and may
be run again at any time, by anyone, without changing what is done already.
"""
