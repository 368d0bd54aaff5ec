"""Strategies that trade in the simulator; yours is a class with the methods of ``Agent``."""

from walras.simulate.agents.arbitrageur import Arbitrageur
from walras.simulate.agents.base import Agent, Cancel, Endowment, Seal, View, address_of, dice_of
from walras.simulate.agents.institution import Institution
from walras.simulate.agents.maker import Maker, PairMaker, Quoting
from walras.simulate.agents.noise import Noise

__all__ = [
    "Agent",
    "Arbitrageur",
    "Cancel",
    "Endowment",
    "Institution",
    "Maker",
    "Noise",
    "PairMaker",
    "Quoting",
    "Seal",
    "View",
    "address_of",
    "dice_of",
]
