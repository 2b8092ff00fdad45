"""The learners that ``bench llm`` compares; they need the extra ``llm``."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from argus_gym import answers, consensus
from argus_gym.agents.hf import HFAgent, Learner
from argus_gym.agents.language_model import LanguageModel
from argus_gym.agents.merged import MergedModel
from argus_gym.agents.prompts import solver_messages
from argus_gym.agents.sft import DivergedError, Row, SFTConfig, Trained, batches, sft
from argus_gym.benchmarks.llm_play import RATE
from argus_gym.problems import FALSE_KINDS, falsify, read, solution
from argus_gym.records import LearnReport, TrainingPair

__all__ = [
    "GRPO",
    "FalsePremises",
    "KnownAnswers",
    "Later",
    "Shuffled",
    "TruthLabelled",
    "majority_rewards",
    "make_agent",
    "shuffled_rewards",
]

EPOCHS, GRPO_EPOCHS, BATCH = 2, 2, 4
FALSE_RATE, FALSE_ONSET = 0.5, 2
GRPO_ONSET = 4
MARK = "PROBLEM"
CHAIN_TOKENS = PROBLEM_TOKENS = 160
HEAT = 0.8


class Shuffled(HFAgent):
    """The placebo: learns from each pair's problem with another pair's chain."""

    def __init__(self, lm: LanguageModel, *, seed: int = 0, **options: Any) -> None:
        super().__init__(lm, seed=seed, **options)
        self._shuffles = np.random.default_rng(np.random.SeedSequence((seed, 0x9B)))

    def learn(self, pairs: Sequence[TrainingPair]) -> LearnReport:
        """Learn from the pairs, their chains shuffled among them, whatever their roles."""
        order = self._shuffles.permutation(len(pairs)).tolist()
        return super().learn(
            [replace(p, chain=pairs[at].chain) for p, at in zip(pairs, order, strict=True)]
        )


class TruthLabelled(HFAgent):
    """The upper bound of labels: every pair it learns from is right.

    The worked solution takes the place of a wrong chain; a pair whose problem cannot be read back
    is left out.
    """

    def learn(self, pairs: Sequence[TrainingPair]) -> LearnReport:
        """Learn from the pairs whose problem can be read, each with a right chain."""
        return super().learn([kept for pair in pairs if (kept := _righted(pair))])


def _righted(pair: TrainingPair) -> TrainingPair | None:
    known = read(pair.problem)
    if known is None:
        return None
    if answers.right(pair.chain, known.answer):
        return pair
    return replace(pair, chain=consensus.parse(solution(known)))


class FalsePremises(HFAgent):
    """Some of its problems are replaced by variants with a false premise, from a round on.

    Args:
        lm: The model.
        seed: Seed of every draw.
        rate: Share of the problems, of those that can be read back, in [0, 1].
        onset: The first round with such problems, >= 0.
        options: Further arguments of :class:`~argus_gym.agents.hf.HFAgent`.
    """

    def __init__(
        self,
        lm: LanguageModel,
        *,
        seed: int = 0,
        rate: float = 0.5,
        onset: int = 0,
        **options: Any,
    ) -> None:
        super().__init__(lm, seed=seed, **options)
        self.rate, self.onset = rate, onset
        self._learnt = 0
        self._falsehoods = np.random.default_rng(np.random.SeedSequence((seed, 0x9F)))

    def propose(self, obs: Mapping[str, Any], info: Mapping[str, Any]) -> str:
        """Return a problem, or a variant of it with a false premise."""
        problem = super().propose(obs, info)
        known = read(problem)
        if self._learnt < self.onset or known is None or self._falsehoods.random() >= self.rate:
            return problem
        kind = FALSE_KINDS[self._falsehoods.integers(len(FALSE_KINDS))]
        false = falsify(known, kind, self._falsehoods).text
        self._asked[false] = self._asked.pop(problem)
        return false

    def learn(self, pairs: Sequence[TrainingPair]) -> LearnReport:
        """Learn; the round is over with it."""
        self._learnt += 1
        return super().learn(pairs)


class Later(HFAgent):
    """Learns by another back end from a round on.

    Args:
        lm: The model.
        then: The other back end, and its configuration.
        onset: The first round whose learning step takes it, >= 0.
        options: Further arguments of :class:`~argus_gym.agents.hf.HFAgent`.
    """

    def __init__(
        self, lm: LanguageModel, *, then: tuple[Learner, SFTConfig], onset: int, **options: Any
    ) -> None:
        super().__init__(lm, **options)
        self.then, self.onset = then, onset
        self._learnt = 0

    def learn(self, pairs: Sequence[TrainingPair]) -> LearnReport:
        """Learn; the round is over with it."""
        if self._learnt == self.onset:
            self.learner, self.config = self.then
        self._learnt += 1
        return super().learn(pairs)


Reward = Callable[[str, Sequence[str], int], np.ndarray | None]
"""Returns the rewards of one prompt's chains, given a seed; ``None`` leaves the prompt out."""


