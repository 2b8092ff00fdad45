"""What travels between the service and its clients, as typed OpenEnv messages."""

import math
from collections.abc import Mapping
from fractions import Fraction
from typing import Annotated, Any, Literal

import numpy as np
from openenv.core.env_server.types import Action, Observation, State
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictInt, model_validator

from argus_gym.records import Chain, LearnReport, Solve, encode
from argus_gym.spaces import MAX_K, Phase

__all__ = [
    "ArgusAction",
    "ArgusObservation",
    "ArgusState",
    "ChainModel",
    "PairModel",
    "ReportModel",
    "ResetOptions",
    "expected",
    "observation",
    "value",
]

MAX_PROBLEMS = 50_000
"""Problems a run, so that what one session remembers stays bounded."""
VISIBLE = ("premise", "scored", "proposer_reward", "retest", "training_pairs", "invalid")
"""What of ``info`` the trained agent may see; the rest judges it."""


def _short(number: int) -> int:
    if number.bit_length() > 1_024:
        raise ValueError("an integer of at most 1024 bits")
    return number


def _divisible(pair: tuple[int, int]) -> tuple[int, int]:
    if pair[1] < 1:
        raise ValueError("a fraction as [numerator, denominator] with denominator >= 1")
    return pair


Whole = Annotated[StrictInt, AfterValidator(_short)]
Ratio = Annotated[tuple[Whole, Whole], AfterValidator(_divisible)]
WireValue = Whole | Annotated[str, Field(max_length=256)] | Ratio
"""An exact number (a fraction as ``[numerator, denominator]``) or the text of an answer."""
Number = Annotated[float, Field(ge=-1e9, le=1e9)]
Share = Annotated[float, Field(ge=0, le=1)]
Known = tuple[Annotated[str, Field(max_length=4_096)], WireValue]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]
"""An identifier that is safe as a folder's name."""


class Strict(BaseModel):
    """A message without unknown fields and without infinities."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class ChainModel(Strict):
    """One reasoning text as its sender read it: :class:`argus_gym.records.Chain`."""

    text: str = ""
    answer: WireValue | None = None
    steps: list[WireValue] = Field(default=[], max_length=1_024)
    worked: bool = True
    percent: bool = False
    tokens: int = Field(default=0, ge=0, le=10**9)
    nll: Number | None = None


class ReportModel(Strict):
    """What a learner measured, ``null`` where it did not: ``argus_gym.records.LearnReport``."""

    train: tuple[Number | None, Number | None] = (None, None)
    heldout: tuple[Number | None, Number | None] = (None, None)
    replay: tuple[Number | None, Number | None] = (None, None)
    preq_bits: Number | None = None
    tokens: int = Field(default=0, ge=0, le=10**15)


class PairModel(Strict):
    """A weighted training pair: :class:`argus_gym.records.TrainingPair`."""

    problem: str
    chain: ChainModel
    weight: float
    cluster: int
    round: int
    role: Literal["train", "replay", "heldout"]


class ArgusAction(Action):
    """One action: exactly one of ``problem``, ``chains`` and ``report``."""

    model_config = ConfigDict(allow_inf_nan=False)

    problem: str | None = Field(default=None, description="PROPOSE: a problem")
    chains: list[str | ChainModel] | None = Field(
        default=None, description="SOLVE and RETEST: as many chains as request[0] says"
    )
    embedding: list[float | None] | None = Field(
        default=None, max_length=65_536, description="with chains: the problem's representation"
    )
    report: ReportModel | None = Field(default=None, description="LEARN: what the learner measured")

    @model_validator(mode="after")
    def _one(self) -> "ArgusAction":
        given = [
            name for name in ("problem", "chains", "report") if getattr(self, name) is not None
        ]
        if len(given) != 1:
            raise ValueError(f"exactly one of problem, chains and report, got {given or 'none'}")
        if self.embedding is not None and self.chains is None:
            raise ValueError("an embedding only with chains")
        return self


class ArgusObservation(Observation):
    """The observation and what ``step`` says beside it.

    ``info`` is for whoever acts. ``judged`` is for whoever runs the training: the finished round,
    what the detectors said and the gate's verdict. A trained agent must never be handed it.
    """

    phase: int = Field(description="0 PROPOSE, 1 SOLVE, 2 RETEST, 3 LEARN: what is expected now")
    problem: str = Field(description="the problem to solve now, empty in PROPOSE and LEARN")
    context: str = Field(description="an example for the proposer, empty where there is none")
    target: int = Field(description="the cluster to aim at")
    capability_map: dict[str, list[float]] = Field(description="columns over the clusters")
    request: list[float] = Field(description="chains and sampling temperature asked for")
    gauges: list[float] = Field(description="see argus_gym.gauges.GAUGES")
    measured: list[float] = Field(description="1 where the gauge was measured")
    info: dict[str, Any] = Field(description="what the acting agent may see")
    judged: dict[str, Any] = Field(
        description="round, lies, verdict and monitors, at a round's end"
    )
    terminated: bool = Field(description="the run cannot go on")
    truncated: bool = Field(description="the last round is over")


class ArgusState(State):
    """Where a session is."""

    session_id: str | None = None
    seed: int | None = Field(default=None, description="of the run, drawn where none was given")
    stack: str | None = None
    phase: int | None = None
    round: int = Field(default=0, description="finished rounds")
    rounds: int | None = None
    waiting: int = Field(default=0, description="pairs that wait to be trained on")
    replay: int = Field(default=0, description="pairs kept for replay")
    quarantined: int = Field(default=0, description="pairs of refused steps")
    terminated: bool = False
    truncated: bool = False
    kept: bool = Field(default=False, description="whether the run has a folder")


class ResetOptions(Strict):
    """How a run is started: what ``gym.make`` and ``stack`` take, with the service's bounds."""

    seed: int | None = Field(default=None, ge=0, lt=2**63, description="drawn where absent")
    episode_id: Name | None = Field(
        default=None, description="the run's name; made up where absent"
    )
    resume: bool = Field(default=False, description="continue the run episode_id from its folder")
    stack: str = Field(default="v4", max_length=64, description="detectors, gate and monitors")
    rounds: int = Field(default=15, ge=1, le=1_000)
    problems_per_round: int = Field(default=64, ge=1, le=1_024)
    k: int = Field(default=14, ge=1, le=MAX_K)
    clusters: int = Field(default=10, ge=2, le=64)
    frontier: tuple[Share, Share] = (0.4, 0.8)
    verifier_strength: Share = 0.2
    weight: Share = 0.5
    process: Literal["aligned", "jaccard"] = "aligned"
    planner: str = Field(default="most_learnable", max_length=64)
    anchor_items: int = Field(default=8, ge=0, le=512)
    past_items: int = Field(default=8, ge=0, le=512)
    retest_chains: int = Field(default=8, ge=1, le=MAX_K)
    external_rate: Share = 0.35
    blind_spot_rate: Share = 0.5
    replay_share: float = Field(default=0.25, ge=0, lt=1)
    epi_weighting: bool = False
    anchors: list[Known] | None = Field(default=None, max_length=1_024)
    external: list[str] | None = Field(default=None, max_length=1_024)
    penalty: float = Field(default=-0.1, ge=-1_000, le=0)

    @model_validator(mode="after")
    def _bounded(self) -> "ResetOptions":
        if self.rounds * self.problems_per_round > MAX_PROBLEMS:
            raise ValueError(f"rounds * problems_per_round of at most {MAX_PROBLEMS}")
        if self.resume and self.episode_id is None:
            raise ValueError("episode_id, to resume it")
        return self

    def arguments(self) -> dict[str, Any]:
        """Return what was given of the environment's arguments."""
        names = set(ResetOptions.model_fields) - {"seed", "episode_id", "resume", "stack"}
        given: dict[str, Any] = self.model_dump(exclude_unset=True, include=names)
        if self.anchors is not None:
            given["anchors"] = [(problem, _exact(answer)) for problem, answer in self.anchors]
        return given


