"""Walras: sealed batch auctions whose contract checks the auctioneer."""

from importlib.metadata import version

__all__ = ["__version__"]

__version__: str = version("walras")