def majority_rewards(prompt: str, texts: Sequence[str], seed: int = 0) -> np.ndarray:
    """Return 1 for each chain whose answer is the group's most frequent one, else 0.

    Args:
        prompt: Not used.
        texts: The chains of one problem, at least one.
        seed: Breaks ties between answers.

    Returns:
        Shape ``(n,)``; all 0 where no chain states an answer.
    """
    chains = [consensus.parse(text) for text in texts]
    modal = consensus.score(chains, seed=seed).answer
    return np.array(
        [float(vote is not None and vote == modal) for vote in consensus.groups(chains)]
    )


def shuffled_rewards(prompt: str, texts: Sequence[str], seed: int = 0) -> np.ndarray:
    """Return the majority's rewards, given to any of the chains: as many, and no information."""
    rng = np.random.default_rng(np.random.SeedSequence((seed, 0x9C)))
    return rng.permutation(majority_rewards(prompt, texts, seed))


@dataclass(frozen=True)
class KnownAnswers:
    """Rewards by the known answer, worked out by reading the problem back.

    Args:
        lm: The model whose rendered prompts they are.
    """

    lm: LanguageModel

    def __call__(self, prompt: str, texts: Sequence[str], seed: int = 0) -> np.ndarray | None:
        """Return 1 for each right chain, else 0; ``None`` where the problem cannot be read."""
        head, tail = self.lm.render(solver_messages(MARK)).split(MARK)
        known = read(prompt.removeprefix(head).removesuffix(tail))
        if known is None:
            return None
        return np.array([float(answers.right(consensus.parse(t), known.answer)) for t in texts])


