"""What ``argus-gym run`` does, for any program: one run, kept in a folder or not, and continued."""

import dataclasses
import hashlib
import logging
import typing
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import gymnasium as gym
import numpy as np

import argus_gym
from argus_gym import answers, consensus
from argus_gym.agents import Agent, ReplayAgent, SimulatedAgent, rollout
from argus_gym.chain_sets import ChainSet, load
from argus_gym.checkpoint import InputError, RunData, RunFolder, dumps
from argus_gym.receipt import compare, summarise
from argus_gym.records import RoundRecord, Value, decode, encode
from argus_gym.run_data import CONFIG, read_config, weights_digest
from argus_gym.spaces import MAX_K
from argus_gym.wrappers import stack
from argus_gym.wrappers.stacks import check_stack

__all__ = ["RunConfig", "resume", "run", "stored_config"]

AGENTS = ("simulated", "replay", "tiny", "hf")
PRECISIONS = ("float32", "bfloat16", "int8", "nf4")
SAMPLES = 8
"""Chains for each problem of the external report, before and after."""
REPORT, ANCHORS = 100, 64
HELD_OUT = 0.25
"""Largest share of the recorded problems for the external report, and again for the anchors."""

OnRound = Callable[[RoundRecord], None]
Item = tuple[str, Value]


@dataclass(frozen=True)
class RunConfig:
    """Settings of a run.

    Attributes:
        seed: Seed of the environment and the agent, >= 0.
        rounds: Rounds, >= 1.
        problems: Problems a round, >= 1.
        k: Chains a problem, in [1, 64].
        agent: ``simulated``, ``replay``, ``tiny`` (the language model in the package) or ``hf``.
        chains: File or folder of recorded chain sets, for ``replay`` only.
        model: Local path or hub name of a language model, for ``hf`` only.
        precision: Of that model: ``float32``, ``bfloat16``, ``int8`` or ``nf4``; of all others
            ``float32``.
        planner: Name of a planner in :mod:`argus_gym.planner`.
        stack: Detectors, gate and monitors: a name in :data:`argus_gym.wrappers.STACKS`.

    Raises:
        InputError: If a setting is outside its range; it is a ``ValueError``.
    """

    seed: int = 0
    rounds: int = 15
    problems: int = 64
    k: int = 14
    agent: str = "simulated"
    chains: str | None = None
    model: str | None = None
    precision: str = "float32"
    planner: str = "most_learnable"
    stack: str = "v4"

    def __post_init__(self) -> None:
        for name, least in (("seed", 0), ("rounds", 1), ("problems", 1), ("k", 1)):
            if getattr(self, name) < least:
                raise InputError(f"{name} must be at least {least}, got {getattr(self, name)}")
        if self.k > MAX_K:
            raise InputError(f"k must be at most {MAX_K}, got {self.k}")
        try:
            check_stack(self.stack)
        except ValueError as error:
            raise InputError(str(error)) from error
        if self.agent not in AGENTS:
            raise InputError(f"agent must be one of {', '.join(AGENTS)}, got {self.agent!r}")
        if self.agent == "replay" and self.chains is None:
            raise InputError("chains must be a file or folder of chain sets for agent replay")
        if self.agent == "hf" and self.model is None:
            raise InputError("model must be a local path or a hub name for agent hf")
        for name, agent in (("chains", "replay"), ("model", "hf")):
            if self.agent != agent and getattr(self, name) is not None:
                value = getattr(self, name)
                raise InputError(f"{name} must be left out for agent {self.agent}, got {value!r}")
        kinds = PRECISIONS if self.agent == "hf" else PRECISIONS[:1]
        if self.precision not in kinds:
            raise InputError(
                f"precision must be one of {', '.join(kinds)} for agent {self.agent}, "
                f"got {self.precision!r}"
            )


class KeptAgent(Agent, Protocol):
    """An agent whose whole state fits in a file."""

    def save(self, path: Path) -> None:
        """Write the state to ``path``."""

    def load(self, path: Path) -> None:
        """Restore what :meth:`save` wrote."""


@dataclass(frozen=True)
class Setup:
    """A run ready to start: everything that follows from its settings."""

    env: gym.Env[Any, Any]
    agent: KeptAgent
    report: tuple[Item, ...] | None
    """Problems of the external report; the environment's own where ``None``."""
    samples: int
    """Chains for each of them, before and after."""
    settings: dict[str, Any]


