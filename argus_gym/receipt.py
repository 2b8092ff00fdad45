"""The receipt: what ``argus-gym run`` prints at the end of a run, and the summary behind it."""

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from argus_gym.capability_map import COLUMNS
from argus_gym.gauges import anchors, noise_band, paired
from argus_gym.records import RetestItem, RoundRecord, encode

if TYPE_CHECKING:
    from rich.console import Group
    from rich.table import Table

__all__ = ["compare", "receipt", "summarise"]

NAN = math.nan
CHANGE = {1: "up", 0: "not measurably changed", -1: "down"}


def compare(before: Sequence[int], after: Sequence[int], samples: int) -> dict[str, Any]:
    """Return the external comparison: the same report problems before and after the run.

    Args:
        before: Right answers to each problem before the run, in ``[0, samples]``.
        after: Right answers to the same problems after it, in the same order.
        samples: Answers to each problem on each side, >= 1.

    Returns:
        ``before`` and ``after`` with ``right``, ``n`` and ``samples``; the paired ``delta`` of
        pass@1 with its 95 % interval ``low`` to ``high``; ``n`` and ``samples``; and ``band``, how
        far two measurements of one unchanged model on n problems lie apart by chance (half-width,
        95 %; problems are the unit, so it is wide where a problem has several samples).

    Raises:
        ValueError: If there are no problems, the lengths differ, or a count is out of range.
    """
    n = len(before)
    if n == 0 or n != len(after):
        raise ValueError(
            f"before and after must be the same problems, at least one, got {n} and {len(after)}"
        )
    if samples < 1 or min(*before, *after) < 0 or max(*before, *after) > samples:
        raise ValueError(f"right answers must be in [0, samples], samples >= 1, got {samples=}")
    test = paired(
        [RetestItem("", 0, True, samples, int(b), int(a), NAN, NAN) for b, a in zip(before, after)]
    )
    right = {"before": int(sum(before)), "after": int(sum(after))}
    return {
        **{side: {"right": r, "n": n, "samples": samples} for side, r in right.items()},
        "delta": test.delta,
        "low": test.low,
        "high": test.high,
        "n": n,
        "samples": samples,
        "band": noise_band(right["before"] / (n * samples), n),
    }


def summarise(
    rounds: Sequence[RoundRecord], external: Mapping[str, Any] | None, **meta: Any
) -> dict[str, Any]:
    """Return the summary of a run, JSON-ready.

    Args:
        rounds: The run's rounds.
        external: What :func:`compare` returned; ``None`` where it was not measured.
        **meta: Anything else that belongs in it: ``seed``, ``agent``, ...

    Returns:
        ``external`` as given; ``in_loop`` with the mean reward of the ``first`` and the ``last``
        round, their ``delta`` with its 95 % interval ``low`` to ``high`` (as if problems were
        independent; ``None`` where not measured) and the problems behind each, ``n_first`` and
        ``n_last``; ``verdict``, one line; the numbers of ``rounds``, ``problems``, ``answers`` and
        ``tokens``; and ``meta``.
    """
    in_loop = _in_loop(rounds)
    summary = {
        "external": external,
        "in_loop": in_loop,
        "verdict": _verdict(in_loop, external),
        "rounds": len(rounds),
        "problems": sum(len(r.problems) for r in rounds),
        "answers": sum(sum(r.answers.values()) for r in rounds),
        "tokens": sum(sum(r.tokens.values()) for r in rounds),
        **meta,
    }
    encoded: dict[str, Any] = encode(summary)
    return encoded


def _in_loop(rounds: Sequence[RoundRecord]) -> dict[str, float]:
    if not rounds:
        nothing = dict.fromkeys(("first", "last", "delta", "low", "high"), NAN)
        return nothing | {"n_first": 0, "n_last": 0}
    first, last = (np.array([p.combined for p in r.problems]) for r in (rounds[0], rounds[-1]))
    delta = rounds[-1].mean_reward - rounds[0].mean_reward if len(rounds) > 1 else NAN
    half = NAN
    if min(len(first), len(last)) > 1:
        half = 1.96 * math.sqrt(first.var(ddof=1) / len(first) + last.var(ddof=1) / len(last))
    return {
        "first": rounds[0].mean_reward,
        "last": rounds[-1].mean_reward,
        "delta": delta,
        "low": delta - half,
        "high": delta + half,
        "n_first": len(first),
        "n_last": len(last),
    }


