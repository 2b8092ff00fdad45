"""The benchmark of the detectors, in small."""

import json

import pytest
from rich.console import Console

from argus_gym.benchmarks.lies import ONSET, first_alarms, run, table


def test_a_planted_failure_is_caught_by_its_own_detector():
    alarms = first_alarms("F", seed=3)
    assert ONSET <= alarms["F"] <= ONSET + 2


def test_counts_add_up_whatever_the_number_of_workers():
    one, two = (run(seed=5, runs=1, quiet=2, workers=workers) for workers in (1, 2))
    assert json.dumps(one, allow_nan=False) == json.dumps(two, allow_nan=False)
    assert one["quiet"]["n"] == 2 and set(one["mechanisms"]) == set("ABCDEFGHIJK")
    for found in one["mechanisms"].values():
        within = found["within"]
        assert 0 <= within["1"] <= within["3"] <= within["5"] <= found["n"] == 1
        assert found["named_first"] <= found["spoke"] <= 1
    console = Console(width=160)
    with console.capture() as capture:
        console.print(table(one))
    assert "any alarm" in capture.get()


def test_bad_counts_are_named():
    with pytest.raises(ValueError, match="runs and quiet must be at least 1, got 0"):
        run(runs=0)
