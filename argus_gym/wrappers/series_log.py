"""Write a run's series to TensorBoard, Weights & Biases or trackio."""

import math
import os
import time
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

import gymnasium as gym
from gymnasium.utils import RecordConstructorArgs

from argus_gym.records import LieReport, RoundRecord, Verdict

__all__ = ["LOGGERS", "SeriesLog", "SeriesWriter", "open_writer", "round_series"]


class SeriesWriter(Protocol):
    """Where series go."""

    def write(self, step: int, series: Mapping[str, float]) -> None:
        """Write one value a name at ``step``."""

    def close(self) -> None:
        """Finish the log."""


def round_series(
    record: RoundRecord,
    lies: Mapping[str, LieReport] | None = None,
    verdict: Verdict | None = None,
    spsi: Mapping[str, float] | None = None,
) -> dict[str, float]:
    """Return what one round is worth plotting, by name; what was not measured is left out.

    Reward, skill, shares of the zones, every gauge (those on anchors among them), chain length,
    pairs, answers and tokens by use, the detectors' scores and alarms, and the gate's verdict with
    what it spent.

    Args:
        record: The round.
        lies: The detectors' reports on it, by name.
        verdict: The verdict on it, the record's own where ``None``.
        spsi: The stability index and its parts.
    """
    n = len(record.problems)
    series: dict[str, float] = {
        "reward": record.mean_reward,
        "skill": record.skill,
        "invalid_actions": record.invalid,
        "defences_in_force": len(record.defences),
        "chain_length": sum(p.length_mean for p in record.problems) / n if n else math.nan,
        "pairs/trained": record.trained,
        "pairs/replayed": record.replayed,
        "pairs/heldout": record.heldout,
    }
    named = ("mean_reward", "skill")
    series |= {f"gauges/{k}": v for k, v in record.gauges.items() if k not in named}
    series |= {f"answers/{use}": count for use, count in record.answers.items()}
    series |= {f"tokens/{use}": count for use, count in record.tokens.items()}
    for name, report in (lies or {}).items():
        series[f"lies/{name}/score"] = report.score
        series[f"lies/{name}/fired"] = report.fired
    verdict = verdict or record.verdict
    if verdict is not None:
        series |= _verdict(verdict)
    series |= {f"stability/{name}": value for name, value in (spsi or {}).items()}
    return {f"argus/{name}": float(v) for name, v in series.items() if math.isfinite(v)}


def _verdict(verdict: Verdict) -> dict[str, float]:
    return {
        "gate/refused": verdict.decision == "REFUSE",
        "gate/certified": verdict.decision == "COMMIT_CERTIFIED",
        "gate/undecided": verdict.decision == "UNDECIDED",
        "gate/severity": verdict.severity,
        "gate/answers": verdict.answers,
        "gate/tokens": verdict.tokens,
    }


class _TensorBoard:
    def __init__(self, folder: Path) -> None:
        from tensorboard.compat.proto.event_pb2 import Event
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        self._event, self._summary = Event, Summary
        self._file = EventFileWriter(str(folder))

    def write(self, step: int, series: Mapping[str, float]) -> None:
        values = [self._summary.Value(tag=k, simple_value=v) for k, v in series.items()]
        event = self._event(wall_time=time.time(), step=step, summary=self._summary(value=values))
        self._file.add_event(event)
        self._file.flush()

    def close(self) -> None:
        self._file.close()


class _WandB:
    def __init__(self, folder: Path) -> None:
        import wandb

        folder.mkdir(parents=True, exist_ok=True)
        # Nothing leaves the machine unless the user's own setting says so.
        mode: Any = os.environ.get("WANDB_MODE", "offline")
        self._run = wandb.init(project="argus-gym", name=folder.name, dir=folder, mode=mode)

    def write(self, step: int, series: Mapping[str, float]) -> None:
        self._run.log(dict(series), step=step)

    def close(self) -> None:
        self._run.finish()


class _Trackio:
    def __init__(self, folder: Path) -> None:
        import trackio

        self._run = trackio.init(project="argus-gym", name=str(folder), embed=False)

    def write(self, step: int, series: Mapping[str, float]) -> None:
        self._run.log(dict(series), step=step)

    def close(self) -> None:
        self._run.finish()


LOGGERS: dict[str, tuple[Callable[[Path], SeriesWriter], str]] = {
    "tensorboard": (_TensorBoard, 'pip install "argus-gym[loggers]"'),
    "wandb": (_WandB, "pip install wandb"),
    "trackio": (_Trackio, "pip install trackio"),
}
"""Loggers by name, with the command that installs each."""


def open_writer(to: str, path: str | Path) -> SeriesWriter:
    """Open a log.

    Args:
        to: One of :data:`LOGGERS`.
        path: Folder of the log; for trackio the run's name.

    Raises:
        ValueError: If ``to`` is not known.
        ImportError: If its package is missing; the message has the command that installs it.
    """
    _require(to)
    return LOGGERS[to][0](Path(path))


def _require(to: str) -> None:
    if to not in LOGGERS:
        raise ValueError(f"to must be one of {', '.join(LOGGERS)}, got {to!r}")
    if find_spec(to) is None:
        raise ImportError(f"to={to!r} needs {to}: {LOGGERS[to][1]}", name=to)


class SeriesLog(gym.Wrapper[Any, Any, Any, Any], RecordConstructorArgs):
    """Writes every round's series to a logger; the step is the round, from 0.

    Put it outside of detectors, gates and monitors: it writes what they left in ``info``. Each run
    has a log of its own, ``run-000``, ``run-001``, ... in ``path``, opened when its first round
    ends.

    Args:
        env: The environment to watch; transitions pass through unchanged.
        path: Folder of the logs.
        to: ``tensorboard``, ``wandb`` (offline unless ``WANDB_MODE`` says otherwise) or
            ``trackio``.

    Raises:
        ValueError: If ``to`` is not known.
        ImportError: If its package is missing; the message has the command that installs it.
    """

    def __init__(self, env: gym.Env[Any, Any], *, path: str, to: str = "tensorboard") -> None:
        RecordConstructorArgs.__init__(self, path=path, to=to)
        gym.Wrapper.__init__(self, env)
        _require(to)
        self.path, self.to = Path(path), to
        self._runs = 0
        self._writer: SeriesWriter | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Reset the environment; the next round opens a new log."""
        self._finish()
        return self.env.reset(seed=seed, options=options)

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Step the environment; write the series at the end of a round."""
        result = self.env.step(action)
        info = result[4]
        if "round" in info:
            if self._writer is None:
                self._writer = open_writer(self.to, self._folder())
            extra = (info.get(name) for name in ("lies", "verdict", "spsi"))
            self._writer.write(info["round"].round, round_series(info["round"], *extra))
        if result[2] or result[3]:
            self._finish()
        return result

    def close(self) -> None:
        """Finish the log and close the environment."""
        self._finish()
        super().close()

    def _folder(self) -> Path:
        while (folder := self.path / f"run-{self._runs:03d}").exists():
            self._runs += 1
        folder.mkdir(parents=True)
        return folder

    def _finish(self) -> None:
        if self._writer is not None:
            self._writer.close()
            self._writer = None
