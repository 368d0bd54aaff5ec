"""Metrics and health over HTTP, on threads of their own: who asks cannot hold the clearer up."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from socketserver import ThreadingMixIn
from typing import Any, Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import make_wsgi_app

from walras.errors import ConfigError
from walras.monitor.metrics import Metrics
from walras.operator.meter import Meter
from walras.operator.settings import ClearerSettings

__all__ = ["application", "serve", "watching"]

_SECONDS: Final = 5.0  # after which a silent client is dropped

Start = Callable[..., Any]
Application = Callable[[dict[str, Any], Start], Iterable[bytes]]


class _Handler(WSGIRequestHandler):
    timeout = _SECONDS

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing: scrapes are no news."""


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is no news either."""


def application(metrics: Metrics) -> Application:
    """Answers /metrics and /health, 503 when unhealthy."""
    exposition = make_wsgi_app(metrics.registry)

    def answer(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path == "/metrics":
            found: Iterable[bytes] = exposition(environ, start)
            return found
        if path == "/health":
            healthy, facts = metrics.report()
            status = "200 OK" if healthy else "503 Service Unavailable"
            start(status, [("Content-Type", "application/json")])
            return [json.dumps(facts).encode() + b"\n"]
        start("404 Not Found", [("Content-Type", "text/plain")])
        return [b"/metrics and /health are here\n"]

    return answer


@contextmanager
def serve(host: str, port: int, app: Application) -> Iterator[int]:
    """Answer until the block ends; the port, which is a free one if `port` is 0."""
    try:
        server = make_server(host, port, app, server_class=_Server, handler_class=_Handler)
    except (OSError, OverflowError) as error:
        raise ConfigError(
            f"cannot serve metrics at {host}:{port}: {getattr(error, 'strerror', None) or error}; "
            "choose another metrics_port or metrics_host"
        ) from error
    thread = threading.Thread(target=server.serve_forever, name="metrics", daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join(_SECONDS)


@contextmanager
def watching(settings: ClearerSettings) -> Iterator[Meter]:
    """A meter for a daemon, served if the settings say where."""
    if settings.metrics_port is None:
        yield Meter()
        return
    metrics = Metrics(settings.stale_after)
    with serve(settings.metrics_host, settings.metrics_port, application(metrics)):
        yield metrics