@dataclass(frozen=True)
class GRPO:
    """A learning back end: a group-relative policy gradient, by default on the majority's vote.

    Each prompt's rows are answered anew by ``group`` chains at temperature 1 under the present
    weights; a chain's advantage is its reward less the group's mean over the group's standard
    deviation. One update of AdamW for each minibatch of prompts on ``mean(advantage * nll)``,
    ``nll`` a chain's mean over its tokens: GRPO with one update a sample, so that the ratio of
    policies is 1 and clipping has no effect, and without a penalty for leaving the base. Source:
    Shao et al. (2024), "DeepSeekMath"; the majority's reward: Zuo et al. (2025), "TTRL". The
    proposer learns by :func:`~argus_gym.agents.sft.sft`.

    Args:
        max_new_tokens: Longest chain, >= 1.
        group: Chains a prompt, >= 2.
        prompts: Prompts an update, >= 1.
        epochs: Passes over the prompts, >= 1.
        reward: Rewards a prompt's chains.
    """

    max_new_tokens: int
    group: int = 8
    prompts: int = 4
    epochs: int = 1
    reward: Reward = majority_rewards

    def __call__(
        self, lm: LanguageModel, rows: Sequence[Row], *, role: str, config: SFTConfig, seed: int
    ) -> Trained:
        """Train one role's adapter; the solver's by the reward."""
        if role == "proposer":
            return sft(lm, rows, role=role, config=config, seed=seed)
        prompts = list(dict.fromkeys(row.prompt for row in rows if row.weight > 0))
        before = lm.weights(role)
        with lm.role(role, train=True):
            params = [p for p in lm.peft.parameters() if p.requires_grad]
        optimiser = torch.optim.AdamW(params, lr=config.learning_rate, weight_decay=0.0)
        draws, tokens = np.random.default_rng(seed), 0
        try:
            for picked in batches(len(prompts), self.prompts, self.epochs, seed):
                tokens += self._update(
                    lm, [prompts[i] for i in picked], role, optimiser, config, draws
                )
            if not lm.finite(role):
                raise DivergedError("a weight was not finite: the adapter is as it was before")
        except (DivergedError, MemoryError):
            lm.set_weights(role, before)
            raise
        return Trained(tokens)

    def _update(
        self,
        lm: LanguageModel,
        prompts: Sequence[str],
        role: str,
        optimiser: torch.optim.Optimizer,
        config: SFTConfig,
        draws: np.random.Generator,
    ) -> int:
        """Sample, and take one step; return the tokens trained on."""
        groups = lm.sample(
            prompts,
            self.group,
            role=role,
            max_new_tokens=self.max_new_tokens,
            seed=int(draws.integers(2**63)),
        )
        kept: list[tuple[str, str, float]] = []
        for prompt, group in zip(prompts, groups, strict=True):
            texts = [one.text for one in group]
            rewards = self.reward(prompt, texts, int(draws.integers(2**63)))
            if rewards is not None and rewards.std() > 0:
                gains = (rewards - rewards.mean()) / rewards.std()
                kept += zip([prompt] * len(texts), texts, gains.tolist(), strict=True)
        if not kept:
            return 0
        with lm.role(role, train=True):
            optimiser.zero_grad()
            nlls, counts = lm.losses([p for p, _, _ in kept], [t for _, t, _ in kept])
            gains = torch.tensor([g for _, _, g in kept], device=nlls.device)
            loss = (gains * nlls).sum() / (len(prompts) * self.group)
            value = float(loss.detach())
            if not math.isfinite(value):
                raise DivergedError(f"the loss was {value}: the adapter is as it was before")
            loss.backward()
            params = [p for group in optimiser.param_groups for p in group["params"]]
            torch.nn.utils.clip_grad_norm_(params, config.grad_clip)
            optimiser.step()
            optimiser.zero_grad()
        return int(counts.sum())


def make_agent(arm: str, model: str, seed: int, rate: float) -> HFAgent:
    """Return the learner of an arm of ``bench llm``.

    Args:
        arm: A key of :data:`argus_gym.benchmarks.llm.ARMS`.
        model: Local path or hub name.
        seed: Seed of the adapters and of every draw.
        rate: Learning rate of both roles; of ``grpo, late`` from its onset on.
    """
    kinds: dict[str, type[HFAgent]] = {
        "placebo": Shuffled,
        "truth": TruthLabelled,
        "false premises": FalsePremises,
    }
    kind = kinds.get(arm, HFAgent)
    lm = MergedModel.load(model, seed=seed)
    config = SFTConfig(learning_rate=rate, epochs=EPOCHS, batch_size=BATCH)
    options: dict[str, Any] = {
        "max_new_tokens": CHAIN_TOKENS,
        "problem_tokens": PROBLEM_TOKENS,
        "heat": HEAT,
        "config": config,
    }
    if arm.startswith("grpo"):
        rewards: dict[str, Reward] = {
            "grpo, placebo": shuffled_rewards,
            "grpo, truth": KnownAnswers(lm),
        }
        reward = rewards.get(arm, majority_rewards)
        learner = GRPO(CHAIN_TOKENS, prompts=BATCH, epochs=GRPO_EPOCHS, reward=reward)
        if arm.startswith("grpo, late"):
            kind = Later
            options |= {
                "config": replace(config, learning_rate=RATE),
                "then": (learner, config),
                "onset": GRPO_ONSET,
            }
        else:
            options["learner"] = learner
    if arm == "false premises":
        options |= {"rate": FALSE_RATE, "onset": FALSE_ONSET}
    return kind(lm, seed=seed, **options)
