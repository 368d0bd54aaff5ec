"""Numbers with their nouns, for people."""

from __future__ import annotations

__all__ = ["counted"]

_HISSING = ("s", "x", "ch", "sh")


def counted(number: int, noun: str) -> str:
    """Like ``1 batch``, ``2 batches`` or ``3,000 accounts``."""
    if number == 1:
        return f"1 {noun}"
    return f"{number:,} {noun}{'es' if noun.endswith(_HISSING) else 's'}"
