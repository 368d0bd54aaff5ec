"""Sending against a node that is slow, forgetful, expensive or shared with somebody else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account
from eth_account.typed_transactions.typed_transaction import TypedTransaction
from eth_utils.crypto import keccak
from hexbytes import HexBytes

from walras.chain.client import Block, NodeError
from walras.chain.outbox import Outbox
from walras.chain.sender import Sender
from walras.chain.transactions import Attempt, NonceTaken, SendPolicy, TransactionStuck
from walras.errors import ChainError, Reverted, StoreError

SIGNER = Account.from_key(b"\1" * 32)
TO = "0x" + "22" * 20
POLICY = SendPolicy(poll_every=1.0, stuck_after=5.0, give_up_after=60.0, tip=3)


@dataclass
class FakeNode:
    """A chain of one account. Transactions wait in `pool` until `include` lets them in."""

    chain_id: int = 5
    base_fee: int = 100
    head: int = 10
    mined_nonce: int = 7
    clock: float = 0.0
    reverts: bool = False
    refuses: list[str] = field(default_factory=list)
    pool: dict[str, dict[str, Any]] = field(default_factory=dict)
    receipts: dict[str, dict[str, Any]] = field(default_factory=dict)
    broadcasts: list[dict[str, Any]] = field(default_factory=list)
    at: dict[float, Any] = field(default_factory=dict)  # what happens when

    def sleep(self, seconds: float) -> None:
        self.clock += seconds
        for moment in [m for m in self.at if m <= self.clock]:
            self.at.pop(moment)()

    def block(self, tag: int | str = "latest") -> Block:
        return Block(self.head, b"", 0, self.base_fee)

    def rpc(self, method: str, *params: Any) -> Any:
        return getattr(self, method)(*params)

    def eth_getTransactionCount(self, address: str, tag: str) -> str:  # noqa: N802
        assert (address, tag) == (SIGNER.address, "latest")
        return hex(self.mined_nonce)

    def eth_call(self, call: dict[str, str], tag: str) -> str:
        if self.reverts:
            raise Reverted("Frozen")
        return "0x"

    def eth_estimateGas(self, call: dict[str, str], tag: str) -> str:  # noqa: N802
        return hex(100_000)

    def eth_maxPriorityFeePerGas(self) -> str:  # noqa: N802
        return hex(9)

    def eth_sendRawTransaction(self, raw: str) -> None:  # noqa: N802
        transaction = TypedTransaction.from_bytes(HexBytes(raw)).as_dict()
        digest = "0x" + keccak(hexstr=raw).hex()
        if self.refuses:
            raise NodeError("eth_sendRawTransaction", self.refuses.pop(0))
        rivals = [t for t in self.pool.values() if t["nonce"] == transaction["nonce"]]
        for fee in ("maxFeePerGas", "maxPriorityFeePerGas"):
            if any(transaction[fee] * 1000 < rival[fee] * 1125 for rival in rivals):
                raise NodeError("eth_sendRawTransaction", "replacement transaction underpriced")
        for known in [h for h, t in self.pool.items() if t["nonce"] == transaction["nonce"]]:
            del self.pool[known]
        self.pool[digest] = transaction
        self.broadcasts.append(transaction)

    def eth_getTransactionByHash(self, digest: str) -> dict[str, Any] | None:  # noqa: N802
        if digest in self.pool:
            return {"blockNumber": None}
        return {"blockNumber": "0x1"} if digest in self.receipts else None

    def eth_getTransactionReceipt(self, digest: str) -> dict[str, Any] | None:  # noqa: N802
        return self.receipts.get(digest)

    def include(self, status: int = 1) -> None:
        """Mine the pool."""
        self.head += 1
        for digest in list(self.pool):
            del self.pool[digest]
            self.mined_nonce += 1
            self.receipts[digest] = {
                "blockNumber": hex(self.head),
                "blockHash": "0x" + "00" * 32,
                "gasUsed": hex(90_000),
                "status": hex(status),
                "logs": [],
            }

    def grow(self, blocks: int) -> None:
        self.head += blocks


def sender(node: FakeNode, **changed: Any) -> Sender:
    policy = replace(POLICY, **changed)
    return Sender(node, SIGNER, policy, clock=lambda: node.clock, sleep=node.sleep)


def test_sends_once_with_fees_gas_and_nonce() -> None:
    node = FakeNode()
    node.at[2.0] = node.include
    seen: list[tuple[str, Attempt]] = []
    receipt = sender(node).send(TO, b"\xab", watch=lambda stage, a: seen.append((stage, a)))
    (sent,) = node.broadcasts
    assert (sent["nonce"], sent["gas"], sent["data"].hex()) == (7, 120_000, "ab")
    assert (sent["maxFeePerGas"], sent["maxPriorityFeePerGas"]) == (203, 3)
    assert receipt.block_number == 11
    assert receipt.gas_used == 90_000
    assert [stage for stage, _ in seen] == ["signed", "sent"]
    assert {a.hash for _, a in seen} == {receipt.hash}


def test_a_call_that_would_revert_is_not_sent() -> None:
    node = FakeNode(reverts=True)
    with pytest.raises(Reverted):
        sender(node).send(TO, b"")
    assert node.broadcasts == []


def test_the_journal_knows_an_attempt_before_the_node() -> None:
    node = FakeNode()

    def watch(stage: str, attempt: Attempt) -> None:
        assert len(node.broadcasts) == (stage == "sent")
        if stage == "sent":
            node.include()

    sender(node).send(TO, b"", watch=watch)


def test_the_nodes_tip_is_taken_when_none_is_set() -> None:
    node = FakeNode()
    node.at[1.0] = node.include
    sender(node, tip=None).send(TO, b"")
    assert node.broadcasts[0]["maxPriorityFeePerGas"] == 9


def test_gas_is_capped_but_never_below_the_estimate() -> None:
    for cap, gas in ((110_000, 110_000), (90_000, 100_000)):
        node = FakeNode()
        node.at[1.0] = node.include
        sender(node, gas_cap=cap).send(TO, b"")
        assert node.broadcasts[0]["gas"] == gas


def test_an_estimate_that_is_known_is_not_asked_for() -> None:
    node = FakeNode()
    node.at[1.0] = node.include
    sender(node).send(TO, b"", estimate=50_000)
    assert node.broadcasts[0]["gas"] == 60_000


def test_a_stuck_transaction_is_replaced_until_it_lands() -> None:
    node = FakeNode()
    node.at[12.0] = node.include
    receipt = sender(node).send(TO, b"")
    fees = [t["maxFeePerGas"] for t in node.broadcasts]
    assert fees == [203, 231, 263]
    assert {t["nonce"] for t in node.broadcasts} == {7}
    assert receipt.succeeded


def test_replacement_follows_a_base_fee_that_rises_faster() -> None:
    node = FakeNode()

    def surge() -> None:
        node.base_fee = 1_000

    node.at[1.0] = surge
    node.at[7.0] = node.include
    sender(node).send(TO, b"")
    assert [t["maxFeePerGas"] for t in node.broadcasts] == [203, 2_003]


def test_any_of_the_attempts_may_land() -> None:
    node = FakeNode()
    attempts: list[Attempt] = []

    def first_lands() -> None:
        node.include()
        (digest,) = node.receipts
        node.receipts["0x" + attempts[0].hash.hex()] = node.receipts.pop(digest)

    node.at[7.0] = first_lands
    receipt = sender(node).send(
        TO, b"", watch=lambda stage, a: attempts.append(a) if stage == "sent" else None
    )
    assert len(attempts) == 2
    assert receipt.hash == attempts[0].hash


def test_the_fee_limit_holds() -> None:
    node = FakeNode()
    node.at[20.0] = node.include
    with pytest.raises(TransactionStuck, match="the limit is 210"):
        sender(node, max_fee=210).send(TO, b"")
    assert max(t["maxFeePerGas"] for t in node.broadcasts) <= 210


def test_gives_up_in_the_end() -> None:
    with pytest.raises(TransactionStuck, match="not confirmed within 20 s"):
        sender(FakeNode(), give_up_after=20.0).send(TO, b"")


def test_waits_for_confirmations() -> None:
    node = FakeNode()
    node.at[1.0] = node.include
    node.at[4.0] = lambda: node.grow(1)
    node.at[9.0] = lambda: node.grow(1)
    sender(node, confirmations=3).send(TO, b"")
    assert node.clock == 9.0


def test_a_reorganisation_during_confirmation_is_waited_out() -> None:
    node = FakeNode()

    def undo() -> None:
        (digest,) = node.receipts
        node.receipts.clear()
        node.mined_nonce -= 1
        node.pool[digest] = node.broadcasts[-1]

    node.at[1.0] = node.include
    node.at[2.0] = undo
    node.at[4.0] = node.include
    node.at[5.0] = lambda: node.grow(1)
    sender(node, confirmations=2).send(TO, b"")
    assert node.clock == 5.0
    assert len(node.broadcasts) == 1


def test_a_transaction_that_fails_on_chain_is_an_error() -> None:
    node = FakeNode()

    def fails() -> None:
        node.include(status=0)
        node.reverts = True

    node.at[1.0] = fails
    with pytest.raises(Reverted, match="Frozen"):
        sender(node).send(TO, b"")
    node = FakeNode()
    node.at[1.0] = lambda: node.include(status=0)
    with pytest.raises(Reverted, match="out of gas"):
        sender(node).send(TO, b"")


def test_an_unknown_transaction_at_the_nonce_is_another_process() -> None:
    node = FakeNode()

    def somebody_else() -> None:
        node.pool.clear()
        node.mined_nonce += 1

    node.at[1.0] = somebody_else
    with pytest.raises(NonceTaken, match="another process uses this account"):
        sender(node).send(TO, b"")


def test_a_receipt_may_lag_behind_the_nonce() -> None:
    node = FakeNode()
    late: dict[str, Any] = {}

    def counted() -> None:
        node.include()
        late.update(node.receipts)
        node.receipts.clear()

    node.at[1.0] = counted
    node.at[8.0] = lambda: node.receipts.update(late)
    assert sender(node).send(TO, b"").succeeded
    assert node.clock == 8.0
    assert len(node.broadcasts) == 1


@pytest.mark.parametrize("answer", ["already known", "nonce too low: next nonce 8, tx nonce 7"])
def test_the_node_may_know_better_than_its_answer(answer: str) -> None:
    """A repeated broadcast is told off although the first one went through."""
    node = FakeNode()
    signed: list[Attempt] = []

    def arrives() -> None:
        node.pool["0x" + signed[0].hash.hex()] = {"nonce": 7}
        node.include()

    node.refuses = [answer]
    node.at[1.0] = arrives
    receipt = sender(node).send(
        TO, b"", watch=lambda stage, a: signed.append(a) if stage == "signed" else None
    )
    assert receipt.hash == signed[0].hash


def test_outbidding_has_an_end() -> None:
    node = FakeNode(refuses=["replacement transaction underpriced"] * 50)
    with pytest.raises(TransactionStuck, match="too low to replace nonce 7"):
        sender(node).send(TO, b"")
    assert len(node.refuses) == 30


def test_other_refusals_are_passed_on() -> None:
    node = FakeNode(refuses=["insufficient funds for gas"])
    with pytest.raises(NodeError, match="insufficient funds"):
        sender(node).send(TO, b"")


# --------------------------------------------------------------------------------- after a restart


def before_a_crash(node: FakeNode) -> Sequence[Attempt]:
    """One attempt signed and broadcast by a process that died."""
    attempts: list[Attempt] = []

    def die(stage: str, attempt: Attempt) -> None:
        attempts.append(attempt)
        if stage == "sent":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sender(node).send(TO, b"", watch=die)
    return attempts[:1]


def test_a_pending_attempt_is_waited_for() -> None:
    node = FakeNode()
    earlier = before_a_crash(node)
    node.at[2.0] = node.include
    receipt = sender(node).send(TO, b"", earlier=earlier)
    assert receipt.hash == earlier[0].hash
    assert len(node.broadcasts) == 1


def test_a_pending_attempt_is_replaced_when_stuck() -> None:
    node = FakeNode()
    earlier = before_a_crash(node)
    node.at[7.0] = node.include
    receipt = sender(node).send(TO, b"", earlier=earlier)
    assert receipt.hash != earlier[0].hash
    assert [t["maxFeePerGas"] for t in node.broadcasts] == [203, 231]


def test_an_included_attempt_is_not_repeated() -> None:
    node = FakeNode()
    earlier = before_a_crash(node)
    node.include()
    node.reverts = True
    assert sender(node).send(TO, b"", earlier=earlier).hash == earlier[0].hash
    assert len(node.broadcasts) == 1


def test_an_attempt_that_never_left_is_sent() -> None:
    node = FakeNode()
    earlier = before_a_crash(node)
    node.pool.clear()
    node.at[1.0] = node.include
    sender(node).send(TO, b"", earlier=earlier)
    assert len(node.broadcasts) == 2
    assert node.mined_nonce == 8


def test_a_forgotten_pending_transaction_is_outbid() -> None:
    """The journal is lost, the node still holds what the dead process sent."""
    node = FakeNode()
    before_a_crash(node)
    node.at[1.0] = node.include
    sender(node).send(TO, b"other")
    assert [t["maxFeePerGas"] for t in node.broadcasts] == [203, 231]
    assert node.mined_nonce == 8


# ------------------------------------------------------------------- several processes, one account


def sharing(node: FakeNode, outbox: Outbox, **changed: Any) -> Sender:
    policy = replace(POLICY, **changed)
    return Sender(node, SIGNER, policy, outbox=outbox, clock=lambda: node.clock, sleep=node.sleep)


def rival(node: FakeNode, outbox: Outbox, nonce: int = 7) -> None:
    """Another process's transaction takes the nonce, whatever is pending."""
    digest = bytes([nonce]) * 32
    outbox.note(nonce, digest)
    node.pool.clear()
    node.pool["0x" + digest.hex()] = {"nonce": nonce}
    node.include()


