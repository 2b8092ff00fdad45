"""The ledger as a story: what happened in each round, in sentences."""

import math
from collections.abc import Mapping
from typing import Any

from argus_gym.report.markup import plain
from argus_gym.report.measures import detector_lie, spans
from argus_gym.report.source import ReportRun

__all__ = ["story"]

LONGEST = 40
"""Sentences told of one round; a ledger may hold any number."""

DECISIONS = {
    "REFUSE": "The gate refused the step",
    "COMMIT": "The gate kept the step",
    "COMMIT_CERTIFIED": "The gate kept and certified the step",
    "UNDECIDED": "The gate could not decide and the step stayed",
}
EVIDENCE = 8
"""Numbers of evidence quoted for one event."""


def story(run: ReportRun) -> list[tuple[str, list[str]]]:
    """Return the run's rounds with what happened in each, oldest first.

    Rounds in which nothing fired, nothing was defended and the step was kept are told together.

    Returns:
        Pairs of a heading, such as ``Rounds 0 to 3``, and sentences. Text from the ledger is one
        printable line each, but not escaped.
    """
    events: dict[int, list[Mapping[str, Any]]] = {}
    for event in run.data.ledger:
        events.setdefault(event["round"], []).append(event)
    quiet = [r.round for r in run.rounds if all(map(_quiet, events.get(r.round, ())))]
    told: dict[int, tuple[str, list[str]]] = {}
    for first, last in spans(quiet):
        told[first] = _quiet_rounds(run, first, last)
    for number in sorted(events.keys() - set(quiet)):
        sentences = [s for s in map(_sentence, events[number]) if s]
        if 0 <= number < len(run.rounds):
            sentences.append(_round(run, number))
        if len(sentences) > LONGEST:
            sentences[LONGEST - 1 :] = [f"{len(sentences) - LONGEST + 1} more entries."]
        told[number] = (f"Round {number}", sentences)
    return [told[number] for number in sorted(told)]


def _quiet(event: Mapping[str, Any]) -> bool:
    kind = event["event"].partition(".")[0]
    return kind == "round" or (kind, event["action"]) == ("verdict", "COMMIT")


def _quiet_rounds(run: ReportRun, first: int, last: int) -> tuple[str, list[str]]:
    heading = f"Round {first}" if first == last else f"Rounds {first} to {last}"
    gated = any(run.rounds[i].verdict for i in range(first, last + 1))
    kept = "the gate kept every step" if gated and last > first else "the gate kept the step"
    start, end = run.rounds[first].mean_reward, run.rounds[last].mean_reward
    moved = _share(start) if first == last else f"{_share(start)} to {_share(end)}"
    return heading, [f"Nothing fired; {kept if gated else 'no gate decided'}. Mean reward {moved}."]


def _share(value: float) -> str:
    return f"{value:.3f}" if math.isfinite(value) else "not measured"


def _round(run: ReportRun, number: int) -> str:
    record = run.rounds[number]
    return (
        f"The round ended with mean reward {_share(record.mean_reward)} over "
        f"{len(record.problems)} problems; {record.trained} pairs trained on, "
        f"{record.replayed} replayed."
    )


def _sentence(event: Mapping[str, Any]) -> str:
    """Return one event as a sentence, empty for the round's end, which has its own."""
    kind, _, name = event["event"].partition(".")
    name, action = plain(name.replace("_", " "), 60), plain(event["action"], 80)
    because = event.get("because")
    if kind == "round":
        return ""
    if kind == "lie":
        letter = detector_lie(event["event"].partition(".")[2])
        who = f"Detector {letter} ({name})" if letter else f"Detector {name}"
        asked = action.removeprefix("order ").replace("_", " ")
        wish = "it ordered no defence" if action == "none" else f"it ordered the defence {asked}"
        return f"{who} fired and {wish}{_evidence(because)}."
    if kind == "defence":
        by = because.get("by", "") if isinstance(because, Mapping) else ""
        whose = f", ordered by {plain(by, 60).replace('_', ' ')}" if by else ""
        done = "was carried out" if action == "carried out" else f"was not carried out: {action}"
        return f"The defence {name}{whose}, {done}{_where(because)}."
    if kind == "verdict":
        decided = DECISIONS.get(action, f"The gate said {action}")
        return f"{decided} by the rule {name}{_evidence(because)}."
    if kind == "warning":
        return f"The detectors together gave a warning by the rule {name}{_evidence(because)}."
    if kind == "diagnosis" and isinstance(because, Mapping):
        share = _number(because.get("probability"))
        return f"The diagnosis named lie {plain(because.get('lie'), 20)} (probability {share})."
    said = "" if action == "none" else f"; {action}"
    return f"{plain(event['event'], 60)}{_evidence(because)}{said}."


def _where(because: Any) -> str:
    clusters = because.get("clusters") if isinstance(because, Mapping) else None
    if not isinstance(clusters, list) or not clusters:
        return ""
    return f" in cluster{'s' * (len(clusters) > 1)} {_listed(clusters)}"


def _evidence(because: Any) -> str:
    if not isinstance(because, Mapping):
        return f": {plain(because, 200)}" if because is not None else ""
    numbers = [
        f"{plain(key, 40).replace('_', ' ')} = {_number(value)}"
        for key, value in because.items()
        if key != "clusters"
    ]
    more = f" and {len(numbers) - EVIDENCE} more" if len(numbers) > EVIDENCE else ""
    said = f" ({', '.join(numbers[:EVIDENCE])}{more})" if numbers else ""
    return f"{_where(because)}{said}"


def _number(value: Any) -> str:
    if value is None:
        return "not measured"
    if isinstance(value, float) and math.isfinite(value):
        return f"{value:.0f}" if value.is_integer() and abs(value) < 1e6 else f"{value:.3g}"
    return _listed(value) if isinstance(value, list) else plain(value, 80)


def _listed(values: list[Any]) -> str:
    text = ", ".join(plain(v, 20) for v in values[:12])
    return text if len(values) <= 12 else f"{text}, …"
