"""What a clearer remembers between two looks at the chain."""

from walras.store.base import Cursor
from walras.store.journal import Journal, SealRecord

__all__ = ["Cursor", "Journal", "SealRecord"]
