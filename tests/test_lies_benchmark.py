"""The benchmark of the detectors, in small."""

import json

import pytest
from rich.console import Console

from argus_gym.benchmarks import lies
from argus_gym.benchmarks.lies_figures import cell_figures
from argus_gym.benchmarks.lies_tables import tables
from argus_gym.benchmarks.markdown import markdown
from argus_gym.benchmarks.worlds import WORLDS
from argus_gym.run_data import InputError

WATCHED = ("hallucination", "finished_plateau", "placebo")


@pytest.fixture(scope="module")
def small():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lies, "QUICK", lies.Size(4, 2, 2, 0))
        yield lies.run(seed=5, quick=True, worlds=WATCHED, workers=2)


def test_the_result_does_not_depend_on_the_workers(small, monkeypatch):
    monkeypatch.setattr(lies, "QUICK", lies.Size(4, 2, 2, 0))
    alone = lies.run(seed=5, quick=True, worlds=WATCHED, workers=1)
    assert json.dumps(alone) == json.dumps(small)


def test_a_planted_failure_is_caught_named_and_admitted(small):
    (cell,) = [c for c in small["cells"] if c["world"] == "hallucination"]
    assert cell["runs"] == cell["begun"] == 2 and cell["failed"] == {}
    for stack in ("v3.4", "v3.5", "v4"):
        assert cell["stacks"][stack]["typed"]["3"]["count"] == 2
    assert cell["named"] == {"F": 2} and cell["right_name"]["share"] == 1
    assert cell["duel"]["typed"]["n"] == 2 and set(cell["amoc"]) == {"typed", "generic"}


def test_what_lies_about_nothing_is_judged_by_its_alarms(small):
    for world in ("finished_plateau", "placebo"):
        (cell,) = [c for c in small["cells"] if c["world"] == world]
        assert "stacks" not in cell and cell["alarmed"]["v4"]["n"] == 2
    (placebo,) = [c for c in small["cells"] if c["world"] == "placebo"]
    assert placebo["alarmed"]["v4"]["count"] == 2
    assert placebo["admission"]["accuracy"]["high"] < 0 < placebo["admission"]["epi_train"]["low"]


def test_quiet_runs_and_calibration_are_on_different_seeds(small):
    assert small["calibration"]["seeds"] == [10_000, 10_003] and small["quiet"]["n"] == 2
    assert len(small["calibration"]["sha256"]) == 64
    assert small["calibration"]["shipped"]["hallucination"] == 0.45


def test_every_table_reads(small):
    console = Console(width=160)
    titles = []
    for table in tables(small):
        with console.capture() as capture:
            console.print(table)
        titles.append(table.title)
        text = markdown(table)
        assert text.count("\n| ") == table.row_count + 2
        assert all(line.count(" |") == len(table.columns) for line in text.splitlines()[2:-1])
        assert "nan" not in capture.get()
    assert any("sudden onset" in title for title in titles)
    assert any("against the twin" in title for title in titles)


def test_one_stack_alone(small):
    only = tables({**small, "stacks": ["v3.4"]})
    assert all("v4" not in str(column.header) for table in only for column in table.columns)


def test_the_full_suite_has_runs_enough_behind_its_rates():
    worlds = {name: world() for name, world in WORLDS.items()}
    cells = list(lies.cells(worlds, lies.FULL))
    assert lies.FULL.quiet >= 456 and len({(c.world, c.severity, c.shape) for c in cells}) == len(
        cells
    )
    planted = [c for c in cells if WORLDS[c.world].kind == "planted" and c.severity != "twin"]
    assert len(planted) == 5 * 14
    for cell in (c for c in cells if c.severity != "twin"):
        main = cell.severity == "medium" and cell.shape == "cliff"
        assert cell.runs >= (200 if main else 60)


def test_failed_runs_are_counted_and_cost_nothing_else():
    cell = lies.Cell("forgetting", "medium", "cliff", 3)
    runs = {seed: {"failed": "KeyError: 'x'"} for seed in range(3)}
    figures = cell_figures(cell, WORLDS["forgetting"](), runs, {}, {}, {})
    assert figures["failed"] == {"KeyError: 'x'": 3} and "stacks" not in figures


def test_unknown_stacks_and_worlds_are_named():
    with pytest.raises(InputError, match=r"--stack must be one of .* or all, got 'v5'"):
        lies.run(stack="v5")
    with pytest.raises(InputError, match="did you mean 'drift'"):
        lies.run(worlds=["drifft"])
