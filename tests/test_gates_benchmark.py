"""The benchmark of the gates, in small."""

import json

import pytest
from rich.console import Console

from argus_gym.benchmarks import gates
from argus_gym.run_data import InputError


def test_arms_hold_every_rule_and_stack():
    from argus_gym.wrappers.rules import RULES

    assert set(gates.ARMS) == {"nothing", *RULES, "stack v3.4", "stack v3.5", "stack v4"} - {
        "never"
    }


@pytest.fixture(scope="module")
def small():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gates, "QUICK", 1)
        patch.setattr(gates, "ARMS", ("nothing", "certified", "stack v4"))
        yield gates.run(seed=3, quick=True, worlds=("placebo", "quiet"), workers=2)


def test_the_gate_refuses_the_placebo_and_leaves_the_model_better_off(small):
    found = {(f["world"], f["arm"]): f for f in small["figures"]}
    bare, gated = found["placebo", "nothing"], found["placebo", "certified"]
    assert bare["refusals"] == 0 and gated["refusals"] >= 3
    (placebo,) = [row for row in small["placebo"] if row["arm"] == "certified"]
    assert placebo["5 points"]["count"] >= 1
    assert gated["answers"] > bare["answers"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gates, "ARMS", ("nothing", "certified", "stack v4"))
        console = Console(width=200)
        with console.capture() as capture:
            for table in gates.tables(small):
                console.print(table)
    assert "Learning steps refused, placebo arm" in capture.get()


def test_a_play_is_a_function_of_its_arguments_and_keeps_every_step():
    one = gates.play("forgetting", 2, 2.0, "cliff", "certified")
    assert json.dumps(one) == json.dumps(gates.play("forgetting", 2, 2.0, "cliff", "certified"))
    assert len(one["accuracy"]) == 16 and len(one["steps"]) == 15
    refused = [at for at, step in enumerate(one["steps"]) if step[2] == "REFUSE"]
    assert refused and min(refused) >= one["onset"]
    for at in refused:
        before, after, _ = one["steps"][at]
        assert one["accuracy"][at] == before
        assert one["accuracy"][at + 1] > after


def test_figures_by_hand():
    runs = [
        {
            "accuracy": [0.5, 0.5, 0.7],
            "steps": [[0.5, 0.39, "REFUSE"], [0.5, 0.7, "COMMIT"]],
            "answers": 10,
            "tokens": 100,
        },
        {
            "accuracy": [0.5, 0.4, 0.4],
            "steps": [[0.5, 0.39, "COMMIT"], [0.4, 0.4, "REFUSE"]],
            "answers": 20,
            "tokens": 200,
        },
        {"failed": "KeyError"},
    ]
    bare = [{"accuracy": [0.5, 0.4, 0.6]}, {"accuracy": [0.5, 0.4, 0.3]}, {"accuracy": [0.5, 0.5]}]
    found = gates._figures(runs, bare)
    assert (found["n"], found["failed"]) == (2, 1)
    assert found["final"]["mean"] == pytest.approx(0.05)
    assert found["gained"]["mean"] == pytest.approx(0.1)
    assert found["area"]["mean"] == pytest.approx((1.7 / 3 + 1.3 / 3) / 2 - 0.5)
    assert (found["refusals"], found["answers"], found["tokens"]) == (1, 15, 150)
    steps = gates._steps({"w x 0": runs[0], "w x 1": runs[1], "w y 0": runs[0]}, "x")
    assert (steps["false"]["count"], steps["false"]["n"]) == (1, 2)
    assert (steps["5 points"]["count"], steps["5 points"]["n"]) == (1, 2)
    assert (steps["10 points"]["count"], steps["10 points"]["n"]) == (1, 2)


def test_unknown_worlds_are_named():
    with pytest.raises(InputError, match="did you mean 'placebo'"):
        gates.run(worlds=["placebos"])
