"""Runs of different stacks on the same seed, side by side."""

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING

from argus_gym.run_data import RunData

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["defensive_events", "side_by_side"]


def defensive_events(run: RunData) -> dict[str, int]:
    """Count a run's alarms, carried-out defences, refusals and certificates, by kind."""
    counts: Counter[str] = Counter()
    for entry in run.ledger:
        kind, _, name = entry["event"].partition(".")
        if kind == "lie":
            counts[f"alarm: {name}"] += 1
        elif kind == "defence" and entry["action"] == "carried out":
            counts[f"defence: {name}"] += 1
        elif kind == "verdict" and entry["action"] in ("REFUSE", "COMMIT_CERTIFIED"):
            counts["refused" if entry["action"] == "REFUSE" else "certified"] += 1
        elif kind == "warning":
            counts["warning"] += 1
    return dict(sorted(counts.items()))


def side_by_side(runs: Mapping[str, RunData]) -> "Table":
    """Return a table with a column for each run: outcome first, then what defended it.

    Args:
        runs: Finished runs by name, on the same seed.
    """
    from rich.table import Table

    seeds = {run.config["seed"] for run in runs.values()}
    out = Table(title=f"side by side, seed {', '.join(map(str, sorted(seeds)))}")
    out.add_column("")
    for name in runs:
        out.add_column(name, justify="right")
    rows: dict[str, list[str]] = {
        "external pass@1": [_external(run) for run in runs.values()],
        "in-loop reward, first → last": [
            f"{run.rounds[0].mean_reward:.3f} → {run.rounds[-1].mean_reward:.3f}"
            if run.rounds
            else "no round"
            for run in runs.values()
        ],
        "answers sampled": [
            f"{sum(sum(r.answers.values()) for r in run.rounds):,}" for run in runs.values()
        ],
    }
    events = [defensive_events(run) for run in runs.values()]
    for kind in sorted({kind for counts in events for kind in counts}):
        rows[kind] = [str(counts.get(kind, 0)) for counts in events]
    rows["defensive events"] = [str(sum(counts.values())) for counts in events]
    for label, cells in rows.items():
        out.add_row(label, *cells)
    return out


def _external(run: RunData) -> str:
    external = (run.summary or {}).get("external")
    if not external:
        return "not measured"
    low, high = 100 * external["low"], 100 * external["high"]
    return (
        f"{100 * external['delta']:+.1f} points, 95 % [{low:+.1f}, {high:+.1f}], "
        f"n = {external['n']}"
    )
