"""HTML that cannot be broken out of: every text is escaped where it becomes part of an element."""

import base64
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

__all__ = ["Html", "figure", "label", "plain", "table", "tag"]

VOID = {"br", "img", "meta"}


class Html(str):
    """Markup that is already safe; any other text is escaped."""

    __slots__ = ()


def tag(name: str, /, *children: Any, **attributes: str) -> Html:
    """Return one element.

    Args:
        name: The element's name.
        *children: Its content: ``Html`` as it is, anything else as escaped text.
        **attributes: Its attributes; a trailing underscore is dropped from their names, any other
            becomes a hyphen.
    """
    names = {k.rstrip("_").replace("_", "-"): v for k, v in attributes.items()}
    given = "".join(f' {k}="{escape(v)}"' for k, v in names.items())
    if name in VOID:
        return Html(f"<{name}{given}>")
    inside = "".join(c if isinstance(c, Html) else escape(str(c)) for c in children)
    return Html(f"<{name}{given}>{inside}</{name}>")


def table(
    caption: str, head: Sequence[Any], rows: Iterable[Sequence[Any]], words: Iterable[int] = (0,)
) -> Html:
    """Return a table whose first column names its rows.

    Args:
        caption: What the table is.
        head: The columns' names.
        rows: The cells.
        words: Columns that hold words and are aligned to the left.
    """
    left = set(words)

    def cell(name: str, column: int, content: Any, **scope: str) -> Html:
        kind = {"class_": "words"} if column in left else {}
        return tag(name, content, **scope, **kind)

    top = tag("tr", *(cell("th", i, name, scope="col") for i, name in enumerate(head)))
    body = []
    for row in rows:
        cells = [cell("td", i, content) for i, content in enumerate(row) if i]
        body.append(tag("tr", cell("th", 0, row[0], scope="row"), *cells))
    inside = (tag("caption", caption), tag("thead", top), tag("tbody", *body))
    return tag("div", tag("table", *inside), class_="wide")


def figure(svg: str, alt: str, caption: str) -> Html:
    """Return a figure whose picture is part of the page; as an image it can run nothing."""
    data = base64.b64encode(svg.encode()).decode()
    picture = tag("img", alt=alt, src=f"data:image/svg+xml;base64,{data}")
    return tag("figure", picture, tag("figcaption", caption))


def plain(value: Any, limit: int = 400) -> str:
    """Return ``value`` as one line of printable text of at most ``limit`` characters, and a mark.

    Control characters, lone surrogates and marks that turn the direction of writing become blanks.
    """
    text = str(value)
    line = "".join(c if c.isprintable() else " " for c in text[:limit])
    return line if len(text) <= limit else f"{line}…"


def label(value: Any, limit: int = 28) -> str:
    """Return ``value`` for a figure: printable ASCII, dollar signs not read as mathematics."""
    text = "".join(c if " " <= c <= "~" else "?" for c in plain(value, limit).replace("…", ".."))
    return text.replace("$", r"\$")
