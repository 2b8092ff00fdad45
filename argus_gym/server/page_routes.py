"""The page at ``/``: its files, and what its script asks for."""

import os
import re
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.staticfiles import StaticFiles
from starlette.types import Scope

from argus_gym.agents.mechanisms import MECHANISMS
from argus_gym.checkpoint import dumps
from argus_gym.run_data import CONFIG, LOGS, SUMMARY, InputError, load_run, read_config
from argus_gym.server.contract import Route
from argus_gym.server.demo import ONSET, ROUNDS, STACK, CycleRequest, Demos
from argus_gym.server.environment import Refused
from argus_gym.server.frames import detectors, published, replay

__all__ = ["PAGE_PATHS", "Page", "routes"]

PAGE_PATHS = frozenset({"/", "/index.html", "/page.css", "/page.js"})
"""They hold no data, so that the page can ask for the token itself."""
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
LISTED, LARGEST = 200, 16 * 2**20
"""Run folders in the list, and bytes of a folder's rounds that are replayed."""
NAME = re.compile(r"\w[\w.-]{0,127}", re.ASCII)


class Page(StaticFiles):
    """The page's files, which may load nothing from elsewhere and be shown in no other page."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """Return a file with its headers."""
        response = await super().get_response(path, scope)
        response.headers["Content-Security-Policy"] = POLICY
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["Referrer-Policy"] = "no-referrer"
        response.headers["Cache-Control"] = "no-cache"
        return response


def routes(runs: Path | None, data: Path | None) -> APIRouter:
    """Return the page's routes; they are the page's own and in no document.

    Args:
        runs: Folder whose run folders may be replayed, ``None`` for none.
        data: Folder with ``published_runs``, ``None`` for none.
    """
    api = APIRouter(prefix="/demo", route_class=Route, include_in_schema=False)
    demos = Demos()
    figures: dict[str, Any] = {}
    missing = "the server was started without --data, the folder with published_runs"
    if data is not None:
        try:
            figures, missing = published(data), ""
        except InputError as error:
            missing = str(error)

    @api.get("/sources")
    async def sources() -> Response:
        names = await demos.work(lambda: _listed(runs))
        without = "the server was started without --runs, the folder with run folders"
        return _json(
            {
                "runs": names,
                "runs_missing": without if runs is None else "" if names else "no run folders yet",
                "published": list(figures),
                "published_missing": missing,
                "failures": [
                    {"lie": d["lie"], "name": d["name"]}
                    for d in detectors(STACK)
                    if d["lie"] in MECHANISMS
                ],
                "onset": ONSET,
                "rounds": ROUNDS,
                "detectors": detectors(STACK),
            }
        )

    @api.post("/cycle")
    async def cycle(request: Request, wanted: CycleRequest) -> Response:
        client = request.client.host if request.client else ""
        return _json(await demos.cycle(client, wanted))

    @api.get("/runs/{name}")
    async def run(name: str) -> Response:
        return Response(
            await demos.work(lambda: _replayed(runs, name)), media_type="application/json"
        )

    @api.get("/published/{name}")
    async def figures_of(name: str) -> Response:
        if name not in figures:
            raise Refused(404, "no such published run" if figures else missing)
        return _json({"settings": {}, "detectors": [], "frames": figures[name]})

    return api


def _json(data: Any) -> Response:
    return Response(dumps(data), media_type="application/json")


def _listed(runs: Path | None) -> list[str]:
    """Return the names of the newest run folders, newest first.

    A served run under way is left out: whoever knows its name can go on with it.
    """
    if runs is None or not runs.is_dir():
        return []
    with os.scandir(runs) as entries:
        found = [
            (entry.stat(follow_symlinks=False).st_mtime, entry.name)
            for entry in entries
            if NAME.fullmatch(entry.name) and entry.is_dir(follow_symlinks=False)
        ]
    newest = [name for _, name in sorted(found, reverse=True)[:LISTED]]
    return [name for name in newest if _shown(runs / name)]


def _shown(path: Path) -> bool:
    try:
        return (path / SUMMARY).is_file() or read_config(path).get("agent") != "served"
    except InputError:
        return False


def _replayed(runs: Path | None, name: str) -> str:
    """Return a run folder as the page's JSON; only names that are in the list are looked up."""
    if runs is None or name not in _listed(runs):
        raise Refused(404, "no such run folder")
    path = runs / name
    size = sum(f.stat().st_size for f in (path / log for log in (CONFIG, *LOGS)) if f.is_file())
    if size > LARGEST:
        raise Refused(413, f"the run folder has {size} bytes of logs, {LARGEST} can be replayed")
    try:
        data = load_run(path)
    except (InputError, OSError) as error:
        text = str(error).replace(str(path), name).splitlines()[0]
        raise Refused(422, f"the run {name} cannot be read: {text}") from error
    names = ("seed", "rounds", "problems", "k", "agent", "planner", "stack")
    settings = {n: str(data.config.get(n))[:80] for n in names}
    settings["finished"] = "no" if data.summary is None else "yes"
    shown = detectors(settings["stack"])
    return dumps({"settings": settings, "detectors": shown, "frames": replay(data)})
