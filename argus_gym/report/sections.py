"""The sections of a report: figures, and every number of them as a table."""

import math
from collections.abc import Iterable, Sequence
from typing import Any

from argus_gym.comparison import defensive_events
from argus_gym.report import figures
from argus_gym.report.forms import numbers, points, shown
from argus_gym.report.markup import Html, plain, table, tag
from argus_gym.report.measures import (
    Axis,
    Estimate,
    changes,
    fingerprint,
    mean_change,
    repeats,
)
from argus_gym.report.notes import notes
from argus_gym.report.run_section import run_section
from argus_gym.report.source import ReportRun

__all__ = ["all_sections"]

Section = tuple[str, str, Html]


def all_sections(runs: Sequence[ReportRun]) -> list[Section]:
    """Return key, heading and content of every section, in order."""
    pictures = figures.across_runs(runs)
    found = [
        _section("findings", "What was found", _findings(runs)),
        _section("settings", "Settings", _settings(runs)),
        _section("external", "External change", _external(runs, pictures["external"])),
        _section("inversion", "In-loop against external", _inversion(runs, pictures["inversion"])),
        _section("fingerprint", "Fingerprint", _fingerprint(runs, pictures["fingerprint"])),
        _section("events", "Defensive events", _events(runs, pictures["events"])),
    ]
    for index, run in enumerate(runs):
        name = f"Run {index + 1}: {plain(run.name, 80)}" if len(runs) > 1 else "The run by round"
        found.append(_section(f"run-{index + 1}", name, run_section(run), class_="run"))
    return [*found, _section("notes", "Method notes", notes(), class_="run")]


def _section(key: str, name: str, content: Iterable[Html], **kind: str) -> Section:
    return key, name, tag("section", tag("h2", name), *content, id=key, **kind)


def _findings(runs: Sequence[ReportRun]) -> list[Html]:
    lines = []
    for run in runs:
        loop, truth, _ = changes(run)
        seed = plain(run.data.config.get("seed"), 20)
        words = (
            tag("strong", f"{plain(run.name, 80)}: {run.summary['verdict']}."),
            f" In-loop reward: {_said(loop)} from first to last round, {_problems(run)}. "
            f"External pass@1: {_said(truth)}{_sides(run)}. Seed {seed}. "
            f"{run.status[0].upper()}{run.status[1:]}.",
        )
        lines.append(tag("li", *words))
    left = [(run, why) for run in runs for why in run.left_out]
    if not left:
        return [tag("ul", *lines)]
    items = [tag("li", f"{plain(run.name, 80)}: {plain(why)}") for run, why in left]
    return [
        tag("ul", *lines),
        tag("div", tag("p", tag("strong", "Left out")), tag("ul", *items), class_="warn"),
    ]


def _said(change: Estimate) -> str:
    if not math.isfinite(change.value):
        return "not measured"
    text = f"{100 * change.value:+.1f} points, "
    if not math.isfinite(change.low + change.high):
        return f"{text}no interval,"
    return f"{text}95 % [{100 * change.low:+.1f}, {100 * change.high:+.1f}],"


def _problems(run: ReportRun) -> str:
    first, last = (run.summary["in_loop"][key] for key in ("n_first", "n_last"))
    return f"n = {first} and {last} problems"


def _sides(run: ReportRun) -> str:
    external = run.external
    if external is None:
        return ""
    before, after = (
        external[side]["right"] / (external["n"] * external["samples"])
        for side in ("before", "after")
    )
    return (
        f" paired, from {before:.3f} to {after:.3f} on n = {external['n']} problems with "
        f"{external['samples']} answers each; two unpaired measurements of an unchanged model lie "
        f"within ±{100 * external['band']:.1f} points with 95 %"
    )


def _settings(runs: Sequence[ReportRun]) -> list[Html]:
    names = list(dict.fromkeys(key for run in runs for key in run.data.config))
    value = {key: [_setting(run.data.config.get(key)) for run in runs] for key in names}
    differ = [key for key in names if len(set(value[key])) > 1]
    words = ", ".join(plain(key.replace("_", " "), 40) for key in differ)
    rows: list[list[Any]] = [[plain(key.replace("_", " "), 40), *value[key]] for key in names]
    rows.append(["state", *(run.status for run in runs)])
    for key in ("problems", "answers", "tokens"):
        rows.append([f"{key} in all", *(f"{run.summary[key]:,}" for run in runs)])
    head = ["setting", *(plain(run.name, 80) for run in runs)]
    out = [table("What each run was started with, and what it used", head, rows)]
    if len(runs) > 1:
        same = "The runs differ in no setting." if not differ else f"The runs differ in: {words}."
        out.insert(0, tag("p", same))
    return out


