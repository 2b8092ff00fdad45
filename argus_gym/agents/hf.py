"""The loop's agent on a real language model: two adapters that propose, solve and learn."""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol
from weakref import WeakValueDictionary

import gymnasium as gym
import numpy as np
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from argus_gym import consensus
from argus_gym.agents.language_model import ROLES, LanguageModel, Precision, Weights
from argus_gym.agents.merged import MergedModel
from argus_gym.agents.prompts import proposer_messages, solver_messages
from argus_gym.agents.sft import DivergedError, Row, SFTConfig, Trained, sft
from argus_gym.agents.tiny import TINY
from argus_gym.gauges import prequential_bits
from argus_gym.records import Chain, LearnReport, Solve, TrainingPair

__all__ = ["HFAgent", "Learner", "tiny_agent"]

AHEAD = 256
"""Chains sampled together for problems that are known to come."""


class Learner(Protocol):
    """A learning back end: trains one role's adapter on rows."""

    def __call__(
        self, lm: LanguageModel, rows: Sequence[Row], *, role: str, config: SFTConfig, seed: int
    ) -> Trained:
        """Train; raise :class:`~argus_gym.agents.sft.DivergedError` with the adapter restored."""


class Snapshot(dict[str, str]):
    """The name of a state of both adapters; the agent keeps the state while somebody holds it."""


