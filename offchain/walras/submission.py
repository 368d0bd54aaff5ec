"""What one account wants in a batch: its words, its bytes and what they cost (SPEC §2)."""

from __future__ import annotations

from walras.auths import Auth, Cost, Cover, Leg, Limits, Step, Submission, Term, cover
from walras.capacity import least_units, word_gas
from walras.decoding import Decoded, VoidReason, decode
from walras.encoding import encode
from walras.errors import OrderError
from walras.numbers import MAX_UNITS
from walras.sealing import SEAL_OVERHEAD

__all__ = [
    "Auth",
    "Cost",
    "Cover",
    "Decoded",
    "Leg",
    "Limits",
    "Step",
    "Submission",
    "Term",
    "VoidReason",
    "cover",
    "decode",
    "encode",
    "required_units",
    "word_gas",
]


def required_units(
    submission: Submission, *, home: int | None, ciphertext_length: int | None = None
) -> int:
    """Least capacity units under which ``submission`` passes rules 2, 4, 5 and 8 and can be sealed.

    Raises OrderError if it needs more than one seal may declare.
    """
    if ciphertext_length is None:
        ciphertext_length = SEAL_OVERHEAD + len(encode(submission))
    units = least_units(submission, ciphertext_length, home)
    if units > MAX_UNITS:
        raise OrderError(
            f"the submission needs {units} capacity units, {MAX_UNITS} is the most one seal may "
            "declare; use fewer auths, costs, legs or steps"
        )
    return units
