"""Pictures of a run: the capability map and the timeline, as text or as an image.

Drawn with NumPy alone, so that ``render()`` needs no plotting library. A number that was not
measured is a gap.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from argus_gym.records import RoundRecord, Zone

__all__ = ["View", "ansi", "rgb_array"]

WIDTH, HEIGHT = 720, 480

# Okabe and Ito's palette, which readers with any form of colour blindness can tell apart.
PAPER = np.array((255, 255, 255), np.float32)
INK, GREY, PALE = (35, 35, 40), (125, 125, 130), (233, 233, 236)
BLUE, SKY, GREEN = (0, 114, 178), (86, 180, 233), (0, 158, 115)
ORANGE, VERMILLION, PURPLE = (230, 159, 0), (213, 94, 0), (204, 121, 167)
ZONES: tuple[tuple[Zone, tuple[int, int, int]], ...] = (
    ("hard", VERMILLION),
    ("frontier", BLUE),
    ("easy", SKY),
)
CURVES = (("reward", BLUE), ("skill", ORANGE), ("anchors", GREEN))

PAD = 4
DOT = np.ones((5, 5))
DOT[[0, 0, 4, 4], [0, 4, 0, 4]] = 0.3

# Seven rows of five pixels a glyph, each row one base-32 digit.
FONT = {
    **{"A": "ehhvhhh", "B": "uhhuhhu", "C": "ehggghe", "D": "uhhhhhu", "E": "vgguggv"},
    **{"F": "vgguggg", "G": "ehgnhhf", "H": "hhhvhhh", "I": "e44444e", "J": "72222ic"},
    **{"K": "hikokih", "L": "ggggggv", "M": "hrllhhh", "N": "hhpljhh", "O": "ehhhhhe"},
    **{"P": "uhhuggg", "Q": "ehhhlid", "R": "uhhukih", "S": "fgge11u", "T": "v444444"},
    **{"U": "hhhhhhe", "V": "hhhhha4", "W": "hhhllla", "X": "hha4ahh", "Y": "hhha444"},
    **{"Z": "v1248gv", "0": "ehjlphe", "1": "4c4444e", "2": "eh1248v", "3": "v2421he"},
    **{"4": "26aiv22", "5": "vgu11he", "6": "68guhhe", "7": "v124888", "8": "ehhehhe"},
    **{"9": "ehhf12c", " ": "0000000", ".": "00000cc", ",": "0000448", ":": "0cc0cc0"},
    **{"-": "000e000", "+": "044v440", "%": "op248j3", "/": "01248g0", "=": "00v0v00"},
    **{"(": "2488842", ")": "8422248", "<": "248g842", ">": "8421248", "?": "eh12404"},
}


@dataclass(frozen=True, slots=True)
class View:
    """What there is to see.

    Attributes:
        round: Rounds finished so far.
        rounds: Rounds of the run.
        phase: Name of the phase the environment is in.
        columns: The capability map's columns by name, each of length K.
        history: The finished rounds.
    """

    round: int
    rounds: int
    phase: str
    columns: Mapping[str, np.ndarray]
    history: Sequence[RoundRecord]


def ansi(view: View) -> str:
    """Return the view as plain text of at most 100 columns."""
    columns = {name: np.asarray(column, float) for name, column in view.columns.items()}
    lines = [
        f"argus_gym   round {view.round}/{view.rounds}   {view.phase}",
        "",
        "cluster     n  share             consensus         frontier       velocity  retest",
    ]
    for cluster in range(len(columns["n"])):
        row = {name: float(column[cluster]) for name, column in columns.items()}
        if row["n"] == 0:
            lines.append(f"{cluster:>7}     0")
            continue
        lines.append(
            f"{cluster:>7} {row['n']:>5.0f}  {100 * row['share']:>3.0f} % {_bar(row['share'])}  "
            f"{row['consensus']:.2f} {_bar(row['consensus'])}  "
            f"{row['frontier_rate']:.2f} {_bar(row['frontier_rate'], 6)}  "
            f"{row['velocity']:>+8.3f}  {row['retest_delta']:>+6.2f}"
            f"{'' if row['eligible'] else '  barred'}"
        )
    lines += ["", f"timeline{'last':>12}   {'rounds, oldest first'}"]
    for name, values in _curves(view.history).items():
        lines.append(f"{name:<10} {_number(values)}   {_sparkline(values, 0.0, 1.0)}")
    for name, values in _deltas(view.history).items():
        top = max((abs(v) for v in values if math.isfinite(v)), default=0.0) or 1.0
        lines.append(f"{name:<10} {_number(values, '+')}   {_sparkline(values, -top, top)}")
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _bar(share: float, width: int = 10) -> str:
    eighths = round(8 * width * min(max(share, 0.0), 1.0)) if math.isfinite(share) else 0
    full, rest = divmod(eighths, 8)
    return ("█" * full + " ▏▎▍▌▋▊▉"[rest] * (rest > 0)).ljust(width, "·")


def _number(values: Sequence[float], sign: str = "") -> str:
    if not values or not math.isfinite(values[-1]):
        return "      - "
    return f"{values[-1]:>{sign}8.3f}"


def _sparkline(values: Sequence[float], low: float, high: float, width: int = 72) -> str:
    marks = []
    for value in values[-width:]:
        if not math.isfinite(value):
            marks.append(" ")
            continue
        # Halves, so that the difference of two huge numbers stays finite.
        level = min(max((value / 2 - low / 2) / (high / 2 - low / 2), 0.0), 1.0)
        marks.append("▁▂▃▄▅▆▇█"[min(int(8 * level), 7)])
    return "".join(marks)


def _curves(history: Sequence[RoundRecord]) -> dict[str, list[float]]:
    return {
        "reward": [r.mean_reward for r in history],
        "skill": [r.skill for r in history],
        "anchors": [r.gauges.get("anchor_accuracy", math.nan) for r in history],
        "frontier": [r.gauges.get("frontier_share", math.nan) for r in history],
    }


def _deltas(history: Sequence[RoundRecord]) -> dict[str, list[float]]:
    return {
        "anchor Δ": [r.gauges.get("anchor_delta", math.nan) for r in history],
        "past Δ": [r.gauges.get("past_delta", math.nan) for r in history],
    }


def rgb_array(view: View) -> np.ndarray:
    """Return the view as an image: ``uint8`` of shape ``(480, 720, 3)``."""
    image = np.empty((HEIGHT, WIDTH, 3), np.float32)
    image[:] = PAPER
    _text(image, 16, 12, "ARGUS", INK, 2)
    _text(image, 96, 12, f"ROUND {view.round}/{view.rounds}", GREY, 2)
    _text(image, WIDTH - 16 - 12 * len(view.phase), 12, view.phase, GREY, 2)
    image[34:35, 16 : WIDTH - 16] = PALE
    _map(image, view.columns, 44, 252)
    image[264:265, 16 : WIDTH - 16] = PALE
    _lines(image, view, (54, 296, 344, 444))
    _stacks(image, view, (404, 296, WIDTH - 22, 444))
    return image.astype(np.uint8)


def _map(image: np.ndarray, columns: Mapping[str, np.ndarray], top: int, bottom: int) -> None:
    values = {name: np.asarray(column, float) for name, column in columns.items()}
    k = len(values["n"])
    left = {"share": 96, "consensus": 224, "frontier_rate": 352}
    middle = {"velocity": 530, "retest_delta": 630}
    _text(image, 16, top, "CLUSTER", GREY)
    _text(image, 64, top, "N", GREY)
    for name, x in left.items():
        _text(image, x, top, f"{name.replace('_', ' ')} %", GREY)
    scale = {name: max(_top(values[name]), 0.05) for name in middle}
    for (name, x), short in zip(middle.items(), ("velocity", "retest")):
        _text(image, x - 45, top, f"{short} +-{scale[name]:.2f}", GREY)
    start, height = top + 14, bottom - top - 14
    for cluster in range(k):
        y, end = start + cluster * height // k, start + (cluster + 1) * height // k
        end = max(end - 2, y + 1)
        labelled = end - y >= 8
        baseline = (y + end - 7) // 2
        seen = values["n"][cluster] > 0
        barred = not values["eligible"][cluster]
        ink = INK if seen else GREY
        if labelled:
            _text(image, 16, baseline, str(cluster), ink)
            _text(image, 64, baseline, f"{values['n'][cluster]:.0f}", ink)
        for name, x in left.items():
            value = values[name][cluster]
            image[y:end, x : x + 80] = PALE
            if seen and math.isfinite(value):
                colour = VERMILLION if name == "share" and barred else BLUE
                image[y:end, x : x + round(80 * min(max(value, 0.0), 1.0))] = colour
                if labelled:
                    _text(image, x + 85, baseline, f"{100 * value:.0f}", ink)
        for name, x in middle.items():
            value = values[name][cluster]
            image[y:end, x - 40 : x + 41] = PALE
            if seen and math.isfinite(value):
                reach = round(40 * min(max(value / scale[name], -1.0), 1.0))
                colour = GREEN if reach > 0 else ORANGE
                image[y:end, x + min(reach, 0) : x + max(reach, 0) + 1] = colour
            image[y:end, x] = GREY
        if barred and labelled:
            _text(image, 676, baseline, "BARRED", VERMILLION)


def _top(values: np.ndarray) -> float:
    finite = np.abs(values[np.isfinite(values)])
    return float(finite.max(initial=0.0))


def _lines(image: np.ndarray, view: View, box: tuple[int, int, int, int]) -> None:
    left, top, right, bottom = box
    for level in (0.0, 0.25, 0.5, 0.75, 1.0):
        y = round(bottom + (top - bottom) * level)
        image[y, left:right] = PALE
        _text(image, left - 22, y - 3, f"{100 * level:.0f}".rjust(3), GREY)
    _rounds(image, view, box)
    curves = _curves(view.history)
    x = left
    for name, colour in CURVES:
        image[top - 19 : top - 16, x : x + 14] = colour
        _text(image, x + 19, top - 21, name, INK)
        x += 19 + 6 * len(name) + 18
    centres = left + (np.arange(len(view.history)) + 0.5) * (right - left) / max(view.rounds, 1)
    for name, colour in CURVES if view.history else ():
        _curve(image, box, centres, np.array(curves[name], float), colour)


def _curve(
    image: np.ndarray,
    box: tuple[int, int, int, int],
    x: np.ndarray,
    values: np.ndarray,
    colour: tuple[int, int, int],
) -> None:
    left, top, right, bottom = box
    y = bottom + (top - bottom) * np.clip(values, 0.0, 1.0)
    at = np.arange(left - PAD, right + PAD, dtype=float)
    rows = np.arange(top - PAD, bottom + PAD, dtype=float)[:, None]
    # NaN carries over to the segments on both sides of it, which makes the gap.
    height = np.interp(at, x, y, left=np.nan, right=np.nan)
    steep = np.sqrt(1.0 + np.gradient(height) ** 2)
    cover = np.nan_to_num(np.clip(1.6 - np.abs(rows - height) / steep, 0.0, 1.0))
    for cx, cy in zip(x[np.isfinite(y)], y[np.isfinite(y)]):
        i, j = round(cx) - left + PAD, round(cy) - top + PAD
        np.maximum(patch := cover[j - 2 : j + 3, i - 2 : i + 3], DOT, out=patch)
    area = image[top - PAD : bottom + PAD, left - PAD : right + PAD]
    area += cover[..., None] * (np.array(colour, np.float32) - area)


def _stacks(image: np.ndarray, view: View, box: tuple[int, int, int, int]) -> None:
    left, top, right, bottom = box
    _rounds(image, view, box)
    x = left
    for zone, colour in ZONES:
        image[top - 21 : top - 14, x : x + 7] = colour
        _text(image, x + 12, top - 21, zone, INK)
        x += 12 + 6 * len(zone) + 18
    image[bottom, left:right] = PALE
    slot = (right - left) / max(view.rounds, 1)
    for i, record in enumerate(view.history):
        n = len(record.problems)
        start, end = round(left + i * slot), round(left + (i + 1) * slot)
        end = max(end - (2 if slot >= 6 else 0), start + 1)
        y, count = bottom, 0
        for zone, colour in ZONES:
            count += record.zone_count(zone)
            upper = bottom - round((bottom - top) * count / n) if n else bottom
            image[upper:y, start:end] = colour
            y = upper


def _rounds(image: np.ndarray, view: View, box: tuple[int, int, int, int]) -> None:
    left, _, right, bottom = box
    every = max(1, math.ceil(view.rounds / 15))
    for i in range(0, view.rounds, every):
        label = str(i)
        x = left + (i + 0.5) * (right - left) / view.rounds
        _text(image, round(x - 3 * len(label) + 0.5), bottom + 8, label, GREY)
    _text(image, (left + right) // 2 - 15, bottom + 22, "ROUND", GREY)


def _text(
    image: np.ndarray, x: int, y: int, text: str, colour: tuple[int, int, int], scale: int = 1
) -> None:
    mask = _glyphs(text.upper(), scale)
    area = image[y : y + mask.shape[0], x : x + mask.shape[1]]
    area[mask[: area.shape[0], : area.shape[1]]] = colour


@lru_cache(maxsize=1024)
def _glyphs(text: str, scale: int) -> np.ndarray:
    mask = np.zeros((7, 6 * len(text)), bool)
    for i, character in enumerate(text):
        rows = [int(row, 32) for row in FONT.get(character, FONT["?"])]
        mask[:, 6 * i : 6 * i + 5] = [[row >> bit & 1 for bit in (4, 3, 2, 1, 0)] for row in rows]
    return mask.repeat(scale, 0).repeat(scale, 1)
