"""A bad line to a good node: a real HTTP proxy that drops, delays, garbles and refuses."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final
from urllib.request import Request, urlopen

DELAY: Final = 0.7  # seconds; longer than the clients of these tests wait

FAULTS: Final = ("drop", "drop-answer", "delay", "500", "garbage", "429")


@dataclass
class BadLine:
    """The proxy's address and what it did so far; `choose` names the fault of a request or ""."""

    url: str
    choose: Callable[[bytes], str]
    done: Counter[str] = field(default_factory=Counter)


def at_random(share: float, seed: int, faults: tuple[str, ...] = FAULTS) -> Callable[[bytes], str]:
    """A fault for this share of the requests, any of `faults` alike."""
    dice = random.Random(seed)
    return lambda _: dice.choice(faults) if dice.random() < share else ""


@contextmanager
def bad_line(node_url: str, choose: Callable[[bytes], str]) -> Iterator[BadLine]:
    """A proxy to a node until the block ends."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = 1 << 16

        def do_POST(self) -> None:
            payload = self.rfile.read(int(self.headers["Content-Length"]))
            fault = line.choose(payload)
            line.done[fault or "fine"] += 1
            if fault == "drop":
                self.close_connection = True
                return
            if fault in {"500", "429"}:
                self._answer(int(fault), b"{}")
                return
            request = Request(node_url, payload, {"Content-Type": "application/json"})
            with urlopen(request) as response:
                answer = response.read()
            if fault == "drop-answer":
                self.close_connection = True
                return
            if fault == "delay":
                time.sleep(DELAY)
            self._answer(200, b"<html>502</html>" if fault == "garbage" else answer)

        def _answer(self, status: int, body: bytes) -> None:
            try:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)
                self.wfile.flush()
            except (BrokenPipeError, ConnectionResetError):
                pass  # the client has given up on a delayed answer

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    line = BadLine(f"http://127.0.0.1:{server.server_address[1]}", choose)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield line
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