def run(config: RunConfig, *, out: Path | None = None, on_round: OnRound | None = None) -> RunData:
    """Make a whole run and return what it left.

    Args:
        config: The settings.
        out: A new folder that keeps the run (see ``docs/run_folder.md``), ``None`` to keep nothing.
        on_round: Called with each round's record, after its checkpoint is written.

    Raises:
        InputError: If a setting, the chain sets or the folder are not what they should be.
    """
    setup = _prepare(config)
    if out is None:
        return _play(setup, None, on_round)
    with RunFolder.create(out, setup.settings) as folder:
        return _play(setup, folder, on_round)


def resume(
    path: Path, *, given: Mapping[str, Any] | None = None, on_round: OnRound | None = None
) -> RunData:
    """Continue the run in a folder from its last checkpoint; a finished one is only read.

    Every file ends up with the bytes it would have had without the interruption.

    Args:
        path: The run folder.
        given: Settings that the caller expects to find, by name.
        on_round: Called with each new round's record, after its checkpoint is written.

    Raises:
        InputError: If the folder is not a run folder, is corrupted, was started with other
            settings than ``given``, or the chain sets have changed since.
    """
    config = stored_config(path)
    for name, value in _absolute(given or {}).items():
        if getattr(config, name) != value:
            raise InputError(
                f"{name} is {value!r}, but the run in {path} was started with "
                f"{getattr(config, name)!r}: leave it out or start a new run"
            )
    with RunFolder.resume(path) as folder:
        if folder.data.summary is not None:
            return folder.data
        setup = _prepare(config)
        for name, value in setup.settings.items():
            if folder.data.config.get(name) != value:
                raise InputError(
                    f"{path / CONFIG}: the run was started with {name} "
                    f"{folder.data.config.get(name)!r}, expected {value!r} as it is now"
                )
        return _play(setup, folder, on_round)


def stored_config(path: Path) -> RunConfig:
    """Return the settings that the run in a folder was started with.

    Raises:
        InputError: If it is not a run folder or the settings are not what they should be.
    """
    stored = read_config(path)
    kinds = typing.get_type_hints(RunConfig)
    try:
        return RunConfig(**{name: decode(kinds[name], stored[name]) for name in kinds})
    except KeyError as error:
        raise InputError(f"{path / CONFIG}: expected a value for {error}") from error
    except ValueError as error:
        raise InputError(f"{path / CONFIG}: {error}") from error


def _prepare(config: RunConfig) -> Setup:
    """Turn settings into an environment and an agent."""
    settings = {"argus_gym": argus_gym.__version__} | _absolute(dataclasses.asdict(config))
    options: dict[str, Any] = {}
    report: tuple[Item, ...] | None = None
    samples = SAMPLES
    agent: KeptAgent
    try:
        if config.agent == "simulated":
            agent = SimulatedAgent(config.seed)
        elif config.chains is None:
            agent = _language_model(config)
            if config.model is not None and Path(config.model).is_dir():
                settings["model_sha256"] = weights_digest(Path(config.model))
        else:
            sets = load(config.chains)
            settings["chains_sha256"] = hashlib.sha256(dumps(encode(sets)).encode()).hexdigest()
            anchors, report = _held_out(sets, config.seed)
            held = {problem for problem, _ in (*report, *anchors)}
            agent = ReplayAgent(sets, config.seed, held_out=held)
            recorded = Counter({s.problem: len(s.chains) for s in sets})
            samples = min([SAMPLES, *(recorded[problem] for problem, _ in report)])
            external = [problem for problem in recorded if problem not in held]
            options = {"anchors": anchors, "external": external}
        env = gym.make(
            "ArgusSelfImprove-v0",
            rounds=config.rounds,
            problems_per_round=config.problems,
            k=config.k,
            planner=config.planner,
            **options,
        )
        env = stack(env, config.stack)
    except OSError as error:
        raise InputError(f"cannot read {error.filename}: {error.strerror}") from error
    except InputError:
        raise
    except ValueError as error:
        raise InputError(str(error)) from error
    return Setup(env, agent, report, samples, settings)


def _language_model(config: RunConfig) -> KeptAgent:
    # On a CPU it says at import that there are faster kernels.
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    try:
        from argus_gym.agents.hf import HFAgent, tiny_agent
    except ImportError as error:
        raise InputError(
            f'agent {config.agent} needs {error.name}: pip install "argus-gym[llm]"'
        ) from error
    if config.model is None:
        return tiny_agent(config.seed)
    precision: Any = config.precision
    return HFAgent.from_pretrained(config.model, precision=precision, seed=config.seed)


