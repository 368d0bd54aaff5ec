"""What the contract says when it refuses, and what to do about it."""

from collections.abc import Mapping
from functools import cache
from typing import Any, Final

from eth_abi.exceptions import DecodingError
from eth_utils.abi import collapse_if_tuple
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from walras.chain.abi import decode, printable
from walras.chain.artifacts import load
from walras.errors import Reverted
from walras.schedule import Phase

__all__ = ["ADVICE", "TOKEN_ADVICE", "UNNAMED", "reverted"]

UNNAMED: Final = "no reason given"  # name of a refusal without data: mostly gas that ended

# {0}, {1} … are the error's arguments.
ADVICE: Final[Mapping[str, str]] = {
    "BadParameter": "{0} = {1} is outside its range; see docs/SPEC.md §1 and §5",
    "NotOperator": "{0} is not the market's operator; use the operator's account, "
    "or wait until everybody may",
    "UnknownAsset": "asset {0} does not exist; `walras market show` lists the ids",
    "NoToken": "there is no contract at {0}; check the token's address and the chain",
    "AlreadyListed": "token {0} is listed already, or is the cash token",
    "TooManyProducts": "the market is full; open another market for further products",
    "ScaleHolds": "scale {0} is still within four times of the reference; nothing needs a reset",
    "InexactAmount": "{0} base units are no whole number of ledger units; use {1}",
    "WrongTransfer": "the token delivered {1} of {0} base units; a token that takes fees or "
    "rebases cannot be used here",
    "CapExceeded": "the market would hold {0} where at most {1} is allowed; deposit less",
    "InsufficientBalance": "{0} ledger units are needed, {1} are there; deposit first or ask "
    "for less",
    "BadTransfer": "the amount is zero or the recipient is nobody or the market itself; "
    "name another",
    "Frozen": "{0} is live in batch {1} and past its lock-in; try again when that batch is over",
    "WrongPhase": "batch {0} is {1}; `walras market show` tells when each phase begins",
    "NotCurrent": "batch {0} does not take seals, batch {1} is current; seal for that one",
    "Committed": "{0} has a submission in batch {1} that is committed since lock-in; "
    "wait for its end",
    "NotLive": "{0} has no live submission; there is nothing to cancel",
    "NotStanding": "{0} has no standing submission; seal one first",
    "IsPaused": "the standing submission of {0} is paused; `walras order resume` lets it trade",
    "NotPaused": "the standing submission of {0} is not paused; there is nothing to resume",
    "MarketOver": "the market's rent index is used up and no batch opens any more; withdraw",
    "AlreadyOpen": "batch {0} is open already; nothing is left to do",
    "Unapplied": "batch {0} is settled but not yet written to {1} accounts, or void and not yet "
    "taken back from them; `walras clearer once` does it",
    "KeyMissing": "batch {0} has no key; wait until the operator registers one",
    "KeyTooLate": "batch {0} has a key already or has started; register for a later batch",
    "KeyUsed": "key {0} was used before; each batch needs its own",
    "NotOnCurve": "({0}, {1}) is no point of secp256k1; derive the key again",
    "WrongSecret": "this secret does not belong to the registered key of batch {0}; "
    "check the operator's seed",
    "VoidUnclosed": "batch {0} is void and open; call `closeVoid` for it first",
    "NothingToClose": "batch {0} is not void, is closed already or had nobody in it",
    "NothingDue": "no compensation is due to {0}",
    "BondShort": "the operator's bond is {0} of {1}; no seal enters until it is full",
    "HouseUnderfunded": "{0} products' houses are short, or house cash {1} is below {2}; "
    "no seal enters until `fundHouse` has filled them",
    "BadUnits": "{0} units are outside 10 … 255 or too few for {1} bytes; declare what "
    "`walras order check` says",
    "BatchFull": "the batch would hold {0} of {1} units; wait for the next batch or seal less",
    "Unfinished": "batch {0} is unfinished and these funds back it; try again after its end",
    "NothingToSettle": "nobody is live in batch {0}; there is nothing to settle",
    "ProductsNotAscending": "product {0} is not above the one before; list each once, ascending",
    "UnknownProduct": "product {0} does not trade in this batch; leave it out",
    "PriceOutOfRange": "price {1} of product {0} is not below 2^138; solve again",
    "LengthMismatch": "{0} products but {1} prices were given; give one price per product",
    "PriceMissing": "a submission lists product {0}, which has no price; price it",
    "PriceUnused": "no submission lists product {0}, which has a price; leave it out",
    "TruncatedData": "the submissions end inside a submission; encode them again",
    "AccountsNotAscending": "account {0} is not above the one before; list each once, ascending",
    "AccountNotLive": "account {0} has no live submission in this batch; leave it out",
    "WrongCiphertext": "account {0} sealed other bytes; take its last seal from the chain",
    "WrongItem": "the item of account {0} has other shadow prices or progress than its submission "
    "asks for; take them from the chain again",
    "WrongRun": "the run of {1} in batch {0} is at another chunk; read it again",
    "WrongBoard": "the run was begun with other prices; go on with those, or begin a run",
    "TooManyChunks": "the run in batch {0} has as many chunks as a run may have; make them larger",
    "ChunkTooLarge": "the chunk does too much to accounts ({0} bytes, {1} gas); make it smaller",
    "WrittenAhead": "another run has written {1} accounts of batch {0} ahead; "
    "`walras clearer once` goes on from it or takes it back",
    "NothingToRestore": "nothing of batch {0} is written ahead; nothing is left to do",
    "NothingToApply": "no settlement in chunks of batch {0} waits to be written; nothing is left "
    "to do",
    "WrongEffects": "these are not the effects of chunk {1} of batch {0}; compute them again",
    "ShadowsMismatch": "{0} shadow prices were given where the submission has {1} costs; give one "
    "for each",
    "ShadowOutOfRange": "shadow price {2} of cost {1} of account {0} is beyond its curve; "
    "solve again",
    "CostNotCleared": "cost {1} of account {0} misses clearing by {2} where {3} is allowed (X44); "
    "solve again",
    "LiveCountMismatch": "{0} submissions were given, {1} accounts are live; list them all",
    "NotCleared": "product {0} misses clearing by {1} where {2} is allowed (X44 lots); solve again",
    "HouseShort": "the house of asset {0} would fall to {1}; fund it with `fundHouse`",
    "LedgerOutOfRange": "asset {1} of account {0} would become {2}; the prices cannot be right, "
    "solve again",
    "SafeERC20FailedOperation": "token {0} refused the transfer; check balance, allowance and "
    "whether the token blocks this account",
    "ReentrancyGuardReentrantCall": "the token called back into the market; such a token cannot "
    "be used here",
}

