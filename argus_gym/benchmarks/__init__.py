"""Benchmarks: each suite is a module with ``run(...) -> dict`` and ``table(result)``."""