@pytest.mark.parametrize("clearer", [True, False])
def test_a_nonce_that_a_command_used__is_passed_and_the_next_one_signed(
    tmp_path: Path, clearer: bool
) -> None:
    node, path = FakeNode(), tmp_path / "sent"
    node.at[3.0] = lambda: rival(node, Outbox(path))
    node.at[6.0] = node.include
    receipt = sharing(node, Outbox(path, clearer=clearer)).send(TO, b"\xab")
    assert [t["nonce"] for t in node.broadcasts] == [7, 8]
    assert receipt.succeeded
    assert node.mined_nonce == 9


def test_a_nonce_that_was_passed__is_simulated_again_before_it_is_signed(tmp_path: Path) -> None:
    node, path = FakeNode(), tmp_path / "sent"

    def done_by_another() -> None:
        rival(node, Outbox(path))
        node.reverts = True

    node.at[3.0] = done_by_another
    with pytest.raises(Reverted):
        sharing(node, Outbox(path, clearer=True)).send(TO, b"")
    assert len(node.broadcasts) == 1


def test_another_clearer__is_another_process_as_before(tmp_path: Path) -> None:
    node, path = FakeNode(), tmp_path / "sent"
    node.at[3.0] = lambda: rival(node, Outbox(path, clearer=True))
    with pytest.raises(NonceTaken, match="another process uses this account"):
        sharing(node, Outbox(path, clearer=True)).send(TO, b"")
    assert len(node.broadcasts) == 1