def _direction(change: Mapping[str, Any] | None) -> int | None:
    if change is None or not (_known(change["low"]) and _known(change["high"])):
        return None
    return int(change["low"] > 0) - int(change["high"] < 0)


def _verdict(in_loop: Mapping[str, Any], external: Mapping[str, Any] | None) -> str:
    inside, outside = _direction(in_loop), _direction(external)
    words = [
        f"{name} {'not measured' if direction is None else CHANGE[direction]}"
        for name, direction in (("in-loop", inside), ("external", outside))
    ]
    if inside == 1 and outside == -1:
        words.append("the loop deceives itself")
    return ", ".join(words)


def receipt(
    rounds: Sequence[RoundRecord], summary: Mapping[str, Any], events: Sequence[Mapping[str, Any]]
) -> "Group":
    """Return the receipt of a run, to be printed by a :class:`rich.console.Console`.

    Args:
        rounds: The run's rounds.
        summary: What :func:`summarise` returned.
        events: The ledger's entries. Those named ``verdict`` or ``verdict.*`` fill the timeline's
            verdict column with their action.
    """
    from rich.console import Group
    from rich.text import Text

    parts: list[Any] = [*_headline(summary)]
    if rounds:
        parts += [Text(), _timeline(rounds, events), Text(), _clusters(rounds[-1])]
    if events:
        parts += [Text(), _events(events)]
    return Group(*parts)


def _headline(summary: Mapping[str, Any]) -> list[Any]:
    from rich.text import Text

    external, in_loop = summary["external"], summary["in_loop"]
    lines = [Text(str(summary["verdict"]), style="bold")]
    if external is None:
        lines.append(Text("external  not measured: nothing outside the loop was asked"))
    else:
        before, after = (
            side["right"] / (side["n"] * side["samples"])
            for side in (external["before"], external["after"])
        )
        where = "inside" if abs(external["delta"]) <= external["band"] else "outside"
        lines += [
            Text(
                f"external  pass@1 {before:.3f} → {after:.3f}: {_change(external)}, paired, "
                f"n = {external['n']}, {_counted(external['samples'], 'samples')} each"
                + (f", seed {summary['seed']}" if "seed" in summary else "")
            ),
            Text(
                f"          {where} the noise band of ±{100 * external['band']:.1f} points "
                "(two unpaired measurements of an unchanged model)"
            ),
        ]
    if _known(in_loop["delta"]):
        lines.append(
            Text(
                f"in-loop   reward {in_loop['first']:.3f} → {in_loop['last']:.3f}: "
                f"{_change(in_loop)}, first to last round, "
                f"n = {in_loop['n_first']} and {in_loop['n_last']}"
            )
        )
    elif _known(in_loop["last"]):
        lines.append(Text(f"in-loop   reward {in_loop['last']:.3f} in the only round"))
    names = [_plain(summary["agent"])] if "agent" in summary else []
    names += [f"seed {summary['seed']}"] if "seed" in summary else []
    names += [_counted(summary[key], key) for key in ("rounds", "problems", "answers", "tokens")]
    lines.append(Text(f"run       {' · '.join(names)}", style="dim"))
    return lines


def _counted(number: int, things: str) -> str:
    return f"{number:,} {things.removesuffix('s') if number == 1 else things}"


def _change(change: Mapping[str, Any]) -> str:
    points = f"{100 * change['delta']:+.1f} points"
    if not (_known(change["low"]) and _known(change["high"])):
        return f"{points} (no interval)"
    return f"{points}, 95 % {_interval(change['low'], change['high'])}"


def _interval(low: float, high: float) -> str:
    return f"[{100 * low:+.1f}, {100 * high:+.1f}]"


