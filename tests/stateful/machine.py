"""Anybody does anything to a market, in any order; at the end everybody leaves with everything."""

from tests.stateful.batch_moves import BatchMoves
from tests.stateful.escrow_moves import EscrowMoves


class MarketMachine(EscrowMoves, BatchMoves):
    """All moves. Each makes its calls through `World.attempt`: to the contract and to the ghost."""