class HFAgent:
    """A causal language model with a proposer's and a solver's LoRA adapter.

    It proposes for the capability map's target with the environment's example in the prompt, solves
    with ``k`` sampled chains, embeds problems by mean-pooled hidden states of the frozen base, and
    learns from the training pairs: the solver from the chains, the proposer from those of its own
    problems that became training pairs. Each role trains its own adapter only.

    Snapshots are names of states that the agent keeps in memory for as long as somebody holds the
    name; :meth:`save` writes them with the rest, and :meth:`hold` takes up a name read from a file.

    Args:
        lm: The model.
        seed: Seed of every draw, >= 0.
        max_new_tokens: Longest chain, >= 1.
        problem_tokens: Longest proposal, >= 1.
        heat: Sampling temperature where the environment asks for 1, > 0.
        learner: Learning back end: :func:`~argus_gym.agents.sft.sft` or one of those in
            ``agents/trl_sft.py`` and ``agents/trl_grpo.py``.
        config: How a learning step trains.
        train_proposer: Whether the proposer learns as well.
    """

    def __init__(
        self,
        lm: LanguageModel,
        *,
        seed: int = 0,
        max_new_tokens: int = 352,
        problem_tokens: int = 160,
        heat: float = 1.0,
        learner: Learner = sft,
        config: SFTConfig | None = None,
        train_proposer: bool = True,
    ) -> None:
        for name, value in (("max_new_tokens", max_new_tokens), ("problem_tokens", problem_tokens)):
            if value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}")
        if heat <= 0:
            raise ValueError(f"heat must be above 0, got {heat}")
        self.lm, self.config, self.learner = lm, config or SFTConfig(), learner
        self.max_new_tokens, self.problem_tokens = max_new_tokens, problem_tokens
        self.heat, self.temperature, self.train_proposer = heat, 1.0, train_proposer
        self._rng = np.random.default_rng(np.random.SeedSequence((seed, 0x4F)))
        self._asked: dict[str, str] = {}
        self._coming: list[str] = []
        self._ahead: dict[str, Solve] = {}
        self._kept: dict[str, dict[str, Weights]] = {}
        self._named: WeakValueDictionary[str, Snapshot] = WeakValueDictionary()

    @classmethod
    def from_pretrained(
        cls,
        path: str | Path,
        *,
        precision: Precision = "float32",
        device: str | None = None,
        rank: int = 16,
        seed: int = 0,
        **options: Any,
    ) -> "HFAgent":
        """Return an agent on the model at a local path or of a hub name.

        Args:
            path: See :meth:`LanguageModel.load`, as for the next three.
            precision: ``float32``, ``bfloat16``, ``int8`` or ``nf4``.
            device: Torch device.
            rank: Rank of the adapters.
            seed: Seed of the adapters and of every draw.
            options: Further arguments of the agent.

        Raises:
            ValueError: If there is no such model, or an argument is outside its range.
        """
        lm = LanguageModel.load(path, precision=precision, device=device, rank=rank, seed=seed)
        return cls(lm, seed=seed, **options)

    # Agent protocol

    def propose(self, obs: Mapping[str, Any], info: Mapping[str, Any]) -> str:
        """Return a problem for ``obs["target"]``, with ``obs["context"]`` as its example."""
        target, columns = int(obs["target"]), obs["capability_map"]
        rate = float(columns["consensus"][target]) if columns["n"][target] > 0 else math.nan
        prompt = self.lm.render(proposer_messages(target, rate, obs["context"]))
        written = self.lm.sample(
            [prompt],
            1,
            role="proposer",
            max_new_tokens=self.problem_tokens,
            temperature=self.heat,
            seed=self._draw(),
        )
        problem = written[0][0].text.strip()
        self._asked[problem] = prompt
        return problem

    def expect(self, problems: Sequence[str]) -> None:
        """Hear which problems come next, so that they can be solved in batches."""
        self._coming, self._ahead = list(problems), {}

    def solve(self, problem: str, k: int) -> Solve:
        """Return ``k`` sampled chains and the problem's embedding.

        Raises:
            ValueError: If ``k`` is below 1.
        """
        if k < 1:
            raise ValueError(f"k must be at least 1, got {k}")
        if problem not in self._ahead:
            ahead = [problem]
            if problem in self._coming:
                at = self._coming.index(problem)
                ahead = list(dict.fromkeys(self._coming[at : at + max(1, AHEAD // k)]))
            self._ahead = dict(zip(ahead, self._solve(ahead, k), strict=True))
        found = self._ahead.pop(problem)
        return found if len(found.chains) == k else self._solve([problem], k)[0]

    def learn(self, pairs: Sequence[TrainingPair]) -> LearnReport:
        """Train both roles, each on its own; measure the solver's loss before and after.

        Where a loss or a weight is not finite the whole step is undone, and the report's loss
        after training is NaN, which makes the environment put the pairs into quarantine.
        """
        self._forget()
        pairs = [pair for pair in pairs if pair.chain.text]
        rows = [Row(self._prompt(p.problem), p.chain.text, p.weight) for p in pairs]
        used = [row for row, p in zip(rows, pairs, strict=True) if p.role != "heldout"]
        before, start = self._losses(rows), {role: self.lm.weights(role) for role in ROLES}
        trained = Trained()
        try:
            if used:
                trained = self._train(used, "solver")
            own = [
                Row(self._asked[p.problem], p.problem, p.weight)
                for p in pairs
                if p.role == "train" and p.problem in self._asked
            ]
            if own and self.train_proposer:
                self._train(own, "proposer")
            after = self._losses(rows)
            if not np.isfinite(after).all():
                raise DivergedError("the loss after it was not finite")
        except DivergedError as error:
            after = np.full(len(rows), math.nan)
            gym.logger.warn(f"learning step undone: {error}")
            for role, weights in start.items():
                self.lm.set_weights(role, weights)
        self._asked = {}

        def means(role: str) -> tuple[float, float]:
            ids = [i for i, pair in enumerate(pairs) if pair.role == role]
            if not ids:
                return math.nan, math.nan
            return float(before[ids].mean()), float(after[ids].mean())

        bits = math.nan
        if trained.losses:
            bits = prequential_bits(trained.losses, trained.batch_tokens)
        return LearnReport(
            means("train"), means("heldout"), means("replay"), bits, tokens=trained.tokens
        )

    def snapshot(self) -> Snapshot:
        """Return the name of the present state of both adapters."""
        state = {role: self.lm.weights(role) for role in ROLES}
        key = _digest(state)
        self._kept = {k: s for k, s in self._kept.items() if k in self._named}
        self._kept[key] = state
        return self.hold({"adapters": key})

    def hold(self, snapshot: Mapping[str, str]) -> Snapshot:
        """Return the name of a state for one read from a file, so that the agent keeps the state.

        After :meth:`load` states that nobody holds are dropped with the next :meth:`snapshot`.
        """
        key = snapshot["adapters"]
        named = self._named.get(key) or Snapshot(adapters=key)
        self._named[key] = named
        return named

    def restore(self, snapshot: Mapping[str, str], blend: float = 1.0) -> None:
        """Go back to ``snapshot``: bit for bit at 1, a blend of the adapters' tensors below.

        Raises:
            OSError: If the agent no longer holds that state.
            ValueError: If ``blend`` is outside [0, 1].
        """
        state = self._kept.get(snapshot["adapters"])
        if state is None:
            raise OSError(f"the adapters {snapshot['adapters']} are no longer kept")
        self._forget()
        for role in ROLES:
            self.lm.set_weights(role, state[role], blend)

    # Run folders

    def save(self, path: Path) -> None:
        """Write the whole state: JSON to ``path``, tensors beside it as ``.safetensors``."""
        present = self.snapshot()
        tensors = {
            f"{key}/{role}/{name}": tensor
            for key, state in self._kept.items()
            for role, weights in state.items()
            for name, tensor in weights.items()
        }
        save_file(tensors, path.with_suffix(".safetensors"))
        state = {"present": present["adapters"], "rng": self._rng.bit_generator.state}
        path.write_text(json.dumps(state, allow_nan=False) + "\n", "utf-8")

    def load(self, path: Path) -> None:
        """Restore what :meth:`save` wrote.

        Raises:
            ValueError: If the files are not such a state, or the adapters do not fit the model.
        """
        try:
            state = json.loads(path.read_text("utf-8"))
            kept: dict[str, dict[str, Weights]] = {}
            for name, tensor in load_file(path.with_suffix(".safetensors")).items():
                key, role, own = name.split("/", 2)
                kept.setdefault(key, {}).setdefault(role, {})[own] = tensor
            for role in ROLES:
                self.lm.set_weights(role, kept[state["present"]][role])
            self._rng.bit_generator.state = state["rng"]
        except (KeyError, TypeError, ValueError, SafetensorError) as error:
            raise ValueError(f"{path}: expected a saved language-model agent ({error})") from error
        self._kept = kept
        self._asked = {}
        self._forget()

    def _solve(self, problems: Sequence[str], k: int) -> list[Solve]:
        sampled = self.lm.sample(
            [self._prompt(problem) for problem in problems],
            k,
            role="solver",
            max_new_tokens=self.max_new_tokens,
            temperature=self.heat * self.temperature,
            seed=self._draw(),
        )
        embeddings = self.lm.embed(problems)
        return [
            Solve([_chain(s.text, s.tokens, s.nll) for s in chains], embedding)
            for chains, embedding in zip(sampled, embeddings, strict=True)
        ]

    def _train(self, rows: Sequence[Row], role: str) -> Trained:
        return self.learner(self.lm, rows, role=role, config=self.config, seed=self._draw())

    def _losses(self, rows: Sequence[Row]) -> np.ndarray:
        prompts, texts = [row.prompt for row in rows], [row.completion for row in rows]
        return self.lm.nll(prompts, texts, role="solver")

    def _prompt(self, problem: str) -> str:
        return self.lm.render(solver_messages(problem))

    def _draw(self) -> int:
        return int(self._rng.integers(2**63))

    def _forget(self) -> None:
        """Drop chains sampled ahead: they come from other weights."""
        self._ahead = {}


def tiny_agent(seed: int = 0, **options: Any) -> HFAgent:
    """Return an agent on argus-tiny, the model in the package, on the CPU.

    Args:
        seed: Seed of the adapters and of every draw, >= 0.
        options: Arguments of :class:`HFAgent` in place of those that suit the model.
    """
    settings: dict[str, Any] = {
        "max_new_tokens": 160,
        "problem_tokens": 160,
        "heat": 0.8,
        "config": SFTConfig(learning_rate=1e-3, epochs=1),
    }
    lm = MergedModel.load(TINY, device="cpu", seed=seed)
    return HFAgent(lm, seed=seed, **(settings | options))


def _chain(text: str, tokens: int, nll: float) -> Chain:
    return replace(consensus.parse(text), tokens=tokens, nll=nll)


def _digest(state: Mapping[str, Weights]) -> str:
    """Return a name for a state that depends on every bit of it."""
    found = hashlib.sha256()
    for role, weights in sorted(state.items()):
        for name, tensor in sorted(weights.items()):
            found.update(f"{role}/{name}{tuple(tensor.shape)}".encode())
            found.update(tensor.float().numpy().tobytes())
    return found.hexdigest()[:16]
