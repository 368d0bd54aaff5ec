"""The command line of bidders and operators: `walras …`."""

from walras.cli.app import main

__all__ = ["main"]
