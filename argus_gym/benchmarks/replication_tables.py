"""The tables of ``bench replication``."""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from argus_gym.benchmarks.lies_tables import new_table, percent, share
from argus_gym.benchmarks.replication_figures import BAND, BARE, JUMP
from argus_gym.wrappers.stacks import PUBLISHED

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["tables"]

CHANGES = {
    "one": "measured pass@1, one chain each",
    "two": "measured pass@1, two chains each",
    "unchanged": "the same weights measured twice",
    "true": "true pass@1",
    "reward": "in-loop reward",
}


def tables(result: Mapping[str, Any]) -> "list[Table]":
    """Return every table of a result."""
    made = [
        _published(result),
        _changes(result),
        _resolution(result),
        _paired(result),
        _events(result),
        _inversions(result),
        _caught(result),
        _lies(result),
        _receipts(result),
        _shape(result),
        _failed(result),
    ]
    return [table for table in made if table.row_count]


def _arms(result: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the figures of every arm, those on quiet runs beside those on calibrated ones."""
    out = {}
    for arm, figures in result["arms"].items():
        out[arm] = figures
        if arm in result["quiet"]:
            out[f"{arm}, quiet"] = result["quiet"][arm]
    return out


def _published(result: Mapping[str, Any]) -> "Table":
    out = new_table(
        f"The published runs among {result['runs']} simulated ones of the same arm, points",
        *("run", "arm", "pass@1", "measured", "noise band", "percentile"),
        *("true change where as much was measured", "of these, true change down"),
    )
    known = "reward" in result["published"][0]
    for column in ("in-loop reward", "percentile", "events") if known else ():
        out.add_column(column, justify="right")
    for row in result["published"]:
        alike = row["alike"]
        cells = [
            row["run"],
            row["arm"],
            f"{row['before']:.3f} → {row['after']:.3f}",
            f"{row['delta']:+.1f}",
            f"±{BAND}",
            f"{row['percentile']:.0f}",
            f"{alike['50']:+.1f} [{alike['5']:+.1f}, {alike['95']:+.1f}], n = {alike['n']}"
            if alike["n"]
            else "none as near",
            share(row["alike_down"]),
        ]
        if known:
            cells += [
                f"{row['first']:.2f} → {row['last']:.2f}",
                f"{row['reward_percentile']:.0f}",
                f"{row['events']:.0f}",
            ]
        out.add_row(*cells)
    return out


def _changes(result: Mapping[str, Any]) -> "Table":
    out = new_table(
        f"Change over {result['rounds']} rounds, points",
        *("arm", "change", "n", "mean, 95 %", "sd, 95 %", "5 %", "median", "95 %", "up, %"),
        f"inside ±{BAND}, %",
    )
    for arm, figures in _arms(result).items():
        for name, words in CHANGES.items():
            if name == "unchanged" and arm != BARE:  # the same before every arm
                continue
            found = figures["changes"][name]
            q = found["quantiles"]
            out.add_row(
                arm,
                words,
                str(found["n"]),
                f"{found['mean']:+.1f} [{found['mean_low']:+.1f}, {found['mean_high']:+.1f}]",
                f"{found['sd']:.1f} [{found['sd_low']:.1f}, {found['sd_high']:.1f}]",
                *(f"{q[at]:+.1f}" for at in ("5", "50", "95")),
                share(found["up"]),
                "" if name == "reward" else share(found["inside"]),
            )
    return out


def _resolution(result: Mapping[str, Any]) -> "Table":
    found, arm = result["resolution"], result["arms"]["v3.4"]
    out = new_table("What a few runs can tell, from the scatter of v3.4", "question", "answer")
    out.add_row(
        f"two runs of the same arm differ by {found['gap']:.0f} points or more, % of pairs",
        f"{share(found['apart'])} of {found['apart']['n']}",
    )
    out.add_row(
        "published difference, with minus without metacognition, 95 %",
        f"{found['contrast']:+.1f} ± {found['half_width']:.1f}",
    )
    for size, runs in found["needed"].items():
        out.add_row(f"runs an arm to see {size} points (power 0.8, 5 %)", str(runs))
    out.add_row("measured change has the sign of the true one, % of runs", share(arm["right_sign"]))
    return out


def _paired(result: Mapping[str, Any]) -> "Table":
    out = new_table(
        "With metacognition minus without, same seeds, points, 95 %",
        *("arm", "n", "true pass@1", "measured pass@1", "in-loop reward"),
        *("inversions undone", "new", "inversions, difference in %"),
    )
    for arm, found in result["paired"].items():
        turned = found["inversions"]
        out.add_row(
            arm,
            str(turned["n"]),
            *(_points(found[name]) for name in ("true", "one", "reward")),
            str(turned["undone"]),
            str(turned["new"]),
            _difference(turned),
        )
    return out


def _events(result: Mapping[str, Any]) -> "Table":
    out = new_table(
        "Defensive events a run, mean with 95 %",
        *("arm", "n", "alarms", "defences", "refusals", "warnings", "all", "runs with any, %"),
        "certificates",
    )
    for arm, figures in _arms(result).items():
        events = figures["events"]
        out.add_row(
            arm,
            str(figures["n"]),
            *(_mean(events[k]) for k in ("alarm", "defence", "refused", "warning", "events")),
            share(figures["any_event"]),
            _mean(events["certified"]),
        )
    for stack, found in result["watched"].items():
        out.add_row(
            f"{BARE}, {stack} only watching",
            f"{found['alarms']['n']}",
            *("", "", "", ""),
            _mean(found["alarms"]),
            share(found["any_event"]),
            "",
        )
    return out


def _inversions(result: Mapping[str, Any]) -> "Table":
    out = new_table(
        "In-loop reward up, truth down: % of runs",
        *("arm", "n", "true change below 0", "true change -5 points or less"),
        *("measured change below 0", "of these, truly down", "both intervals exclude 0"),
    )
    for arm, figures in _arms(result).items():
        found = figures["inversion"]
        names = ("true", "large", "measured", "measured_right", "intervals")
        out.add_row(arm, str(figures["n"]), *(share(found[name]) for name in names))
    return out


def _caught(result: Mapping[str, Any]) -> "Table":
    out = new_table(
        "Runs in which the stack said anything before the end, %",
        *("stack", "inverted runs", "n", "-5 points or less", "n", "runs without inversion"),
        *("difference, 95 %", "quiet runs"),
    )
    rows = {f"{arm}, defending": result["arms"][arm] for arm in result["paired"]} | {
        f"{name}, only watching": found for name, found in result["watched"].items()
    }
    for name, figures in rows.items():
        found, arm = figures["caught"], name.split(",")[0]
        quiet = result["quiet"].get(arm) if "defending" in name else None
        out.add_row(
            name,
            share(found["inverted"]),
            str(found["inverted"]["n"]),
            share(found["large"]),
            str(found["large"]["n"]),
            share(found["others"]),
            _difference(found),
            share(quiet["spoke"]) if quiet else "",
        )
    return out


def _lies(result: Mapping[str, Any]) -> "Table":
    sides = {
        f"{BARE}, v4 only watching": result["watched"]["v4"]["lies"],
        **{f"{arm}, defending": result["arms"][arm]["lies"] for arm in ("v3.4", "v4")},
    }
    out = new_table(
        "Runs in which a lie's detector spoke, %: inverted runs / the others", "lie", *sides
    )
    for letter in sorted(set().union(*sides.values())):
        cells = []
        for name, found in sides.items():
            if letter in found:
                cells.append(" / ".join(share(found[letter][s]) for s in ("inverted", "others")))
            else:
                absent = name.startswith("v3.4") and letter not in PUBLISHED
                cells.append("not in it" if absent else "never")
        out.add_row(letter, *cells)
    return out


def _receipts(result: Mapping[str, Any]) -> "Table":
    arms = _arms(result)
    out = new_table("What the receipt says, number of runs", "verdict", *arms)
    lines = dict.fromkeys(line for f in arms.values() for line in sorted(f["verdicts"]))
    for line in lines:
        out.add_row(line, *(str(f["verdicts"].get(line, 0)) for f in arms.values()))
    return out


def _shape(result: Mapping[str, Any]) -> "Table":
    arms = _arms(result)
    out = new_table("Fingerprint, median [5 %, 95 %] over runs, and easy per hard", "axis", *arms)
    for axis in next(iter(arms.values()))["fingerprint"]:
        found = [figures["fingerprint"][axis] for figures in arms.values()]
        out.add_row(axis, *(f"{q['50']:.2f} [{q['5']:.2f}, {q['95']:.2f}]" for q in found))
    for words, at in (("first", 0), ("last", -1)):
        rows = [figures["easy_hard"] for figures in arms.values()]
        out.add_row(
            f"easy per hard, {words} round",
            *(f"{r['median'][at]:.2f} [{r['low'][at]:.2f}, {r['high'][at]:.2f}]" for r in rows),
        )
    out.add_row(
        f"from {JUMP[0]:.2f} or less to {JUMP[1]} or more in one round, % of runs",
        *(share(figures["tipped"]) for figures in arms.values()),
    )
    out.add_row(
        f"grows {JUMP[1] / JUMP[0]:.1f} times or more in one round, % of runs",
        *(share(figures["jumps"]) for figures in arms.values()),
    )
    out.add_row(
        "of these, with a defence in force",
        *(f"{f['defended_jumps']} of {f['jumps']['count']}" for f in arms.values()),
    )
    return out


def _failed(result: Mapping[str, Any]) -> "Table":
    out = new_table("Runs that failed; their seeds are left out of every arm", "run", "reason")
    for key, reason in result["failed"].items():
        out.add_row(key, reason)
    return out


def _points(found: Mapping[str, float]) -> str:
    return f"{found['mean']:+.2f} [{found['low']:+.2f}, {found['high']:+.2f}]"


def _mean(found: Mapping[str, float]) -> str:
    return f"{found['mean']:.2f} ± {(found['high'] - found['low']) / 2:.2f}"


def _difference(found: Mapping[str, float]) -> str:
    if math.isnan(found["low"]):
        return "not measured"
    low, high = percent(found["low"]), percent(found["high"])
    return f"{100 * found['difference']:+.0f} [{low}, {high}]"
