"""What a clearer shows of itself while it runs: metrics for Prometheus, health for a supervisor."""

from walras.monitor.health import Health, ask
from walras.monitor.metrics import Metrics
from walras.monitor.server import application, serve, watching

__all__ = ["Health", "Metrics", "application", "ask", "serve", "watching"]
