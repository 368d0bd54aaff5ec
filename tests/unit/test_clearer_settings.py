"""Settings and seeds of a clearer: where they come from, and what is wrong with them."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from walras.errors import ConfigError
from walras.operator.keys import BatchKeys, create_seed, read_seed
from walras.operator.settings import ClearerSettings, load_settings
from walras.sealing import GROUP_ORDER, keccak256, public_key

ROOT = Path(__file__).parents[2]


def written(path: Path, text: str) -> Path:
    file = path / "clearer.toml"
    file.write_text(text)
    return file


def test_options_outrank_variables_outrank_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = written(tmp_path, "poll = 7\nkeys_ahead = 7\nmargin = 7\n")
    monkeypatch.setenv("WALRAS_CLEARER_KEYS_AHEAD", "8")
    monkeypatch.setenv("WALRAS_CLEARER_MARGIN", "8")
    settings = load_settings(file, margin=9, seed=None)
    assert (settings.poll, settings.keys_ahead, settings.margin) == (7, 8, 9)


def test_paths_of_a_file_are_relative_to_it(tmp_path: Path) -> None:
    settings = load_settings(written(tmp_path, 'seed = "seed"\nstate_dir = "state"\n'))
    assert settings.seed == tmp_path / "seed"
    assert settings.database_url() == f"sqlite:///{tmp_path / 'state' / 'journal.sqlite'}"
    assert (tmp_path / "state").is_dir()


def test_another_database_is_taken_as_it_is() -> None:
    url = "postgresql://host/db"
    assert load_settings(database=url).database_url() == url


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("polls = 1", "clearer.toml: unknown setting 'polls'; known are seed, state_dir"),
        ("poll = nan", "setting poll: "),
        ("poll = inf", "setting poll: "),
        ("poll = true", "setting poll: "),
        ('poll = "a"', "setting poll: "),
        ('engine = "guess"', "setting engine: .*'walras', 'osqp' or 'clarabel'"),
        ('seed = "\\u0000"', "seed must be text on one line"),
        ("seed = 5", "setting seed: "),
        pytest.param("x = " + "[" * 20_000, "nested too deeply", id="deep"),
        ("poll = 0", "setting poll: .* greater than 0"),
        ('engine = "walras', "is not TOML"),
        ('log_level = "LOUD"', "setting log_level"),
        ('max_fee = "all"', "setting max_fee"),
    ],
)
def test_bad_settings_are_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load_settings(written(tmp_path, text))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read"):
        load_settings(tmp_path / "none.toml")


def test_every_setting_is_documented() -> None:
    page = (ROOT / "docs" / "OPERATIONS.md").read_text()
    for name, field in ClearerSettings.model_fields.items():
        assert f"`{name}`" in page, name
        assert field.description


def test_seeds_are_random_owner_only_and_never_replaced(tmp_path: Path) -> None:
    first, second = tmp_path / "keys" / "first", tmp_path / "keys" / "second"
    create_seed(first)
    create_seed(second)
    assert len(read_seed(first)) == 32
    assert read_seed(first) != read_seed(second)
    assert stat.S_IMODE(first.stat().st_mode) == 0o600
    with pytest.raises(ConfigError, match="is not replaced"):
        create_seed(first)


def test_bad_seeds_are_named(tmp_path: Path) -> None:
    path = tmp_path / "seed"
    with pytest.raises(ConfigError, match="walras clearer new-seed"):
        read_seed(path)
    create_seed(path)
    path.chmod(0o640)
    with pytest.raises(ConfigError, match="chmod 600"):
        read_seed(path)
    path.chmod(0o600)
    for text in ("", "00" * 31, "seed" * 20):
        path.write_text(text)
        with pytest.raises(ConfigError, match="holds no seed") as caught:
            read_seed(path)
        assert not text or text not in str(caught.value)


def test_batch_keys_follow_from_seed_chain_market_and_batch() -> None:
    seed, market = b"s" * 32, b"m" * 20
    keys = BatchKeys(seed, 1, market)
    again = BatchKeys(seed, 1, market)
    others = [
        BatchKeys(b"t" * 32, 1, market).secret(3),
        BatchKeys(seed, 2, market).secret(3),
        BatchKeys(seed, 1, b"n" * 20).secret(3),
        keys.secret(4),
    ]
    assert keys.secret(3) == again.secret(3)
    assert keys.secret(3) not in others
    assert 0 < keys.secret(3) < GROUP_ORDER
    x, y = public_key(keys.secret(3))
    assert keys.public(3) == (x, y)
    assert keys.hash(3) == keccak256(x.to_bytes(32) + y.to_bytes(32))
