"""The frozen dataclasses that travel between environment, agents, detectors and gates.

Every record converts to plain JSON and back without loss (:func:`encode`, :func:`decode`): run
folders and checkpoints are made of them. A number that was not measured is NaN, ``null`` in JSON.
"""

import dataclasses
import functools
import math
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Literal

import numpy as np

__all__ = [
    "Chain",
    "LearnReport",
    "LieReport",
    "Premise",
    "ProblemRecord",
    "Proposal",
    "RetestItem",
    "RoundRecord",
    "Solve",
    "TrainingPair",
    "Value",
    "Verdict",
    "Zone",
    "decode",
    "encode",
]

Value = int | Fraction | str
"""An exact number, or the normalised text of an answer that is not a number."""

Zone = Literal["hard", "frontier", "easy"]
Role = Literal["train", "replay", "heldout"]

NAN = math.nan


@dataclass(frozen=True, slots=True)
class Chain:
    """One reasoning text and what was read from it.

    Attributes:
        text: The text itself; may be empty where only the parsed form is needed.
        answer: The final answer, or ``None`` where the text states none.
        steps: The results the chain states on its way, in order, the final answer excluded.
        worked: Whether the chain shows any working at all, be it only the final equation.
        percent: Whether the final answer was written with a percent sign (``50%`` has answer 50).
        tokens: Length in tokens (the agent's own count, else whitespace-separated words), >= 0.
        nll: Mean negative log-likelihood in nats per token under the weights that sampled it.
    """

    text: str
    answer: Value | None
    steps: tuple[Value, ...] = ()
    worked: bool = True
    percent: bool = False
    tokens: int = 0
    nll: float = NAN


@dataclass(frozen=True, slots=True, eq=False)
class Solve:
    """The action of SOLVE and RETEST: k chains and, optionally, the problem's embedding.

    Attributes:
        chains: Texts or parsed :class:`Chain` records, in sampling order.
        embedding: The solver's representation of the problem, shape ``(d,)``, finite; the
            environment falls back to hashed words where it is ``None``.
    """

    chains: Sequence[str | Chain]
    embedding: np.ndarray | None = None


