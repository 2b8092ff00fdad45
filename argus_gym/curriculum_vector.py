"""``ArgusCurriculum-v0``, vectorised: n copies of the numeric loop as arrays."""

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.utils import seeding
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from argus_gym.curriculum import draws
from argus_gym.curriculum.board import Board
from argus_gym.curriculum.recording import record
from argus_gym.curriculum.runs import Runs
from argus_gym.curriculum.settings import make_settings
from argus_gym.curriculum.spaces import DEFENCES, action_space, heads, observation_space
from argus_gym.defences import Order
from argus_gym.evidence import Decider
from argus_gym.records import RoundRecord

__all__ = ["ArgusCurriculumVector"]


class ArgusCurriculumVector(VectorEnv[dict[str, np.ndarray], np.ndarray, np.ndarray]):
    """Many copies of :class:`~argus_gym.curriculum_env.ArgusCurriculum`, stepped as arrays.

    Copy i does what a single environment does that was reset with the same seed. An ``int`` seed
    gives copy i the seed :func:`argus_gym.curriculum.draws.copy_seeds` says, so that runs of
    neighbouring seeds share no copies; a list gives each copy its own.

    ``infos`` holds ``reward_mode``, ``outcome``, ``process`` and ``combined`` of each copy's
    problem and ``round_ended``; where records are kept (see :meth:`keep_records`) also ``round``,
    and with a gate ``verdict``. Names with an underscore are Gymnasium's masks.

    Args:
        num_envs: Number of copies, >= 1.
        autoreset_mode: ``NextStep``, ``SameStep`` or ``Disabled``, as a member of
            :class:`gymnasium.vector.AutoresetMode` or its value.
        max_episode_steps: Truncate runs after so many steps as well, >= 1.
        settings: See :class:`argus_gym.curriculum.settings.Settings`.

    Raises:
        ValueError: If an argument is outside its range or two conflict.
    """

    metadata: dict[str, Any] = {"render_modes": [], "autoreset_mode": AutoresetMode.NEXT_STEP}  # noqa: RUF012

    def __init__(
        self,
        num_envs: int = 1,
        *,
        autoreset_mode: str | AutoresetMode = AutoresetMode.NEXT_STEP,
        max_episode_steps: int | None = None,
        **settings: Any,
    ) -> None:
        if num_envs < 1:
            raise ValueError(f"num_envs must be at least 1, got {num_envs}")
        if max_episode_steps is not None and max_episode_steps < 1:
            raise ValueError(f"max_episode_steps must be at least 1, got {max_episode_steps}")
        mode = AutoresetMode(autoreset_mode)
        self.settings = make_settings(settings)
        self.num_envs = num_envs
        self.autoreset_mode = mode
        self.metadata = {**self.metadata, "autoreset_mode": mode}
        self.single_action_space = action_space(self.settings)
        self.single_observation_space = observation_space(self.settings)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.runs = Runs(num_envs, self.settings)
        self.board = Board(num_envs, self.settings)
        self._most = max_episode_steps
        self._heads = heads(self.settings)
        self._all = np.arange(num_envs)
        self._generators: list[np.random.Generator] = []
        self._done = np.zeros(num_envs, bool)
        self._steps = np.zeros(num_envs, np.int64)
        self._true = np.ones(num_envs, bool)
        self._true.flags.writeable = False
        self._modes = np.full(num_envs, self.settings.reward_mode, object)
        self._modes.flags.writeable = False

    @property
    def rounds(self) -> int:
        """Rounds of a run."""
        return self.settings.rounds

    @property
    def histories(self) -> list[list[RoundRecord]]:
        """The rounds of each copy's run so far; empty unless records are kept."""
        return self.runs.histories or [[] for _ in range(self.num_envs)]

    @property
    def deciders(self) -> list[Decider] | None:
        """One gate for each copy, or ``None``; they need records, which setting them keeps."""
        return self.runs.deciders

    @deciders.setter
    def deciders(self, deciders: list[Decider] | None) -> None:
        if deciders is not None:
            self.keep_records()
        self.runs.deciders = deciders

    def keep_records(self) -> None:
        """Build a :class:`~argus_gym.records.RoundRecord` of every round from now on."""
        if self.runs.histories is None:
            self.runs.histories = [[] for _ in range(self.num_envs)]

    def order(self, copy: int, order: Order) -> bool:
        """Ask for a defence in one copy before its next step; return whether it is free."""
        return self.runs.steering.order(copy, order)

    def true_accuracy(self) -> np.ndarray:
        """Return each learner's accuracy in closed form, shape ``(n,)``; for study only."""
        return self.runs.true_accuracy(self._all)

    def reset(
        self,
        *,
        seed: int | list[int | None] | None = None,
        options: dict[str, Any] | None = None,
    ) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Start new runs, in all copies or in those of ``options["reset_mask"]``.

        Raises:
            TypeError: If the mask is not a boolean array.
            ValueError: If it has another length or is empty, or a list of seeds is too short.
        """
        rows = self._masked(options)
        seeds = self._seeds(seed)
        if not self._generators:
            if len(rows) < self.num_envs:
                raise gym.error.ResetNeeded("reset() all copies before resetting some of them")
            self._generators = [np.random.default_rng(0)] * self.num_envs
            seeds = [seeding.np_random(None)[1] if s is None else s for s in seeds]
        for row in rows.tolist():
            if seeds[row] is not None:
                self._generators[row] = seeding.np_random(seeds[row])[0]
        self._begin(rows)
        return self._observe(), {"reward_mode": self._modes, "_reward_mode": self._true}

    def _seeds(self, seed: int | list[int | None] | None) -> list[int | None]:
        if seed is None:
            return [None] * self.num_envs
        if isinstance(seed, int | np.integer):
            if seed < 0:
                raise gym.error.Error(
                    f"Seed must be greater or equal to zero, actual value: {seed}"
                )
            return list(draws.copy_seeds(int(seed), self.num_envs))
        if len(seed) != self.num_envs:
            raise ValueError(
                f"If seeds are passed as a list the length must match num_envs={self.num_envs} "
                f"but got length={len(seed)}."
            )
        return list(seed)

    def _masked(self, options: dict[str, Any] | None) -> np.ndarray:
        if not options or "reset_mask" not in options:
            return self._all
        mask = options["reset_mask"]
        if not isinstance(mask, np.ndarray):
            raise TypeError(f"`options['reset_mask']` must be a numpy array, got {type(mask)}")
        if mask.shape != (self.num_envs,):
            raise ValueError(
                f"`options['reset_mask']` must have shape `({self.num_envs},)`, got {mask.shape}"
            )
        if mask.dtype != np.bool_:
            raise TypeError(f"`options['reset_mask']` must have `dtype=np.bool_`, got {mask.dtype}")
        if not mask.any():
            raise ValueError(
                "`options['reset_mask']` must contain a boolean array with at least one True "
                f"value, got reset_mask={mask}"
            )
        return np.flatnonzero(mask)

    def _begin(self, rows: np.ndarray) -> None:
        key = np.concatenate([draws.keys(self._generators[row], 1) for row in rows.tolist()])
        self.runs.reset(rows, key)
        self.board.refresh(self.runs, rows)
        self._done[rows] = False
        self._steps[rows] = 0

    def step(
        self, actions: np.ndarray
    ) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        """Propose and solve one problem in every copy; at a round's end also retest and learn.

        Raises:
            InvalidAction: If ``actions`` are not in the action space.
            ResetNeeded: If the environment was never reset, or with autoreset disabled a copy is
                finished.
        """
        if not self._generators:
            raise gym.error.ResetNeeded("Cannot call env.step() before calling env.reset()")
        if not self._fits(actions):
            raise gym.error.InvalidAction(f"{actions!r} ({type(actions)}) invalid")
        rows = self._all
        reward = np.zeros(self.num_envs)
        if self._done.any():
            over = np.flatnonzero(self._done)
            if self.autoreset_mode is AutoresetMode.DISABLED:
                raise gym.error.ResetNeeded(
                    f"copies {over.tolist()} are finished: reset() them with `reset_mask` first"
                )
            self._begin(over)
            rows = np.setdiff1d(rows, over, assume_unique=True)
        infos: dict[str, Any] = {"reward_mode": self._modes, "_reward_mode": self._true}
        truncated = np.zeros(self.num_envs, bool)
        if len(rows):
            self._play(rows, np.asarray(actions, np.int64)[rows], reward, truncated, infos)
        observation = self._observe()
        self._done = truncated.copy()
        if self.autoreset_mode is AutoresetMode.SAME_STEP and truncated.any():
            observation, infos = self._reset_now(observation, infos)
        return observation, reward, np.zeros(self.num_envs, bool), truncated, infos

    def _fits(self, actions: Any) -> bool:
        """Return whether these are actions; the space's own check costs a tenth of a step."""
        shape = self.action_space.shape
        if not isinstance(actions, np.ndarray) or actions.shape != shape:
            return False
        most = np.prod(self._heads) if self.settings.actions == "discrete" else self._heads
        fits = actions.dtype.kind in "iu" and (actions >= 0).all() and (actions < most).all()
        return bool(fits)

    def _play(
        self,
        rows: np.ndarray,
        actions: np.ndarray,
        reward: np.ndarray,
        truncated: np.ndarray,
        infos: dict[str, Any],
    ) -> None:
        runs, s = self.runs, self.settings
        chosen = (
            np.stack(np.unravel_index(actions, self._heads), axis=1)
            if s.actions == "discrete"
            else actions
        )
        if s.control:
            self._control(rows, chosen)
        if runs.steering.waiting:
            runs.steering.defend()
            self.board.show_defences(runs, rows)
        solved = runs.play(rows, chosen[:, 0], chosen[:, 1] + 1)
        if s.reward_mode == "consensus":
            reward[rows] = solved.combined
        played = self._true if len(rows) == self.num_envs else np.isin(self._all, rows)
        for name in ("outcome", "process", "combined"):
            infos[name], infos[f"_{name}"] = self._spread(rows, getattr(solved, name)), played
        ended = rows[runs.pos[rows] == s.problems_per_round]
        self._steps[rows] += 1
        if len(ended):
            self._end_round(ended, reward, truncated, infos)
        if self._most is not None:
            truncated[rows] |= self._steps[rows] >= self._most

    def _spread(self, rows: np.ndarray, values: np.ndarray) -> np.ndarray:
        if len(rows) == self.num_envs:
            return values
        out = np.zeros(self.num_envs, values.dtype)
        out[rows] = values
        return out

    def _control(self, rows: np.ndarray, chosen: np.ndarray) -> None:
        """Keep or take back the last step where a round begins; order what the action says."""
        runs = self.runs
        for at in np.flatnonzero((chosen[:, 2] == 1) & (runs.pos[rows] == 0)).tolist():
            runs.steering.refuse(int(rows[at]))
        for at in np.flatnonzero(chosen[:, 3]).tolist():
            defence = DEFENCES[int(chosen[at, 3]) - 1]
            runs.steering.order(int(rows[at]), Order(defence, "agent", (int(chosen[at, 0]),)))

    def _end_round(
        self, ended: np.ndarray, reward: np.ndarray, truncated: np.ndarray, infos: dict[str, Any]
    ) -> None:
        runs = self.runs
        pairs, block, verdicts, paid = runs.end_round(ended)
        reward[ended] += paid
        infos["round_ended"] = infos["_round"] = np.isin(self._all, ended)
        if runs.histories is not None:
            self.board.show_map(runs)
            records = np.full(self.num_envs, None, object)
            for at, row in enumerate(ended.tolist()):
                columns = self.board.map[row]
                made = record(runs, row, pairs, block.of(row), at, columns, verdicts[at])
                runs.histories[row].append(made)
                records[row] = made
            infos["round"] = records
        else:
            del infos["_round"]
        if runs.deciders is not None:
            decided = np.full(self.num_envs, None, object)
            decided[ended] = verdicts
            infos["verdict"], infos["_verdict"] = decided, infos["round_ended"]
        runs.begin_round(ended)
        self.board.refresh(runs, ended)
        truncated[ended] = runs.round[ended] >= self.settings.rounds

    def _reset_now(
        self, observation: dict[str, np.ndarray], infos: dict[str, Any]
    ) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Begin the finished copies' next runs in the same step."""
        over = np.flatnonzero(self._done)
        mask = self._done.copy()
        last = np.full(self.num_envs, None, object)
        for row in over.tolist():
            last[row] = {name: values[row].copy() for name, values in observation.items()}
        self._begin(over)
        final = {"final_obs": last, "_final_obs": mask, "final_info": infos, "_final_info": mask}
        return self._observe(), {**infos, **final}

    def _observe(self) -> dict[str, np.ndarray]:
        return self.board.observe(self.runs)