def _absolute(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings with absolute paths; a model that is no folder is a hub name."""
    out, chains, model = dict(settings), settings.get("chains"), settings.get("model")
    if chains:
        out["chains"] = str(Path(chains).resolve())
    if model and Path(model).is_dir():
        out["model"] = str(Path(model).resolve())
    return out


def _held_out(sets: Sequence[ChainSet], seed: int) -> tuple[tuple[Item, ...], tuple[Item, ...]]:
    """Draw anchors and report problems among those with known answers; they share none."""
    known = list({s.problem: (s.problem, s.answer) for s in sets if s.answer is not None}.values())
    rng = np.random.default_rng(np.random.SeedSequence((seed, 0xA5)))
    drawn = [known[i] for i in rng.permutation(len(known)).tolist()]
    share = int(len(known) * HELD_OUT)
    return tuple(drawn[share : share + min(share, ANCHORS)]), tuple(drawn[: min(share, REPORT)])


def _play(setup: Setup, folder: RunFolder | None, on_round: OnRound | None) -> RunData:
    """Run from the folder's last checkpoint, or from the start, to the end."""
    env, agent, settings = setup.env, setup.agent, setup.settings
    base: Any = env.unwrapped
    start = env.reset(seed=settings["seed"])
    before: list[int] | None = None
    points: dict[str, Any] = {}
    if folder is not None and folder.checkpoint is not None:
        kept = folder.load_env()
        start = _load_layers(env, kept["layers"], folder)
        before, points = kept["before"], kept["points"]
        agent.load(folder.checkpoint / "agent.json")
    report = base.report_pool if setup.report is None else setup.report
    if before is None:
        before = _right(agent, report, setup.samples)
    written = 0 if folder is None else len(folder.data.ledger)

    def keep(rounds: Sequence[RoundRecord]) -> None:
        nonlocal written
        if folder is not None:
            state = {"before": before, "points": points, "layers": _layers(env)}
            folder.save(rounds, base.ledger.lines(written), state, agent.save)
            written = len(base.ledger)

    def ended(record: RoundRecord) -> None:
        keep([record])
        if on_round is not None:
            on_round(record)

    if folder is not None and folder.checkpoint is None:
        keep([])
    terminated = False
    if len(base.history) < settings["rounds"]:
        played = rollout(env, agent, start=start, points=points, on_round=ended)
        terminated = bool(played.summary["terminated"])
    after = _right(agent, report, setup.samples)
    external = compare(before, after, setup.samples) if report else None
    meta = {name: settings[name] for name in ("seed", "agent", "planner", "stack", "k")}
    summary = summarise(base.history, external, **meta, terminated=terminated)
    if folder is not None:
        problems = [problem for problem, _ in report]
        items = {
            "samples": setup.samples,
            "problems": problems,
            "before": before,
            "after": after,
        }
        folder.finish(base.ledger.lines(written), items, summary)
    return RunData(tuple(base.history), tuple(base.ledger), summary, settings)


def _right(agent: Agent, report: Sequence[Item], samples: int) -> list[int]:
    """Return how many of the chains are right, for each problem of the report."""
    if hasattr(agent, "expect"):
        agent.expect([problem for problem, _ in report])
    counts = []
    for problem, answer in report:
        chains = agent.solve(problem, samples).chains
        parsed = (consensus.parse(c) if isinstance(c, str) else c for c in chains)
        counts.append(sum(answers.right(chain, answer) for chain in parsed))
    return counts


def _stateful(env: gym.Env[Any, Any]) -> list[Any]:
    """Return every layer that has a state, from the environment itself outwards."""
    layers: list[Any] = [env]
    while isinstance(layers[-1], gym.Wrapper):
        layers.append(layers[-1].env)
    return [layer for layer in reversed(layers) if hasattr(layer, "load_state")]


def _layers(env: gym.Env[Any, Any]) -> list[dict[str, Any]]:
    """Return the layers' states; the run folder's logs hold history and ledger already."""
    states = [{"class": type(e).__name__, "state": e.state()} for e in _stateful(env)]
    for name in ("history", "ledger"):
        del states[0]["state"][name]
    return states


def _load_layers(
    env: gym.Env[Any, Any], states: Sequence[Mapping[str, Any]], folder: RunFolder
) -> tuple[Any, Any]:
    layers = _stateful(env)
    expected, got = [type(e).__name__ for e in layers], [s["class"] for s in states]
    if expected != got:
        raise InputError(f"{folder.checkpoint}: expected the layers {expected}, got {got}")
    logs = {"history": encode(folder.data.rounds), "ledger": list(folder.data.ledger)}
    start: tuple[Any, Any] = layers[0].load_state({**states[0]["state"], **logs})
    for layer, kept in zip(layers[1:], states[1:], strict=True):
        layer.load_state(kept["state"])
    return start
