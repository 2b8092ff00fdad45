"""ERCVGate in the real environment, with the real simulated agent."""

import json
import math
import pickle

import gymnasium as gym
import numpy as np
import pytest
from scipy import stats

import argus_gym  # noqa: F401
from argus_gym.agents import Dynamics, Oracle, SimulatedAgent, rollout
from argus_gym.agents.mechanisms import PlantedAgent
from argus_gym.records import LearnReport, Verdict, encode
from argus_gym.wrappers.gate import ERCVGate
from argus_gym.wrappers.rules import RULES

ID = "ArgusSelfImprove-v0"
QUICK = {"rounds": 4, "problems_per_round": 12}
STILL = Dynamics(
    learning=0.0,
    unlearning=0.0,
    sharpening=0.0,
    transfer=0.0,
    interference=0.0,
    style=0.0,
    memory=0.0,
    bias_gain=0.0,
    shift=0.0,
)
DAMAGE = Dynamics(learning=0.0, unlearning=0.3)
WRECK = Dynamics(learning=0.0, unlearning=1.5)


def play(seed, dynamics=None, kwargs=None, agent=None, **gate):
    env = gym.make(ID, **(kwargs or {}))
    env = ERCVGate(env, **gate) if gate.get("rule") else env
    agent = agent or SimulatedAgent(seed, dynamics, parsed=True)
    start = env.reset(seed=seed)
    texts = [text for text, _ in env.unwrapped.report_pool]
    oracle = Oracle(agent) if texts else None
    before = oracle.true_accuracy(texts) if oracle else math.nan
    result = rollout(env, agent, start=start)
    after = oracle.true_accuracy(texts) if oracle else math.nan
    return result, 100 * (after - before), env


def test_identical_weights_are_not_refused_beyond_alpha():
    verdicts = [v for seed in range(5) for v in play(seed, STILL, rule="certified")[0].verdicts]
    cliffs = [v for v in verdicts if v.decision == "REFUSE" and v.target == "before"]
    drifts = [v for v in verdicts if v.decision == "REFUSE" and v.target == "certified"]
    assert len(verdicts) == 5 * 15 and {v.decision for v in verdicts} != {"UNDECIDED"}
    assert stats.binomtest(len(cliffs), 75, 0.05, alternative="greater").pvalue > 0.01
    assert len(drifts) <= 1


def test_damage_is_refused_and_true_accuracy_kept():
    seeds = range(100, 104)
    lost = [play(seed, DAMAGE)[1] for seed in seeds]
    kept = [play(seed, DAMAGE, rule="certified") for seed in seeds]
    assert np.mean(lost) < -15
    assert np.mean([change for _, change, _ in kept]) > -8
    for result, _, env in kept:
        refused = [v for v in result.verdicts if v.decision == "REFUSE"]
        assert refused
        assert {v.target for v in refused} <= {"before", "certified"}
        entries = [e for e in env.unwrapped.ledger if e["event"] == "verdict.certified"]
        assert [e["action"] for e in entries] == [v.decision for v in result.verdicts]
        assert [r.verdict for r in result.rounds] == list(result.verdicts)


def test_a_refused_step_leaves_weights_and_buffer_as_they_were():
    class Refuser(SimulatedAgent):
        taken = None

        def learn(self, pairs):
            self.taken = self.latent.state()
            return super().learn(pairs)

    agent = Refuser(3, DAMAGE, parsed=True)
    seen = []

    def on_round(record):
        if record.verdict.decision == "REFUSE" and record.verdict.target == "before":
            seen.append(agent.latent.state() == agent.taken)

    env = ERCVGate(gym.make(ID), rule="hill_climb")
    rollout(env, agent, seed=3, on_round=on_round)
    assert seen and all(seen)
    assert len(env.unwrapped.buffer.quarantined) > 0


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("evidence", [None, "anchors", "consensus"])
def test_every_rule_runs_on_every_evidence(rule, evidence):
    result, _, env = play(1, kwargs=QUICK, rule=rule, evidence=evidence)
    assert len(result.verdicts) == 4 and all(v.rule == rule and v.reason for v in result.verdicts)
    for verdict, record in zip(result.verdicts, result.rounds, strict=True):
        assert verdict.answers == record.answers["retest"] > 0
        assert verdict.tokens == record.tokens["retest"] > 0
        json.dumps(encode(verdict), allow_nan=False)
        assert 0 <= verdict.severity <= 1
        blind = "blind to shared misconceptions" in verdict.reason
        assert blind == (env.rule.evidence == "consensus")


