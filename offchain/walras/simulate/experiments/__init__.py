"""The claims of the flow-trading literature that a simulation can test, one module each.

`uniqueness`: one outcome, whoever computes it. `continuity`: prices move no further than orders do.
`splitting`: two halves of an order are the order. `speed`: being faster within a batch is worth
nothing, and sniping stale quotes next to nothing.
"""

from walras.simulate.experiments.continuity import Continuity, continuity, marginal
from walras.simulate.experiments.speed import Race, arrival_order, race_in_batches, race_in_book
from walras.simulate.experiments.splitting import Split, splitting
from walras.simulate.experiments.uniqueness import Uniqueness, uniqueness

__all__ = [
    "Continuity",
    "Race",
    "Split",
    "Uniqueness",
    "arrival_order",
    "continuity",
    "marginal",
    "race_in_batches",
    "race_in_book",
    "splitting",
    "uniqueness",
]