def _timeline(rounds: Sequence[RoundRecord], events: Sequence[Mapping[str, Any]]) -> "Table":
    from rich.text import Text

    verdicts = {
        event["round"]: str(event["action"])
        for event in events
        if str(event["event"]).split(".")[0] == "verdict"
    }
    names = ("round", "reward", "skill", "frontier", "easy", "hard", "epi\ntrain", "epi\nheld out")
    table = _table("timeline, 95 % intervals", [*names, "anchor Δ\npoints", "anchors\n× chains"])
    if verdicts:
        table.add_column("verdict")
    for record in rounds:
        test = paired(anchors(record.retests))
        delta = f"{100 * test.delta:+.1f}" if test.n else "–"
        if _known(test.low):
            delta += f" {_interval(test.low, test.high)}"
        row: list[str | Text] = [
            str(record.round),
            _number(record.mean_reward, ".3f"),
            _number(record.skill, ".3f"),
            *(str(record.zone_count(zone)) for zone in ("frontier", "easy", "hard")),
            _number(record.gauges.get("epi_train"), "+.4f"),
            _number(record.gauges.get("epi_heldout"), "+.4f"),
            delta,
            f"{test.n}×{test.answers // (2 * test.n)}" if test.n else "–",
        ]
        if verdicts:
            row.append(Text(_plain(verdicts.get(record.round, ""))))
        table.add_row(*row)
    return table


def _clusters(record: RoundRecord) -> "Table":
    table = _table("capability map", ["cluster", *(c.replace("_", " ") for c in COLUMNS)])
    for cluster in range(len(record.map["n"])):
        value = {name: record.map[name][cluster] for name in COLUMNS}
        if not value["n"]:
            table.add_row(str(cluster), "0", *("–" for _ in COLUMNS[1:]))
            continue
        table.add_row(
            str(cluster),
            f"{value['n']:.0f}",
            f"{100 * value['share']:.0f} %",
            _number(value["consensus"], ".2f"),
            _number(value["frontier_rate"], ".2f"),
            _number(value["velocity"], "+.3f"),
            _number(value["retest_delta"], "+.2f"),
            "yes" if value["eligible"] else "no",
        )
    return table


def _events(events: Sequence[Mapping[str, Any]]) -> "Table":
    from rich.text import Text

    kinds: dict[str, list[Mapping[str, Any]]] = {}
    for event in events:
        kinds.setdefault(str(event["event"]), []).append(event)
    table = _table("events", ["times"])
    for name in ("event", "rounds", "last action", "last cause"):
        table.add_column(name, overflow="fold")
    for kind, entries in sorted(kinds.items()):
        numbers = sorted({int(entry["round"]) for entry in entries})
        table.add_row(
            str(len(entries)),
            Text(_plain(kind)),
            _spans(numbers),
            Text(_plain(entries[-1]["action"])),
            Text(_plain(_cause(entries[-1]["because"]))),
        )
    return table


def _cause(because: Any) -> str:
    if not isinstance(because, Mapping):
        return str(because)
    return ", ".join(
        f"{key}={value:.4g}" if isinstance(value, float) else f"{key}={value}"
        for key, value in because.items()
    )


def _spans(numbers: Sequence[int]) -> str:
    spans: list[list[int]] = []
    for number in numbers:
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ", ".join(str(a) if a == b else f"{a}–{b}" for a, b in spans)


def _table(title: str, columns: Sequence[str]) -> "Table":
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    table = Table(
        title=title, title_justify="left", box=SIMPLE_HEAD, pad_edge=False, padding=(0, 0, 0, 1)
    )
    for name in columns:
        table.add_column(name, justify="right")
    return table


def _known(value: float | None) -> bool:
    return value is not None and math.isfinite(value)


def _number(value: float | None, form: str) -> str:
    return format(value, form) if value is not None and math.isfinite(value) else "–"


def _plain(value: Any) -> str:
    """Return ``value`` in one printable line: ledgers may quote a model's text."""
    text = "".join(c if c.isprintable() else " " for c in str(value)[:200])
    return text if len(str(value)) <= 200 else text + "…"
