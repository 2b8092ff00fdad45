"""Wrappers: detectors of self-deception, gates and monitors."""

from argus_gym.wrappers.attribution import CausalAttribution
from argus_gym.wrappers.base import DETECTORS, Finding, LieDetector
from argus_gym.wrappers.curriculum_collapse import CurriculumCollapseDetector
from argus_gym.wrappers.drift import DriftDetector
from argus_gym.wrappers.ensemble import EnsembleWarning
from argus_gym.wrappers.gate import ERCVGate
from argus_gym.wrappers.novelty import NoveltyDetector
from argus_gym.wrappers.plateau import PlateauDetector
from argus_gym.wrappers.record_ledger import RecordLedger
from argus_gym.wrappers.saturation import SaturationDetector
from argus_gym.wrappers.stability import StabilityIndex
from argus_gym.wrappers.stacks import STACKS, stack
from argus_gym.wrappers.starvation import StarvationDetector

__all__ = [
    "DETECTORS",
    "STACKS",
    "CausalAttribution",
    "CurriculumCollapseDetector",
    "DriftDetector",
    "ERCVGate",
    "EnsembleWarning",
    "Finding",
    "LieDetector",
    "NoveltyDetector",
    "PlateauDetector",
    "RecordLedger",
    "SaturationDetector",
    "StabilityIndex",
    "StarvationDetector",
    "stack",
]
