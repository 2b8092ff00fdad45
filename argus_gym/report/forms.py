"""How numbers and figures are written in a report."""

import math

from argus_gym.report.markup import Html, figure, tag
from argus_gym.report.measures import Estimate

__all__ = ["interval", "numbers", "points", "shown", "written"]


def shown(svg: str, alt: str, caption: str) -> Html:
    """Return a figure whose numbers are in tables."""
    return figure(svg, f"{alt} The numbers are in the tables.", caption)


def numbers(*tables: Html) -> Html:
    """Return the tables of a figure, open until the reader closes them."""
    return tag("details", tag("summary", "The numbers"), *tables, open="")


def points(estimate: Estimate) -> str:
    """Return a share as points with its interval."""
    return interval(estimate, "+.1f", 100, "not measured")


def interval(estimate: Estimate, form: str, scale: float = 1, missing: str = "–") -> str:
    """Return an estimate, times ``scale``, with its interval."""
    value, low, high = (scale * v for v in (estimate.value, estimate.low, estimate.high))
    if not math.isfinite(value):
        return missing
    known = math.isfinite(low) and math.isfinite(high)
    return (
        f"{value:{form}} [{low:{form}}, {high:{form}}]"
        if known
        else f"{value:{form}} [no interval]"
    )


def written(value: float, form: str) -> str:
    """Return a number, or a dash where it was not measured."""
    return format(value, form) if math.isfinite(value) else "–"