def _setting(value: Any) -> str:
    return "none" if value is None else plain(value, 80)


def _external(runs: Sequence[ReportRun], svg: str) -> list[Html]:
    rows = []
    for run in runs:
        external, (_, truth, _) = run.external, changes(run)
        if external is None:
            rows.append([plain(run.name, 80), *["not measured"] * 5])
            continue
        inside = "inside" if abs(external["delta"]) <= external["band"] else "outside"
        shares = [
            f"{external[s]['right']} of {external['n'] * external['samples']}"
            for s in ("before", "after")
        ]
        size = f"{external['n']} × {external['samples']}"
        noise = f"±{100 * external['band']:.1f}, {inside}"
        rows.append([plain(run.name, 80), size, *shares, points(truth), noise])
    for group in repeats(runs):
        measured = [runs[i] for i in group if runs[i].external is not None]
        mean = mean_change(measured)
        if mean.n > 1:
            seeds = ", ".join(plain(run.data.config.get("seed"), 20) for run in measured)
            name = f"mean of {mean.n} runs, seeds {seeds}"
            rows.append([name, "", "", "", points(mean), "t over runs"])
    head = [
        *("run", "problems × answers", "right before", "right after"),
        *("change, points", "noise band, points"),
    ]
    return [
        shown(
            svg,
            "External change of each run with its 95 % interval, against its noise band.",
            "Marks and lines: paired change with its 95 % interval. Grey: the band in which two "
            "unpaired measurements of an unchanged model lie with 95 %.",
        ),
        numbers(table("External change", head, rows)),
    ]


def _inversion(runs: Sequence[ReportRun], svg: str) -> list[Html]:
    rows = [
        [plain(run.name, 80), *map(points, changes(run)), run.summary["verdict"]] for run in runs
    ]
    head = ["run", "in-loop reward, points", "external, points", "external − in-loop", "verdict"]
    return [
        shown(
            svg,
            "One line a run, from the change of the in-loop reward to the external change.",
            "What the loop said of itself, and what problems outside it say, with 95 % intervals. "
            "A line that ends in the grey half got worse. The two sides are different "
            "quantities in one unit: agreement inside, right answers outside.",
        ),
        numbers(table("In-loop and external change", head, rows, (0, 4))),
    ]


def _fingerprint(runs: Sequence[ReportRun], svg: str) -> list[Html]:
    axes = [fingerprint(run) for run in runs]
    rows = [
        [axis.name, f"{axis.low:.3g} to {axis.high:.3g}", *(_value(a[i]) for a in axes)]
        for i, axis in enumerate(axes[0])
    ]
    head = ["axis", "scale", *(plain(run.name, 80) for run in runs)]
    return [
        shown(
            svg,
            "Six numbers of each run, each on a scale of its own.",
            "Six numbers of each run. The dotted line only joins the marks of a run; lengths "
            "on different axes cannot be compared.",
        ),
        numbers(table("Fingerprint", head, rows)),
    ]


def _value(axis: Axis) -> str:
    e = axis.estimate
    if not math.isfinite(e.value):
        return "not measured"
    return f"{e.value:{axis.form}}" + (
        f" [{e.low:{axis.form}}, {e.high:{axis.form}}]" if math.isfinite(e.low + e.high) else ""
    )


def _events(runs: Sequence[ReportRun], svg: str) -> list[Html]:
    counts = [defensive_events(run.data) for run in runs]
    kinds = sorted({kind for count in counts for kind in count})
    rows: list[list[Any]] = [
        [plain(kind.replace("_", " "), 60), *(count.get(kind, 0) for count in counts)]
        for kind in kinds
    ]
    rows.append(["all", *(sum(count.values()) for count in counts)])
    rows.append(["rounds", *(len(run.rounds) for run in runs)])
    rows.append(["external change, points", *(points(changes(run)[1]) for run in runs)])
    few = f"{len(runs)} run{'s' * (len(runs) > 1)}"
    return [
        shown(
            svg,
            "Number of defensive events of each run against its external change.",
            f"Defensive events against external change with its 95 % interval. {few} cannot show "
            "whether more events go with a better or a worse end.",
        ),
        numbers(table("Defensive events", ["kind", *(plain(r.name, 80) for r in runs)], rows)),
    ]