# The tokens' own refusals (ERC-6093), and the compiler's.
TOKEN_ADVICE: Final[Mapping[str, str]] = {
    "ERC20InsufficientBalance(address,uint256,uint256)": "{0} holds {1} of the {2} base units "
    "needed; get more of the token first",
    "ERC20InsufficientAllowance(address,uint256,uint256)": "{0} may take {1} of the {2} base "
    "units needed; approve more",
    "ERC20InvalidReceiver(address)": "the token does not send to {0}; name another recipient",
    "ERC20InvalidSender(address)": "the token does not send from {0}",
    "Error(string)": "{0}",
    "Panic(uint256)": "the contract hit an internal check (code {0}); please report it",
}


def reverted(data: bytes) -> Reverted:
    """The refusal that the revert `data` encodes, with advice; total over any bytes."""
    known = _errors().get(data[:4])
    if known is None:
        shown = f"0x{data.hex()}" if data else UNNAMED
        return Reverted(shown, (), "the market, token or this program is of another version")
    name, types, advice = known
    try:
        values = decode(types, data[4:])
    except DecodingError:
        return Reverted(name, (), "its arguments cannot be read; versions differ")
    args: tuple[Any, ...] = tuple(
        printable(value) if isinstance(value, str) else value for value in values
    )
    shown_args = [_shown(kind, value) for kind, value in zip(types, args, strict=True)]
    if name == "WrongPhase":
        shown_args[1] = Phase(args[1]).name
    return Reverted(name, args, advice.format(*shown_args))


def _shown(kind: str, value: Any) -> str:
    if kind == "address":
        return str(to_checksum_address(value))
    return f"0x{value.hex()}" if kind.startswith("bytes") else str(value)


@cache
def _errors() -> dict[bytes, tuple[str, tuple[str, ...], str]]:
    """Selector -> (name, argument types, advice)."""
    table = {}
    for signature, advice in TOKEN_ADVICE.items():
        name, _, inner = signature.removesuffix(")").partition("(")
        table[keccak(text=signature)[:4]] = (name, tuple(filter(None, inner.split(","))), advice)
    for item in load("Walras").abi:
        if item["type"] == "error":
            types = tuple(collapse_if_tuple(dict(i)) for i in item["inputs"])
            selector = keccak(text=f"{item['name']}({','.join(types)})")[:4]
            table[selector] = (item["name"], types, ADVICE.get(item["name"], ""))
    return table