def test_a_nonce_is_passed_only_once_it_is_confirmed(tmp_path: Path) -> None:
    node, path = FakeNode(), tmp_path / "sent"
    node.at[3.0] = lambda: rival(node, Outbox(path))
    node.at[20.0] = lambda: node.grow(1)  # later than a receipt may lag
    node.at[25.0] = node.include
    node.at[26.0] = lambda: node.grow(1)
    sharing(node, Outbox(path, clearer=True), confirmations=2).send(TO, b"")
    assert [t["nonce"] for t in node.broadcasts] == [7, 8]
    assert node.clock == 26.0


def test_a_command_waits_for_its_turn__a_clearer_not_for_long(tmp_path: Path) -> None:
    node, path = FakeNode(), tmp_path / "sent"
    command, clearer = Outbox(path), Outbox(path, clearer=True)
    with Outbox(path).turn(lambda: node.clock, node.sleep):
        with pytest.raises(ChainError, match="nothing was sent, try again"):
            sharing(node, command).send(TO, b"")
        assert node.broadcasts == []
        assert node.clock == pytest.approx(command.patience, abs=0.2)
        node.at[node.clock + 4.0] = node.include
        sharing(node, clearer).send(TO, b"")
        assert node.clock == pytest.approx(command.patience + 4, abs=1)
    assert len(node.broadcasts) == 1


