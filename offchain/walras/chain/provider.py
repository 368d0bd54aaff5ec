"""Requests to a node over a bad line: repeated, bounded in time and size, errors in words."""

from __future__ import annotations

import json
import time
from typing import Any, Final
from urllib.parse import urlsplit

import requests
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_exponential_jitter
from urllib3.exceptions import HTTPError, ReadTimeoutError
from web3 import HTTPProvider
from web3.types import RPCEndpoint, RPCResponse

from walras.chain.answers import BadAnswer
from walras.errors import NodeUnreachable

__all__ = ["PatientProvider"]

_TOO_MANY_REQUESTS: Final = 429
_SERVER_ERROR: Final = 500
_LOOPBACK: Final = frozenset({"127.0.0.1", "::1", "localhost"})
_LARGEST: Final = 1 << 28  # bytes of an answer
_PIECE: Final = 1 << 16
_HOPELESS: Final = (
    requests.exceptions.ContentDecodingError,
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
    requests.exceptions.MissingSchema,
)
_WHOLE: Final = 3  # timeouts that an answer which has begun may take


class PatientProvider(HTTPProvider):
    """An HTTP provider that repeats a request when the line failed, never when the node did.

    Repeating is safe: reads change nothing, and a signed transaction is the same transaction.
    """

    def __init__(self, url: str, timeout: float, retry_for: float) -> None:
        self._session = requests.Session()
        # A node on this machine is behind no proxy, and looking for one costs more than asking it.
        self._session.trust_env = _host(url) not in _LOOPBACK
        super().__init__(url, session=self._session)
        self._url, self._timeout = url, timeout
        self._retrying = Retrying(
            retry=retry_if_exception(_transient),
            stop=stop_after_delay(retry_for),
            wait=wait_exponential_jitter(multiplier=0.05, max=2.0, jitter=0.05),
            reraise=True,
        )

    def make_request(self, method: RPCEndpoint, params: Any) -> RPCResponse:
        """One request; NodeUnreachable if the line stays bad."""
        response: RPCResponse = self._deliver(self.encode_rpc_request(method, params))
        return response

    def make_batch_request(self, batch_requests: list[tuple[RPCEndpoint, Any]]) -> Any:
        """Several requests in one; answers in the order asked."""
        answers = self._deliver(self.encode_batch_rpc_request(batch_requests))
        if not isinstance(answers, list):
            return answers
        if not all(isinstance(a, dict) and isinstance(a.get("id"), int) for a in answers):
            raise BadAnswer("several requests at once")
        return sorted(answers, key=lambda a: a["id"])

    def _deliver(self, payload: bytes) -> Any:
        try:
            return self._retrying(self._post, payload)
        except requests.RequestException as error:
            raise NodeUnreachable(
                f"no usable answer from {self._url} ({_briefly(error)}); "
                "check the address and that the node runs"
            ) from error
        except (ValueError, RecursionError) as error:
            raise NodeUnreachable(
                f"{self._url} does not answer in JSON; is it an Ethereum node's RPC address?"
            ) from error

    def _post(self, payload: bytes) -> Any:
        headers = self.get_request_headers()
        with self._session.post(
            self._url, data=payload, headers=headers, timeout=self._timeout, stream=True
        ) as response:
            response.raise_for_status()
            try:
                return json.loads(self._body(response))
            except ReadTimeoutError as error:
                raise requests.Timeout from error
            except HTTPError as error:
                raise requests.ConnectionError from error

    def _body(self, response: requests.Response) -> bytearray:
        """All of an answer that has an end."""
        until, body = time.monotonic() + _WHOLE * self._timeout, bytearray()
        while piece := response.raw.read1(_PIECE, decode_content=True):  # what has come by now
            body += piece
            if len(body) > _LARGEST:
                raise requests.exceptions.ContentDecodingError("the answer has no end")
            if time.monotonic() > until:
                raise requests.Timeout
        return body


def _host(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError as error:
        raise NodeUnreachable(f"{url} is no address of a node ({error}); check it") from None


def _transient(error: BaseException) -> bool:
    """Whether the same request may succeed a moment later."""
    if isinstance(error, requests.HTTPError) and error.response is not None:
        status = error.response.status_code
        return status == _TOO_MANY_REQUESTS or status >= _SERVER_ERROR
    if isinstance(error, _HOPELESS):
        return False
    return isinstance(error, requests.RequestException | ValueError)


def _briefly(error: Exception) -> str:
    """The last and most telling part of a library's error on one line."""
    cause: BaseException = error
    while cause.__context__ is not None:
        cause = cause.__context__
    if isinstance(error, requests.Timeout):
        return "timed out"
    text = " ".join(str(cause if isinstance(error, requests.ConnectionError) else error).split())
    return text[:200] or type(cause).__name__
