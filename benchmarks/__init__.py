"""The engine beside the libraries, judged by one evaluator: `python -m benchmarks [--quick]`."""
