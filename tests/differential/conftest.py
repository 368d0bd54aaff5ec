from tests.contract.fixtures import bench, chain, opened_bench

__all__ = ["bench", "chain", "opened_bench"]
