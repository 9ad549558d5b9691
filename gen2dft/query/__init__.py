"""Search among hits: conditions that people write, filters of MongoDB, orders."""

from gen2dft.query.conditions import names_in, parse_where
from gen2dft.query.hits import (
    carried,
    evidence_of_hits,
    files_of_hits,
    find_hits,
    query_hits,
    sources_of_hits,
)
from gen2dft.query.order import Order, in_order, parse_order

__all__ = [
    "Order",
    "carried",
    "evidence_of_hits",
    "files_of_hits",
    "find_hits",
    "in_order",
    "names_in",
    "parse_order",
    "parse_where",
    "query_hits",
    "sources_of_hits",
]
