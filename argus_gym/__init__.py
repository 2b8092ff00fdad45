"""argus_gym: tells real self-improvement of language models from self-deception."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

import gymnasium as gym

if TYPE_CHECKING:
    from . import consensus, premise, records

    __version__: str

__all__ = ["__version__", "consensus", "premise", "records"]

if "ArgusSelfImprove-v0" not in gym.registry:
    gym.register(id="ArgusSelfImprove-v0", entry_point="argus_gym.env:ArgusSelfImprove")
if "ArgusCurriculum-v0" not in gym.registry:
    gym.register(
        id="ArgusCurriculum-v0",
        entry_point="argus_gym.curriculum_env:ArgusCurriculum",
        vector_entry_point="argus_gym.curriculum_vector:ArgusCurriculumVector",
    )


def __getattr__(name: str) -> Any:
    """Load on first use, so that importing the package costs little more than Gymnasium."""
    if name == "__version__":
        from importlib.metadata import version

        return version("argus-gym")
    if name in __all__:
        return import_module(f"argus_gym.{name}")
    raise AttributeError(f"module 'argus_gym' has no attribute {name!r}")
