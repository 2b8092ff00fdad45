"""What the page shows, one frame after the other, from a live run, a run folder or the figures.

A frame is a JSON-ready dict with its ``kind``, the same kinds for each source. What a source does
not have is ``None``.
"""

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import gymnasium as gym

from argus_gym import consensus
from argus_gym.records import (
    Chain,
    LieReport,
    Premise,
    ProblemRecord,
    RoundRecord,
    Verdict,
    encode,
)
from argus_gym.run_data import InputError, RunData
from argus_gym.spaces import Phase
from argus_gym.wrappers import DETECTORS
from argus_gym.wrappers.stacks import PUBLISHED

__all__ = ["Watched", "detectors", "published", "replay"]

Frame = dict[str, Any]

SHOWN = 2_000
"""Characters of one chain."""


def detectors(stack: str) -> list[dict[str, str]]:
    """Return the detectors of a stack: ``name``, ``lie`` and what each ``watches``."""
    if stack == "no-metacognition":
        return []
    return [
        {"name": name, "lie": kind.lie, "watches": (kind.__doc__ or "").partition("\n")[0]}
        for name, kind in sorted(DETECTORS.items(), key=lambda item: item[1].lie)
        if stack == "v4" or kind.lie in PUBLISHED
    ]


class Watched(gym.Wrapper[Any, Any, Any, Any]):
    """Keeps a frame of everything that passes, and ends the episode with each round.

    ``rollout`` then stops after a round and can go on from :attr:`now`.

    Args:
        env: ``ArgusSelfImprove-v0``, wrapped or not.
    """

    def __init__(self, env: gym.Env[Any, Any]) -> None:
        super().__init__(env)
        self.frames: list[Frame] = []
        self.now: tuple[dict[str, Any], dict[str, Any]] = ({}, {})
        self.over = False

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Start a new run without frames."""
        self.frames, self.over = [], False
        self.now = self.env.reset(seed=seed, options=options)
        return self.now

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Step the environment and keep what it did."""
        before, asked = self.now
        obs, reward, terminated, truncated, info = self.env.step(action)
        self.now, self.over = (obs, info), terminated or truncated
        if "invalid" in info:
            self.frames.append({"kind": "invalid", "reason": info["invalid"]})
        elif before["phase"] == Phase.PROPOSE:
            self.frames.append(_proposal(action, before))
            self.frames.append(_premise(info["premise"]))
        elif before["phase"] == Phase.SOLVE:
            self.frames.append(_chains(action.chains))
            columns = encode(obs["capability_map"])
            base: Any = self.unwrapped
            self.frames += _scored(info["scored"], columns, base.buffer.waiting[-1:])
        elif before["phase"] == Phase.RETEST:
            self._retested(asked["retest"])
        else:
            self.frames.append(_learnt(action, [pair.role for pair in asked["training_pairs"]]))
        if "round" in info:
            reports = tuple(info.get("lies", {}).values())
            self.frames += _ended(info["round"], info.get("verdict"), list(map(_report, reports)))
        return obs, reward, terminated, truncated or "round" in info, info

    def _retested(self, asked: Mapping[str, Any]) -> None:
        last = self.frames[-1]
        if last["kind"] == "retest" and last["side"] == asked["weights"] and asked["index"]:
            last["items"] += 1
        else:
            self.frames.append({"kind": "retest", "side": asked["weights"], "items": 1})


def replay(data: RunData) -> list[Frame]:
    """Return the frames of a run folder; it keeps neither chains nor scores that did not fire."""
    fired: dict[int, list[Frame]] = {}
    for event in data.ledger:
        kind, _, name = event["event"].partition(".")
        if kind == "lie":
            known = DETECTORS.get(name)
            because = event["because"] if isinstance(event["because"], dict) else {}
            fired.setdefault(event["round"], []).append(
                {
                    "name": name[:60],
                    "lie": known.lie if known else "",
                    "score": because.get("score"),
                    "fired": True,
                    "sentence": f"answered with: {str(event['action'])[:80].replace('_', ' ')}",
                }
            )
    return [frame for record in data.rounds for frame in _kept(record, fired)]


def _kept(record: RoundRecord, fired: Mapping[int, list[Frame]]) -> Iterator[Frame]:
    for problem in record.problems:
        obs = {"target": problem.target, "context": None}
        yield {**_proposal(problem.problem, obs), "source": problem.source}
        yield _premise(problem.premise)
        yield {"kind": "chains", "k": int(record.request[0]), "chains": None}
        yield from _scored(problem, None, None)
    if record.retests:
        yield {"kind": "retest", "side": "before", "items": len(record.retests)}
    counts = {"train": record.trained, "replay": record.replayed, "heldout": record.heldout}
    yield _learnt(record.report, [role for role, n in counts.items() for _ in range(n)])
    if record.retests:
        yield {"kind": "retest", "side": "after", "items": len(record.retests)}
    yield from _ended(record, record.verdict, fired.get(record.round, []))


