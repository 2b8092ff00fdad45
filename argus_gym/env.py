"""``ArgusSelfImprove-v0``: one self-improvement loop as a state machine over text."""

from collections.abc import Sequence
from typing import Any, Literal

import gymnasium as gym
import numpy as np

from argus_gym import answers, consensus, premise, render
from argus_gym.buffer import Buffer
from argus_gym.capability_map import CapabilityMap, hashed_words
from argus_gym.defences import LOCKOUT, Defence, Defences, Order
from argus_gym.evidence import Decider, Evidence
from argus_gym.examples import Examples
from argus_gym.gauges import observe
from argus_gym.ledger import Ledger
from argus_gym.planner import make as make_planner
from argus_gym.pools import Pools, draw_pools
from argus_gym.records import (
    Chain,
    LearnReport,
    ProblemRecord,
    Proposal,
    RoundRecord,
    Solve,
    TrainingPair,
    Value,
    Verdict,
    decode,
    encode,
)
from argus_gym.retests import Answered, Item, RetestBlock, Side, draw_items, draw_more
from argus_gym.rounds import Round
from argus_gym.scoring import proposer_reward, rarest_agreed, unfit_chains
from argus_gym.settings import check_settings
from argus_gym.spaces import (
    MAX_K,
    MAX_PROBLEM_CHARS,
    ActionSpace,
    Phase,
    observation_space,
    read_action,
)

__all__ = ["ArgusSelfImprove"]

MAX_INVALID = 100
HOTTER, WIDER, DEMOTED = 1.3, 1.25, 0.05
Action = str | Proposal | Solve | LearnReport
STREAMS = ("planner", "context", "ties", "retest", "split")


