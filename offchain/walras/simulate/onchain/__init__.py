"""Days of trading through a market on a private Anvil: the other venue of the simulator."""

from walras.simulate.onchain.market import ChainMarket

__all__ = ["ChainMarket"]
