"""``bench throughput``: every figure is shown, and a results folder has to be new."""

import json

import pytest
from rich.console import Console

from argus_gym.benchmarks import curriculum_speed, throughput
from argus_gym.run_data import InputError

SWEEPS = {"k": (2, 4), "families": (4, 6), "num_envs": (2, 4)}


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(curriculum_speed, "SWEEPS", SWEEPS)


def test_the_sweep_is_drawn_with_a_linear_one_beside_it():
    pytest.importorskip("matplotlib")
    costs = {name: [(2, 0.1), (4, 0.3), (8, 0.4)] for name in SWEEPS}
    figure = throughput.plots({"numeric": {"sweep": costs}})["curriculum_speed"]
    for axis in figure.axes:
        measured, linear = (line.get_xydata().tolist() for line in axis.get_lines())
        assert measured == [[2, 100], [4, 300], [8, 400]]
        assert linear == [[2, 100], [4, 200], [8, 400]]


def test_a_used_folder_is_named(tmp_path):
    with pytest.raises(InputError, match=f"--out {tmp_path}: expected a new folder"):
        throughput.run(out=tmp_path)
    with pytest.raises(ValueError, match="repeats must be at least 1, got 0"):
        throughput.run(repeats=0)


@pytest.mark.slow
def test_every_figure_is_shown_with_its_target(small, tmp_path):
    result = throughput.run(repeats=1, out=tmp_path / "new")
    json.dumps(result, allow_nan=False)
    costs = result["numeric"]["sweep"]
    assert {name: tuple(size for size, _ in points) for name, points in costs.items()} == SWEEPS
    assert all(seconds > 0 for points in costs.values() for _, seconds in points)
    console = Console(width=170)
    with console.capture() as capture:
        console.print(throughput.table(result))
    shown = capture.get()
    for figure in (
        "numeric environment, 1,024 copies, k = 14: steps/s",
        "numeric environment, single: steps/s",
        "times CartPole's in the same run",
        "2 to 4 k (1 is linear)",
        "4 to 6 families (1 is linear)",
        "2 to 4 copies (1 is linear)",
        "detectors and gate",
        ">= 400,000",
        ">= 0.25",
        ">= 0.3",
    ):
        assert figure in shown
    assert f"{result['numeric']['rates']['single']['ratio']:.3f}" in shown
