"""`walras simulate --chain`: the same day through a private Anvil, checked against memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

from walras.cli.output import facts, say
from walras.words import counted

if TYPE_CHECKING:
    from walras.simulate import Report, Run
    from walras.simulate.compare import Compared, Difference

__all__ = ["DEFAULT_BATCHES", "both_venues", "compared_data", "show_chain"]

DEFAULT_BATCHES: Final = 60  # about a minute; a whole day of the preset takes several
_SHOWN: Final = 10


@contextmanager
def both_venues(engine: str, tell: Callable[[str], None]) -> Iterator[Compared]:
    """A market on an Anvil of its own, and the one in memory beside it; ``tell`` hears stages."""
    from walras.chain.crowd import CROWDED  # noqa: PLC0415  as in `simulate`
    from walras.chain.devnode import start_anvil  # noqa: PLC0415
    from walras.clearing.registry import engine_named  # noqa: PLC0415
    from walras.simulate.compare import Compared  # noqa: PLC0415
    from walras.simulate.market import Market  # noqa: PLC0415
    from walras.simulate.onchain import ChainMarket  # noqa: PLC0415

    engine_named(engine)  # better now than in the first batch
    tell("starting Anvil")
    with start_anvil(*CROWDED) as node, TemporaryDirectory(prefix="walras-simulate-") as directory:
        chain = partial(ChainMarket, node=node, directory=Path(directory), engine=engine, tell=tell)
        yield Compared(chain, partial(Market, engine=engine))


def compared_data(compared: Compared, run: Run) -> dict[str, Any]:
    """As JSON holds it: integers exact, as text."""
    found = [
        {
            "batch": one.batch,
            "what": one.what,
            "of": _name(one, run),
            "chain": _exact(one.first),
            "simulated": _exact(one.second),
        }
        for one in compared.differences
    ]
    return {"compared": compared.batches, "differences": found}


def show_chain(measures: Report, compared: Compared, run: Run) -> None:
    """What the chain cost, and whether it agrees."""
    say("")
    say("On the chain", "bold")
    facts(_facts(measures.chain, list(run.seconds)))
    say("")
    if not compared.differences:
        batches = counted(compared.batches, "batch")
        say(f"Prices, fills and cash of {batches}: as simulated, to the last bit.")
        return
    first = compared.differences[0]
    say(f"THE CHAIN DIFFERS FROM THE SIMULATION in batch {first.batch}:", "bold red")
    for one in compared.differences[:_SHOWN]:
        say(
            f"  {one.what} of {_name(one, run)}: {_exact(one.first)} on the chain, "
            f"{_exact(one.second)} simulated",
            "red",
        )
    left = len(compared.differences) - _SHOWN
    if left > 0:
        say(f"  and {left} more; later batches are not compared", "red")


def _facts(chain: Mapping[str, float], parts: Sequence[str]) -> list[tuple[str, str]]:
    def gas(name: str) -> str:
        return f"{chain[name]:,.0f}"

    seconds = ", ".join(f"{chain[f'{part}_seconds_median']:.2f} to {part}" for part in parts)
    of_it = (
        f"{gas('settle_gas_median')} to settle, {gas('seal_gas_median')} to seal, "
        f"{gas('operator_gas_median')} for keys and opening"
    )
    sealing = f"{gas('seal_gas_per_seal')} gas a seal, {chain['seals_per_batch']:.0f} of them"
    chunks = f"{chain['chunks_per_batch']:.1f} a batch, at most {chain['chunks_largest']:.0f}"
    settling = (
        f"{gas('settle_gas_per_account')} gas an account, {gas('settle_gas_per_auth')} an auth"
    )
    return [
        ("gas a batch", f"{gas('gas_median')}, at most {gas('gas_largest')}"),
        ("of it", of_it),
        ("settling", settling),
        ("sealing", sealing),
        ("chunks", chunks),
        ("seconds a batch", f"{seconds}: {chain['batches_per_minute']:.0f} batches a minute"),
    ]


def _name(one: Difference, run: Run) -> str:
    """A product by its symbol, an account by its agent."""
    from walras.simulate.agents import address_of  # noqa: PLC0415

    if one.of is None:
        return "the batch"
    if isinstance(one.of, int):
        return run.symbols[one.of]
    return next((name for name in run.kinds if address_of(name) == one.of), f"0x{one.of.hex()}")


def _exact(value: Any) -> Any:
    """Integers of any size as text, accounts in hex, what holds them likewise."""
    if isinstance(value, bytes):
        return f"0x{value.hex()}"
    if isinstance(value, Mapping):
        return {str(key): _exact(held) for key, held in value.items()}
    if isinstance(value, tuple | frozenset):
        return [_exact(held) for held in (sorted(value) if isinstance(value, frozenset) else value)]
    return None if value is None else str(getattr(value, "name", value))