@dataclass(frozen=True, slots=True)
class Premise:
    """A verdict on the claims a problem makes.

    Attributes:
        ok: ``False`` where a claim is false on its own.
        kind: The kind of the false claim (see ``argus_gym.premise.KINDS``), empty where ``ok``.
        span: Start and end of the claim in the text, ``(0, 0)`` where ``ok``.
        reason: One sentence, empty where ``ok``.
    """

    ok: bool
    kind: str = ""
    span: tuple[int, int] = (0, 0)
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A problem with its verdict: the parsed form of the PROPOSE action.

    For simulators that know what they wrote; the environment takes the verdict as it is, so it
    has to be the one ``argus_gym.premise.check`` would give.

    Attributes:
        text: The problem.
        premise: The verdict on its claims.
    """

    text: str
    premise: Premise


@dataclass(frozen=True, slots=True)
class TrainingPair:
    """One problem of the frontier with its best chain, as handed to the learner.

    Attributes:
        problem: The problem's text.
        chain: The chain to learn from.
        weight: Loss weight in [0, 1].
        cluster: Capability-map cluster, in ``[0, K)``.
        round: The round that produced it, from 0.
        role: ``train`` and ``replay`` pairs are trained on, ``heldout`` pairs are only scored.
    """

    problem: str
    chain: Chain
    weight: float
    cluster: int
    round: int
    role: Role = "train"


@dataclass(frozen=True, slots=True)
class LearnReport:
    """What the learner measured around one learning step; NaN where it measured nothing.

    Each pair of numbers is the mean negative log-likelihood, in nats per token and >= 0, before
    and after the step, over the pairs of one role.

    Attributes:
        train: Over the pairs trained on for the first time.
        heldout: Over the pairs held out of this step.
        replay: Over the replayed pairs.
        preq_bits: Prequential code length above the final loss, in bits.
        tokens: Tokens trained on, >= 0.
    """

    train: tuple[float, float] = (NAN, NAN)
    heldout: tuple[float, float] = (NAN, NAN)
    replay: tuple[float, float] = (NAN, NAN)
    preq_bits: float = NAN
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class ProblemRecord:
    """One problem of a round, as it was scored.

    Attributes:
        problem: The problem's text.
        cluster: Capability-map cluster, in ``[0, K)``.
        target: The cluster the planner had asked for, in ``[0, K)``.
        zone: Where ``combined`` fell.
        outcome: Share of chains with the modal final answer, in [0, 1].
        process: Agreement of the steps on the way, in [0, 1].
        combined: The reward, in [0, 1].
        answer: The modal final answer.
        premise: Verdict on the problem's claims.
        length_mean: Mean chain length in tokens.
        length_sd: Standard deviation of the chain length in tokens.
        variety: Number of different processes divided by k, in (0, 1].
        source: Where the proposer's example came from: ``external``, ``regressed``, ``own`` or
            ``none``.
    """

    problem: str
    cluster: int
    target: int
    zone: Zone
    outcome: float
    process: float
    combined: float
    answer: Value | None
    premise: Premise
    length_mean: float
    length_sd: float
    variety: float
    source: str


@dataclass(frozen=True, slots=True)
class RetestItem:
    """One item answered before and after the learning step, by the same number of chains.

    For an anchor "right" means the known answer; for a past problem it means the answer that was
    the consensus when the problem was first solved.

    Attributes:
        problem: The item's text.
        cluster: Capability-map cluster, in ``[0, K)``.
        anchor: Whether the answer is known.
        chains: Number of chains on each side, >= 1.
        right_before: How many chains were right before the step, in ``[0, chains]``.
        right_after: How many chains were right after the step.
        outcome_before: Share of chains with the modal answer before the step, in [0, 1].
        outcome_after: The same after the step.
    """

    problem: str
    cluster: int
    anchor: bool
    chains: int
    right_before: int
    right_after: int
    outcome_before: float
    outcome_after: float

    @property
    def delta(self) -> float:
        """Paired difference of the share of right chains, after minus before, in [-1, 1]."""
        return (self.right_after - self.right_before) / self.chains


@dataclass(frozen=True, slots=True)
class RoundRecord:
    """Everything one round measured: what detectors and gates read.

    Attributes:
        round: Index from 0.
        problems: The scored problems, in order.
        retests: The paired retests.
        report: The learner's report.
        trained: Number of pairs trained on for the first time.
        replayed: Number of replayed pairs trained on.
        heldout: Number of pairs held out.
        mean_reward: Mean of ``combined`` over the problems.
        skill: Mean outcome by cluster, each visited cluster weighing the same, in [0, 1].
        gauges: Learning gauges and paired deltas by name (see :mod:`argus_gym.gauges`).
        map: The capability map after the round: columns by name, each of length K.
        request: What was asked of the solver: k and temperature.
        answers: Answers sampled in this round, by use (``solve``, ``retest``).
        tokens: Tokens sampled in this round, by use.
        invalid: Number of invalid actions.
        defences: Names of the defences in force.
        verdict: The gate's verdict on the learning step, ``None`` without a gate.
    """

    round: int
    problems: tuple[ProblemRecord, ...]
    retests: tuple[RetestItem, ...]
    report: LearnReport
    trained: int
    replayed: int
    heldout: int
    mean_reward: float
    skill: float
    gauges: Mapping[str, float]
    map: Mapping[str, tuple[float, ...]]
    request: tuple[float, float]
    answers: Mapping[str, int]
    tokens: Mapping[str, int]
    invalid: int = 0
    defences: tuple[str, ...] = ()
    verdict: "Verdict | None" = None

    def zone_count(self, zone: Zone) -> int:
        """Return how many of the round's problems fell into ``zone``."""
        return sum(p.zone == zone for p in self.problems)


