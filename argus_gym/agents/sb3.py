"""Stable-Baselines3 on Gymnasium's vector environments.

Stable-Baselines3 steps a list of single environments. :class:`SB3VecEnv` gives it one vector
environment instead, which for ``ArgusCurriculum-v0`` is the array form.
"""

from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode
from stable_baselines3.common.vec_env import VecEnv

from argus_gym.curriculum.draws import copy_seeds

__all__ = ["SB3VecEnv"]


class SB3VecEnv(VecEnv):
    """A Gymnasium vector environment as Stable-Baselines3 wants it.

    ``seed(s)`` gives copy i the seed ``copy_seeds(s, n)[i]`` of
    :mod:`argus_gym.curriculum.draws`, so that training runs of neighbouring seeds share no copy.

    Args:
        env: A vector environment whose autoreset mode is ``SameStep``; wrapped by detectors and
            gate, or not.
        terminal: Count a truncated run as terminated, so that nothing is expected beyond its end.
            Otherwise ``infos`` say ``TimeLimit.truncated`` and the value of the last observation
            is added.

    Raises:
        ValueError: If the autoreset mode is another one.
    """

    def __init__(self, env: gym.vector.VectorEnv[Any, Any, Any], *, terminal: bool = False) -> None:
        mode = env.metadata.get("autoreset_mode")
        if mode is not AutoresetMode.SAME_STEP:
            raise ValueError(f"env must have autoreset_mode {AutoresetMode.SAME_STEP}, got {mode}")
        self.env = env
        self.terminal = terminal
        self._actions: Any = None
        super().__init__(env.num_envs, env.single_observation_space, env.single_action_space)

    def seed(self, seed: int | None = None) -> Sequence[int | None]:
        """Seed the next ``reset()``; draw a seed where it is ``None``."""
        start = int(np.random.SeedSequence().generate_state(1)[0]) if seed is None else seed
        self._seeds = list(copy_seeds(start, self.num_envs))
        return self._seeds

    def reset(self) -> Any:
        """Begin all runs and return their observations."""
        given: Any = None if self._seeds[0] is None else self._seeds
        observation, infos = self.env.reset(seed=given)
        self.reset_infos = self._split(infos)
        self._reset_seeds()
        self._reset_options()
        return observation

    def step_async(self, actions: np.ndarray) -> None:
        """Keep the actions for :meth:`step_wait`."""
        self._actions = actions

    def step_wait(self) -> Any:
        """Take the step; return observations, rewards, whether runs ended, and infos."""
        observation, reward, terminated, truncated, infos = self.env.step(self._actions)
        done = terminated | truncated
        last = infos.pop("final_obs", None)
        final = infos.pop("final_info", {})
        each = self._split(infos)
        if done.any():
            at_end = self._split(final)
            for i in np.flatnonzero(done).tolist():
                self.reset_infos[i] = each[i]
                each[i] = {
                    **each[i],
                    **at_end[i],
                    "terminal_observation": last[i],
                    "TimeLimit.truncated": not (terminated[i] or self.terminal),
                }
        return observation, np.asarray(reward, np.float32), done, each

    def _split(self, infos: dict[str, Any]) -> list[dict[str, Any]]:
        """Return each copy's own ``info``."""
        each: list[dict[str, Any]] = [{} for _ in range(self.num_envs)]
        for name, values in infos.items():
            mask = infos.get(f"_{name}")
            if mask is None:
                continue
            for i in np.flatnonzero(mask).tolist():
                nested = isinstance(values, dict)
                each[i][name] = {k: v[i] for k, v in values.items()} if nested else values[i]
        return each

    def close(self) -> None:
        """Close the vector environment."""
        self.env.close()

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """Return an attribute of the vector environment, once for each copy asked for."""
        return [self._found(attr_name)] * len(list(self._get_indices(indices)))

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Set an attribute of the vector environment; copies share all of them.

        Raises:
            ValueError: If ``indices`` names some copies only.
        """
        if indices is not None:
            raise ValueError(f"indices must be None, since copies share attributes, got {indices}")
        setattr(self.env, attr_name, value)

    def env_method(
        self, method_name: str, *method_args: Any, indices: Any = None, **method_kwargs: Any
    ) -> list[Any]:
        """Call a method that returns an array over the copies; return the entries asked for."""
        values = self._found(method_name)(*method_args, **method_kwargs)
        return [values[i] for i in self._get_indices(indices)]

    def env_is_wrapped(self, wrapper_class: type, indices: Any = None) -> list[bool]:
        """Return whether the vector environment is wrapped, once for each copy asked for."""
        env: Any = self.env
        while not isinstance(env, wrapper_class) and hasattr(env, "env"):
            env = env.env
        return [isinstance(env, wrapper_class)] * len(list(self._get_indices(indices)))

    def _found(self, name: str) -> Any:
        env = self.env
        return getattr(env, name) if hasattr(env, name) else getattr(env.unwrapped, name)
