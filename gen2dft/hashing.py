"""SHA-256 of content: where the ids of stored documents, the names of caches and the hashes of
settings come from.

Ids live on in databases and archives, so the bytes that a caller hashes and the number of digits
that it keeps must never change; `tests/test_hashing.py` pins them.
"""

from __future__ import annotations

import hashlib

ALL_DIGITS = 64


class ContentHash:
    """The hash of content that arrives in parts, for files too large for memory.

    Attributes
    ----------
    size
        Bytes added so far.
    """

    def __init__(self) -> None:
        self._digest = hashlib.sha256()
        self.size = 0

    def add(self, part: bytes) -> None:
        """Append a part; where one part ends and the next begins makes no difference."""
        self._digest.update(part)
        self.size += len(part)

    def digits(self, number: int = ALL_DIGITS) -> str:
        """The first hexadecimal digits of the hash, 64 in all."""
        return self._digest.hexdigest()[:number]


def content_hash(*parts: str | bytes, digits: int = ALL_DIGITS) -> str:
    """Hash of the parts joined together.

    Parameters
    ----------
    parts
        Bytes, or text that is hashed as UTF-8.
    digits
        Length of the result: the first hexadecimal digits of SHA-256, 64 in all.
    """
    content = ContentHash()
    for part in parts:
        content.add(part.encode() if isinstance(part, str) else part)
    return content.digits(digits)
