from __future__ import annotations

import inspect
import re

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from walras import errors
from walras.chain.reverts import reverted
from walras.errors import CertificateError, Reverted, UnrepresentableNumber, WalrasError

VALUES = {
    "account": b"\xab" * 20,
    "asset": 65_535,
    "balance": -1,
    "board": b"\xcd" * 32,
    "cost": 3,
    "excess": -9,
    "expected": b"\xef" * 32,
    "gas": 10**8,
    "given": 6,
    "holding": -3,
    "listed": 1,
    "live": 2,
    "needed": 9,
    "price": 2**138,
    "prices": 4,
    "product": 7,
    "products": 5,
    "shadow": -8,
    "size": 100_000,
    "tolerance": 4,
}


def tree_in_code() -> dict[str, str]:
    classes = [c for _, c in inspect.getmembers(errors, inspect.isclass)]
    return {c.__name__: c.__mro__[1].__name__ for c in classes if issubclass(c, WalrasError)}


def tree_in_docstring() -> dict[str, str]:
    assert errors.__doc__ is not None
    parents, found = {}, {}
    for line in errors.__doc__.splitlines():
        match = re.match(r"([│├└─ ]*)(\w+)(  |$)", line)
        if match and match[2].isidentifier():
            depth = len(match[1]) // 4
            parents[depth] = match[2]
            found[match[2]] = parents[depth - 1] if depth else "Exception"
    return found


def test_the_docstring_draws_the_tree() -> None:
    assert tree_in_docstring() == tree_in_code()


def test_all_errors_are_exported() -> None:
    assert sorted(errors.__all__) == sorted(tree_in_code())


@pytest.mark.parametrize("reason", sorted(CertificateError.MESSAGES))
def test_certificate_error_is_one_line_with_the_reason_and_advice(reason: str) -> None:
    error = CertificateError(reason, **VALUES)
    assert error.reason == reason
    assert str(error).startswith(f"{reason}: ")
    assert "\n" not in str(error)
    assert "; " in str(error), "what to do is missing"
    assert "b'" not in str(error), "bytes are shown as hex"


def test_certificate_error_shows_addresses_as_hex() -> None:
    assert "0x" + "ab" * 20 in str(CertificateError("AccountNotLive", account=b"\xab" * 20))


def test_certificate_error_of_an_unknown_reason_is_a_bug() -> None:
    with pytest.raises(KeyError):
        CertificateError("NoSuchReason")


def test_unrepresentable_number_names_the_nearest() -> None:
    error = UnrepresentableNumber("0.3333", "0.33", "weight of AAPL")
    assert (error.number, error.nearest) == ("0.3333", "0.33")
    assert str(error) == "weight of AAPL 0.3333 cannot be represented; use 0.33"


def test_reverted_shows_the_custom_error() -> None:
    error = Reverted("Frozen", (b"\x01\x02", 7), "wait for the settlement")
    assert str(error) == "the contract refused: Frozen(0x0102, 7); wait for the settlement"
    assert (error.name, error.arguments) == ("Frozen", (b"\x01\x02", 7))
    assert str(Reverted("TooManyProducts")) == "the contract refused: TooManyProducts()"


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (b"paused", "paused"),
        (b"\xff\xfe", "\ufffd\ufffd"),
        (b"red \x1b[31m\nsecond line", "red \ufffd[31m\ufffdsecond line"),
    ],
)
def test_reason_of_any_bytes_is_one_printable_line(said: bytes, shown: str) -> None:
    error = reverted(keccak(text="Error(string)")[:4] + encode(["bytes"], [said]))
    assert (error.name, error.arguments) == ("Error", (shown,))
    assert str(error).isprintable()
