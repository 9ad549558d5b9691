"""Values that do not belong where they are put, each under the name of its kind."""

from __future__ import annotations

import datetime
import math
from typing import Any

CANARY = "gen2dft_fuzz_canary"  # no module of this name may ever be looked for
OUTSIDE = "../outside/secret.txt"  # lies beside the folder of each case


def nested(depth: int) -> Any:
    """A list in a list in a list."""
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


WRONG_VALUES: dict[str, Any] = {
    "nan": math.nan,
    "infinite": math.inf,
    "minus infinite": -math.inf,
    "huge": 1e308,
    "huge integer": 10**30,
    "beyond 64 bits": 2**64,
    "beyond 63 bits": 2**63,
    "tiny": 1e-300,
    "zero": 0,
    "minus one": -1,
    "minus zero": -0.0,
    "fraction": 0.5,
    "two": 2,
    "a million": 10**6,
    "true": True,
    "none": None,
    "empty text": "",
    "blank text": " ",
    "text": "no such thing",
    "number as text": "1",
    "nan as text": "nan",
    "foreign digits": "١٢",
    "unicode text": "Ünïcødé 🧪",
    "lone surrogate": "\ud800",
    "null byte": "a\0b",
    "escape sequence": "\x1b[31mred\x1b[0m",
    "markup": "[bold]x[/nothing]",
    "lines": "\n".join(map(str, range(60))),
    "long text": "x" * 20_000,
    "path upwards": OUTSIDE,
    "device": "/dev/null",
    "folder": "/",
    "url": "http://127.0.0.1:9/x",
    "python": "__import__('os').system('true')",
    "template": "{{ 7 * 7 }}",
    "empty list": [],
    "list": [1, "two", None],
    "reversed bounds": [9.0, 1.0],
    "long list": list(range(3000)),
    "nested list": nested(60),
    "empty mapping": {},
    "mapping": {"a": 1, "b": {"c": 2}},
    "mapping of numbers": {1: 2, None: 3},
    "date": datetime.date(2026, 2, 28),
    "module": {"@module": CANARY, "@class": "Canary", "x": 1},
    "numpy module": {"@module": "numpy", "@class": "array", "dtype": "object", "data": [1]},
}

# JSON and the command line have no form for these.
_NOT_PLAIN = ("date", "lone surrogate", "mapping of numbers")
PLAIN_VALUES = {name: value for name, value in WRONG_VALUES.items() if name not in _NOT_PLAIN}