def test_the_gate_reads_no_more_than_the_anchors_there_are():
    few = [(f"Ann has {n} pens and buys 2 more. How many pens has she?", n + 2) for n in range(9)]
    result, _, _ = play(1, kwargs={**QUICK, "anchors": few}, rule="certified")
    assert all(sum(t.anchor for t in r.retests) <= 9 for r in result.rounds)


NOBODY_KNOWS = [(f"What is my number, called {n}?", 10**9 + n) for n in range(20)]


@pytest.mark.parametrize(
    ("kwargs", "reason"),
    [
        ({"anchors": [], "anchor_items": 0, "past_items": 0}, "nothing was retested"),
        ({"anchors": NOBODY_KNOWS[:1]}, "one retest decides nothing"),
        ({"anchors": NOBODY_KNOWS}, "failed before and after"),
    ],
)
@pytest.mark.parametrize("rule", ["certified", "mcnemar", "hill_climb", "pace"])
def test_bad_input_is_undecided_in_the_ledger(kwargs, reason, rule):
    result, _, env = play(0, kwargs={**QUICK, **kwargs}, rule=rule)
    assert {v.decision for v in result.verdicts} == {"UNDECIDED"}
    assert all(reason in v.reason for v in result.verdicts)
    entries = [e for e in env.unwrapped.ledger if e["event"] == f"verdict.{rule}"]
    assert [e["action"] for e in entries] == ["UNDECIDED"] * 4


def test_a_learner_that_reports_nothing():
    class Silent(SimulatedAgent):
        def learn(self, pairs):
            super().learn(pairs)
            return LearnReport()

    for rule, outcome in (("v3.4", "UNDECIDED"), ("published", "UNDECIDED"), ("certified", None)):
        result, _, _ = play(0, kwargs=QUICK, agent=Silent(0, parsed=True), rule=rule)
        decisions = {v.decision for v in result.verdicts}
        if outcome:
            assert decisions == {outcome}
            assert all("no epi gain" in v.reason for v in result.verdicts)
        else:
            assert decisions & {"COMMIT", "COMMIT_CERTIFIED", "REFUSE"}
            assert all("was not measured" in v.reason for v in result.verdicts)


def test_the_trained_agent_never_reaches_the_gate():
    class Spy(SimulatedAgent):
        seen: set[str] = set()

        def propose(self, obs, info):
            self.seen |= set(info)
            assert not {"verdict", "round", "lies"} & set(info)
            assert set(obs) == {
                "phase", "problem", "context", "target", "capability_map", "request", "gauges",
                "measured",
            }  # fmt: skip
            return super().propose(obs, info)

        def solve(self, problem, k):
            assert isinstance(problem, str)
            return super().solve(problem, k)

        def learn(self, pairs):
            assert all(type(p).__name__ == "TrainingPair" for p in pairs)
            return super().learn(pairs)

    spy = Spy(0, parsed=True)
    result, _, env = play(0, kwargs=QUICK, agent=spy, rule="certified")
    assert len(result.verdicts) == 4 and spy.seen <= {"scored", "proposer_reward", "invalid"}
    anchors = {text for text, _ in env.unwrapped._pools.anchors}
    trained = {p.problem for p in (*env.unwrapped.buffer.replay, *env.unwrapped.buffer.quarantined)}
    assert not anchors & trained


def test_two_gates_are_an_error():
    env = ERCVGate(ERCVGate(gym.make(ID, **QUICK), rule="never"))
    with pytest.raises(ValueError, match="has a gate already"):
        env.reset(seed=0)


def test_reset_starts_the_rule_anew():
    env = ERCVGate(gym.make(ID, **QUICK))
    first = rollout(env, SimulatedAgent(2, parsed=True), seed=2).verdicts
    assert env.state()["rates"]
    again = rollout(env, SimulatedAgent(2, parsed=True), seed=2).verdicts
    assert repr(again) == repr(first)
    env.reset(seed=2)
    assert env.state()["rates"] is None and env.state()["rounds"] == 4


