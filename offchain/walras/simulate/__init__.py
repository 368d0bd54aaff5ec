"""A market without a chain, for people who design strategies.

    run = simulate(PRESETS["day"], seed=7)
    print(report(run).summary)

Agents send submissions; the real engine clears them, the integer certificate checks and the
settlement applies them, so ledgers, progress and references move exactly as on chain.
"""

from walras.simulate.report import Report, report
from walras.simulate.run import Run, play, simulate
from walras.simulate.scenario import PRESETS, Scenario, read_scenario

__all__ = ["PRESETS", "Report", "Run", "Scenario", "play", "read_scenario", "report", "simulate"]
