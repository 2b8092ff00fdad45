"""Wrappers: detectors of self-deception, gates and monitors."""

from argus_gym.wrappers.attribution import CausalAttribution
from argus_gym.wrappers.base import DETECTORS, Finding, LieDetector
from argus_gym.wrappers.confident_wrong import ConfidentWrongDetector
from argus_gym.wrappers.curriculum_collapse import CurriculumCollapseDetector
from argus_gym.wrappers.diagnosis import Diagnosis
from argus_gym.wrappers.diversity_collapse import DiversityCollapseDetector
from argus_gym.wrappers.drift import DriftDetector
from argus_gym.wrappers.ensemble import EnsembleWarning
from argus_gym.wrappers.forgetting import ForgettingDetector
from argus_gym.wrappers.gate import ERCVGate
from argus_gym.wrappers.hallucination import HallucinationDetector
from argus_gym.wrappers.leakage import LeakageDetector
from argus_gym.wrappers.misgrading import MisgradingDetector
from argus_gym.wrappers.novelty import NoveltyDetector
from argus_gym.wrappers.plateau import PlateauDetector
from argus_gym.wrappers.proxy_gaming import ProxyGamingDetector
from argus_gym.wrappers.record_ledger import RecordLedger
from argus_gym.wrappers.saturation import SaturationDetector
from argus_gym.wrappers.stability import StabilityIndex
from argus_gym.wrappers.stacks import STACKS, stack
from argus_gym.wrappers.starvation import StarvationDetector
from argus_gym.wrappers.stuck_gauge import StuckGaugeDetector

__all__ = [
    "DETECTORS",
    "STACKS",
    "CausalAttribution",
    "ConfidentWrongDetector",
    "CurriculumCollapseDetector",
    "Diagnosis",
    "DiversityCollapseDetector",
    "DriftDetector",
    "ERCVGate",
    "EnsembleWarning",
    "Finding",
    "ForgettingDetector",
    "HallucinationDetector",
    "LeakageDetector",
    "LieDetector",
    "MisgradingDetector",
    "NoveltyDetector",
    "PlateauDetector",
    "ProxyGamingDetector",
    "RecordLedger",
    "SaturationDetector",
    "StabilityIndex",
    "StarvationDetector",
    "StuckGaugeDetector",
    "stack",
]