def test_what_cannot_be_noted__is_not_sent_by_a_command_but_by_a_clearer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("walras.chain.outbox.os.fsync", full)
    node, path = FakeNode(), tmp_path / "sent"
    with pytest.raises(StoreError, match="No space left"):
        sharing(node, Outbox(path)).send(TO, b"")
    assert node.broadcasts == []
    node.at[1.0] = node.include
    sharing(node, Outbox(path, clearer=True)).send(TO, b"")
    assert len(node.broadcasts) == 1


def test_nonces_are_accounted_for_as_far_as_commands_used_them(tmp_path: Path) -> None:
    node, path = FakeNode(), tmp_path / "sent"
    clearer = sharing(node, Outbox(path, clearer=True))
    for nonce in (7, 8):
        rival(node, Outbox(path), nonce)
    assert clearer.accounted(7, 9) == 9
    assert clearer.accounted(7, 8) == 8
    rival(node, Outbox(path, clearer=True), 9)
    assert clearer.accounted(7, 10) == 9
    assert sender(node).accounted(7, 10) == 7
    Outbox(path).note(10, b"\0" * 32)
    with pytest.raises(ChainError, match="does not show yet what used nonce 10"):
        clearer.accounted(10, 11)


def test_the_outbox_stays_small_and_survives_torn_lines(tmp_path: Path) -> None:
    path = tmp_path / "sent"
    outbox = Outbox(path)
    for nonce in range(1_000):
        outbox.note(nonce, nonce.to_bytes(32))
    assert path.stat().st_size < 70_000
    assert outbox.known(3) == ()
    with path.open("ab") as file:
        file.write(b"1000 abcd")
    outbox.note(1_001, b"\1" * 32)
    assert (outbox.known(999), outbox.known(1_000)) == (((999).to_bytes(32),), ())
    assert outbox.known(1_001) == (b"\1" * 32,)
