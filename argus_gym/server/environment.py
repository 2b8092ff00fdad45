"""One session: the text environment, its stack of detectors and gate, and its run folder."""

import secrets
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gymnasium as gym
from openenv.core.env_server.interfaces import Environment
from openenv.core.env_server.types import EnvironmentMetadata
from pydantic import ValidationError

import argus_gym
from argus_gym.records import encode
from argus_gym.run_data import InputError, read_config
from argus_gym.server.kept import KeptRun, settings
from argus_gym.server.models import (
    ArgusAction,
    ArgusObservation,
    ArgusState,
    ResetOptions,
    observation,
    value,
)
from argus_gym.spaces import Phase
from argus_gym.wrappers import stack

__all__ = ["ArgusEnvironment", "Refused", "reason"]

ID = "ArgusSelfImprove-v0"


class Refused(ValueError):
    """A request that changes nothing; ``status`` is what HTTP calls it."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def reason(error: ValidationError) -> str:
    """Return where a message departs from its model and what was expected, in one line."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    told = [f"{'.'.join(map(str, e['loc'][:6])) or 'message'}: {e['msg']}" for e in found[:3]]
    more = f" (and {len(found) - 3} more)" if len(found) > 3 else ""
    return "; ".join(told)[:600] + more


class ArgusEnvironment(Environment[ArgusAction, ArgusObservation, ArgusState]):
    """``ArgusSelfImprove-v0`` behind OpenEnv's interface, one run after the other.

    A trained agent never reaches it: whoever holds the session resets it, sees verdicts and
    decides what to show the agent.

    Args:
        runs: Folder for the runs' folders; nothing is kept where ``None``.
        seeds: Where the seed of a run comes from whose client gives none; drawn where ``None``.
    """

    SUPPORTS_CONCURRENT_SESSIONS = True

    def __init__(self, runs: Path | None = None, seeds: Iterator[int] | None = None) -> None:
        super().__init__()
        self.session_id = uuid.uuid4().hex
        self._runs, self._seeds = runs, seeds
        self._env: gym.Env[Any, Any] | None = None
        self._kept: KeptRun | None = None
        self._state = ArgusState(session_id=self.session_id)
        self._now: dict[str, Any] = {}
        self._cleared: Any = None

    def reset(
        self, seed: int | None = None, episode_id: str | None = None, **kwargs: Any
    ) -> ArgusObservation:
        """Start a new run, or continue one from its folder; see :class:`ResetOptions`.

        Raises:
            Refused: If an option is not what it should be, or there is no such run to continue.
        """
        try:
            given = {"seed": seed, "episode_id": episode_id, **kwargs}
            options = ResetOptions.model_validate(given)
        except ValidationError as error:
            raise Refused(422, reason(error)) from error
        return self.start(options)

    def start(self, options: ResetOptions) -> ArgusObservation:
        """Start the run that ``options`` describe; a run under way is left where it is.

        Raises:
            Refused: As :meth:`reset`.
        """
        if options.resume:
            return self._resume(str(options.episode_id))
        seed = options.seed
        if seed is None:
            seed = next(self._seeds) if self._seeds else secrets.randbits(32)
        episode = options.episode_id or uuid.uuid4().hex
        env, obs, info = _made(options, seed)
        kept = None
        if self._runs is not None:
            path = self._runs / episode
            if path.exists():
                raise Refused(409, f"there is a run {episode} already: resume it")
            config = settings(episode, seed, options.stack, options.arguments(), env)
            try:
                kept = KeptRun(path, env, config)
            except (InputError, OSError) as error:
                raise Refused(503, f"the run cannot be kept: {_told(error, path)}") from error
        return self._begin(env, kept, episode, seed, options.stack, obs, info)

    def _resume(self, episode: str) -> ArgusObservation:
        path = None if self._runs is None else self._runs / episode
        if path is None or not path.is_dir():
            raise Refused(404, f"there is no run {episode} to resume")
        if episode == self._state.episode_id:
            self.close()
        try:
            config = read_config(path)
            options = ResetOptions.model_validate(
                {**config["arguments"], "seed": config["seed"], "stack": config["stack"]}
            )
            env, obs, info = _made(options, config["seed"])
            kept = KeptRun(path, env)
            try:
                if kept.finished:
                    raise Refused(409, f"the run {episode} is finished")
                obs, info = kept.load()
            except BaseException:
                kept.close()
                raise
        except (InputError, KeyError, OSError, ValidationError) as error:
            raise Refused(409, f"the run {episode} cannot go on: {_told(error, path)}") from error
        return self._begin(env, kept, episode, config["seed"], config["stack"], obs, info)

    def _begin(
        self,
        env: gym.Env[Any, Any],
        kept: KeptRun | None,
        episode: str,
        seed: int,
        preset: str,
        obs: dict[str, Any],
        info: dict[str, Any],
    ) -> ArgusObservation:
        self.close()
        self._env, self._kept, self._now, self._cleared = env, kept, {**info, **obs}, None
        base: Any = env.unwrapped
        self._state = ArgusState(
            episode_id=episode,
            session_id=self.session_id,
            seed=seed,
            stack=preset,
            rounds=base.rounds,
            kept=kept is not None,
        )
        return observation(obs, info)

    def step(
        self, action: ArgusAction, timeout_s: float | None = None, **kwargs: Any
    ) -> ArgusObservation:
        """Take one action; one that does not fit is told in ``info["invalid"]``.

        Raises:
            Refused: If there is no run, it is over, or its folder cannot be written; the session
                then has no run, and the folder is as the last checkpoint left it.
        """
        env = self._running()
        obs, reward, terminated, truncated, info = env.step(value(action))
        self._state.step_count += 1
        self._state.terminated, self._state.truncated = terminated, truncated
        self._now = {**info, **obs}
        if self._kept is not None:
            try:
                if "round" in info:
                    self._kept.keep(info["round"])
                if terminated or truncated:
                    self._kept.finish(terminated)
                    self._kept = None
            except OSError as error:
                self.close()
                episode = self._state.episode_id
                why = f"the run {episode} cannot be kept: {error.strerror}; resume it"
                raise Refused(503, why) from error
        return observation(obs, info, float(reward), terminated, truncated)

    @property
    def phase(self) -> int:
        """What the run waits for.

        Raises:
            Refused: If there is no run, or it is over.
        """
        self._running()
        return int(self._now["phase"])

    @property
    def state(self) -> ArgusState:
        """Where the session is."""
        if self._env is None:
            return self._state
        base: Any = self._env.unwrapped
        fresh = {
            "phase": int(self._now["phase"]),
            "round": len(base.history),
            "waiting": len(base.buffer.waiting),
            "replay": len(base.buffer.replay),
            "quarantined": len(base.buffer.quarantined),
        }
        return self._state.model_copy(update=fresh)

    def buffer(self) -> list[dict[str, Any]]:
        """Return the weighted pairs a trainer may use now.

        In LEARN it is the step's batch with its roles. Otherwise it is what the last accepted step
        was trained on, then this round's new pairs: nothing right after a refusal.

        Raises:
            Refused: If there is no run.
        """
        if self._env is None:
            raise Refused(409, "there is no run: reset first")
        base: Any = self._env.unwrapped
        if self._now["phase"] == Phase.LEARN and "training_pairs" in self._now:
            pairs = self._now["training_pairs"]
        else:
            newest = [] if base.buffer.newest is self._cleared else base.buffer.newest
            pairs = [*newest, *base.buffer.waiting]
        encoded: list[dict[str, Any]] = encode(pairs)
        return encoded

    def clear_buffer(self) -> int:
        """Forget the pairs that wait and those already fetched; return how many there were.

        Raises:
            Refused: If there is no run or it is over, or the learning step is under way.
        """
        base: Any = self._running().unwrapped
        if self._now["phase"] == Phase.LEARN:
            raise Refused(409, "the learning step is under way: send its report first")
        count = len(self.buffer())
        dropped = len(base.buffer.waiting) + len(base.buffer.delayed)
        base.buffer.waiting, base.buffer.delayed = [], []
        self._cleared = base.buffer.newest
        base.ledger.add(len(base.history), "buffer.cleared", {"pairs": dropped}, "clear")
        return count

    def close(self) -> None:
        """End the session; a kept run stays in its folder and can be resumed."""
        if self._kept is not None:
            self._kept.close()
        self._kept = self._env = None

    def get_metadata(self) -> EnvironmentMetadata:
        """Return what the environment is."""
        return EnvironmentMetadata(
            name=ID,
            description="A self-improvement loop of a language model, watched by detectors of "
            "self-deception and a gate that refuses learning steps.",
            version=argus_gym.__version__,
        )

    def _running(self) -> gym.Env[Any, Any]:
        if self._env is None:
            raise Refused(409, "there is no run: reset first")
        if self._state.terminated or self._state.truncated:
            raise Refused(409, "the run is over: reset to start another")
        return self._env


def _told(error: Exception, path: Path) -> str:
    """Return an error on a run folder in one line, without the folder's place."""
    return str(error).replace(str(path), path.name).splitlines()[0]


def _made(
    options: ResetOptions, seed: int
) -> tuple[gym.Env[Any, Any], dict[str, Any], dict[str, Any]]:
    """Return an environment just reset, with what its reset returned."""
    try:
        env = gym.make(f"argus_gym:{ID}", disable_env_checker=True, **options.arguments())
        env = stack(env, options.stack)
        return env, *env.reset(seed=seed)
    except ValueError as error:
        raise Refused(422, str(error)) from error
