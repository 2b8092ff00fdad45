"""The section of one run: its rounds, its map, its problems and its story."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

from argus_gym.gauges import anchors, paired
from argus_gym.records import RoundRecord
from argus_gym.report import figures
from argus_gym.report.forms import interval, numbers, shown, written
from argus_gym.report.markup import Html, plain, table, tag
from argus_gym.report.measures import (
    anchor_accuracy,
    anchor_change,
    detector_lie,
    easy_hard,
    firings,
    in_force,
    reward,
    spans,
)
from argus_gym.report.source import ReportRun
from argus_gym.report.story import story

__all__ = ["run_section"]

EXTREMES = 5
"""Problems shown that lost most, and as many that gained most."""


def run_section(run: ReportRun) -> list[Html]:
    """Return everything a report says of one run by round."""
    return [
        tag(
            "p", f"{run.status[0].upper()}{run.status[1:]}. {run.summary['verdict'].capitalize()}."
        ),
        tag("h3", "Signals by round"),
        shown(
            figures.signals(run),
            "Reward, zones, learning gauges, anchors, verdicts, firings and defences by round.",
            "Bands and bars are 95 % intervals. Triangles: the detector fired. Hatched: the "
            "defence was in force.",
        ),
        numbers(_loop_table(run), _anchors_table(run), _firings_table(run)),
        tag("h3", "Easy and hard problems"),
        shown(
            figures.easy_hard(run),
            "Easy problems per hard one by round, with defences in force marked.",
            "Easy problems per hard one, half a problem added to both, with its 95 % interval. "
            "Dashed: a defence came into force; dotted ground: it stayed so. The numbers are in "
            "the table above.",
        ),
        tag("h3", "Capability map over time"),
        shown(
            figures.maps(run),
            "Consensus and share of each cluster by round.",
            "Consensus: running mean of the reward in the cluster. Share: its part of the "
            "problems of this round and the one before.",
        ),
        numbers(*_map_tables(run)),
        tag("h3", "The same problems before and after"),
        *_before_after(run),
        tag("h3", "What happened"),
        _story(run),
    ]


def _loop_table(run: ReportRun) -> Html:
    rows = []
    for record in run.rounds:
        zones = (record.zone_count(zone) for zone in ("hard", "frontier", "easy"))
        gains = (record.gauges.get(k, math.nan) for k in ("epi_train", "epi_heldout"))
        rows.append(
            [
                record.round,
                interval(reward(record), ".2f"),
                written(record.skill, ".2f"),
                *zones,
                interval(easy_hard(record), ".2f"),
                *(written(gain, "+.4f") for gain in gains),
            ]
        )
    head = ["round", "reward", "skill", "hard", "frontier", "easy", "easy per hard"]
    head += ["gain, trained", "gain, held out"]
    return table("Inside the loop, by round; –: not measured", head, rows)


def _anchors_table(run: ReportRun) -> Html:
    rows = []
    for record in run.rounds:
        test = paired(anchors(record.retests))
        rows.append(
            [
                record.round,
                f"{test.n} × {test.answers // (2 * test.n)}" if test.n else "–",
                interval(anchor_accuracy(record), ".1f", 100),
                interval(anchor_change(record), "+.1f", 100),
                *_verdict(record),
            ]
        )
    head = ["round", "anchors × chains", "right after, %", "change, points", "verdict", "reason"]
    return table("Anchors and verdicts by round; –: not measured", head, rows, (0, 4, 5))


def _verdict(record: RoundRecord) -> tuple[str, str]:
    if record.verdict is None:
        return "no gate", ""
    decision = record.verdict.decision.lower().replace("_", " ")
    return decision, plain(record.verdict.reason, 300)


def _firings_table(run: ReportRun) -> Html:
    rows = [
        [f"{detector_lie(name)} {plain(name.replace('_', ' '), 60)}".strip(), "fired", _spans(at)]
        for name, at in firings(run).items()
    ]
    rows += [
        [plain(name.replace("_", " "), 60), "defence in force", _spans(at)]
        for name, at in in_force(run).items()
    ]
    rows = rows or [["none", "nothing fired, nothing was defended", "–"]]
    return table("Firings and defences", ["name", "what", "rounds"], rows, (0, 1, 2))


def _spans(numbers: Sequence[int]) -> str:
    return ", ".join(str(a) if a == b else f"{a} to {b}" for a, b in spans(numbers))


def _map_tables(run: ReportRun) -> Iterable[Html]:
    head = ["round", *(f"cluster {c}" for c in range(len(run.rounds[0].map["n"])))]
    for column in ("consensus", "share"):
        rows = [
            [
                record.round,
                *(
                    written(100 * v, ".0f") if n else "–"
                    for v, n in zip(record.map[column], record.map["n"])
                ),
            ]
            for record in run.rounds
        ]
        yield table(f"{column.capitalize()}, percent; –: not visited yet", head, rows)


def _before_after(run: ReportRun) -> Iterable[Html]:
    items = run.items
    if items is None:
        yield tag("p", "Not measured: there is no external report of this run, item by item.")
        return
    yield shown(
        figures.items(run),
        "Share of right answers to each problem of the external report, before and after.",
        f"{len(items.problems)} problems, {items.samples} answers each before the run and after "
        "it. A number is how many problems lie there.",
    )
    order = sorted(range(len(items.problems)), key=lambda i: items.after[i] - items.before[i])
    lost = [i for i in order if items.after[i] < items.before[i]][:EXTREMES]
    gained = [i for i in reversed(order) if items.after[i] > items.before[i]][:EXTREMES]
    rows: list[list[Any]] = [
        [plain(items.problems[i]), items.before[i], items.after[i], items.samples]
        for i in (*lost, *gained)
    ]
    rows = rows or [["none changed", "", "", ""]]
    head = ["problem", "right before", "right after", "of"]
    yield table("Problems that changed most, losses first", head, rows)
    yield tag(
        "p",
        "These were picked because they changed most, so part of each change is chance; the "
        "evidence is in all problems together, above. Run folders keep counts of right answers, "
        "not the chains themselves.",
        class_="note",
    )


def _story(run: ReportRun) -> Html:
    parts = []
    for heading, sentences in story(run):
        parts.append(tag("dt", heading))
        parts += [tag("dd", sentence) for sentence in sentences]
    return tag("dl", *parts)
