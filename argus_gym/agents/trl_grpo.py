"""Reinforcement learning on groups of completions with TRL's ``GRPOTrainer``."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from argus_gym.agents.prompts import solver_messages
from argus_gym.agents.trl_rewards import (
    KINDS,
    Reward,
    consensus_reward,
    graded,
    proposer_reward,
)
from argus_gym.records import Value

try:
    import torch
    import trl
    from datasets import Dataset
    from transformers import TrainerCallback

    from argus_gym.agents.language_model import LanguageModel
    from argus_gym.agents.sft import DivergedError, Row, SFTConfig, Trained, batches
    from argus_gym.agents.trl_sft import OneGPU, common, fit, session
    from argus_gym.agents.trl_weights import finite
except ModuleNotFoundError as error:
    raise ImportError(
        f'needs {error.name}: pip install "argus-gym[llm]"', name=error.name
    ) from error

__all__ = ["GRPOLearner"]


class _Config(OneGPU, trl.GRPOConfig):
    """TRL's own, on the model's GPU."""


class _Finite(TrainerCallback):
    """Stops after an update whose model can no longer be sampled from.

    Weights may be finite and yet too large for a forward pass, so one is made.
    """

    def __init__(self, lm: LanguageModel, prompt: str) -> None:
        self.lm, self.prompt = lm, prompt

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        with torch.no_grad():
            loss = float(self.lm.losses([self.prompt], [""])[0])
        if not math.isfinite(loss) or not finite(kwargs["model"]):
            raise DivergedError(f"update {state.global_step} diverged: the adapter is as before")


class _Trainer(trl.GRPOTrainer):
    """Takes prompts as they were rendered: TRL would add special tokens once more."""

    def _tokenize_prompts(self, prompts: list[str]) -> tuple[list[list[int]], None, dict[str, Any]]:
        return self.processing_class(prompts, add_special_tokens=False)["input_ids"], None, {}


@dataclass(frozen=True)
class GRPOLearner:
    """A learning back end that samples anew and learns from rewards; ``HFAgent(learner=...)``.

    It takes the rows' prompts, not their completions. The solver is rewarded by its own group
    (:func:`~argus_gym.agents.trl_rewards.consensus_reward`) or by known answers; the proposer by
    factuality, difficulty and fit to the frontier, with chains sampled from the present solver.

    ``batch_size`` of the call's config is the number of completions an update, a multiple of
    ``generations``; the prompts of a last update that is not full are taken more than once.

    Args:
        reward: The solver's: ``modal``, ``share`` or ``combined``, or a function from a rendered
            prompt to its known answer; prompts for which that is ``None`` are left out.
        generations: Completions of one prompt, >= 2.
        max_new_tokens: Longest completion, >= 1.
        temperature: Sampling temperature, > 0.
        chains: Chains that a proposed problem is judged by, >= 1.
        chain_tokens: Longest of those, >= 1.
        edges: Lower and upper edge of the frontier, ``0 <= low < high <= 1``.

    Raises:
        ValueError: If an argument is outside its range.
    """

    reward: str | Callable[[str], Value | None] = "modal"
    generations: int = 8
    max_new_tokens: int = 352
    temperature: float = 1.0
    chains: int = 14
    chain_tokens: int = 352
    edges: tuple[float, float] = (0.4, 0.8)

    def __post_init__(self) -> None:
        if not callable(self.reward) and self.reward not in KINDS:
            raise ValueError(f"reward must be a function or one of {KINDS}, got {self.reward!r}")
        if self.generations < 2:
            raise ValueError(f"generations must be at least 2, got {self.generations}")
        for name in ("max_new_tokens", "chains", "chain_tokens"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)}")
        if self.temperature <= 0:
            raise ValueError(f"temperature must be above 0, got {self.temperature}")
        if not 0 <= self.edges[0] < self.edges[1] <= 1:
            raise ValueError(f"edges must satisfy 0 <= low < high <= 1, got {self.edges}")

    def __call__(
        self, lm: LanguageModel, rows: Sequence[Row], *, role: str, config: SFTConfig, seed: int
    ) -> Trained:
        """Train one role's adapter on completions of the rows' prompts.

        Returns:
            The completion tokens; no losses, since a policy loss is no likelihood.

        Raises:
            ValueError: If the config's ``batch_size`` is no multiple of ``generations``.
            DivergedError: If a weight or the model's loss on a prompt is not finite after an
                update. The adapter is restored first.
            MemoryError: If a batch does not fit. The adapter is restored first.
        """
        if config.batch_size % self.generations:
            raise ValueError(
                f"batch_size must be a multiple of generations, {self.generations}: "
                f"it counts completions, got {config.batch_size}"
            )
        known = self.reward if callable(self.reward) and role == "solver" else None
        prompts = list(dict.fromkeys(row.prompt for row in rows if row.weight > 0))
        prompts = [p for p in prompts if known is None or known(p) is not None]
        if not prompts:
            return Trained()
        size = config.batch_size // self.generations
        picked = [
            prompts[i]
            for step in batches(len(prompts), size, config.epochs, seed)
            for i in (step * size)[:size]
        ]
        counted = _Counted(self._reward(lm, role, seed))
        with session(lm, role) as folder:
            trainer = _Trainer(
                model=lm.peft,
                reward_funcs=counted,
                args=_Config(
                    **common(lm, config, folder, seed),
                    per_device_train_batch_size=config.batch_size,
                    num_train_epochs=1,
                    num_generations=self.generations,
                    max_completion_length=self.max_new_tokens,
                    temperature=self.temperature,
                    shuffle_dataset=False,
                    beta=0.0,
                    # A prompt whose logits are not finite would end the CUDA context; this way its
                    # gradient is not finite either, and the update is found out.
                    generation_kwargs={"remove_invalid_values": True},
                ),
                train_dataset=Dataset.from_dict({"prompt": picked}),
                processing_class=lm.tokenizer,
                callbacks=[_Finite(lm, prompts[0])],
            )
            fit(lm, trainer, config)
        return Trained(tokens=counted.tokens)

    def _reward(self, lm: LanguageModel, role: str, seed: int) -> Reward:
        if role == "proposer":
            return proposer_reward(_Solver(self, lm, seed), edges=self.edges)
        if not callable(self.reward):
            kind: Any = self.reward
            return consensus_reward(self.generations, kind=kind, seed=seed)
        known = self.reward

        def anchored(prompts: list[str], completions: list[str], **_: Any) -> list[float | None]:
            return graded(completions, [known(prompt) for prompt in prompts])

        return anchored


class _Counted:
    """Counts the tokens that a reward function is shown."""

    def __init__(self, reward: Reward) -> None:
        self.reward, self.tokens = reward, 0
        self.__name__ = reward.__name__

    def __call__(self, **batch: Any) -> list[float | None]:
        self.tokens += sum(map(len, batch["completion_ids"]))
        return self.reward(**batch)


class _Solver:
    """Samples the solver's chains while the proposer is in training."""

    def __init__(self, learner: GRPOLearner, lm: LanguageModel, seed: int) -> None:
        self.learner, self.lm, self.seed, self.calls = learner, lm, seed, 0

    def __call__(self, problems: Sequence[str]) -> list[list[str]]:
        lm, learner = self.lm, self.learner
        drawn = np.random.SeedSequence((self.seed, self.calls)).generate_state(1)
        self.calls += 1
        lm.peft.eval()
        try:
            found = lm.sample(
                [lm.render(solver_messages(problem)) for problem in problems],
                learner.chains,
                role="solver",
                max_new_tokens=learner.chain_tokens,
                seed=int(drawn[0]),
            )
        finally:
            lm.peft.set_adapter("proposer")
            lm.peft.train()
        return [[one.text for one in chains] for chains in found]
