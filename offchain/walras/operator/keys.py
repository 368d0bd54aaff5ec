"""The operator's seed and the batch keys that follow from it."""

from __future__ import annotations

import secrets
import stat
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Final

from walras.documents import write_new
from walras.errors import ConfigError
from walras.sealing import batch_id, derive_batch_key, keccak256, public_key

__all__ = ["BatchKeys", "create_seed", "read_seed"]

SEED_BYTES: Final = 32
_LONGEST: Final = 4_096  # bytes read of a seed's file
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


def create_seed(path: Path) -> None:
    """Write a fresh random seed, readable by its owner only; never over an existing file."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_new(path, f"{secrets.token_hex(SEED_BYTES)}\n".encode(), 0o600)
    except FileExistsError:
        raise ConfigError(
            f"{path} exists and is not replaced: batches may depend on it; name another file"
        ) from None
    except OSError as error:
        raise ConfigError(f"cannot write the seed {path}: {error.strerror}") from error


def read_seed(path: Path) -> bytes:
    """The seed in a file of at least 64 hex digits that only its owner can read."""
    try:
        if path.stat().st_mode & _OTHERS:
            raise ConfigError(f"others can read the seed {path}; run `chmod 600 {path}`")
        with path.open("rb") as file:
            text = file.read(_LONGEST).decode("ascii", errors="replace").strip()
    except OSError as error:
        raise ConfigError(
            f"cannot read the seed {path}: {error.strerror}; "
            "make one with `walras clearer new-seed`, or restore it from its copy"
        ) from error
    try:
        seed = bytes.fromhex(text.removeprefix("0x"))
    except ValueError:
        seed = b""
    if len(seed) < SEED_BYTES:
        raise ConfigError(f"{path} holds no seed of at least {SEED_BYTES} bytes in hex; restore it")
    return seed


class BatchKeys:
    """Key pairs of one market's batches (`market`: 20 bytes); `hide` is told each secret first."""

    def __init__(
        self,
        seed: bytes,
        chain_id: int,
        market: bytes,
        *,
        hide: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._seed = seed
        self._chain_id = chain_id
        self._market = market
        self._hide = hide
        self.secret = lru_cache(maxsize=64)(self._secret)

    def __repr__(self) -> str:
        return f"BatchKeys(chain_id={self._chain_id}, market=0x{self._market.hex()})"

    def public(self, batch: int) -> tuple[int, int]:
        """The point to register for a batch."""
        return public_key(self.secret(batch))

    def hash(self, batch: int) -> bytes:
        """What the contract stores of it."""
        x, y = self.public(batch)
        return keccak256(x.to_bytes(32) + y.to_bytes(32))

    def _secret(self, batch: int) -> int:
        key = derive_batch_key(self._seed, batch_id(self._chain_id, self._market, batch))
        self._hide(key)
        return key