def test_it_is_rebuilt_from_its_spec_and_from_a_pickle():
    env = ERCVGate(
        gym.make(ID, **QUICK), rule="certified", alpha=0.1, options={"every": 2, "screen": 0.4}
    )
    for other in (gym.make(env.spec), pickle.loads(pickle.dumps(env))):
        gate = other
        while not isinstance(gate, ERCVGate):
            gate = gate.env
        assert (gate.rule.alpha, gate.rule.every, gate.rule.screen) == (0.1, 2, 0.4)
        ours = rollout(env, SimulatedAgent(1, parsed=True), seed=1)
        theirs = rollout(other, SimulatedAgent(1, parsed=True), seed=1)
        assert repr(ours.verdicts) == repr(theirs.verdicts)
    env.reset(seed=1)
    running = pickle.loads(pickle.dumps(env))
    assert running.unwrapped.decider.__self__ is running


def test_it_continues_from_its_state():
    kwargs = {"rounds": 6, "problems_per_round": 24}
    saved, points, seen = {}, {}, []

    def on_round(record):
        seen.append(record)
        saved[len(seen)] = json.dumps(
            [env.unwrapped.state(), env.state(), agent.snapshot(), agent._seen.tolist(), points]
        )

    env = ERCVGate(gym.make(ID, **kwargs), options={"every": 2})
    agent = SimulatedAgent(3, WRECK, parsed=True)
    whole = rollout(env, agent, seed=3, points=points, on_round=on_round).verdicts
    assert {v.target for v in whole if v.decision == "REFUSE"} == {"before", "certified"}
    for at in (1, 2, 4):
        base, gate, latent, known, kept = json.loads(saved[at])
        other, fresh = (
            SimulatedAgent(9, WRECK, parsed=True),
            ERCVGate(gym.make(ID, **kwargs), options={"every": 2}),
        )
        fresh.reset(seed=77)
        start = fresh.unwrapped.load_state(base)
        fresh.load_state(gate)
        other.restore(latent)
        other._seen = np.array(known)
        rest = rollout(fresh, other, start=start, points=kept).verdicts
        assert repr(rest) == repr(whole[at:])


def test_it_works_inside_vector_environments():
    envs = gym.make_vec(ID, 2, wrappers=[lambda env: ERCVGate(env, rule="v3.4")], **QUICK)
    envs.reset(seed=[1, 2])
    gates = [env.unwrapped.decider.__self__ for env in envs.envs]
    assert all(isinstance(gate, ERCVGate) for gate in gates) and gates[0] is not gates[1]
    envs.close()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rule": "certfied"}, "certified"),
        ({"rule": "certified", "alpha": 1.0}, "alpha must be in"),
        ({"rule": "certified", "evidence": "truth"}, "evidence must be one of"),
        ({"rule": "certified", "options": {"every": 0}}, "every must be"),
        ({"rule": "never", "options": {"budget": 3}}, "has the options"),
    ],
)
def test_bad_arguments_are_named(options, message):
    with pytest.raises(ValueError, match=message):
        ERCVGate(gym.make(ID, **QUICK), **options)


@pytest.mark.parametrize("lost", ["missing", "unreadable"])
def test_a_rollback_without_a_snapshot_keeps_the_weights_and_says_so(lost):
    class Forgetful(PlantedAgent):
        def restore(self, snapshot, blend=1.0):
            if lost == "unreadable" and self.done:
                raise FileNotFoundError("snapshot-7.safetensors")
            super().restore(snapshot, blend)

    class Refuse(gym.Wrapper):
        def step(self, action):
            out = self.env.step(action)
            if "round" in out[4]:
                agent.done = True
                if lost == "missing":
                    points.clear()
                out[4]["verdict"] = Verdict("REFUSE", "mine", out[4]["round"].round, severity=1.0)
            return out

    env = gym.make("argus_gym:ArgusSelfImprove-v0", rounds=2, problems_per_round=16)
    agent, points = Forgetful(0), {}
    agent.done = False
    result = rollout(Refuse(env), agent, seed=0, points=points)
    assert result.summary["unrestored"] == 2 and len(result.rounds) == 2
    told = [entry for entry in env.unwrapped.ledger if entry["event"] == "rollback.impossible"]
    assert [entry["action"] for entry in told] == ["weights kept"] * 2
    assert told[0]["because"] == {"rule": "mine", "target": "before", "severity": 1.0}
