"""For your own TRL script: rewards, an environment, and the gate around any of its trainers.

Needs the extra ``[llm]``. See ``docs/trl.md``.
"""

from argus_gym.agents.trl_environment import ProblemEnvironment, environment_factory
from argus_gym.agents.trl_rewards import anchor_reward, consensus_reward, proposer_reward

try:
    from argus_gym.agents.trl_gate import GateCallback
except ModuleNotFoundError as error:
    raise ImportError(
        f'needs {error.name}: pip install "argus-gym[llm]"', name=error.name
    ) from error

__all__ = [
    "GateCallback",
    "ProblemEnvironment",
    "anchor_reward",
    "consensus_reward",
    "environment_factory",
    "proposer_reward",
]
