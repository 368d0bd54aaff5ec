"""Strategies that trade in the simulator; yours is a class with the methods of ``Agent``."""

from walras.simulate.agents.arbitrageur import Arbitrageur
from walras.simulate.agents.base import (
    BPS,
    Agent,
    Cancel,
    Endowment,
    Seal,
    View,
    address_of,
    dice_of,
)
from walras.simulate.agents.institution import Institution
from walras.simulate.agents.maker import Maker, PairMaker, Quoting
from walras.simulate.agents.noise import Noise
from walras.simulate.agents.switcher import Switcher

__all__ = [
    "BPS",
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
    "Switcher",
    "View",
    "address_of",
    "dice_of",
]
