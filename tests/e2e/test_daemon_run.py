"""The clearer on a real chain: whole batches, other people's moves, mismatches that must halt."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest
from eth_account import Account
from eth_utils.address import to_canonical_address

from tests.e2e.clearer import make_clearer
from tests.e2e.venue import FAUCET_KEY, OPERATOR_KEY, SEED, Venue, buy, sell
from walras.batch import BatchState
from walras.chain.accounts import Kdf, Keystore
from walras.clearing.problem import Solved, solve_batch
from walras.cli.app import run as walras
from walras.errors import ConfigError
from walras.opening import Opened
from walras.operator.daemon import Halted
from walras.operator.decide import CloseVoid, RegisterKey, Reveal, Settle, Wait
from walras.operator.keys import BatchKeys
from walras.operator.lock import hold_lock
from walras.schedule import Phase

pytestmark = pytest.mark.chain


def sealed(venue: Venue, batch: int = 1) -> None:
    """A crossed book of two accounts, locked out and ready for its key."""
    bounds = venue.schedule.boundaries(batch)
    venue.to_time(bounds.start)
    venue.seal(venue.trader(), [buy(0, 20, 210), buy(1, 5, 60)], batch)
    venue.seal(venue.trader(), [sell(0, 30, 195), sell(1, 9, 45)], batch)
    venue.to_time(bounds.reveal_from)


def test_two_batches_from_key_to_settlement(venue: Venue, tmp_path: Path) -> None:
    clearer = make_clearer(venue, tmp_path)
    assert clearer.daemon.once()[:3] == [RegisterKey(1), RegisterKey(2), RegisterKey(3)]
    for batch in (1, 2):
        bounds = venue.schedule.boundaries(batch)
        venue.to_time(bounds.start)
        for auth in (buy(0, 20, 210), sell(0, 20, 190), buy(1, 20, 60), sell(1, 20, 40)):
            venue.seal(venue.trader(), [auth], batch)
        venue.to_time(bounds.lock_out)
        assert Reveal(batch) not in clearer.daemon.once()
        venue.to_time(bounds.reveal_from)
        taken = clearer.daemon.once()
        assert taken[:2] == [Reveal(batch), Settle(batch)]
        assert isinstance(taken[-1], Wait)
        event = venue.market.settled_event(batch)
        assert event is not None
        assert (event.live, event.voids) == (4, 0)
        assert all(volume > 0 for volume in event.volumes)
    assert clearer.log.events().count("settled") == 2
    assert venue.market.account(venue.operator.sender.address).claimable > 0


def test_bad_submissions_do_not_stop_the_others(venue: Venue, tmp_path: Path) -> None:
    clearer = make_clearer(venue, tmp_path)
    clearer.daemon.once()
    venue.to_time(venue.schedule.start(1))
    honest, poor, noise, thief = (venue.trader() for _ in range(4))
    venue.seal(honest, [buy(0, 20, 210)], 1)
    venue.seal(poor, [buy(0, 10_000, 210)], 1)
    noise.seal(1, 12, b"\x02" + bytes(100))
    copied = next(iter(venue.market.sealed_events(1)))
    thief.seal(1, 20, copied.ct)  # type: ignore[attr-defined]
    venue.to_time(venue.schedule.boundaries(1).reveal_from)
    clearer.daemon.once()
    reasons = {e.account: e.reason for e in venue.market.void_events(1)}
    assert reasons == {
        poor.sender.address: 5,
        noise.sender.address: 1,
        thief.sender.address: 1,
    }


def test_nothing_is_published_for_an_empty_batch(venue: Venue, tmp_path: Path) -> None:
    clearer = make_clearer(venue, tmp_path)
    clearer.daemon.once()
    venue.to_time(venue.schedule.start(1))
    trader = venue.trader()
    venue.seal(trader, [buy(0, 1, 200)], 1)
    trader.cancel()
    venue.to_time(venue.schedule.boundaries(1).reveal_from)
    assert not any(isinstance(d, Reveal | Settle) for d in clearer.daemon.once())


def test_a_lost_journal_costs_nothing(venue: Venue, tmp_path: Path) -> None:
    make_clearer(venue, tmp_path / "first").daemon.once()
    sealed(venue)
    clearer = make_clearer(venue, tmp_path / "second")
    assert clearer.daemon.once()[:2] == [Reveal(1), Settle(1)]
    assert "rereading" not in clearer.log.events()


def test_a_journal_with_gaps_is_read_again_from_the_chain(venue: Venue, tmp_path: Path) -> None:
    clearer = make_clearer(venue, tmp_path)
    clearer.daemon.once()
    sealed(venue)
    clearer.daemon.step()
    head = clearer.journal.cursor()
    assert head is not None
    clearer.journal.rewind(-1)
    clearer.journal.advance(head, [])
    clearer.daemon.once()
    assert "rereading" in clearer.log.events()
    assert venue.market.settled_event(1) is not None


def test_anybody_settles_in_the_fallback(venue: Venue, tmp_path: Path) -> None:
    venue.advance(1, Phase.OPEN)
    sealed(venue)
    venue.advance(1, Phase.CLEARING)
    clearer = make_clearer(venue, tmp_path, key=FAUCET_KEY, with_seed=False)
    assert all(isinstance(d, Wait) for d in clearer.daemon.once())
    venue.advance(1, Phase.FALLBACK)
    assert Settle(1) in clearer.daemon.once()
    event = venue.market.settled_event(1)
    assert event is not None
    assert event.settler == Account.from_key(FAUCET_KEY).address


def test_a_void_batch_is_closed_with_an_alert(venue: Venue, tmp_path: Path) -> None:
    clearer = make_clearer(venue, tmp_path)
    clearer.daemon.once()
    sealed(venue)
    venue.to_time(venue.schedule.boundaries(1).key_deadline)
    assert CloseVoid(1) in clearer.daemon.once()
    assert "void" in clearer.log.events()
    alerts = [e["reason"] for e in clearer.log.entries if e["event"] == "alert"]
    assert any("bond is not full" in alert for alert in alerts)


def test_another_settler_is_no_mismatch(venue: Venue, tmp_path: Path) -> None:
    clearer = make_clearer(venue, tmp_path / "operator")
    clearer.daemon.once()
    sealed(venue)
    assert clearer.daemon.step() == Reveal(1)
    venue.to_time(venue.schedule.boundaries(1).exclusive_until)
    other = make_clearer(venue, tmp_path / "other", key=FAUCET_KEY, with_seed=False)
    other.daemon.once()
    assert not any(isinstance(d, Settle) for d in clearer.daemon.once())


# --------------------------------------------------------------------- mismatches that must halt


def test_a_shown_key_halts(venue: Venue, tmp_path: Path) -> None:
    clearer = make_clearer(venue, tmp_path)
    clearer.daemon.once()
    venue.to_time(venue.schedule.start(1))
    venue.market.bind(venue.faucet).report_leak(1, venue.keys.secret(1))
    with pytest.raises(Halted, match="the seed has leaked"):
        clearer.daemon.once()


def test_another_seed_halts(venue: Venue, tmp_path: Path) -> None:
    make_clearer(venue, tmp_path).daemon.once()
    market = to_canonical_address(venue.market.address)
    other = BatchKeys(SEED[::-1], venue.node.client.chain_id, market)
    with pytest.raises(Halted, match="does not come from this seed"):
        make_clearer(venue, tmp_path / "other", keys=other).daemon.once()


def test_a_seed_in_wrong_hands_halts(venue: Venue, tmp_path: Path) -> None:
    with pytest.raises(Halted, match="the market's operator is"):
        make_clearer(venue, tmp_path, key=FAUCET_KEY).daemon.once()


def test_prices_the_twin_rejects_are_never_sent(venue: Venue, tmp_path: Path) -> None:
    def liar(state: BatchState, opened: Sequence[Opened], *, warm: Solved | None = None) -> Solved:
        found = solve_batch(state, opened, warm=warm)
        return found._replace(prices={k: price + (1 << 84) for k, price in found.prices.items()})

    clearer = make_clearer(venue, tmp_path, solve=liar)
    clearer.daemon.once()
    sealed(venue)
    clearer.daemon.step()
    nonce = venue.operator.sender.nonce()
    with pytest.raises(Halted, match=r"^halted: NotCleared"):
        clearer.daemon.step()
    assert "cleared" not in clearer.log.events()
    assert venue.operator.sender.nonce() == nonce
    assert clearer.log.events()[-1] == "halted"


def test_another_process_with_the_same_key_halts(venue: Venue, tmp_path: Path) -> None:
    clearer = make_clearer(venue, tmp_path / "first")
    clearer.daemon.once()
    rival = make_clearer(venue, tmp_path / "second")
    venue.to_time(venue.schedule.start(1))
    assert rival.daemon.step() == RegisterKey(4)
    with pytest.raises(Halted, match="another process sends from"):
        clearer.daemon.once()


def test_a_second_process_on_this_machine_is_refused(tmp_path: Path) -> None:
    with (
        hold_lock(tmp_path / "market.lock"),
        pytest.raises(ConfigError, match="another clearer of this market runs here"),
        hold_lock(tmp_path / "market.lock"),
    ):
        pass
    with hold_lock(tmp_path / "market.lock"):
        pass


# ------------------------------------------------------------------------------ the command line


def test_command_line(
    venue: Venue,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    Keystore(tmp_path / "accounts", Kdf("pbkdf2", 2)).import_key("op", OPERATOR_KEY, "pass word")
    seed = tmp_path / "seed"
    monkeypatch.setenv("WALRAS_PASSWORD", "pass word")
    options = ["--rpc", venue.node.url, "--market", venue.market.address]
    options += ["--data-dir", str(tmp_path), "--account", "op", "clearer"]
    tune = ["--seed", str(seed), "--state-dir", str(tmp_path / "state"), "--confirmations", "0"]

    def call(command: str, *more: str) -> tuple[int, str, str]:
        code = walras([*options, command, *more])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    assert call("once", *tune)[0] == 1  # no seed yet
    assert call("new-seed", str(seed))[0] == 0
    assert call("new-seed", str(seed))[0] == 1
    code, out, log = call("once", *tune, "--json", "--keys-ahead", "2")
    assert code == 0
    assert [d["action"] for d in json.loads(out)] == ["RegisterKey", "RegisterKey", "Wait"]
    lines = [json.loads(line) for line in log.splitlines()]
    assert [line["event"] for line in lines].count("done") == 2
    assert seed.read_text().strip() not in log
    assert "pass word" not in log

    sealed(venue)
    code, out, _ = call("status", *tune, "--json")
    assert code == 0
    assert json.loads(out)["next"] == {"action": "Reveal", "batch": 1}
    code, out, _ = call("status", *tune)
    assert "publish the key of batch 1" in out
    assert call("once", *tune)[0] == 0
    assert venue.market.settled_event(1) is not None

    other = tmp_path / "other-seed"
    assert call("new-seed", str(other))[0] == 0
    code, out, err = call("once", *tune, "--seed", str(other))
    assert code == 3
    assert "error: halted: batch" in err
    with hold_lock(tmp_path / "state" / f"31337-{venue.market.address}.lock"):
        code, _, err = call("run", *tune)
    assert code == 1
    assert "another clearer of this market runs here" in err
