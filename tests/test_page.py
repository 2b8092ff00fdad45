"""What the page at ``/`` asks the server for: cycles, replays, published figures, and their limits.

The page itself is tested in ``test_page_browser.py``.
"""

import asyncio
import json
import re
from dataclasses import replace
from pathlib import Path

import gymnasium as gym
import pytest
from serving import SMALL, running

from argus_gym.agents import SimulatedAgent, rollout
from argus_gym.checkpoint import RunFolder
from argus_gym.cli import main
from argus_gym.run import RunConfig, run
from argus_gym.wrappers import stack

pytest.importorskip("openenv")
httpx = pytest.importorskip("httpx")

from argus_gym.server import demo, page_routes  # noqa: E402
from argus_gym.server.frames import published  # noqa: E402

FILES = Path(demo.__file__).parent / "page"
PROBLEM_STAGES = ["propose", "premise", "chains", "consensus", "zone", "buffer"]
ROUNDS_CSV = """\
run,round,mean_reward,skill,n_frontier,n_easy,n_hard,lie_fired,per_cluster_fired,refused
one,1,0.5,0.25,3,4,5,0,0,0
one,2,0.625,0.5,2,,,1,2,1
two,1,0.75,,1,1,1,0,0,0
"""
SUMMARY_CSV = "run,pass1_pre,hours\none,0.5,1.5\ntwo,0.25,\n"


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Run folders: finished, under way, served and under way; and things that are none."""
    root = tmp_path_factory.mktemp("served")
    runs = root / "runs"
    runs.mkdir()
    whole = run(RunConfig(seed=3, rounds=4, problems=8), out=runs / "whole")
    for name, agent in (("stopped", "simulated"), ("served", "served")):
        with RunFolder.create(runs / name, {**whole.config, "agent": agent}) as folder:
            folder.save(whole.rounds[:2], "", {"layers": []}, lambda path: None)
    (root / "secret").mkdir()
    run(RunConfig(rounds=1, problems=4), out=root / "secret" / "run")
    (runs / "link").symlink_to(root / "secret" / "run")
    (runs / "empty").mkdir()
    (runs / "file").write_text("{}", "utf-8")
    return runs, whole


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    (folder / "published_runs").mkdir()
    (folder / "published_runs" / "rounds.csv").write_text(ROUNDS_CSV, "utf-8")
    (folder / "published_runs" / "summary.csv").write_text(SUMMARY_CSV, "utf-8")
    return folder


@pytest.fixture(scope="module")
def url(folders, data):
    with running(runs=folders[0], data=data) as at:
        yield at


@pytest.fixture
def http(url):
    with httpx.Client(base_url=url, trust_env=False) as client:
        yield client


def cycle(http, **given):
    response = http.post("/demo/cycle", json=given)
    assert response.status_code == 200, response.text
    return response.json()


def of(frames, kind):
    return [frame for frame in frames if frame["kind"] == kind]


# A live cycle


def test_a_cycle_is_a_round_of_the_real_environment(http):
    env = gym.make("argus_gym:ArgusSelfImprove-v0", rounds=2, problems_per_round=5)
    whole = rollout(stack(env, "v4"), SimulatedAgent(7), seed=7)
    first = cycle(http, seed=7, problems=5)
    second = cycle(http, demo=first["demo"])
    for record, frames in zip(whole.rounds, (first["frames"], second["frames"]), strict=True):
        end = of(frames, "round")[0]
        assert (end["round"], end["reward"], end["skill"]) == (
            record.round,
            record.mean_reward,
            record.skill,
        )
        assert [f["problem"] for f in of(frames, "propose")] == [p.problem for p in record.problems]
        assert [f["combined"] for f in of(frames, "consensus")] == [
            p.combined for p in record.problems
        ]
        assert sum(f["items"] for f in of(frames, "retest") if f["side"] == "after") == len(
            record.retests
        )
        assert of(frames, "learn")[0]["pairs"]["train"] == record.trained
        assert of(frames, "gate")[0]["decision"] == record.verdict.decision
    scores = {r["name"]: r["score"] for r in of(second["frames"], "detectors")[0]["reports"]}
    theirs = {r.name: r.score for r in whole.lies if r.round == 1}
    assert scores == {n: None if s != s else s for n, s in theirs.items()} and len(scores) > 10


def test_a_cycle_passes_every_stage_in_order(http):
    frames = cycle(http, seed=1, problems=4)["frames"]
    kinds = [f["kind"] for f in frames]
    assert kinds[:24] == PROBLEM_STAGES * 4
    assert kinds[-3:] == ["gate", "detectors", "round"]
    assert set(kinds[24:-3]) == {"retest", "learn"}
    for chains, scored in zip(of(frames, "chains"), of(frames, "consensus"), strict=True):
        answers = [c["answer"] for c in chains["chains"]]
        assert chains["k"] == len(answers) == 14
        assert answers.count(scored["answer"]) / 14 == pytest.approx(scored["outcome"])
    assert [sum(f["map"]["n"]) for f in of(frames, "zone")] == [1, 2, 3, 4]
    pairs = sum(f["pair"] for f in of(frames, "buffer"))
    assert pairs == sum(f["zone"] == "frontier" for f in of(frames, "zone"))


def test_the_same_seed_gives_the_same_frames(http):
    first, again, other = (cycle(http, seed=s, problems=4)["frames"] for s in (5, 5, 6))
    assert first == again != other


def test_a_run_ends_and_says_so(http):
    reply = cycle(http, problems=4)
    for _ in range(demo.ROUNDS - 1):
        assert not reply["over"]
        reply = cycle(http, demo=reply["demo"])
    assert reply["over"]
    refused = http.post("/demo/cycle", json={"demo": reply["demo"]})
    assert refused.status_code == 409 and "over" in refused.json()["detail"]


def test_a_planted_failure_acts_from_its_onset(http):
    def rounds(failure):
        reply = cycle(http, seed=2, problems=8, failure=failure)
        found = [reply]
        for _ in range(demo.ONSET + 1):
            found.append(cycle(http, demo=found[-1]["demo"]))
        return [of(r["frames"], "learn")[0]["loss"] for r in found]

    sound, drifts = rounds("A"), rounds("D")
    assert sound[: demo.ONSET] == drifts[: demo.ONSET]
    assert sound[demo.ONSET + 1] != drifts[demo.ONSET + 1]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b"[]", 422),
        (b'{"problems": 65}', 422),
        (b'{"problems": 1e9}', 422),
        (b'{"seed": -1}', 422),
        (b'{"seed": NaN}', 400),
        (b'{"failure": "Z"}', 422),
        (b'{"failure": ["A"]}', 422),
        (b'{"rounds": 5}', 422),
        (b'{"demo": "unknown"}', 404),
        (b'{"demo": "\\ud800"}', 400),
    ],
)
def test_bad_requests_are_refused_with_a_reason(http, body, status):
    refused = http.post("/demo/cycle", content=body, headers={"content-type": "application/json"})
    assert refused.status_code == status and refused.json()["detail"]


def test_another_sites_page_cannot_press_the_button(http):
    refused = http.post("/demo/cycle", json={}, headers={"origin": "https://evil.example"})
    assert refused.status_code == 403
    assert http.get("/demo/cycle").status_code == 405


# Limits


def test_a_client_has_one_run(http):
    first = cycle(http, problems=4)
    second = cycle(http, problems=4)
    assert http.post("/demo/cycle", json={"demo": first["demo"]}).status_code == 404
    assert cycle(http, demo=second["demo"])["demo"] == second["demo"]


def ask(demos, client, **given):
    return demos.cycle(client, demo.CycleRequest(problems=4, **given))


def refusals(*asked):
    """Return status codes, 200 for what was not refused."""

    async def together():
        return await asyncio.gather(*asked, return_exceptions=True)

    return [getattr(reply, "status", 200) for reply in asyncio.run(together())]


def test_one_cycle_at_a_time_for_a_client():
    demos = demo.Demos()
    assert sorted(refusals(*(ask(demos, "a") for _ in range(3)))) == [200, 409, 409]
    assert len(demos) == 1


def test_few_runs_at_once_and_forgotten_ones_make_room():
    now = 0.0
    demos = demo.Demos(lambda: now)
    codes = refusals(*(ask(demos, f"client {i}") for i in range(demo.DEMOS + 2)))
    assert codes == [200] * demo.DEMOS + [503] * 2 and len(demos) == demo.DEMOS
    now = demo.IDLE + 1
    assert refusals(ask(demos, "late")) == [200] and len(demos) == 1


def test_what_waits_for_the_thread_is_bounded(monkeypatch):
    monkeypatch.setattr(demo, "WAITING", 2)
    demos = demo.Demos()
    assert refusals(*(demos.work(lambda: None) for _ in range(4))) == [200, 200, 503, 503]
    assert refusals(demos.work(lambda: None)) == [200]


def test_a_run_outlives_a_busy_moment(monkeypatch):
    demos = demo.Demos()
    reply = asyncio.run(ask(demos, "a"))
    monkeypatch.setattr(demo, "WAITING", 0)
    assert refusals(demos.cycle("a", demo.CycleRequest(demo=reply["demo"]))) == [503]
    monkeypatch.undo()
    assert refusals(demos.cycle("a", demo.CycleRequest(demo=reply["demo"]))) == [200]


def test_the_thread_rests_as_long_as_it_worked(monkeypatch):
    now, rests = 100.0, []

    def work():
        nonlocal now
        now += 3.0

    monkeypatch.setattr(demo, "monotonic", lambda: now)
    monkeypatch.setattr(demo, "sleep", rests.append)
    demos = demo.Demos()
    refusals(demos.work(work))
    refusals(demos.work(work))
    assert rests == [0.0, 3.0]


def test_a_cycle_that_takes_too_long_ends_its_run(monkeypatch):
    monkeypatch.setattr(demo, "CYCLE", 0.0)
    demos = demo.Demos()
    assert refusals(ask(demos, "a")) == [503] and len(demos) == 0


def test_cycles_take_no_session_of_the_servers_clients(http):
    before = http.get("/healthz").json()
    cycle(http, problems=4)
    assert http.get("/healthz").json() == before


# Replay


def test_a_run_folder_is_replayed_as_it_was(http, folders):
    _, whole = folders
    reply = http.get("/demo/runs/whole").json()
    frames = reply["frames"]
    assert reply["settings"]["seed"] == "3" and reply["settings"]["finished"] == "yes"
    assert [f["reward"] for f in of(frames, "round")] == [r.mean_reward for r in whole.rounds]
    problems = [p for r in whole.rounds for p in r.problems]
    assert [f["problem"] for f in of(frames, "propose")] == [p.problem for p in problems]
    assert [f["zone"] for f in of(frames, "zone")] == [p.zone for p in problems]
    assert [f["decision"] for f in of(frames, "gate")] == [r.verdict.decision for r in whole.rounds]
    fired = {(e["round"], e["event"]) for e in whole.ledger if e["event"].startswith("lie.")}
    assert fired == {
        (i, f"lie.{report['name']}")
        for i, frame in enumerate(of(frames, "detectors"))
        for report in frame["reports"]
    }


def test_the_list_holds_run_folders_and_nobodys_run_under_way(http):
    sources = http.get("/demo/sources").json()
    assert sorted(sources["runs"]) == ["stopped", "whole"] and sources["runs_missing"] == ""


def test_a_stopped_run_is_replayed_to_its_checkpoint(http):
    reply = http.get("/demo/runs/stopped").json()
    assert reply["settings"]["finished"] == "no" and len(of(reply["frames"], "round")) == 2


@pytest.mark.parametrize(
    "name",
    [
        "served",
        "link",
        "file",
        "empty",
        "nowhere",
        "..",
        ".",
        "%2e%2e",
        "..%2fsecret%2frun",
        "%2e%2e%2fsecret%2frun",
        "..%5csecret",
        "whole%2f..%2f..%2fsecret%2frun",
        "whole%00",
        "%2fetc%2fpasswd",
        "whole/config.json",
        "whole%2fconfig.json",
        "w" * 5_000,
    ],
)
def test_no_name_leads_out_of_the_list(url, name):
    # Sent as it is: a client library would resolve the dots itself.
    with httpx.Client(trust_env=False) as client:
        target = httpx.URL(url).copy_with(raw_path=f"/demo/runs/{name}".encode())
        reply = client.send(client.build_request("GET", target))
    assert reply.status_code == 404 and "frames" not in reply.text


def test_a_damaged_folder_is_told_without_its_place(tmp_path):
    run(RunConfig(rounds=2, problems=4), out=tmp_path / "broken")
    log = tmp_path / "broken" / "rounds.jsonl"
    log.write_bytes(log.read_bytes()[:-40])
    with running(runs=tmp_path) as url:
        refused = httpx.get(f"{url}/demo/runs/broken", trust_env=False)
    assert refused.status_code == 422 and "rounds.jsonl" in refused.json()["detail"]
    assert str(tmp_path) not in refused.text


def test_a_folder_too_large_is_refused(http, monkeypatch):
    monkeypatch.setattr(page_routes, "LARGEST", 1_000)
    assert http.get("/demo/runs/whole").status_code == 413


def test_text_that_utf8_cannot_carry_is_replayed(tmp_path):
    made = run(RunConfig(rounds=1, problems=4))
    odd = "lone \ud800 and \x00 and \u202e"
    problems = tuple(replace(p, problem=odd) for p in made.rounds[0].problems)
    with RunFolder.create(tmp_path / "odd", made.config) as folder:
        rounds = [replace(made.rounds[0], problems=problems)]
        folder.save(rounds, "", {"layers": []}, lambda path: None)
    with running(runs=tmp_path) as url:
        text = httpx.get(f"{url}/demo/runs/odd", trust_env=False).text
    assert of(json.loads(text)["frames"], "propose")[0]["problem"] == odd


# Published figures


def test_published_figures_are_shown_as_they_are(http, data):
    assert http.get("/demo/sources").json()["published"] == ["one", "two"]
    *rounds, summary = http.get("/demo/published/one").json()["frames"]
    assert [(r["round"], r["reward"], r["skill"]) for r in rounds] == [
        (1, 0.5, 0.25),
        (2, 0.625, 0.5),
    ]
    assert rounds[1]["zones"] == {"hard": None, "frontier": 2, "easy": None}
    assert [(r["fired"], r["decision"]) for r in rounds] == [(0, "not refused"), (1, "REFUSE")]
    assert summary["figures"] == {"pass1_pre": 0.5, "hours": 1.5}
    assert http.get("/demo/published/three").status_code == 404


def test_what_is_missing_is_said(tmp_path):
    with running() as url:
        sources = httpx.get(f"{url}/demo/sources", trust_env=False).json()
        assert "--data" in sources["published_missing"] and "--runs" in sources["runs_missing"]
        assert httpx.get(f"{url}/demo/published/one", trust_env=False).status_code == 404
    with running(data=tmp_path, runs=tmp_path / "none") as url:
        sources = httpx.get(f"{url}/demo/sources", trust_env=False).json()
    assert "published_runs/rounds.csv" in sources["published_missing"]
    assert str(tmp_path) not in json.dumps(sources)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("rounds.csv", "run,round\none,1\n"),
        ("rounds.csv", ROUNDS_CSV.replace("0.625", "much")),
        ("rounds.csv", ROUNDS_CSV + "one,3\n"),
        ("rounds.csv", "\xff"),
        ("summary.csv", "run,hours\nthree,1\n"),
        ("summary.csv", "run,hours\none,1,2\n"),
    ],
)
def test_figures_that_are_not_what_they_should_be_are_named(data, tmp_path, name, text):
    (tmp_path / "published_runs").mkdir()
    for file in (data / "published_runs").iterdir():
        (tmp_path / "published_runs" / file.name).write_bytes(file.read_bytes())
    (tmp_path / "published_runs" / name).write_text(text, "latin-1")
    with pytest.raises(ValueError, match="published_runs") as error:
        published(tmp_path)
    assert str(tmp_path) not in str(error.value)


def test_data_has_to_be_a_folder(tmp_path, capsys):
    with pytest.raises(SystemExit, match="2"):
        main(["serve", "--data", str(tmp_path / "none")])
    assert "--data must be a folder" in capsys.readouterr().err


# The files


def test_the_page_may_load_nothing_from_elsewhere(http):
    for path in ("/", "/page.css", "/page.js"):
        reply = http.get(path)
        assert reply.status_code == 200
        policy = reply.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "script-src 'self';" in policy
        assert "unsafe" not in policy and "http" not in policy
        assert reply.headers["x-content-type-options"] == "nosniff"


def test_the_files_have_no_outside_address_and_write_no_markup():
    assert {f"/{file.name}" for file in FILES.iterdir()} | {"/"} == page_routes.PAGE_PATHS
    html, css, script = (
        (FILES / f).read_text("utf-8") for f in ("index.html", "page.css", "page.js")
    )
    addresses = re.findall(r"(?:https?:)?//[a-z][\w./-]*\.\w+[\w/]*", html + css + script)
    assert set(addresses) == {"http://www.w3.org/2000/svg"}
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(|Function\(", script
    )
    assert not re.search(r"<[^>]+\s(?:on\w+|style)=", html) and "@import" not in css


def test_a_token_keeps_the_data_and_not_the_page():
    with running(token="let me in") as url, httpx.Client(base_url=url, trust_env=False) as http:
        assert http.get("/").status_code == http.get("/page.js").status_code == 200
        for refused in (http.get("/demo/sources"), http.post("/demo/cycle", json={})):
            assert refused.status_code == 401
        assert http.get("//demo/sources").status_code in (401, 404)
        http.headers["authorization"] = "Bearer let me in"
        assert http.get("/demo/sources").status_code == 200


def test_the_routes_are_the_pages_own(http):
    assert not [p for p in http.get("/openapi.json").json()["paths"] if p.startswith("/demo")]
    assert http.post("/reset", json=SMALL).status_code == 200