def published(data: Path) -> dict[str, list[Frame]]:
    """Return the frames of the published runs by name: figures by round, then the run's summary.

    Args:
        data: Folder with ``published_runs/rounds.csv`` and ``summary.csv``.

    Raises:
        InputError: If one is missing or not what it should be; names it without the folder.
    """
    runs: dict[str, list[Frame]] = {}
    try:
        for row in _rows(data, "rounds.csv"):
            runs.setdefault(row["run"], []).append(
                {
                    "kind": "round",
                    "round": int(row["round"]),
                    "reward": _number(row["mean_reward"]),
                    "skill": _number(row["skill"]),
                    "zones": {z: _number(row[f"n_{z}"]) for z in ("hard", "frontier", "easy")},
                    "fired": int(row["lie_fired"]),
                    "decision": "REFUSE" if int(row["refused"]) else "not refused",
                }
            )
        for row in _rows(data, "summary.csv"):
            name = row.pop("run")
            figures = {key: _number(value) for key, value in row.items()}
            runs[name].append({"kind": "summary", "figures": figures})
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(f"published_runs is not what it should be: {error!r}") from error
    return runs


def _rows(data: Path, name: str) -> list[dict[str, str]]:
    try:
        text = (data / "published_runs" / name).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"published_runs/{name} is missing or cannot be read") from error
    return list(csv.DictReader(text.splitlines()))


def _number(text: str) -> float | None:
    value: float | None = encode(float(text)) if text else None
    return value


def _proposal(action: Any, obs: Mapping[str, Any]) -> Frame:
    return {
        "kind": "propose",
        "problem": action if isinstance(action, str) else action.text,
        "target": int(obs["target"]),
        "context": obs["context"],
    }


def _premise(premise: Premise) -> Frame:
    return {"kind": "premise", "ok": premise.ok, "reason": premise.reason}


def _chains(chains: Sequence[str | Chain]) -> Frame:
    read = [consensus.parse(chain) if isinstance(chain, str) else chain for chain in chains]
    shown = [{"text": chain.text[:SHOWN], "answer": _answer(chain.answer)} for chain in read]
    return {"kind": "chains", "k": len(shown), "chains": shown}


def _answer(answer: Any) -> str | None:
    return None if answer is None else str(answer)[:200]


def _scored(
    scored: ProblemRecord, columns: Mapping[str, Any] | None, waiting: Sequence[Any] | None
) -> list[Frame]:
    """Return consensus, zone and buffer; a folder (``waiting`` is ``None``) keeps no weights."""
    pair = scored.zone == "frontier"
    weight = None
    if waiting is not None:
        pair = pair and bool(waiting) and waiting[-1].problem == scored.problem
        weight = waiting[-1].weight if pair else None
    numbers = {name: getattr(scored, name) for name in ("outcome", "process", "combined")}
    return [
        {"kind": "consensus", **encode(numbers), "answer": _answer(scored.answer)},
        {"kind": "zone", "zone": scored.zone, "cluster": scored.cluster, "map": columns},
        {"kind": "buffer", "pair": pair, "weight": weight},
    ]


def _learnt(report: Any, roles: Sequence[str]) -> Frame:
    losses = {name: getattr(report, name) for name in ("train", "heldout", "replay")}
    counts = {name: roles.count(name) for name in losses}
    return {"kind": "learn", "loss": encode(losses), "pairs": counts, "tokens": report.tokens}


def _report(report: LieReport) -> Frame:
    names = ("name", "lie", "score", "fired", "sentence")
    shown: Frame = encode({name: getattr(report, name) for name in names})
    return shown


def _ended(record: RoundRecord, verdict: Verdict | None, reports: Sequence[Frame]) -> list[Frame]:
    fired = [report["name"] for report in reports if report["fired"]]
    names = ("decision", "rule", "target", "severity", "answers", "reason")
    decided = {name: getattr(verdict, name) for name in names} if verdict else {"decision": None}
    gauges = ("anchor_accuracy", "anchor_delta", "past_delta")
    moved = [item.delta for item in record.retests]
    return [
        {"kind": "gate", **encode(decided)},
        {"kind": "detectors", "reports": list(reports)},
        {
            "kind": "round",
            "round": record.round,
            "reward": encode(record.mean_reward),
            "skill": encode(record.skill),
            "zones": {zone: record.zone_count(zone) for zone in ("hard", "frontier", "easy")},
            "gauges": {name: encode(record.gauges.get(name)) for name in gauges},
            "retests": {
                "better": sum(d > 0 for d in moved),
                "worse": sum(d < 0 for d in moved),
                "items": len(moved),
            },
            "fired": len(fired),
            "decision": decided["decision"],
            "defences": list(record.defences),
            "answers": dict(record.answers),
            "tokens": sum(record.tokens.values()),
            "map": encode(record.map),
        },
    ]
