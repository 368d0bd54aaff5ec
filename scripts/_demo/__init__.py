"""The parts of the demonstration; `scripts/demo.py` plays them in order."""
