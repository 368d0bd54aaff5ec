"""What a clearer did, or would do, in words."""

from __future__ import annotations

from typing import Any

from walras.cli.output import clock, facts, say
from walras.words import counted

__all__ = ["show_decisions", "show_status"]


def show_decisions(taken: list[dict[str, Any]]) -> None:
    """What was done, in the order of it."""
    for decision in taken:
        say(_in_words(decision))


def show_status(data: dict[str, Any]) -> None:
    """What `walras clearer status` found."""
    batch = data["batch"]
    last = (
        f"{batch['number']} with {counted(batch['live'], 'account')}, "
        f"{counted(batch['units'], 'unit')}"
        f"{', settled' if batch['settled'] else ''}{', void' if batch['closed'] else ''}"
        f"{', key published' if batch['key_published'] else ''}"
    )
    facts(
        [
            ("next", _in_words(data["next"], data["now"])),
            ("last sealed batch", last if batch["number"] else "none yet"),
            ("keys registered", ", ".join(map(str, data["keys"])) or "none"),
            ("bond", "full" if data["bond_full"] else "not full"),
            ("account", f"{data['account']}, {data['wei'] / 1e18:.4f} of native currency"),
            *([("daemon", _daemon_in_words(data["daemon"]))] if "daemon" in data else []),
        ]
    )
    for alert in data["alerts"]:
        say(f"! {alert}", "yellow")


def _daemon_in_words(health: dict[str, Any] | None) -> str:
    if health is None:
        return "does not answer: it is not running, or serves no metrics there"
    if health["halted"]:
        return f"halted: {health['halted']}"
    since = f"last step {health['seconds_since_step']:.0f} s ago"
    failures = f", {counted(health['failures'], 'failure')} in a row" if health["failures"] else ""
    return f"{'healthy' if health['healthy'] else 'stuck'}, {since}{failures}"


def _in_words(decision: dict[str, Any], now: int | None = None) -> str:
    match decision:
        case {"action": "Wait", "until": until, "reason": reason}:
            return f"wait: {reason}" + (f", next at {clock(until, now)}" if now else "")
        case {"action": "Halt", "reason": reason}:
            return f"halt: {reason}"
        case {"action": action, "batch": batch}:
            words = {
                "Apply": "write the rest of batch",
                "Restore": "take back what is written ahead of void batch",
                "Open": "open batch",
                "RegisterKey": "register the key of batch",
                "Reveal": "publish the key of batch",
                "Settle": "settle batch",
                "CloseVoid": "close void batch",
            }
            return f"{words[action]} {batch}"
    return str(decision)
