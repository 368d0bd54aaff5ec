"""What a clearer remembers between two looks at the chain."""

from walras.store.journal import Cursor, Journal, SealRecord

__all__ = ["Cursor", "Journal", "SealRecord"]
