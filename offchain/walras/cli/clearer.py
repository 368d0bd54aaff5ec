"""`walras clearer`: the operator's daemon, and anybody's clearer of last resort."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import click
from eth_utils.address import to_canonical_address

from walras.chain.sender import Sender
from walras.clearing.problem import solve_batch
from walras.clearing.warmup import warm_up
from walras.cli.clearer_words import show_decisions, show_status
from walras.cli.output import emit, json_option, say
from walras.cli.session import Session, acting, with_session
from walras.errors import WalrasError
from walras.monitor import ask, watching
from walras.operator.acting import describe
from walras.operator.daemon import Daemon, Halted
from walras.operator.decide import OwnView, alerts, decide
from walras.operator.keys import BatchKeys, create_seed, read_seed
from walras.operator.lock import hold_lock
from walras.operator.log import Redactor, configure
from walras.operator.settings import ClearerSettings, load_settings
from walras.operator.surroundings import Surroundings
from walras.operator.view import Observer
from walras.store import Journal

__all__ = ["EXIT_HALTED", "clearer"]

EXIT_HALTED = 3

F = TypeVar("F", bound=Callable[..., Any])

_OPTIONS: tuple[tuple[str, Any], ...] = (
    ("seed", click.Path(path_type=Path, dir_okay=False)),
    ("state_dir", click.Path(path_type=Path, file_okay=False)),
    ("database", str),
    ("engine", str),
    ("keys_ahead", int),
    ("poll", float),
    ("confirmations", int),
    ("max_failures", int),
    ("metrics_port", int),
    ("metrics_host", str),
    ("log_level", str),
)


class _Stopped(Exception):  # noqa: N818
    """Somebody asked the clearer to stop."""


def _tunable(command: F) -> F:
    """Add the most used settings as options; all of them can stand in the file."""
    for name, kind in reversed(_OPTIONS):
        described = ClearerSettings.model_fields[name]
        command = click.option(
            f"--{name.replace('_', '-')}",
            type=kind,
            help=f"{described.description} [default: {described.default}]",
        )(command)
    return click.option(
        "--settings",
        "file",
        type=click.Path(path_type=Path, dir_okay=False),
        envvar="WALRAS_CLEARER_SETTINGS",
        show_envvar=True,
        help="TOML file with any setting of docs/OPERATIONS.md.",
    )(command)


@click.group()
def clearer() -> None:
    """Register keys, publish them after lock-out, solve and settle."""


@clearer.command("new-seed")
@click.argument("path", type=click.Path(path_type=Path, dir_okay=False))
def new_seed(path: Path) -> None:
    """Write a new random seed to PATH; copy it to a safe place before its first batch."""
    create_seed(path)
    say(f"wrote a new seed to {path}; whoever reads it reads every sealed order, keep a copy safe")


@clearer.command()
@acting
@_tunable
@with_session
def run(session: Session, file: Path | None, **options: Any) -> int:
    """Work until stopped; exit code 3 if something is wrong that a person must look at."""
    settings = load_settings(file, **options)
    with _working(session, settings) as daemon, _told_to_stop(daemon.stop):
        # beside the work: keys and reveals cannot wait a minute for a compiler
        threading.Thread(target=warm_up, name="warm-up", daemon=True).start()
        try:
            daemon.worker.run()
        except _Stopped:
            daemon.log.info("stopped")
        except Halted as halted:
            return _halted(halted)
    return 0


@clearer.command()
@acting
@_tunable
@json_option
@with_session
def once(session: Session, file: Path | None, *, as_json: bool, **options: Any) -> int:
    """Do everything that is due now, then stop."""
    settings = load_settings(file, **options)
    with _working(session, settings) as daemon, _told_to_stop(daemon.stop):
        try:
            taken = [describe(decision) for decision in daemon.worker.once()]
        except _Stopped:
            return 1
        except Halted as halted:
            return _halted(halted)
    emit(as_json, taken, partial(show_decisions, taken))
    return 0


@clearer.command()
@acting
@_tunable
@json_option
@with_session
def status(session: Session, file: Path | None, *, as_json: bool, **options: Any) -> None:
    """Show what the clearer would do next, and what needs a person; sends nothing."""
    settings = load_settings(file, **options)
    market, account = session.market, session.address
    journal = Journal("sqlite://", session.client.chain_id, market.address)
    sight = _observer(session, settings, account, journal).look()
    keys = _keys(session, settings, Redactor())
    hashes = {b: keys.hash(b) for b in sight.chain.key_hashes} if keys else {}
    own = OwnView(account, hashes, margin=settings.margin, least_balance=settings.least_balance)
    decision = decide(sight.chain, own, sight.now)
    chain, batch = sight.chain, sight.chain.batch
    data = {
        "next": describe(decision),
        "alerts": list(alerts(chain, own)),
        "now": sight.now,
        "block": sight.block_number,
        "operator": chain.operator,
        "account": account,
        "batch": {
            "number": batch.number,
            "live": batch.live,
            "units": batch.units,
            "settled": batch.settled,
            "closed": batch.closed,
            "key_published": chain.published,
        },
        "keys": [b for b, stored in chain.key_hashes.items() if any(stored)],
        "bond_full": chain.bond >= chain.bond_full,
        "wei": chain.balance,
    }
    if settings.metrics_port:
        data["daemon"] = ask(settings.metrics_host, settings.metrics_port)
    emit(as_json, data, partial(show_status, data))


# ------------------------------------------------------------------------------------- wiring


@dataclass(frozen=True, slots=True)
class _Working:
    worker: Daemon
    log: Any
    stop: threading.Event


@contextmanager
def _working(session: Session, settings: ClearerSettings) -> Iterator[_Working]:
    """A daemon that holds its lock and journal."""
    market, client = session.market, session.client
    lock = settings.state_dir / f"{client.chain_id}-{market.address}.lock"
    redactor, stop = Redactor(), threading.Event()
    keys = _keys(session, settings, redactor)
    with hold_lock(lock):
        signer = session.signer()
        redactor.add(bytes(signer.key))
        log = configure(redactor, level=settings.log_level).bind(market=market.address)
        journal = Journal(settings.database_url(), client.chain_id, market.address)

        def sleep(seconds: float) -> None:
            if stop.wait(seconds):
                raise _Stopped

        solve = partial(solve_batch, engine=settings.engine)
        outbox = session.outbox(signer.address, clearer=True)
        sender = Sender(client, signer, settings.send_policy, outbox=outbox, sleep=sleep)
        try:
            with watching(settings) as meter:
                around = Surroundings(log, sleep, solve, meter=meter)
                daemon = Daemon(market, sender, journal, settings, around, keys)
                operator = market.terms.operator
                log.info("started", account=sender.address, operator=operator, seed=bool(keys))
                yield _Working(daemon, log, stop)
        finally:
            journal.close()


def _keys(session: Session, settings: ClearerSettings, redactor: Redactor) -> BatchKeys | None:
    if settings.seed is None:
        return None
    seed = read_seed(settings.seed)
    redactor.add(seed)
    market = to_canonical_address(session.market.address)
    return BatchKeys(seed, session.client.chain_id, market, hide=redactor.add_passing)


def _observer(
    session: Session, settings: ClearerSettings, account: str, journal: Journal
) -> Observer:
    return Observer(
        session.market,
        account,
        journal,
        keys_ahead=settings.keys_ahead,
        confirmations=settings.confirmations,
        finalized=settings.finalized,
    )


@contextmanager
def _told_to_stop(stop: threading.Event) -> Iterator[None]:
    """SIGINT and SIGTERM end the work between two steps."""
    before = {
        number: signal.signal(number, lambda *_: stop.set())
        for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _halted(error: WalrasError) -> int:
    click.echo(f"{click.style('error:', fg='red', bold=True)} {error}", err=True)
    return EXIT_HALTED