@dataclass(frozen=True, slots=True)
class LieReport:
    """One detector's report on one round.

    Attributes:
        lie: The type's letter.
        name: The detector's name.
        round: Index from 0.
        score: In [0, 1]; NaN where the round gave nothing to score.
        fired: Whether the score passed the threshold.
        clusters: The clusters it points at.
        evidence: The numbers behind the score.
        sentence: The same for a person.
    """

    lie: str
    name: str
    round: int
    score: float
    fired: bool
    clusters: tuple[int, ...] = ()
    evidence: Mapping[str, float] = field(default_factory=dict)
    sentence: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A gate's decision on one learning step.

    Attributes:
        decision: ``REFUSE``, ``COMMIT``, ``COMMIT_CERTIFIED`` or ``UNDECIDED``.
        rule: The rule's name.
        round: Index from 0.
        severity: How much to take back, in [0, 1]; 1 is a full rollback.
        target: What a rollback returns to: the weights ``before`` the step, or those last
            ``certified``.
        statistics: The numbers behind the decision.
        answers: Answers the gate spent.
        tokens: Tokens the gate spent.
        reason: One sentence.
    """

    decision: Literal["REFUSE", "COMMIT", "COMMIT_CERTIFIED", "UNDECIDED"]
    rule: str
    round: int
    severity: float = 0.0
    target: Literal["before", "certified"] = "before"
    statistics: Mapping[str, float] = field(default_factory=dict)
    answers: int = 0
    tokens: int = 0
    reason: str = ""


def encode(obj: Any) -> Any:
    """Return ``obj`` as JSON-ready data: records as objects, fractions as pairs, NaN as null."""
    if obj is None or isinstance(obj, str | bool | int):
        return obj
    if isinstance(obj, float | np.floating):
        return float(obj) if math.isfinite(obj) else None
    if isinstance(obj, Fraction):
        return [obj.numerator, obj.denominator]
    if dataclasses.is_dataclass(obj):
        return {f.name: encode(getattr(obj, f.name)) for f in dataclasses.fields(obj)}
    if isinstance(obj, Mapping):
        return {str(k): encode(v) for k, v in obj.items()}
    if isinstance(obj, np.integer):
        return int(obj)
    if isinstance(obj, Sequence | np.ndarray):
        return [encode(v) for v in obj]
    raise TypeError(f"cannot encode {type(obj).__name__}")


@functools.cache
def _hints(cls: type) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def decode(kind: Any, data: Any) -> Any:
    """Rebuild what :func:`encode` wrote.

    Args:
        kind: The type expected: a record class or the type of one of its fields.
        data: Parsed JSON.

    Raises:
        ValueError: Where ``data`` does not have the shape ``kind`` asks for.
    """
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        names = {f.name for f in dataclasses.fields(kind)}
        if not isinstance(data, dict) or set(data) != names:
            raise ValueError(f"expected {kind.__name__} with the keys {sorted(names)}")
        hints = _hints(kind)
        return kind(**{name: decode(hints[name], data[name]) for name in names})
    if origin in (types.UnionType, typing.Union):
        return _decode_union(args, data)
    if origin is Literal:
        if data not in args:
            raise ValueError(f"expected one of {args}, got {data!r}")
        return data
    if origin is tuple:
        if not isinstance(data, list) or (args[-1] is not Ellipsis and len(data) != len(args)):
            raise ValueError(f"expected a list for {kind}, got {type(data).__name__}")
        kinds = [args[0]] * len(data) if args[-1] is Ellipsis else args
        return tuple(decode(k, v) for k, v in zip(kinds, data, strict=True))
    if origin is not None and issubclass(origin, Mapping):
        if not isinstance(data, dict):
            raise ValueError(f"expected an object, got {type(data).__name__}")
        return {k: decode(args[1], v) for k, v in data.items()}
    if kind is float:
        if data is None:
            return NAN
        if isinstance(data, bool) or not isinstance(data, int | float):
            raise ValueError(f"expected a number, got {data!r}")
        return float(data)
    if kind is Fraction:
        return Fraction(*data)
    if not isinstance(data, kind) or (kind is int and isinstance(data, bool)):
        raise ValueError(f"expected {kind.__name__}, got {data!r}")
    return data


def _decode_union(args: tuple[Any, ...], data: Any) -> Any:
    if data is None and type(None) in args:
        return None
    if isinstance(data, list) and Fraction in args:
        return Fraction(*data)
    for kind in args:
        if isinstance(data, dict) and dataclasses.is_dataclass(kind):
            return decode(kind, data)
    if type(data) in args:
        return data
    raise ValueError(f"expected one of {[a.__name__ for a in args]}, got {data!r}")