def _exact(answer: Any) -> Any:
    return Fraction(*answer) if isinstance(answer, list | tuple) else answer


def value(action: ArgusAction) -> str | Solve | LearnReport:
    """Return the action as the environment takes it.

    A problem comes as bare text, so the service checks its premise itself, whoever sent it.
    """
    if action.problem is not None:
        return action.problem
    if action.chains is not None:
        known = None
        if action.embedding is not None:
            known = np.array([math.nan if x is None else x for x in action.embedding])
        return Solve([c if isinstance(c, str) else _chain(c) for c in action.chains], known)
    report = action.report
    assert report is not None
    pairs = (report.train, report.heldout, report.replay)
    train, heldout, replay = ((_float(before), _float(after)) for before, after in pairs)
    return LearnReport(train, heldout, replay, _float(report.preq_bits), report.tokens)


def _chain(chain: ChainModel) -> Chain:
    return Chain(
        chain.text,
        _exact(chain.answer),
        tuple([_exact(step) for step in chain.steps]),
        chain.worked,
        chain.percent,
        chain.tokens,
        _float(chain.nll),
    )


def _float(number: float | None) -> float:
    return math.nan if number is None else number


def expected(phase: int) -> str:
    """Return the name of the field that an action of this phase has."""
    return {Phase.PROPOSE: "problem", Phase.LEARN: "report"}.get(Phase(phase), "chains")


def observation(
    obs: Mapping[str, Any],
    info: Mapping[str, Any],
    reward: float | None = None,
    terminated: bool = False,
    truncated: bool = False,
) -> ArgusObservation:
    """Return what ``reset`` or ``step`` returned as one message."""
    columns = obs["capability_map"]
    return ArgusObservation.model_construct(
        done=terminated or truncated,
        reward=reward,
        metadata={},
        phase=obs["phase"],
        problem=obs["problem"],
        context=obs["context"],
        target=int(obs["target"]),
        capability_map={name: column.tolist() for name, column in columns.items()},
        request=obs["request"].tolist(),
        gauges=obs["gauges"].tolist(),
        measured=obs["measured"].tolist(),
        info={name: encode(entry) for name, entry in info.items() if name in VISIBLE},
        judged={name: encode(entry) for name, entry in info.items() if name not in VISIBLE},
        terminated=terminated,
        truncated=truncated,
    )
