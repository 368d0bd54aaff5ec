"""What left this machine from one account: several processes take turns and know each other's."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from walras.errors import ChainError, StoreError

__all__ = ["Outbox"]

_POLL: Final = 0.1  # seconds between looks at whose turn it is
_LARGEST: Final = 1 << 16  # bytes, then the older half is dropped
_CLEARER: Final = "clearer"
_COMMAND: Final = "command"


class Outbox:
    """The signed transactions of one account on one chain, and whose turn it is to send.

    Both are files: they outlive a kill, and a turn ends with the process that has it. A command
    waits for its turn or does not send. A clearer has deadlines: it waits ``patience`` seconds at
    most, then sends anyway. It takes no other clearer's transactions for its own.
    """

    def __init__(self, path: Path, *, clearer: bool = False) -> None:
        """StoreError unless ``path`` can be written."""
        self.path = path
        self.clearer = clearer
        self.patience = 2.0 if clearer else 60.0
        self._turns = path.with_suffix(".turn")
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            for file in (path, self._turns):
                with file.open("ab"):
                    pass
        except OSError as error:
            raise StoreError(f"cannot write {path}: {error.strerror}") from error

    def note(self, nonce: int, digest: bytes) -> None:
        """Keep a signed transaction before any node sees it; StoreError if that fails."""
        line = f"{nonce} {digest.hex()} {_CLEARER if self.clearer else _COMMAND}\n".encode()
        try:
            with self.path.open("r+b") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                lines = file.read()
                if len(lines) > _LARGEST:
                    lines = lines[lines.index(b"\n", len(lines) // 2) + 1 :]
                    file.seek(0)
                    file.truncate()
                    file.write(lines)
                if lines and not lines.endswith(b"\n"):  # a full disk tore it
                    line = b"\n" + line
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise StoreError(f"cannot write {self.path}: {error.strerror}") from error

    def known(self, nonce: int) -> tuple[bytes, ...]:
        """Hashes of what was signed with ``nonce`` by those whom this process works beside."""
        try:
            lines = self.path.read_text("ascii", errors="replace").splitlines()
        except OSError as error:
            raise StoreError(f"cannot read {self.path}: {error.strerror}") from error
        trusted = {_COMMAND} if self.clearer else {_COMMAND, _CLEARER}
        found = []
        for line in lines:
            match line.split():
                case [number, digest, who] if number == str(nonce) and who in trusted:
                    found.append(bytes.fromhex(digest))
        return tuple(found)

    @contextmanager
    def turn(self, clock: Callable[[], float], sleep: Callable[[float], None]) -> Iterator[None]:
        """Wait for the turn and keep it to the end; ChainError if a command does not get it."""
        with self._turns.open("ab") as file:
            mine = _locked(file.fileno(), clock() + self.patience, clock, sleep)
            if not mine and not self.clearer:
                raise ChainError(
                    "another command, or the clearer, is sending from this account; "
                    "nothing was sent, try again"
                )
            yield


def _locked(
    file: int, until: float, clock: Callable[[], float], sleep: Callable[[float], None]
) -> bool:
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if clock() >= until:
                return False
            sleep(_POLL)
        else:
            return True
