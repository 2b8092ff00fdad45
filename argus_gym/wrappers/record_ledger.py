"""Write the ledger to a file while the run goes on."""

from pathlib import Path
from typing import Any

import gymnasium as gym
from gymnasium.utils import RecordConstructorArgs

__all__ = ["RecordLedger"]


class RecordLedger(gym.Wrapper[Any, Any, Any, Any], RecordConstructorArgs):
    """Appends every new ledger entry to a JSON-lines file after each step.

    Args:
        env: The environment to watch; transitions pass through unchanged.
        path: The file; created where it does not exist, appended to where it does.

    Raises:
        ValueError: If ``path`` is a folder or its folder does not exist.
    """

    def __init__(self, env: gym.Env[Any, Any], *, path: str) -> None:
        RecordConstructorArgs.__init__(self, path=path)
        gym.Wrapper.__init__(self, env)
        self.path = Path(path)
        if self.path.is_dir() or not self.path.parent.is_dir():
            raise ValueError(f"path must be a file in a folder that exists, got {path!r}")
        self._written = 0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Reset the environment; the next entries are those of the new run."""
        self._written = 0
        return self.env.reset(seed=seed, options=options)

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Step the environment and write what it entered."""
        result = self.env.step(action)
        base: Any = self.unwrapped
        lines = base.ledger.lines(self._written)
        if lines:
            with self.path.open("a", encoding="ascii") as file:
                file.write(lines)
            self._written = len(base.ledger)
        return result
