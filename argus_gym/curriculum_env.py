"""``ArgusCurriculum-v0``: the self-improvement loop as numbers, one problem a step."""

import operator
from typing import Any

import gymnasium as gym
import numpy as np

from argus_gym.curriculum import draws
from argus_gym.curriculum.board import Board
from argus_gym.curriculum.recording import record, training_pairs
from argus_gym.curriculum.runs import Runs
from argus_gym.curriculum.settings import make_settings
from argus_gym.curriculum.spaces import DEFENCES, action_space, heads, observation_space
from argus_gym.curriculum.stock import Stock
from argus_gym.defences import Order
from argus_gym.evidence import Decider
from argus_gym.ledger import Ledger
from argus_gym.records import RoundRecord

__all__ = ["ArgusCurriculum"]

_ROW = np.zeros(1, np.int64)


class ArgusCurriculum(gym.Env[dict[str, Any], Any]):
    """One self-improvement loop on a simulated learner; a step is one problem.

    The action says which family the next problem comes from and how many steps it has. The
    learner's k chains are drawn, scored and, in the frontier, kept as a training pair. The last
    step of a round also retests anchors and earlier problems, lets the learner train, and retests
    them again; ``info["round"]`` then holds the round's :class:`~argus_gym.records.RoundRecord`,
    so that detectors, gate and monitors wrap this environment as they wrap
    ``ArgusSelfImprove-v0``. A gate's verdict is carried out here. The run is truncated after the
    last round.

    ``info`` holds ``reward_mode``, ``outcome``, ``process`` and ``combined`` of the problem, and at
    a round's end ``round`` and ``training_pairs``, with a gate also ``verdict``.

    Args:
        render_mode: There is nothing to render: ``None``.
        settings: See :class:`argus_gym.curriculum.settings.Settings`.

    Raises:
        TypeError: If there is no such argument, or a render mode is asked for.
        ValueError: If an argument is outside its range or two conflict.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012

    def __init__(self, render_mode: str | None = None, **settings: Any) -> None:
        if render_mode is not None:
            # Stable-Baselines3 asks for a mode and takes a TypeError for "there is none".
            raise TypeError(f"render_mode must be None, got {render_mode!r}")
        s = self.settings = make_settings(settings)
        self.render_mode = None
        self.action_space = action_space(s)
        self.observation_space = observation_space(s)
        self._heads = heads(s)
        self.runs = Runs(1, s)
        self.runs.log = self._log
        self.board = Board(1, s)
        self._layout = tuple(self.board.layout.items())
        self.rounds = s.rounds
        self.decider: Decider | None = None
        self.history: list[RoundRecord] = []
        self.ledger = Ledger()
        self._over = True
        self._stock = Stock(self.runs, self.board)

    def _log(self, round_: int, event: str, because: Any, action: str) -> None:
        self.ledger.add(round_, event, because, action)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Start a new run; nothing of the last one survives.

        Args:
            seed: Seed of every draw in the run.
            options: Not used.
        """
        super().reset(seed=seed)
        self.ledger = Ledger()
        self.history = []
        self.runs.histories = [self.history]
        self.runs.reset(_ROW, draws.keys(self.np_random, 1))
        self.history = self.runs.histories[0]
        self._stock.begin()
        self.board.refresh(self.runs, _ROW)
        self.board.show_map(self.runs)
        self._over = False
        return self._observe(), {"reward_mode": self.settings.reward_mode}

    def step(self, action: Any) -> tuple[dict[str, np.ndarray], float, bool, bool, dict[str, Any]]:
        """Propose and solve one problem; at a round's end also retest and learn.

        Raises:
            InvalidAction: If ``action`` is not in the action space.
            ResetNeeded: If the run is over or was never begun.
        """
        if self._over:
            raise gym.error.ResetNeeded("the run is over: call reset() before step()")
        chosen = self._read(action)
        runs, s = self.runs, self.settings
        if s.control:
            self._control(chosen)
        if runs.steering.waiting:
            self._stock.enter()
            runs.steering.defend()
            self._stock.begin()
            self.board.show_defences(runs, _ROW)
        outcome, process, combined = self._stock.play(chosen[0], chosen[1] + 1)
        info: dict[str, Any] = {
            "reward_mode": s.reward_mode,
            "outcome": outcome,
            "process": process,
            "combined": combined,
        }
        reward = combined if s.reward_mode == "consensus" else 0.0
        if runs.pos[0] == s.problems_per_round:
            reward += self._end_round(info)
        self._over = runs.round[0] >= s.rounds
        return self._observe(), reward, False, bool(self._over), info

    def _read(self, action: Any) -> list[int]:
        """Return an action's heads."""
        if self.settings.actions == "discrete":
            if self.action_space.contains(action):
                return [int(part) for part in np.unravel_index(int(action), self._heads)]
        elif isinstance(action, np.ndarray) and action.shape == (len(self._heads),):
            chosen: list[int] = action.tolist()
            # The space's own check costs as much as the rest of a step.
            fits = min(chosen) >= 0 and all(map(operator.lt, chosen, self._heads))
            if action.dtype.kind in "iu" and fits:
                return chosen
        raise gym.error.InvalidAction(f"{action!r} ({type(action)}) invalid")

    def _control(self, chosen: list[int]) -> None:
        """Keep or take back the last step where a round begins; order what the action says."""
        runs = self.runs
        if chosen[2] and runs.pos[0] == 0 and runs.steering.refuse(0):
            self._stock.begin()
        if chosen[3]:
            runs.steering.order(0, Order(DEFENCES[chosen[3] - 1], "agent", (chosen[0],)))

    def _end_round(self, info: dict[str, Any]) -> float:
        runs = self.runs
        self._stock.enter()
        runs.deciders = None if self.decider is None else [self.decider]
        pairs, block, verdicts, paid = runs.end_round(_ROW)
        self.board.show_map(runs)
        made = record(runs, 0, pairs, block, 0, self.board.map[0], verdicts[0])
        self.history.append(made)
        info["round"] = made
        info["training_pairs"] = training_pairs(runs, 0, pairs, 0)
        if verdicts[0] is not None:
            info["verdict"] = verdicts[0]
        because = {"mean_reward": made.mean_reward, "trained": made.trained}
        self.ledger.add(made.round, "round.ended", because)
        runs.begin_round(_ROW)
        self._stock.begin()
        self.board.refresh(runs, _ROW)
        return float(paid[0])

    def order(self, order: Order) -> bool:
        """Ask for a defence before the next action; return whether it is free to be used."""
        return self.runs.steering.order(0, order)

    def true_accuracy(self) -> float:
        """Return the learner's accuracy in closed form; no detector or gate reads it."""
        return float(self.runs.true_accuracy(_ROW)[0])

    def _observe(self) -> dict[str, np.ndarray]:
        flat = self.board.flat[0].copy()
        return {name: flat[at] for name, at in self._layout}
