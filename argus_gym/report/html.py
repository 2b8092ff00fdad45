"""The report: one HTML file that needs nothing else and loads nothing."""

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from argus_gym.report import sections
from argus_gym.report.markup import Html, plain, tag
from argus_gym.report.source import ReportRun, read_run
from argus_gym.run_data import InputError

__all__ = ["page", "write_report"]

MARK = b'<!DOCTYPE html>\n<html lang="en"><head><meta name="generator" content="argus-gym report">'
"""How every report begins; a file that begins otherwise is never replaced."""

POLICY = "default-src 'none'; img-src data:; style-src 'unsafe-inline'"
"""What a browser may load for the page: nothing from outside, and no script at all."""

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #232328; background: #fff;
  max-width: 56rem; margin: 0 auto; padding: 1rem; overflow-wrap: anywhere; }
h1, h2, h3 { line-height: 1.25; margin: 1.6em 0 0.5em; }
h1 { margin-top: 0.5em; }
a { color: #00588a; }
figure { margin: 1rem 0; }
figure img { display: block; width: 100%; height: auto; }
figcaption, .note { font-size: 0.9rem; }
.wide { overflow-x: auto; margin: 0.8rem 0; }
table { border-collapse: collapse; font-size: 0.82rem; overflow-wrap: normal;
  font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding-bottom: 0.3rem; }
th, td { text-align: right; vertical-align: top; padding: 0.15rem 0.5rem;
  border-bottom: 1px solid #d5d5da; }
thead th { border-bottom: 2px solid #6a6a70; }
.words { text-align: left; }
td { white-space: nowrap; }
td.words { min-width: 6rem; white-space: normal; overflow-wrap: anywhere; }
tbody th { font-weight: 400; }
summary { cursor: pointer; font-size: 0.9rem; }
.warn { border-left: 4px solid #d55e00; padding: 0.2rem 0.8rem; }
dt { font-weight: 600; margin-top: 0.6rem; }
dd { margin: 0 0 0 1.2rem; }
@page { margin: 15mm; }
@media print {
  body { font-size: 10pt; max-width: none; padding: 0; }
  table { font-size: 7.5pt; }
  .wide { overflow: visible; }
  tbody tr:nth-child(-n+2) { break-before: avoid; }
  figure img { width: auto; max-width: 100%; max-height: 180mm; margin: 0 auto; }
  details::details-content { content-visibility: visible; display: block; }
  summary { display: none; }
  nav { display: none; }
  figure, tr, dt { break-inside: avoid; }
  h2, h3, dt, caption { break-after: avoid; }
  .run { break-before: page; }
  a { color: inherit; text-decoration: none; }
}
"""


def page(runs: Sequence[ReportRun]) -> str:
    """Return the report on ``runs`` as one HTML page in ASCII; the same runs, the same bytes.

    Args:
        runs: At least one run of at least one round each.

    Raises:
        ValueError: If there is no run, or a run without a round.
    """
    if not runs or any(not run.rounds for run in runs):
        raise ValueError("runs must be at least one run, each of at least one round")
    heading = "Report on " + (plain(runs[0].name, 80) if len(runs) == 1 else f"{len(runs)} runs")
    parts = sections.all_sections(runs)
    links = [tag("li", tag("a", name, href=f"#{key}")) for key, name, _ in parts]
    head = (
        tag("meta", charset="utf-8"),
        tag("meta", **{"http-equiv": "Content-Security-Policy", "content": POLICY}),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", heading),
        tag("style", Html(STYLE)),
    )
    body = (
        tag("h1", heading),
        tag("nav", tag("ol", *links), aria_label="Contents"),
        tag("main", *(content for _, _, content in parts)),
    )
    text = f"{MARK.decode()}{''.join(head)}</head>\n{tag('body', *body)}</html>\n"
    return text.encode("ascii", "xmlcharrefreplace").decode("ascii")


def write_report(paths: Iterable[Path], out: Path) -> list[ReportRun]:
    """Write the report on run folders to a file, whole or not at all.

    Args:
        paths: The run folders, at least one.
        out: The file; an earlier report is replaced, any other file is not.

    Returns:
        The runs as they were read.

    Raises:
        InputError: If a folder is not one to report on, ``out`` is another file, lies in a run
            folder or cannot be written, or matplotlib is missing.
    """
    try:
        import matplotlib  # noqa: F401
    except ModuleNotFoundError as error:
        raise InputError('report needs matplotlib: pip install "argus-gym[report]"') from error
    folders = list(paths)
    _check_out(out, folders)
    runs = [read_run(p, name) for p, name in zip(folders, _names(folders))]
    data = page(runs).encode("ascii")
    temp = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    try:
        temp.write_bytes(data)
        os.replace(temp, out)
    except OSError as error:
        temp.unlink(missing_ok=True)
        raise InputError(f"cannot write {out}: {error.strerror}") from error
    return runs


def _check_out(out: Path, folders: Sequence[Path]) -> None:
    place = out.resolve()
    for folder in folders:
        if place.is_relative_to(folder.resolve()):
            raise InputError(f"{out} lies in the run folder {folder}: expected a place outside it")
    if not place.parent.is_dir():
        raise InputError(f"cannot write {out}: expected the folder {place.parent} to exist")
    if not os.path.lexists(out):
        return
    try:
        with out.open("rb") as file:
            ours = out.is_file() and file.read(len(MARK)) == MARK
    except OSError:
        ours = False
    if not ours:
        raise InputError(f"{out} exists and is not a report: expected a new file or a report")


def _names(folders: Sequence[Path]) -> list[str]:
    """Return the folders' names, with as much of their paths as tells them apart."""
    parts = [folder.resolve().parts for folder in folders]
    depth = 1
    while depth < max(map(len, parts)) and len({p[-depth:] for p in parts}) < len(set(parts)):
        depth += 1
    return ["/".join(p[-depth:]) for p in parts]
