"""Stacks, their side-by-side comparison, and the page on writing a detector."""

import json
import re
import subprocess
import sys
from pathlib import Path

import gymnasium as gym
import pytest
from rich.console import Console

from argus_gym.agents import SimulatedAgent, rollout
from argus_gym.agents.mechanisms import PlantedAgent
from argus_gym.comparison import defensive_events, side_by_side
from argus_gym.records import encode
from argus_gym.run import RunConfig, run
from argus_gym.wrappers import DETECTORS, STACKS, stack

ROOT = Path(__file__).parents[1]
SMALL = {"rounds": 4, "problems_per_round": 16, "k": 6}


def make(preset):
    return stack(gym.make("argus_gym:ArgusSelfImprove-v0", **SMALL), preset)


@pytest.mark.parametrize("preset", sorted(STACKS))
def test_every_stack_runs_and_repeats_itself(preset):
    runs = [rollout(make(preset), SimulatedAgent(1, parsed=True), seed=1) for _ in range(2)]
    first, again = (json.dumps(encode([r.rounds, r.lies, r.verdicts])) for r in runs)
    assert first == again
    names = {report.name for report in runs[0].lies}
    lies = {"v3.4": "ABCDEFGH", "v3.5": "ABCDEFGH", "v4": "ABCDEFGHIJKLMN"}.get(preset, "")
    assert {DETECTORS[name].lie for name in names} == set(lies)
    assert len(runs[0].verdicts) == (0 if preset == "no-metacognition" else SMALL["rounds"])


def test_the_bare_loop_is_the_ablation():
    env = gym.make("argus_gym:ArgusSelfImprove-v0", **SMALL)
    assert stack(env, "no-metacognition") is env


def test_an_unknown_stack_is_named_with_the_nearest():
    with pytest.raises(ValueError, match=r"got 'v3\.6'; did you mean 'v3\.\d'"):
        make("v3.6")


def test_refused_pairs_are_quarantined_and_weights_go_back():
    """A harmful learner in the full stack: refusals happen, and nothing refused is replayed."""
    env = stack(gym.make("argus_gym:ArgusSelfImprove-v0", rounds=8), "v4")
    agent = PlantedAgent(2, "I", onset=2, severity=3.0)
    result = rollout(env, agent, seed=2)
    refused = [v.round for v in result.verdicts if v.decision == "REFUSE"]
    assert refused
    buffer = env.unwrapped.buffer
    assert buffer.quarantined
    assert not {p.problem for p in buffer.quarantined} & {p.problem for p in buffer.replay}


def test_side_by_side_shows_what_defended_each_run():
    config = RunConfig(seed=0, rounds=3, problems=12, k=5)
    bare = RunConfig(seed=0, rounds=3, problems=12, k=5, stack="no-metacognition")
    runs = {"v4": run(config), "no-metacognition": run(bare)}
    assert defensive_events(runs["no-metacognition"]) == {}
    console = Console(record=True, width=140, file=None)
    with console.capture() as capture:
        console.print(side_by_side(runs))
    text = capture.get()
    for word in ("external pass@1", "in-loop reward", "defensive events", "no-metacognition"):
        assert word in text


def test_the_page_on_writing_a_detector_is_true(tmp_path):
    page = (ROOT / "docs" / "write_a_detector.md").read_text("utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL)
    script = tmp_path / "page.py"
    script.write_text(code, "utf-8")
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("[nan, nan, nan, 0.")
