"""n runs as arrays: propose, solve, retest, learn, retest, decide."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from argus_gym.curriculum import draws
from argus_gym.curriculum.agreement import agree
from argus_gym.curriculum.batch import Batch, Pairs
from argus_gym.curriculum.chains import Chances, Paths, chances, paths, right_chances
from argus_gym.curriculum.columns import Columns
from argus_gym.curriculum.draws import Stream, place
from argus_gym.curriculum.learner import Latent, Rates, plant
from argus_gym.curriculum.measures import measures, oracle
from argus_gym.curriculum.posed import (
    CHAIN_WORDS,
    CONFABULATED_TOKENS,
    HOTTER,
    Posed,
    pose,
)
from argus_gym.curriculum.retesting import Block, ask, items
from argus_gym.curriculum.settings import Settings
from argus_gym.curriculum.steering import Steering
from argus_gym.defences import Defence
from argus_gym.evidence import Decider
from argus_gym.gauges import GAUGES
from argus_gym.problems import FAMILIES, MAX_STEPS
from argus_gym.records import RoundRecord, Verdict, encode

__all__ = ["Runs", "Solved"]

DEMOTED = 0.05
ANCHOR_STEPS = 6
DRAFTS = 8
"""Problems a proposer can write before it keeps one."""

_ACCURACY, _SKILL = GAUGES.index("anchor_accuracy"), GAUGES.index("skill")
Log = Callable[[int, str, Any, str], None]


@dataclass(frozen=True, slots=True, eq=False)
class Solved:
    """R solved problems, every array of shape ``(R,)``."""

    cell: np.ndarray
    visit: np.ndarray
    outcome: np.ndarray
    process: np.ndarray
    combined: np.ndarray
    variety: np.ndarray
    answer: np.ndarray
    path: np.ndarray
    false: np.ndarray
    tokens: np.ndarray


class Runs:
    """The state of n runs, and what their steps and round ends do.

    Args:
        count: Number of runs, n.
        settings: What they have in common.
    """

    def __init__(self, count: int, settings: Settings) -> None:
        s = self.settings = settings
        self.count, self.families, self.total = count, s.families, s.rounds * s.problems_per_round
        self.key = np.zeros(count, np.uint64)
        self.round, self.pos = np.zeros((2, count), np.int64)
        self.low = np.full(count, s.frontier[0])
        self.visits = np.zeros((count, s.families * MAX_STEPS), np.int32)
        self.cell, self.visit = np.zeros((2, self.total, count), np.int32)
        self.false = np.zeros((self.total, count), bool)
        self.answer = np.zeros((self.total, count), np.uint8)
        self.path = np.zeros((self.total, count), np.uint32)
        self.pair_weight = np.zeros((self.total, count))
        self.scores = np.zeros((4, s.problems_per_round, count))
        self.tokens, self.target = np.zeros((2, s.problems_per_round, count), np.int32)
        self.map = Columns(count, s.families)
        self.start = s.start
        self.spread = self.start.difficulty_spread
        self.rates = Rates(self.start, count)
        self.latent = Latent.draw(self.key, s.families, self.total, self.start)
        self.before, self.certified = self.latent.copy(), self.latent.copy()
        self.batch = Batch(count, s.problems_per_round, self.total, s.replay_share)
        self.gauges = np.full((count, len(GAUGES)), np.nan)
        self.favourite = np.zeros(count, np.int64)
        self.drafts = np.ones(count, np.int64)
        self.spent = np.zeros(count, np.int64)
        self.undone = np.ones(count, bool)
        self.accuracy = np.zeros(count)
        self.steering = Steering(self)
        self.deciders: list[Decider] | None = None
        self.histories: list[list[RoundRecord]] | None = None
        self.log: Log | None = None

    # A run

    def reset(self, rows: np.ndarray, key: np.ndarray) -> None:
        """Start new runs; nothing of the last ones survives.

        Args:
            rows: Which, shape ``(m,)``.
            key: Their keys, shape ``(m,)``.
        """
        s = self.settings
        self.key[rows] = key
        for column in (self.round, self.pos, self.spent, self.visits):
            column[rows] = 0
        self.low[rows] = s.frontier[0]
        self.map.reset(rows)
        self.rates.reset(rows)
        fresh = Latent.draw(key, s.families, self.total, self.start)
        for state in (self.latent, self.before, self.certified):
            state.put(rows, fresh, np.arange(len(rows)))
        self.batch.reset(rows)
        self.gauges[rows] = np.nan
        self.favourite[rows] = key % np.uint64(len(FAMILIES))
        self.undone[rows] = True
        self.drafts[rows] = 1
        self.steering.reset(rows)
        if self.histories is not None:
            for row in rows.tolist():
                self.histories[row] = []
        if s.reward_mode == "oracle":
            self.accuracy[rows] = self.true_accuracy(rows)

    def true_accuracy(self, rows: np.ndarray) -> np.ndarray:
        """Return the chance of a right chain over two problems of each kind of 1 to 6 steps."""
        number = 2 * ANCHOR_STEPS * self.families
        run, item = np.repeat(rows, number), np.tile(np.arange(number), len(rows))
        family, steps = item % self.families, item // self.families % ANCHOR_STEPS + 1
        at = place(Stream.REPORT, 0, item)
        posed = pose(self.key[run], at, family, steps, self.spread)
        truth: np.ndarray = oracle(posed, self.latent, run).reshape(-1, number).mean(1)
        return truth

    # A step

    def play(self, rows: np.ndarray, family: np.ndarray, steps: np.ndarray) -> Solved:
        """Propose and solve one problem in each of the runs ``rows``."""
        target, (family, steps) = family, self.proposed(rows, family, steps)
        cell = family * MAX_STEPS + steps - 1
        solved = self.solve(rows, cell, self.visits[rows, cell])
        self.enter(rows, target, solved)
        return solved

    def proposed(
        self, rows: np.ndarray, family: np.ndarray, steps: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return family and steps of what the proposer writes when asked for these."""
        adherence = self.rates.adherence[rows]
        if (adherence < 1.0).any():
            at = place(Stream.PROPOSAL, self.round[rows], self.pos[rows])
            u = draws.uniforms(draws.words(self.key[rows], at, 2))
            own = (u[0] >= adherence) & ~self.steering.active[Defence.EXTERNAL_CONTEXT][rows]
            scores = self.latent.proposals[rows].reshape(len(rows), -1)
            mass = np.exp(scores - scores.max(1, keepdims=True)).cumsum(1)
            drawn = (mass <= (u[1] * mass[:, -1])[:, None]).sum(1)
            family = np.where(own, drawn // MAX_STEPS, family)
            steps = np.where(own, drawn % MAX_STEPS + 1, steps)
        if not self.steering.armed:
            return family, steps
        steps = np.minimum(steps + self.steering.active[Defence.HARDER][rows], MAX_STEPS)
        for _ in range(self.families - 1):
            family = (family + (self.map.barred[rows, family] > 0)) % self.families
        return family, steps

    def solve(self, rows: np.ndarray, cell: np.ndarray, visit: np.ndarray) -> Solved:
        """Return what the learners make of the ``visit``-th problem of a kind in this round."""
        s, key = self.settings, self.key[rows]
        family = cell // MAX_STEPS
        if (self.drafts[rows] > 1).any():
            visit = self._surest(rows, cell, visit)
        at = self.address(self.round[rows], cell, visit)
        posed = pose(key, at, family, cell % MAX_STEPS + 1, self.spread)
        false = posed.luck < self.latent.false_premises[rows]
        hot: np.ndarray | bool = False
        if self.steering.armed:
            false &= ~self.steering.active[Defence.REJECT_PREMISES][rows]
            hot = self.steering.active[Defence.RAISE_TEMPERATURE][rows]
        drawn = self.chains(self.latent, rows, posed, at, false, s.k, hot)
        salt = draws.words(key, at + np.uint64(CHAIN_WORDS - 1), 1)[0]
        agreed = agree(drawn, posed, salt)
        return Solved(
            cell=cell,
            visit=visit,
            outcome=agreed.outcome,
            process=agreed.process,
            combined=s.weight * agreed.outcome + (1.0 - s.weight) * agreed.process,
            variety=agreed.variety,
            answer=agreed.answer,
            path=agreed.best,
            false=false,
            tokens=np.where(false, CONFABULATED_TOKENS, posed.tokens),
        )

    def address(self, round_: np.ndarray, cell: np.ndarray, visit: np.ndarray) -> np.ndarray:
        """Return where the draws of a problem begin."""
        size = DRAFTS * self.settings.problems_per_round
        return place(Stream.PROBLEM, round_, cell * size + visit)

    def _surest(self, rows: np.ndarray, cell: np.ndarray, visit: np.ndarray) -> np.ndarray:
        """Return which of its drafts of a problem each proposer keeps: the likeliest solved."""
        size, family = self.settings.problems_per_round, cell // MAX_STEPS
        best, chance = visit, np.full(len(rows), -1.0)
        for draft in range(int(self.drafts[rows].max())):
            at = self.address(self.round[rows], cell, visit + draft * size)
            posed = pose(self.key[rows], at, family, cell % MAX_STEPS + 1, self.spread)
            right = right_chances(posed.magnitudes, self.latent.skill[rows, family]).prod(0)
            better = (right > chance) & (draft < self.drafts[rows])
            best = np.where(better, visit + draft * size, best)
            chance = np.where(better, right, chance)
        return best

    def chains(
        self,
        latent: Latent,
        rows: np.ndarray,
        posed: Posed,
        at: np.ndarray,
        false: np.ndarray,
        k: int,
        hot: np.ndarray | bool = False,
    ) -> Paths:
        """Draw k chains for each of some problems, at a raised temperature where ``hot``."""
        seen = self.seen(latent, rows, posed)
        diversity = latent.diversity[rows]
        if hot is not False:
            diversity = np.where(hot, HOTTER * diversity, diversity)
        return paths(self.key[rows], at, seen, diversity, false, k)

    def seen(self, latent: Latent, rows: np.ndarray, posed: Posed) -> Chances:
        """Return what problems look like to the learners ``rows``."""
        family = posed.family
        return chances(posed, latent.skill[rows, family], latent.bias[rows, family])

    def enter(self, rows: np.ndarray, target: np.ndarray, solved: Solved) -> None:
        """Enter a solved problem of each of the runs ``rows`` in store and map."""
        cell = solved.cell
        s, family, visit = self.settings, cell // MAX_STEPS, self.visits[rows, cell]
        self.visits[rows, cell] = visit + 1
        low = self.low[rows]
        every: np.ndarray | slice = rows
        pos = self.pos[rows]
        self.pos[rows] = pos + 1
        at = self.round[rows] * s.problems_per_round + pos
        if len(rows) == self.count and (at == at[0]).all():
            # All runs are at the same problem, as they mostly are: whole rows are written faster.
            at, pos, every = at[0], pos[0], slice(None)
        self.cell[at, every] = cell
        self.visit[at, every] = solved.visit
        self.false[at, every] = solved.false
        self.answer[at, every] = solved.answer
        self.path[at, every] = solved.path
        frontier = (solved.combined >= low) & (solved.combined <= s.frontier[1])
        weight = solved.combined
        if self.steering.armed:
            weight = self.weighted(rows, family, weight)
        self.pair_weight[at, every] = np.where(frontier, weight, -1.0)
        self.write_scores(pos, every, solved, target)
        self.map.scored(rows, family, solved.outcome, solved.combined, frontier)

    def write_scores(self, pos: Any, rows: Any, solved: Solved, target: np.ndarray) -> None:
        """Write what a round's record needs of some of its problems."""
        outcome, process, combined, variety = self.scores
        outcome[pos, rows], process[pos, rows] = solved.outcome, solved.process
        combined[pos, rows], variety[pos, rows] = solved.combined, solved.variety
        self.tokens[pos, rows], self.target[pos, rows] = solved.tokens, target

    def weighted(self, rows: np.ndarray, family: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """Return pair weights as the defences in force want them."""
        weight = weight.copy()
        for at in np.flatnonzero(self.steering.active[Defence.DEMOTE][rows]).tolist():
            if int(family[at]) in self.steering.defences[int(rows[at])].clusters(Defence.DEMOTE):
                weight[at] *= DEMOTED
        accuracy = self.gauges[rows, _ACCURACY]
        known = self.steering.active[Defence.ANCHOR_WEIGHT][rows] & ~np.isnan(accuracy)
        return np.where(known, weight * accuracy, weight)

    # A round's end

    def end_round(self, rows: np.ndarray) -> tuple[Pairs, Block, list[Verdict | None], np.ndarray]:
        """Retest, learn, retest and decide in the runs ``rows``, whose rounds are full.

        Returns:
            The learning steps' pairs, the retested items, the gates' verdicts and the rewards of
            the reward modes that are paid at a round's end, shape ``(m,)``.
        """
        s, round_ = self.settings, self.round[rows]
        self.before.put(rows, self.latent, rows)
        if s.mechanism is not None:
            for row in rows[round_ >= s.onset].tolist():
                favourite = int(self.favourite[row])
                drafts = plant(self.latent, self.rates, row, s.mechanism, s.severity, favourite)
                self.drafts[row] = min(drafts, DRAFTS)
        pairs = self.batch.draw(self, rows)
        self.batch.learn(self, rows, pairs)
        block = ask(self, *items(self, rows))
        self.gauges[rows] = measures(self, rows, pairs, block)
        verdicts: list[Verdict | None] = [None] * len(rows)
        if self.deciders is not None:
            from argus_gym.curriculum.judging import judge

            block = judge(self, rows, pairs, block, verdicts)
            self.gauges[rows] = measures(self, rows, pairs, block)
        self._settle(rows, pairs, verdicts)
        self.map.retested(block.rows, block.family, self.delta(block))
        self.map.end_round(rows)
        return pairs, block, verdicts, self._rewards(rows, verdicts)

    def begin_round(self, rows: np.ndarray) -> None:
        """Go on to the next round in the runs ``rows``."""
        s = self.settings
        slid = s.frontier[0] + s.verifier_strength * self.gauges[rows, _SKILL]
        self.low[rows] = np.minimum(slid, s.frontier[1])
        self.round[rows] += 1
        self.pos[rows] = 0
        self.visits[rows] = 0
        self.steering.begin_round(rows)

    @property
    def anchors(self) -> int:
        """Number of anchors: one of each family with 1 to 6 steps."""
        return ANCHOR_STEPS * self.families

    def delta(self, block: Block) -> np.ndarray:
        """Return each item's paired difference, in [-1, 1]."""
        delta: np.ndarray = (block.right[1] - block.right[0]) / self.settings.retest_chains
        return delta

    def _settle(self, rows: np.ndarray, pairs: Pairs, verdicts: Sequence[Verdict | None]) -> None:
        """Keep or take back the learning steps."""
        self.batch.commit(rows, pairs)
        self.undone[rows] = False
        for row, verdict in zip(rows.tolist(), verdicts, strict=True):
            if verdict is None:
                continue
            one = np.array([row])
            if verdict.decision == "REFUSE":
                past = self.certified if verdict.target == "certified" else self.before
                self.latent.blend(one, past, np.array([verdict.severity]))
                if verdict.target == "certified":
                    self.batch.go_back(row)
                else:
                    self.batch.retract(row)
                self.undone[row] = True
            elif verdict.decision == "COMMIT_CERTIFIED":
                self.certified.put(one, self.latent, one)
                self.batch.certify(row)
            self.note(row, f"verdict.{verdict.rule}", encode(verdict.statistics), verdict.decision)

    def _rewards(self, rows: np.ndarray, verdicts: Sequence[Verdict | None]) -> np.ndarray:
        s, mode = self.settings, self.settings.reward_mode
        if mode == "oracle":
            now = self.true_accuracy(rows)
            gain, self.accuracy[rows] = now - self.accuracy[rows], now
            return np.asarray(gain)
        if mode == "consensus":
            return np.zeros(len(rows))
        name = "anchor_delta" if mode == "anchor" else "past_delta"
        delta = self.gauges[rows, GAUGES.index(name)]
        if mode == "anchor":
            paid = self.spent[rows] + s.spend <= s.budget
            self.spent[rows] += np.where(paid, s.spend, 0)
            delta = np.where(paid, delta, 0.0)
        refused = np.array([v is not None and v.decision == "REFUSE" for v in verdicts], bool)
        return np.where(refused, 0.0, delta)

    def note(self, row: int, event: str, because: Any, action: str) -> None:
        """Tell the log, if there is one."""
        if self.log is not None and row == 0:
            self.log(int(self.round[0]), event, because, action)