class ArgusSelfImprove(gym.Env[dict[str, Any], Any]):
    """One self-improvement loop: propose, solve, score, retest, learn, retest.

    A round is ``problems_per_round`` times PROPOSE and SOLVE, a block of RETEST, one LEARN and the
    same block of RETEST again. The observation's ``phase`` says what is expected:

    * PROPOSE (0): a problem as ``str`` or :class:`~argus_gym.records.Proposal`. Reward 0.
    * SOLVE (1): ``k`` chains, as a list of ``str`` or :class:`~argus_gym.records.Chain`, or a
      :class:`~argus_gym.records.Solve`. Reward ``combined``, in [0, 1].
    * RETEST (2): chains for an earlier problem or an anchor. Reward 0.
    * LEARN (3): a :class:`~argus_gym.records.LearnReport` on ``info["training_pairs"]``. Reward 0.

    A well-typed action that does not fit leaves the state as it is, costs ``penalty`` and is
    explained in ``info["invalid"]``. ``info["round"]`` holds the :class:`~argus_gym.records.
    RoundRecord` of a round that just ended. The run is truncated after the last round and
    terminated after 100 invalid actions in a row.

    Args:
        rounds: Rounds a run, >= 1.
        problems_per_round: Problems a round, >= 1.
        k: Chains a problem, in [1, 64].
        clusters: Clusters of the capability map, >= 2.
        frontier: Lower and upper edge of the frontier in ``combined``, ``0 <= low < high <= 1``.
        verifier_strength: How far the lower edge slides up with skill (0.2 in v3.4), in [0, 1].
        weight: Weight of the outcome in ``combined``, in [0, 1].
        process: How steps are compared, ``aligned`` or ``jaccard``.
        planner: Name of a planner in :mod:`argus_gym.planner`.
        anchor_items: Anchors in a retest block, >= 0.
        past_items: Earlier problems in a retest block, >= 0.
        retest_chains: Chains for each retested item, in [1, 64].
        external_rate: How often the proposer's example comes from outside, in [0, 1].
        blind_spot_rate: How often it otherwise is a problem that got worse, in [0, 1].
        replay_share: Replayed pairs as a share of a learning step, in [0, 1).
        epi_weighting: Weigh training pairs by how unlikely their chain was as well.
        anchors: Problems with known answers, never trained on and never shown to the proposer;
            drawn from :mod:`argus_gym.problems` at reset where ``None``.
        external: Problems for external examples; drawn at reset where ``None``.
        penalty: Reward of an invalid action, <= 0.
        render_mode: ``ansi``, ``rgb_array`` or ``None``.

    Raises:
        ValueError: If an argument is outside its range.
    """

    metadata = {"render_modes": ["ansi", "rgb_array"], "render_fps": 4}  # noqa: RUF012

    def __init__(
        self,
        rounds: int = 15,
        problems_per_round: int = 64,
        k: int = 14,
        clusters: int = 10,
        frontier: tuple[float, float] = (0.4, 0.8),
        verifier_strength: float = 0.2,
        weight: float = 0.5,
        process: Literal["aligned", "jaccard"] = "aligned",
        planner: str = "most_learnable",
        anchor_items: int = 8,
        past_items: int = 8,
        retest_chains: int = 8,
        external_rate: float = 0.35,
        blind_spot_rate: float = 0.5,
        replay_share: float = 0.25,
        epi_weighting: bool = False,
        anchors: Sequence[tuple[str, Value]] | None = None,
        external: Sequence[str] | None = None,
        penalty: float = -0.1,
        render_mode: str | None = None,
    ) -> None:
        check_settings(locals(), tuple(self.metadata["render_modes"]))
        low, high = frontier
        self.rounds, self.problems_per_round, self.k = rounds, problems_per_round, k
        self.frontier, self.verifier_strength = (float(low), float(high)), verifier_strength
        self.weight, self.process, self.epi_weighting = weight, process, epi_weighting
        self.anchor_items, self.past_items = anchor_items, past_items
        self.retest_chains, self.penalty = retest_chains, float(penalty)
        self.external_rate, self.blind_spot_rate = external_rate, blind_spot_rate
        self.render_mode = render_mode
        self._given = (anchors, external)
        self._planner = make_planner(planner)
        self._replay_share = replay_share
        self._clusters = clusters
        self.map = CapabilityMap(clusters)
        self.buffer = Buffer(replay_share=replay_share)
        self.ledger = Ledger()
        self.history: list[RoundRecord] = []
        self.defences = Defences()
        self.decider: Decider | None = None
        self.observation_space = observation_space(clusters)
        self.action_space = ActionSpace()
        self._over = True

    # The run

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Start a new run; nothing of the last one survives.

        Args:
            seed: Seed of every draw in the run.
            options: Not used.
        """
        super().reset(seed=seed)
        streams = self.np_random.spawn(len(STREAMS) + 1)
        self._rng = dict(zip(STREAMS, streams, strict=False))
        anchors, external = self._given
        self._pools = draw_pools(streams[-1], anchors, external)
        self.map = CapabilityMap(self._clusters)
        self.buffer = Buffer(replay_share=self._replay_share)
        self.ledger = Ledger()
        self.history = []
        self.defences = Defences()
        self._certified: list[TrainingPair] = []
        self._examples = Examples()
        self._last_after: dict[str, Answered] = {}
        self._over, self._streak = False, 0
        self._gauges, self._measured = observe(None, 0, self.rounds)
        self._begin_round()
        return self._observe(), {}

    def step(self, action: Any) -> tuple[dict[str, Any], float, bool, bool, dict[str, Any]]:
        """Take one action of the phase the last observation named.

        Raises:
            TypeError: If the action has none of the accepted types.
            ResetNeeded: If the run is over.
        """
        if self._over:
            raise gym.error.ResetNeeded("the run is over: call reset() before step()")
        value = read_action(action)
        self._defend()
        if self._phase is Phase.PROPOSE:
            reward, info = self._propose(value)
        elif self._phase is Phase.SOLVE:
            reward, info = self._solve(value)
        elif self._phase is Phase.RETEST:
            reward, info = self._retest(value)
        else:
            reward, info = self._learn(value)
        terminated = False
        if "invalid" in info:
            self._round.invalid += 1
            self._streak += 1
            if self._streak >= MAX_INVALID:
                terminated = self._over = True
                self.ledger.add(
                    len(self.history), "run.stopped", f"{MAX_INVALID} invalid actions", "terminate"
                )
        else:
            self._streak = 0
        if self._phase is Phase.LEARN:
            info["training_pairs"] = self._round.batch
        elif self._phase is Phase.RETEST:
            info["retest"] = {
                "weights": self._side,
                "index": self._index,
                "items": len(self._todo),
            }
            if self._index == 0:
                info["retest"]["problems"] = tuple(item.problem for item in self._todo)
        truncated = len(self.history) >= self.rounds
        self._over |= truncated
        return self._observe(), reward, terminated, truncated, info

    def render(self) -> Any:
        """Return the capability map and the timeline as text or as an image of shape (h, w, 3)."""
        if self.render_mode is None:
            gym.logger.warn("render() was called without a render_mode; give one to gym.make()")
            return None
        view = render.View(
            round=len(self.history),
            rounds=self.rounds,
            phase=self._phase.name,
            columns=self._columns,
            history=self.history,
        )
        return render.ansi(view) if self.render_mode == "ansi" else render.rgb_array(view)

    def order(self, order: Order) -> bool:
        """Ask for a defence before the next action; return whether it is free to be used."""
        return self.defences.order(order, len(self.history))

    def grade(self, chain: Chain, item: Item) -> bool:
        """Return whether a retested chain is right; override it for a grader of your own."""
        return answers.right(chain, item.answer)

    @property
    def report_pool(self) -> tuple[tuple[str, Value], ...]:
        """Problems with answers for the report at the end: never trained on, never retested."""
        return self._pools.report

    # Phases

    def _begin_round(self) -> None:
        skill = self.history[-1].skill if self.history else 0.0
        low, high = self.frontier
        slid = low if np.isnan(skill) else low + self.verifier_strength * skill
        self._round = Round(len(self.history), (min(slid, high), high))
        self._todo: list[Item] = []
        self._columns = self.map.arrays()
        self._request = self._requested()
        self._begin_problem()

    def _requested(self) -> tuple[float, float]:
        """Return k and the temperature to ask for, as the defences in force want them."""
        wider = WIDER if self._active(Defence.HARDER) else 1.0
        hotter = HOTTER if self._active(Defence.RAISE_TEMPERATURE) else 1.0
        return float(min(round(self.k * wider), MAX_K)), hotter

    def _active(self, defence: Defence) -> bool:
        return self.defences.active(defence, len(self.history))

    def _defend(self) -> None:
        """Carry out what the detectors ordered since the last action."""
        index = len(self.history)
        for order, carried in self.defences.take(index):
            if carried and order.defence is Defence.DECAY_REPLAY:
                self.buffer.decay()
            elif carried and order.defence is Defence.ROLLBACK:
                self.buffer.retract()
                self._last_after = {}
            elif carried and order.defence is Defence.EXCLUDE:
                for cluster in order.clusters:
                    self.map.exclude(cluster, LOCKOUT)
            elif carried and order.defence is Defence.UNDO:
                self.defences.undo(index)
            self.ledger.add(
                index,
                f"defence.{order.defence}",
                {"by": order.by, "clusters": list(order.clusters)},
                "carried out" if carried else "locked",
            )

    def _begin_problem(self) -> None:
        self._phase = Phase.PROPOSE
        self._problem = ""
        self._target = self._planner.choose(self._columns, self._rng["planner"])
        outside = 1.0 if self._active(Defence.EXTERNAL_CONTEXT) else self.external_rate
        self._context, self._source = self._examples.draw(
            self._target,
            self._pools.external,
            (outside, self.blind_spot_rate),
            self._rng["context"],
        )

    def _propose(self, value: Action) -> tuple[float, dict[str, Any]]:
        if not isinstance(value, str | Proposal):
            return self._refuse("PROPOSE expects a problem as text", value)
        text = value if isinstance(value, str) else value.text
        if not text.strip():
            return self._refuse("the problem is empty")
        if len(text) > MAX_PROBLEM_CHARS:
            return self._refuse(f"the problem has {len(text)} characters, {MAX_PROBLEM_CHARS} fit")
        verdict = premise.check(value) if isinstance(value, str) else value.premise
        if not verdict.ok and self._active(Defence.REJECT_PREMISES):
            return self._refuse(f"false premise: {verdict.reason}")
        self._problem, self._premise = text, verdict
        self._request = self._requested()
        self._phase = Phase.SOLVE
        return 0.0, {"premise": self._premise}

    def _solve(self, value: Action) -> tuple[float, dict[str, Any]]:
        k = int(self._request[0])
        reason = unfit_chains(value, k)
        if reason:
            return self._refuse(reason)
        assert isinstance(value, Solve)
        try:
            cluster = self.map.assign(_embedding(self._problem, value))
        except ValueError as error:
            return self._refuse(str(error))
        scored = self._consensus(value)
        zone = consensus.zone(scored.combined, *self._round.edges)
        self.map.scored(cluster, scored.outcome, scored.combined, zone)
        self._columns = self.map.arrays()
        record = ProblemRecord(
            problem=self._problem,
            cluster=cluster,
            target=self._target,
            zone=zone,
            outcome=scored.outcome,
            process=scored.process,
            combined=scored.combined,
            answer=scored.answer,
            premise=self._premise,
            length_mean=scored.length_mean,
            length_sd=scored.length_sd,
            variety=scored.variety,
            source=self._source,
        )
        self._round.scored.append(record)
        self._round.spend("solve", scored)
        if self._problem not in self._pools.reserved:
            if zone == "frontier":
                self.buffer.add(self._pair(scored, cluster))
            item = Item(self._problem, scored.answer, cluster, False)
            self._examples.solved(item, zone == "frontier")
        reward = scored.combined
        info = {
            "scored": record,
            "proposer_reward": proposer_reward(self._premise.ok, scored, self._round.edges),
        }
        if len(self._round.scored) < self.problems_per_round:
            self._begin_problem()
        else:
            self._begin_retests()
        return reward, info

    def _pair(self, scored: consensus.Consensus, cluster: int) -> TrainingPair:
        """Return a frontier problem's training pair, as the defences in force want it."""
        chain, weight = scored.chains[scored.best], scored.combined
        if self._active(Defence.KEEP_RARE):
            chain = rarest_agreed(scored)
        if self._active(Defence.DEMOTE) and cluster in self.defences.clusters(Defence.DEMOTE):
            weight *= DEMOTED
        if self._active(Defence.ANCHOR_WEIGHT) and self.history:
            accuracy = self.history[-1].gauges["anchor_accuracy"]
            weight *= 1.0 if np.isnan(accuracy) else accuracy
        return TrainingPair(self._problem, chain, weight, cluster, len(self.history))

    def _begin_retests(self) -> None:
        counts = (self.anchor_items, self.past_items)
        items = draw_items(self._rng["retest"], self._pools.anchors, self._examples.past, counts)
        self._block = RetestBlock(items, self.retest_chains, self._last_after)
        self._problem = self._context = ""
        self._side: Side = "before"
        self._begin_side("before")
        if not self._todo:
            self._begin_learning()

    def _begin_side(self, side: Side) -> None:
        self._side, self._todo, self._index = side, self._block.open(side), 0
        if self._todo:
            self._phase, self._problem = Phase.RETEST, self._todo[0].problem

    def _next_side(self) -> dict[str, Any]:
        """Go on after one side of the block is answered; return the step's info."""
        if self._side == "before" and not self._round.learnt:
            self._begin_learning()
            return {}
        if self._side == "before":
            self._begin_side("after")
            return {} if self._todo else self._judge()
        return self._judge()

    def _judge(self) -> dict[str, Any]:
        """Ask the gate, if there is one, and end the round or answer more retests first."""
        if self.decider is None:
            return self._end_round(None)
        asked = {item.problem for item in self._block.items}
        anchors = (Item(problem, answer, -1, True) for problem, answer in self._pools.anchors)
        pools = {True: anchors, False: self._examples.past}
        fresh = {
            known: [item for item in pool if item.problem not in asked]
            for known, pool in pools.items()
        }
        retests = self._block.compared()
        answer = self.decider(
            Evidence(
                round=len(self.history),
                retests=retests,
                gauges=self._round.gauges(retests),
                history=tuple(self.history),
                fresh=tuple(item.problem for item in fresh[True]),
                answers=self._round.answers["retest"],
                tokens=self._round.tokens["retest"],
                fresh_past=tuple(item.problem for item in fresh[False]),
            )
        )
        if isinstance(answer, Verdict):
            return self._end_round(answer)
        items = draw_more(self._rng["retest"], fresh[answer.anchors], answer)
        if not items:
            raise ValueError(f"the gate asked for {answer} and there are no such items left")
        self._block.extend(items)
        self._begin_side("before")
        return {}

    def _retest(self, value: Action) -> tuple[float, dict[str, Any]]:
        reason = unfit_chains(value, self.retest_chains)
        if reason:
            return self._refuse(reason)
        assert isinstance(value, Solve)
        item, located = self._todo[self._index], self._block.located
        if item.cluster < 0 and item.problem not in located:
            try:
                located[item.problem] = self.map.locate(_embedding(item.problem, value))
            except ValueError as error:
                return self._refuse(str(error))
        scored = self._consensus(value)
        right = sum(self.grade(chain, item) for chain in scored.chains)
        self._block.answer(self._side, item, Answered(right, scored.outcome))
        self._round.spend("retest", scored)
        self._index += 1
        if self._index < len(self._todo):
            self._problem = self._todo[self._index].problem
            return 0.0, {}
        return 0.0, self._next_side()

    def _begin_learning(self) -> None:
        self._phase, self._problem = Phase.LEARN, ""
        self._round.batch = self.buffer.batch(self._rng["split"], self.epi_weighting)

    def _learn(self, value: Action) -> tuple[float, dict[str, Any]]:
        if not isinstance(value, LearnReport):
            return self._refuse("LEARN expects a LearnReport", value)
        self._round.report, self._round.learnt = value, True
        self._begin_side("after")
        return 0.0, {} if self._todo else self._judge()

    def _settle(self, verdict: Verdict | None) -> None:
        """Keep or quarantine the step's pairs, and remember whose answers can be used again."""
        pairs, report, index = self._round.batch, self._round.report, len(self.history)
        self._last_after = self._block.answers("after")
        if verdict is not None and verdict.decision == "REFUSE":
            if verdict.target == "certified":
                self.buffer.replay = list(self._certified)
            self.buffer.quarantine(pairs)
            self._last_after = {}
        elif np.isfinite(report.train[0]) and not np.isfinite(report.train[1]):
            self.buffer.quarantine(pairs)
            self.ledger.add(index, "learn.diverged", encode(report), "quarantine")
        else:
            self.buffer.commit(pairs)
            if verdict is not None and verdict.decision == "COMMIT_CERTIFIED":
                self._certified = list(self.buffer.replay)
        if verdict is not None:
            self.ledger.add(
                index, f"verdict.{verdict.rule}", encode(verdict.statistics), verdict.decision
            )

    def _end_round(self, verdict: Verdict | None) -> dict[str, Any]:
        index = len(self.history)
        self._settle(verdict)
        retests = self._block.compared()
        for item, test in zip(self._block.items, retests, strict=True):
            self.map.retested(test.cluster, test.delta)
            if not item.anchor and test.delta < 0:
                self._examples.regressed(item)
        skill = self.map.skill()
        self.map.end_round()
        self._columns = self.map.arrays()
        record = self._round.record(
            retests, skill, self._columns, self._request, self.defences.in_force(index), verdict
        )
        self.history.append(record)
        self._gauges, self._measured = observe(record, index + 1, self.rounds)
        self.ledger.add(
            index,
            "round.ended",
            {"mean_reward": record.mean_reward, "trained": record.trained},
        )
        self._begin_round()
        return {"round": record} if verdict is None else {"round": record, "verdict": verdict}

    def _consensus(self, value: Solve) -> consensus.Consensus:
        tie = int(self._rng["ties"].integers(2**63))
        return consensus.score(value.chains, self.weight, self.process, tie)

    def _refuse(self, reason: str, value: Any = None) -> tuple[float, dict[str, Any]]:
        if value is not None:
            reason = f"{reason}, got {type(value).__name__}"
        return self.penalty, {"invalid": reason}

    def _observe(self) -> dict[str, Any]:
        k, temperature = self._request
        if self._phase is Phase.RETEST:
            # The same ruler in every round, whatever defence is in force.
            k, temperature = float(self.retest_chains), 1.0
        return {
            "phase": int(self._phase),
            "problem": self._problem,
            "context": self._context,
            "target": self._target,
            "capability_map": {name: column.copy() for name, column in self._columns.items()},
            "request": np.array((k, temperature), np.float32),
            "gauges": self._gauges.copy(),
            "measured": self._measured.copy(),
        }

    # Checkpoints

    def state(self) -> dict[str, Any]:
        """Return everything a run is made of, JSON-ready.

        Raises:
            RuntimeError: If a round is under way.
        """
        if self._phase is not Phase.PROPOSE or self._round.scored or self._round.invalid:
            raise RuntimeError("state() is legal at the start of a round only")
        return {
            "rng": {name: rng.bit_generator.state for name, rng in self._rng.items()},
            "pools": encode(self._pools),
            "map": self.map.state(),
            "buffer": self.buffer.state(),
            "ledger": self.ledger.state(),
            "history": encode(self.history),
            "examples": self._examples.state(),
            "last_after": encode(self._last_after),
            "defences": self.defences.state(),
            "certified": encode(self._certified),
            "next": [self._target, self._context, self._source],
        }

    def load_state(self, state: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Restore what :meth:`state` returned; return observation and info to continue from."""
        if self._over:
            self.reset(seed=0)
        for name, saved in state["rng"].items():
            self._rng[name].bit_generator.state = saved
        self._pools = decode(Pools, state["pools"])
        self.map.load_state(state["map"])
        self.buffer.load_state(state["buffer"])
        self.ledger.load_state(state["ledger"])
        self.history = [decode(RoundRecord, r) for r in state["history"]]
        self._examples.load_state(state["examples"])
        self._last_after = {p: decode(Answered, a) for p, a in state["last_after"].items()}
        self.defences.load_state(state["defences"])
        self._certified = [decode(TrainingPair, pair) for pair in state["certified"]]
        rng = {name: generator.bit_generator.state for name, generator in self._rng.items()}
        self._begin_round()
        for name, saved in rng.items():
            self._rng[name].bit_generator.state = saved
        self._target, self._context, self._source = state["next"]
        last = self.history[-1] if self.history else None
        self._gauges, self._measured = observe(last, len(self.history), self.rounds)
        self._over, self._streak = len(self.history) >= self.rounds, 0
        return self._observe(), {} if last is None else {"round": last}


def _embedding(problem: str, solve: Solve) -> np.ndarray:
    return hashed_words(problem, 128) if solve.embedding is None else solve.embedding
