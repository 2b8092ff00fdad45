"""The gate: a rule that refuses learning steps which do not survive a retest."""

from typing import Any

import gymnasium as gym
from gymnasium.utils import RecordConstructorArgs

from argus_gym.evidence import Evidence, Wanted
from argus_gym.records import Verdict
from argus_gym.wrappers.rules import make

__all__ = ["ERCVGate"]


class ERCVGate(gym.Wrapper[Any, Any, Any, Any], RecordConstructorArgs):
    """Lets a rule decide on every learning step: refuse, commit or certify it.

    The environment asks the gate after each round's retests. The gate may have more items answered
    first, by the weights before and after the step; then its
    :class:`~argus_gym.records.Verdict` is in ``info["verdict"]``, in the round's record and in the
    ledger. A refused step's pairs are quarantined. Whoever owns the weights rolls them back:
    :func:`argus_gym.agents.rollout` for an agent of its own. ``UNDECIDED`` keeps the step and says
    why nothing could be decided.

    The trained agent never reaches any of this: it is handed problems and training pairs, not the
    environment, and ``rollout`` keeps rounds, verdicts and lies out of the ``info`` it passes on.

    Args:
        env: ``ArgusSelfImprove-v0``, wrapped or not, without another gate.
        rule: A name in :data:`argus_gym.wrappers.rules.RULES`.
        evidence: ``anchors`` or ``consensus``; the rule's own choice where ``None``: consensus for
            ``published`` and ``v3.4``, anchors for the others.
        alpha: Error rate, in (0, 1); what it bounds depends on the rule.
        options: Further arguments of the rule.

    Raises:
        ValueError: If the rule does not exist or an argument does not fit it.
    """

    def __init__(
        self,
        env: gym.Env[Any, Any],
        *,
        rule: str = "certified",
        evidence: str | None = None,
        alpha: float = 0.05,
        options: dict[str, Any] | None = None,
    ) -> None:
        RecordConstructorArgs.__init__(
            self, rule=rule, evidence=evidence, alpha=alpha, options=options
        )
        gym.Wrapper.__init__(self, env)
        self.rule = make(rule, evidence=evidence, alpha=alpha, **(options or {}))

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """Start a new run with this gate in force.

        Raises:
            ValueError: If the environment has another gate.
        """
        base: Any = self.unwrapped
        if base.decider is not None and getattr(base.decider, "__self__", None) is not self:
            raise ValueError(f"the environment has a gate already: {base.decider!r}")
        base.decider = self.decide
        self.rule.start(base.rounds)
        return self.env.reset(seed=seed, options=options)

    def decide(self, evidence: Evidence) -> Verdict | Wanted:
        """Return the rule's answer; called by the environment."""
        return self.rule.decide(evidence)

    def state(self) -> dict[str, Any]:
        """Return what the rule remembers, JSON-ready."""
        return self.rule.state()

    def load_state(self, state: dict[str, Any]) -> None:
        """Restore what :meth:`state` returned."""
        self.rule.load_state(state)
