"""Structured logs in JSON that cannot carry a secret."""

from __future__ import annotations

import logging
import sys
from collections import OrderedDict
from collections.abc import MutableMapping
from itertools import chain
from typing import Any, Final, TextIO

import structlog

__all__ = ["Redactor", "configure"]

HIDDEN: Final = "[hidden]"
_PASSING: Final = 512  # batch keys: those of a hundred batches ahead, and many before
_SECRET_NAMES: Final = ("secret", "seed", "password", "passphrase", "private", "mnemonic")


class Redactor:
    """A structlog processor: hides values by the name of their field, and known secrets anywhere.

    Names catch what nobody registered, values catch what ends up inside another text.
    """

    def __init__(self) -> None:
        self._known: set[str] = set()
        self._passing: OrderedDict[int, frozenset[str]] = OrderedDict()

    def add_passing(self, secret: int) -> None:
        """Hide this secret until many others have been added: by then it is public."""
        self._passing[secret] = _forms(secret)
        self._passing.move_to_end(secret)
        while len(self._passing) > _PASSING:
            self._passing.popitem(last=False)

    def add(self, secret: str | bytes | int) -> None:
        """Hide this secret in every form in which it could be written."""
        if isinstance(secret, int):
            self._known |= _forms(secret)
        elif isinstance(secret, bytes):
            self._known |= {secret.hex(), repr(secret)}
            self.add(int.from_bytes(secret))
        elif secret:
            self._known.add(secret)

    def __call__(
        self, _logger: object, _method: str, entry: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        """The entry with nothing secret in it."""
        return {name: self._shown(name, value) for name, value in entry.items()}

    def _shown(self, name: str, value: Any) -> Any:
        if any(word in name.lower() for word in _SECRET_NAMES):
            return HIDDEN
        if isinstance(value, dict):
            return {k: self._shown(str(k), v) for k, v in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self._shown("", item) for item in value]
        if isinstance(value, bool | float | None):
            return value
        text = "0x" + value.hex() if isinstance(value, bytes) else str(value)
        clean = self._clean(text)
        return value if clean == text and isinstance(value, int) else clean

    def _clean(self, text: str) -> str:
        for secret in chain(self._known, *self._passing.values()):
            if len(secret) >= 8:
                text = text.replace(secret, HIDDEN)
        return text


def _forms(secret: int) -> frozenset[str]:
    return frozenset((str(secret), f"{secret:x}", f"{secret:064x}"))


def configure(
    redactor: Redactor, *, level: str = "INFO", stream: TextIO | None = None
) -> structlog.stdlib.BoundLogger:
    """A logger of one JSON object per line on `stream` (default: stderr)."""
    threshold = logging.getLevelNamesMapping()[level.upper()]
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            redactor,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.PrintLoggerFactory(stream or sys.stderr),
        cache_logger_on_first_use=False,
    )
    logger: structlog.stdlib.BoundLogger = structlog.get_logger()
    return logger
