"""Proximal policy optimisation in one file, on the vector form of ``ArgusCurriculum-v0``.

Schulman et al. (2017), "Proximal Policy Optimization Algorithms", with the details of Huang et al.
(2022), "The 37 Implementation Details of Proximal Policy Optimization", in the manner of CleanRL:
read it from top to bottom. It needs PyTorch (extra ``rl``).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from gymnasium.vector import VectorEnv
from torch import Tensor, nn

__all__ = ["PPO", "Policy", "train"]

LIMIT = 10.0


@dataclass(frozen=True, slots=True)
class PPO:
    """The numbers of the algorithm."""

    rollout: int = 64
    """Steps of every copy between two updates."""
    epochs: int = 6
    """Passes over the steps of an update."""
    minibatches: int = 4
    """Pieces of a pass."""
    rate: float = 1e-3
    """First learning rate of Adam; falls linearly to 0."""
    gamma: float = 0.95
    """Discount of a step."""
    smoothing: float = 0.95
    """Lambda of the generalised advantage estimate."""
    clip: float = 0.2
    """Largest change of an action's probability that an update rewards, as a share."""
    entropy: float = 0.003
    """Weight of the policy's entropy."""
    value: float = 0.5
    """Weight of the critic's error."""
    norm: float = 0.5
    """Largest norm of a gradient."""
    width: int = 64
    """Units of each of the two hidden layers."""


class Moments:
    """Running mean and variance of batches (Chan, Golub & LeVeque 1983).

    Args:
        shape: Shape of an entry of a batch.
    """

    def __init__(self, shape: tuple[int, ...] = ()) -> None:
        self.count = 1e-4
        self.mean, self.var = np.zeros(shape), np.ones(shape)

    def update(self, batch: np.ndarray) -> None:
        """Take in a batch; entries along the first axis."""
        new, total = len(batch), self.count + len(batch)
        apart = batch.mean(0) - self.mean
        spread = self.var * self.count + batch.var(0) * new
        self.var = (spread + apart**2 * self.count * new / total) / total
        self.mean = self.mean + apart * new / total
        self.count = total


