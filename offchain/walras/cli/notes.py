"""What was sealed on this machine: a seal tells nobody what is in it, not even its owner."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

from walras.documents import write_whole
from walras.errors import StoreError

__all__ = ["Notes"]

_KEPT: Final = 16  # seals; one is live at a time, an amendment beside it


class Notes:
    """The plain bodies behind one account's latest seals in one market, by the seals' hashes.

    Readable by their owner alone, as order files should be. Losing them loses no money.
    """

    def __init__(self, data_dir: Path, chain_id: int, market: str, account: str) -> None:
        self._path = data_dir / "sealed" / f"{chain_id}-{market}-{account}.json"

    def keep(self, seal_hash: bytes, body: bytes) -> None:
        """Remember what is sealed; StoreError if that cannot be written."""
        notes = self._read()
        notes.pop(seal_hash.hex(), None)
        latest = [*notes.items(), (seal_hash.hex(), body.hex())][-_KEPT:]
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_whole(self._path, json.dumps(dict(latest)).encode(), 0o600)
        except OSError as error:
            raise StoreError(f"cannot write {self._path}: {error.strerror}") from error

    def body(self, seal_hash: bytes) -> bytes | None:
        """What was sealed; None if it was not here, or the note is lost."""
        try:
            return bytes.fromhex(self._read().get(seal_hash.hex(), "")) or None
        except (TypeError, ValueError):
            return None

    def _read(self) -> dict[str, str]:
        try:
            found = json.loads(self._path.read_text())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}
