"""Ways a batch can go of which a campaign must have seen each, told from the books at a call."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from tests.reference import phases
from tests.stateful.ghost import Ghost

WAYS: Final = (
    "written ahead, settled so",
    "written ahead, finished by another, applied",
    "written ahead, partly restored, finished, applied",
    "written ahead, restored, begun again, settled",
    "written ahead, void, restored, the next opened",
    "restoring paid",
)
# only where much stands
STANDING_WAYS: Final = ("written ahead, void, left by others",)
# too seldom to ask for in some dozen sequences
RARE: Final = frozenset((WAYS[2], *STANDING_WAYS))


class Trail:
    """What has happened to the batch that was opened last, as far as it matters here."""

    def __init__(self) -> None:
        self.marks: set[str] = set()

    def follow(self, name: str, sender: str, before: Ghost, after: Ghost) -> Iterator[str]:
        """The ways that end with this accepted call."""
        marks = self.marks
        if after.round.number != before.round.number:
            if "void" in marks:
                yield WAYS[4]
            marks.clear()
        if name == "verify" and after.round.settled:
            yield from self._settled(sender, before, after)
        if name == "applyChunk" and not after.due:
            yield from (way for way in WAYS if way in marks)
        if name == "pause" and before.ahead:
            yield STANDING_WAYS[0]
        if name == "restoreChunk":
            if before.round.closed and after.round.pot < before.round.pot:
                yield WAYS[5]
            if not after.ahead:
                marks.add("void" if after.round.closed else "restored")

    def _settled(self, sender: str, before: Ghost, after: Ghost) -> Iterator[str]:
        if before.phase(before.round.number) == phases.CLEARING:
            if before.ahead:
                yield WAYS[0]
            if before.ahead and "restored" in self.marks:
                yield WAYS[3]
            return
        written = {o for piece in after.pieces if piece.ahead for o in piece.owners}
        if written and not written & set(after.due) and sender != after.terms["operator"]:
            self.marks.add(WAYS[1])
        if written & set(after.due) and written - set(after.due):
            self.marks.add(WAYS[2])