class Policy:
    """An actor and a critic on normalised observations.

    Args:
        inputs: Length of a flat observation.
        heads: Number of choices of each head of an action.
        width: Units of each hidden layer.
        seed: Seed of the weights and of :meth:`act`.
    """

    def __init__(self, inputs: int, heads: Sequence[int], width: int, seed: int) -> None:
        self.heads = list(heads)
        self.shape = (inputs, width)
        self.generator = torch.Generator().manual_seed(seed)
        self.actor = self._network(sum(heads), 0.01)
        self.critic = self._network(1, 1.0)
        self.seen = Moments((inputs,))

    def _network(self, outputs: int, gain: float) -> nn.Sequential:
        inputs, width = self.shape

        def layer(fan_in: int, fan_out: int, gain: float) -> nn.Linear:
            made = nn.utils.skip_init(nn.Linear, fan_in, fan_out)
            nn.init.orthogonal_(made.weight, gain, generator=self.generator)
            nn.init.zeros_(made.bias)
            return made

        return nn.Sequential(
            layer(inputs, width, 2**0.5),
            nn.Tanh(),
            layer(width, width, 2**0.5),
            nn.Tanh(),
            layer(width, outputs, gain),
        )

    @property
    def parameters(self) -> list[Tensor]:
        """The weights of actor and critic."""
        return [*self.actor.parameters(), *self.critic.parameters()]

    def normalised(self, flat: np.ndarray) -> Tensor:
        """Return observations with the mean 0 and the variance 1 of what was seen in training."""
        scaled = (flat - self.seen.mean) / np.sqrt(self.seen.var + 1e-8)
        return torch.as_tensor(np.clip(scaled, -LIMIT, LIMIT), dtype=torch.float32)

    def choices(self, inputs: Tensor) -> list[Tensor]:
        """Return the log-probabilities of each head's choices."""
        return [part.log_softmax(-1) for part in self.actor(inputs).split(self.heads, -1)]

    def sample(self, inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Return drawn actions, shape ``(n, heads)``, and their log-probabilities, ``(n,)``."""
        logs = self.choices(inputs)
        drawn = [torch.multinomial(p.exp(), 1, generator=self.generator) for p in logs]
        total = sum(p.gather(1, a).squeeze(1) for p, a in zip(logs, drawn, strict=True))
        return torch.cat(drawn, 1), torch.as_tensor(total)

    def act(self, observation: dict[str, np.ndarray]) -> np.ndarray:
        """Return drawn actions for a batch of observations, as the environment wants them."""
        with torch.no_grad():
            actions: np.ndarray = self.sample(self.normalised(flat(observation)))[0].numpy()
        return actions[:, 0] if len(self.heads) == 1 else actions

    def save(self, path: Path) -> None:
        """Write the policy to a file that :meth:`load` reads."""
        torch.save(
            {
                "heads": self.heads,
                "shape": self.shape,
                "actor": self.actor.state_dict(),
                "critic": self.critic.state_dict(),
                "seen": [torch.as_tensor(self.seen.mean), torch.as_tensor(self.seen.var)],
            },
            path,
        )

    @classmethod
    def load(cls, path: Path, seed: int = 0) -> "Policy":
        """Return the policy in a file; nothing in the file is executed.

        Args:
            path: What :meth:`save` wrote.
            seed: Seed of :meth:`act`.
        """
        kept = torch.load(path, weights_only=True)
        policy = cls(kept["shape"][0], kept["heads"], kept["shape"][1], seed)
        policy.actor.load_state_dict(kept["actor"])
        policy.critic.load_state_dict(kept["critic"])
        policy.seen.mean, policy.seen.var = (part.numpy() for part in kept["seen"])
        return policy


def flat(observation: dict[str, np.ndarray]) -> np.ndarray:
    """Return a batch of ``Dict`` observations side by side, shape ``(n, inputs)``."""
    return np.concatenate(list(observation.values()), axis=1)


def train(
    env: VectorEnv[Any, Any, Any], steps: int, seed: int = 0, ppo: PPO | None = None
) -> Policy:
    """Train a policy; the environment may wear gates and detectors.

    A run ends where the environment truncates it, and nothing is bootstrapped there: how far a run
    is stands in the observation. PyTorch runs on one thread from then on, which is fastest for
    networks of this size and keeps the sums, and so the result, the same on any number of cores.

    Args:
        env: ``gym.make_vec("ArgusCurriculum-v0", n, autoreset_mode="Disabled")``, wrapped or not.
        steps: Steps of all copies together; the last update may go beyond it.
        seed: Seed of the environment, the weights and the actions.
        ppo: Numbers of the algorithm, the defaults where ``None``.

    Raises:
        ValueError: If ``steps`` is below 1 or the environment resets finished copies itself.
    """
    p = PPO() if ppo is None else ppo
    if steps < 1:
        raise ValueError(f"steps must be at least 1, got {steps}")
    mode = env.metadata["autoreset_mode"]
    if mode.value != "Disabled":
        raise ValueError(f"env must have autoreset_mode='Disabled', got {mode.value!r}")
    torch.set_num_threads(1)
    n = env.num_envs
    space = env.single_action_space
    heads = space.nvec.tolist() if isinstance(space, spaces.MultiDiscrete) else [int(space.n)]  # type: ignore[attr-defined]
    policy = Policy(spaces.flatdim(env.single_observation_space), heads, p.width, seed)
    optimiser = torch.optim.Adam(policy.parameters, lr=p.rate, eps=1e-5)
    scale, returns = Moments(), np.zeros(n)
    updates = -(-steps // (p.rollout * n))

    observation, _ = env.reset(seed=seed)
    for update in range(updates):
        optimiser.param_groups[0]["lr"] = p.rate * (1 - update / updates)

        # Play a rollout.
        seen: list[Tensor] = []
        actions: list[Tensor] = []
        logs: list[Tensor] = []
        rewards, ended = np.zeros((2, p.rollout, n))
        for t in range(p.rollout):
            now = flat(observation)
            policy.seen.update(now)
            inputs = policy.normalised(now)
            with torch.no_grad():
                action, log = policy.sample(inputs)
            seen.append(inputs)
            actions.append(action)
            logs.append(log)
            chosen = action.numpy()
            observation, reward, _, truncated, _ = env.step(
                chosen if isinstance(space, spaces.MultiDiscrete) else chosen[:, 0]
            )
            # Rewards are scaled by the spread of discounted returns: those of a round's end are
            # a hundred times smaller than those of every step.
            returns = p.gamma * returns + reward
            scale.update(returns)
            returns[truncated] = 0.0
            rewards[t], ended[t] = reward / np.sqrt(scale.var + 1e-8), truncated
            if truncated.any():
                observation, _ = env.reset(options={"reset_mask": truncated})

        # Estimate advantages.
        x, a, log = torch.stack(seen), torch.stack(actions), torch.stack(logs)
        with torch.no_grad():
            values = policy.critic(x).squeeze(-1)
            following = policy.critic(policy.normalised(flat(observation))).squeeze(-1)
        r, over = (torch.as_tensor(v, dtype=torch.float32) for v in (rewards, ended))
        advantages, carried = torch.zeros_like(r), torch.zeros(n)
        for t in reversed(range(p.rollout)):
            error = r[t] + p.gamma * following * (1 - over[t]) - values[t]
            carried = error + p.gamma * p.smoothing * (1 - over[t]) * carried
            advantages[t], following = carried, values[t]

        # Improve the policy.
        target = (advantages + values).flatten()
        advantage, log, values = advantages.flatten(), log.flatten(), values.flatten()
        x, a = x.flatten(0, 1), a.flatten(0, 1)
        for _ in range(p.epochs):
            order = torch.randperm(len(log), generator=policy.generator)
            for part in order.chunk(p.minibatches):
                choices = policy.choices(x[part])
                picked = [c.gather(1, a[part, h : h + 1])[:, 0] for h, c in enumerate(choices)]
                ratio = (torch.stack(picked).sum(0) - log[part]).exp()
                gain = advantage[part]
                gain = (gain - gain.mean()) / (gain.std() + 1e-8)
                clipped = ratio.clamp(1 - p.clip, 1 + p.clip)
                actor = -torch.minimum(gain * ratio, gain * clipped).mean()
                spread = -sum((c.exp() * c).sum(1).mean() for c in choices)
                critic = ((policy.critic(x[part]).squeeze(-1) - target[part]) ** 2).mean() / 2
                optimiser.zero_grad()
                (actor + p.value * critic - p.entropy * spread).backward()
                nn.utils.clip_grad_norm_(policy.parameters, p.norm)
                optimiser.step()
    return policy
