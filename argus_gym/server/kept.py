"""A session's run folder: a checkpoint after each round, so that a killed server's runs go on.

The learner lives with the client, so the folder holds the environment's side only: the client
keeps its own weights at the end of each round.
"""

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import gymnasium as gym

import argus_gym
from argus_gym.checkpoint import RunFolder
from argus_gym.receipt import summarise
from argus_gym.records import RoundRecord, encode
from argus_gym.run import _layers, _load_layers

__all__ = ["KeptRun", "settings"]

NOT_MEASURED = {"samples": 0, "problems": [], "before": [], "after": []}
"""The external report: its problems never leave the server, so nobody was asked."""


def settings(
    episode: str, seed: int, stack: str, arguments: Mapping[str, Any], env: gym.Env[Any, Any]
) -> dict[str, Any]:
    """Return what a run folder notes of the way its run was started."""
    base: Any = env.unwrapped
    return {
        "argus_gym": argus_gym.__version__,
        "seed": seed,
        "rounds": base.rounds,
        "problems": base.problems_per_round,
        "k": base.k,
        "agent": "served",
        "chains": None,
        "planner": arguments.get("planner", "most_learnable"),
        "stack": stack,
        "episode": episode,
        "arguments": encode(arguments),
    }


class KeptRun:
    """One run in its folder, from the start or from its last checkpoint.

    Args:
        path: The folder: a new one with ``config``, an existing one without.
        env: The environment, just reset.
        config: What :func:`settings` returned for a new run.

    Raises:
        InputError: If the folder exists already, is none, is in use, corrupted or finished.
    """

    def __init__(
        self, path: Path, env: gym.Env[Any, Any], config: Mapping[str, Any] | None = None
    ) -> None:
        self._env = env
        self._base: Any = env.unwrapped
        self._open = ExitStack()
        opened = RunFolder.resume(path) if config is None else RunFolder.create(path, config)
        self._folder = self._open.enter_context(opened)
        self._written = 0
        if config is not None:
            try:
                self.keep()
            except BaseException:
                self.close()
                raise

    @property
    def finished(self) -> bool:
        """Whether the run in the folder has ended."""
        return self._folder.data.summary is not None

    def load(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Restore the last checkpoint; return observation and info to continue from."""
        if self._folder.checkpoint is None:
            self.keep()
            return self._base._observe(), {}
        layers = self._folder.load_env()["layers"]
        start: tuple[dict[str, Any], dict[str, Any]]
        start = _load_layers(self._env, layers, self._folder)
        self._written = len(self._folder.data.ledger)
        return start

    def keep(self, record: RoundRecord | None = None) -> None:
        """Write a checkpoint after a round, or before the first."""
        rounds = [] if record is None else [record]
        state = {"layers": _layers(self._env)}
        self._folder.save(rounds, self._base.ledger.lines(self._written), state, lambda path: None)
        self._written = len(self._base.ledger)

    def finish(self, terminated: bool) -> None:
        """End the run: write its summary and let go of the folder."""
        config = self._folder.data.config
        meta = {name: config[name] for name in ("seed", "agent", "planner", "stack", "k")}
        summary = summarise(self._base.history, None, **meta, terminated=terminated)
        self._folder.finish(self._base.ledger.lines(self._written), NOT_MEASURED, summary)
        self.close()

    def close(self) -> None:
        """Let go of the folder, so that the run can be continued elsewhere."""
        self._open.close()
