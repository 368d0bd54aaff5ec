"""No secret reaches the log, by whatever way it comes."""

from __future__ import annotations

import io
import json

from walras.operator.keys import BatchKeys
from walras.operator.log import HIDDEN, Redactor, configure

SEED = bytes(range(32))


def written(redactor: Redactor, **values: object) -> str:
    stream = io.StringIO()
    configure(redactor, stream=stream).info("event", **values)
    line = stream.getvalue()
    assert json.loads(line)["event"] == "event"
    return line


def test_fields_with_telling_names_are_hidden() -> None:
    for name in ("secret", "batch_secret", "seed", "PASSWORD", "private_key"):
        assert json.loads(written(Redactor(), **{name: "abcdefgh"}))[name] == HIDDEN
    nested = written(Redactor(), data={"inner": {"seed": "abcdefgh"}}, many=[{"secret": 5}])
    assert "abcdefgh" not in nested


def test_known_secrets_are_hidden_wherever_they_are() -> None:
    redactor = Redactor()
    redactor.add(SEED)
    redactor.add("open sesame")
    number = int.from_bytes(SEED)
    for leak in (SEED, SEED.hex(), f"0x{SEED.hex()}", f"tx {SEED.hex()}00", number, str(number)):
        line = written(redactor, data=leak, inside=[leak], deep={"a": (leak,)})
        assert SEED.hex() not in line
        assert str(number) not in line
    assert "sesame" not in written(redactor, error=ValueError("wrong: open sesame"))


def test_exceptions_are_cleaned_too() -> None:
    redactor = Redactor()
    redactor.add(SEED)
    stream = io.StringIO()
    log = configure(redactor, stream=stream)
    try:
        bytes.fromhex(f"{SEED.hex()} is no hex")
    except ValueError as error:
        error.add_note(SEED.hex())
        log.exception("failed")
    assert "Traceback" in stream.getvalue()
    assert SEED.hex() not in stream.getvalue()


def test_batch_keys_are_registered_before_anybody_has_them() -> None:
    redactor = Redactor()
    keys = BatchKeys(SEED, 1, bytes(20), hide=redactor.add)
    secret = keys.secret(3)
    for leak in (secret, f"{secret:064x}", hex(secret), str(secret)):
        line = written(redactor, data=leak)
        assert str(secret) not in line
        assert f"{secret:x}" not in line
    assert SEED.hex() not in repr(keys)


def test_ordinary_values_stay() -> None:
    line = json.loads(written(Redactor(), batch=7, hash=b"\1\2", ok=True, none=None, ratio=0.5))
    assert (line["batch"], line["hash"], line["ok"]) == (7, "0x0102", True)
    assert line["none"] is None
    assert line["ratio"] == 0.5
