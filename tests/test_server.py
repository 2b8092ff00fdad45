"""The service: OpenEnv's checks, the hosted contract, sessions, run folders, what stays inside."""

import json
import signal
import socket
import sys
from pathlib import Path

import numpy as np
import pytest
from serving import CHAINS, SMALL, process, running, until

from argus_gym import problems
from argus_gym.agents import SimulatedAgent, rollout
from argus_gym.cli import main
from argus_gym.records import Solve, encode
from argus_gym.run_data import load_run
from argus_gym.spaces import MAX_CHAIN_CHARS, MAX_PROBLEM_CHARS, Phase
from argus_gym.wire import result, step_message

pytest.importorskip("openenv")
httpx = pytest.importorskip("httpx")

PACKAGE = Path(__file__).parents[1] / "argus_gym"
PROBLEM = "Ann has 3 pens and buys 4. How many has she?"


@pytest.fixture(scope="module")
def url():
    with running() as at:
        yield at


@pytest.fixture
def http(url):
    with httpx.Client(base_url=url, trust_env=False) as client:
        opened = []
        client.event_hooks["response"] = [lambda r: (r.read(), opened.append(r))]
        yield client
        client.event_hooks["response"] = []
        found = {r.json().get("session_id") for r in opened if r.is_success}
        for session in filter(None, found):
            client.post("/close", json={"session_id": session})


def play(http, agent, until_=lambda reply: False, **options):
    """Run an agent over plain HTTP; yields each reply and what was sent for it."""
    reply = http.post("/reset", json={**SMALL, "seed": 0, **options}).json()
    yield None, reply
    while not reply["done"] and not until_(reply):
        obs, _, _, _, info = result(reply)
        if obs["phase"] == Phase.PROPOSE:
            action = agent.propose(obs, info)
        elif obs["phase"] == Phase.LEARN:
            action = agent.learn(info["training_pairs"])
        else:
            action = agent.solve(obs["problem"], int(obs["request"][0]))
        body = {"session_id": reply["session_id"], "action": step_message(action)["data"]}
        response = http.post("/step", json=body)
        assert response.status_code == 200, response.text
        reply = response.json()
        yield action, reply


# OpenEnv


def test_openenv_validates_the_package():
    from openenv.validation import Level, Verdict, run_validation

    assert run_validation(PACKAGE, max_level=Level.STATIC).verdict is Verdict.PASS


def test_openenv_validates_the_running_server(url):
    from openenv.cli._validation import validate_running_environment

    report = validate_running_environment(url)
    assert report["passed"], report["summary"]
    assert report["mode"] == "simulation"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_openenvs_runtime_graders_pass(url):
    """What ``openenv validate`` asks of the container it would build, without one."""
    from types import SimpleNamespace

    from openenv.validation.graders.runtime import (
        ObservationSchemaGrader,
        RewardWellFormedGrader,
        StateContractGrader,
    )
    from openenv.validation.parsers.openenv_yaml import OpenEnvYamlParser
    from openenv.validation.runtime.collector import collect_runtime_evidence
    from openenv.validation.runtime.contracts import RuntimePlan, RuntimeReset

    actions = [{"problem": PROBLEM}, {"chains": CHAINS}, {"problem": ""}, {"report": {}}]
    plan = RuntimePlan(
        plan_schema_version="1",
        reset=RuntimeReset(episode_id="graded", seed=7, options=SMALL),
        actions=actions,
    )
    evidence = collect_runtime_evidence(url, plan, episode_timeout_s=60)
    assert evidence.failure_reason is None and len(evidence.exchanges) == 2 + 2 * len(actions)
    manifest = OpenEnvYamlParser().parse(PACKAGE)
    subject = SimpleNamespace(manifest=manifest, runtime_evidence=evidence)
    for grader in (RewardWellFormedGrader(), ObservationSchemaGrader(), StateContractGrader()):
        result = grader.run(subject)
        assert result.status.value == "pass", (grader.check_id, result.evidence)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_openenvs_generic_client_plays(url):
    from openenv.core.generic_client import GenericEnvClient

    with GenericEnvClient(base_url=url).sync() as env:
        assert env.reset(seed=3, **SMALL).observation["phase"] == Phase.PROPOSE
        env.step({"problem": PROBLEM})
        result = env.step({"chains": CHAINS})
        assert result.reward == 1.0 and not result.done
        assert env.state()["step_count"] == 2
        with pytest.raises(Exception, match="VALIDATION_ERROR"):
            env.step({"chains": [3]})
        assert env.state()["step_count"] == 2


def test_the_environment_stands_behind_openenvs_own_server_too():
    from openenv.core.env_server.http_server import HTTPEnvServer

    from argus_gym.server.environment import ArgusEnvironment
    from argus_gym.server.models import ArgusAction, ArgusObservation

    server = HTTPEnvServer(ArgusEnvironment, ArgusAction, ArgusObservation, max_concurrent_envs=4)
    assert server.is_concurrency_safe
    env = ArgusEnvironment()
    env.reset(seed=0, **SMALL)
    assert env.step(ArgusAction(problem=PROBLEM)).phase == Phase.SOLVE


def test_agents_are_offered_no_tool(http):
    def call(body):
        return http.post("/mcp", content=body).json()

    listed = call('{"jsonrpc":"2.0","id":1,"method":"tools/list"}')
    assert listed["result"] == {"tools": []}
    for name in ("reset", "step", "state"):
        asked = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": name}}
        assert call(json.dumps(asked))["error"]["code"] == -32601
    assert call("{")["error"]["code"] == -32700
    assert call("[]")["error"]["code"] == -32600


# The hosted contract


def test_a_session_persists_between_requests(http):
    first = http.post("/reset", json={"seed": 3, **SMALL}).json()
    second = http.post("/reset", json={"seed": 3, **SMALL}).json()
    assert first["session_id"] != second["session_id"]
    assert first["observation"] == second["observation"]
    here, other = ({"session_id": r["session_id"]} for r in (first, second))
    step = http.post("/step", json={**here, "action": {"problem": PROBLEM}}).json()
    assert step["observation"]["problem"] == PROBLEM
    solved = http.post("/step", json={**here, "action": {"chains": CHAINS}}).json()
    assert solved["reward"] == 1.0
    assert http.get("/state", params=here).json()["step_count"] == 2
    assert http.get("/state", params=other).json()["step_count"] == 0
    again = http.post("/reset", json={**here, "seed": 3, **SMALL}).json()
    assert again == first and http.get("/state", params=here).json()["step_count"] == 0
    assert http.post("/close", json=here).json()["closed"]
    assert http.get("/state", params=here).status_code == 404


def test_every_reply_is_what_the_document_declares(http):
    from argus_gym.server.models import ArgusObservation, ArgusState, PairModel

    for _, reply in play(http, SimulatedAgent(0), stack="v4"):
        ArgusObservation.model_validate(reply["observation"])
        params = {"session_id": reply["session_id"]}
        ArgusState.model_validate(http.get("/state", params=params).json())
        for pair in http.get("/buffer", params=params).json()["pairs"]:
            PairModel.model_validate(pair)
    assert http.get("/healthz").json()["status"] == "ok"


class Ruin(SimulatedAgent):
    """Whatever it trains on, it can do nothing afterwards."""

    def learn(self, pairs):
        report = super().learn(pairs)
        self.ruined = True
        return report

    def solve(self, problem, k):
        solved = super().solve(problem, k)
        return Solve(["#### 0"] * k, solved.embedding) if getattr(self, "ruined", False) else solved


@pytest.mark.parametrize(("agent", "refused"), [(SimulatedAgent, False), (Ruin, True)])
def test_the_buffer_holds_weighted_pairs_and_nothing_after_a_refusal(http, agent, refused):
    options = {"problems_per_round": 24, "anchor_items": 16, "retest_chains": 8, "rounds": 2}
    ended = None
    for _, reply in play(
        http, agent(0), lambda r: "round" in r["observation"]["judged"], **options
    ):
        seen, ended = reply["observation"], reply
        pairs = http.get("/buffer", params={"session_id": reply["session_id"]}).json()["pairs"]
        if seen["phase"] == Phase.LEARN:
            assert pairs == seen["info"]["training_pairs"] and len(pairs) > 2
            assert all(0 < pair["weight"] <= 1 for pair in pairs)
            assert {pair["role"] for pair in pairs} == {"train", "heldout"}
    verdict = ended["observation"]["judged"]["verdict"]
    assert (verdict["decision"] == "REFUSE") is refused
    assert bool(pairs) is not refused


def test_the_buffer_is_cleared(http):
    replies = play(http, SimulatedAgent(0), problems_per_round=24)
    waiting = 0
    for _, reply in replies:
        session = {"session_id": reply["session_id"]}
        waiting = len(http.get("/buffer", params=session).json()["pairs"])
        if waiting >= 2:
            break
    assert http.post("/clear_buffer", json=session).json()["cleared"] == waiting
    assert http.get("/buffer", params=session).json()["pairs"] == []
    assert http.get("/state", params=session).json()["waiting"] == 0


def test_bad_input_is_refused_with_a_reason_and_touches_nothing(http):
    reply = http.post("/reset", json={"seed": 0, **SMALL}).json()
    here = {"session_id": reply["session_id"]}

    def state():
        return http.get("/state", params=here).json()

    before = state()
    cases = [
        (400, "POST", "/step", "{"),
        (400, "POST", "/step", "[" * 100_000),
        (422, "POST", "/step", "[]"),
        (422, "POST", "/step", json.dumps({**here, "action": {"chains": [3]}})),
        (422, "POST", "/step", json.dumps({**here, "action": {"problem": "x", "chains": []}})),
        (422, "POST", "/step", json.dumps({**here, "action": {}})),
        (422, "POST", "/step", json.dumps({**here, "action": {"chains": [{"answer": [1, 0]}]}})),
        (400, "POST", "/step", json.dumps({**here, "action": {"problem": "\ud800"}})),
        (400, "POST", "/step", '{"\\ud800": 1}'),
        (400, "POST", "/step", "NaN"),
        (422, "POST", "/step", json.dumps({**here, "action": {"report": {"train": [1]}}})),
        (404, "POST", "/step", json.dumps({"session_id": "none", "action": {"problem": "x"}})),
        (404, "GET", "/state?session_id=none", None),
        (404, "GET", "/buffer?session_id=none", None),
        (422, "GET", "/state", None),
        (404, "POST", "/clear_buffer", '{"session_id": "none"}'),
        (404, "POST", "/close", '{"session_id": "none"}'),
        (404, "POST", "/reset", '{"session_id": "none"}'),
        (422, "POST", "/reset", '{"rounds": 0}'),
        (422, "POST", "/reset", '{"round": 5}'),
        (422, "POST", "/reset", '{"stack": "v9"}'),
        (422, "POST", "/reset", '{"planner": "v9"}'),
        (422, "POST", "/reset", '{"frontier": [0.8, 0.4]}'),
        (422, "POST", "/reset", '{"rounds": 1000, "problems_per_round": 1000}'),
        (422, "POST", "/reset", '{"episode_id": "../../etc"}'),
        (422, "POST", "/reset", '{"anchors": [["", 3]]}'),
        (404, "POST", "/reset", '{"episode_id": "none", "resume": true}'),
        (405, "GET", "/step", None),
        (404, "GET", "/nowhere", None),
    ]
    for status, method, path, body in cases:
        headers = {"content-type": "application/json"}
        response = http.request(method, path, content=body, headers=headers)
        assert response.status_code == status, (path, body, response.text)
        assert isinstance(response.json()["detail"], str) and response.json()["detail"]
        assert len(response.text) < 1_000
    assert state() == before


def test_a_reason_says_what_to_mend(http):
    malformed = http.post("/step", content='{"session_id": ')
    assert malformed.status_code == 422 and "content-type" in malformed.json()["detail"]
    headers = {"content-type": "application/json"}
    malformed = http.post("/step", content='{"session_id": ', headers=headers)
    assert malformed.status_code == 400 and "column 15" in malformed.json()["detail"]
    reply = http.post("/reset", json={"seed": 0, **SMALL}).json()
    unfit = {"session_id": reply["session_id"], "action": {"report": {}}}
    assert http.post("/step", json=unfit).text.startswith('{"detail":')


@pytest.mark.parametrize(
    ("action", "status"),
    [
        ({"chains": CHAINS}, 409),
        ({"report": {}}, 409),
        ({"problem": ""}, 422),
        ({"problem": "x" * (MAX_PROBLEM_CHARS + 1)}, 413),
    ],
    ids=["chains", "report", "blank", "long"],
)
def test_an_action_that_does_not_fit_is_answered_with_4xx(http, action, status):
    reply = http.post("/reset", json={"seed": 0, **SMALL}).json()
    here = {"session_id": reply["session_id"]}
    response = http.post("/step", json={**here, "action": action})
    assert response.status_code == status and response.json()["detail"]
    assert response.json()["reward"] == -0.1
    left, right = response.json()["observation"], reply["observation"]
    assert {**left, "info": {}} == {**right, "info": {}}


def test_a_long_chain_is_answered_with_413(http):
    reply = http.post("/reset", json={"seed": 0, **SMALL}).json()
    here = {"session_id": reply["session_id"]}
    http.post("/step", json={**here, "action": {"problem": PROBLEM}})
    long = ["x" * (MAX_CHAIN_CHARS + 1)] * 4
    assert http.post("/step", json={**here, "action": {"chains": long}}).status_code == 413


def test_after_the_end_a_step_is_refused(http):
    for _, reply in play(http, SimulatedAgent(0), rounds=1, stack="no-metacognition"):
        here = {"session_id": reply["session_id"]}
    assert reply["done"] and reply["observation"]["truncated"]
    response = http.post("/step", json={**here, "action": {"problem": PROBLEM}})
    assert response.status_code == 409 and "reset" in response.json()["detail"]


def test_a_reset_takes_what_the_environment_takes():
    import inspect

    from argus_gym.env import ArgusSelfImprove
    from argus_gym.server.models import ResetOptions

    theirs = {
        name: parameter.default
        for name, parameter in inspect.signature(ArgusSelfImprove).parameters.items()
        if name != "render_mode"
    }
    own = {"seed", "episode_id", "resume", "stack"}
    ours = {n: f.default for n, f in ResetOptions.model_fields.items() if n not in own}
    assert ours == theirs


# What stays inside


def test_gold_answers_never_leave(http):
    answer = 777_777_777_777
    rng = np.random.default_rng(0)
    texts = {problems.generate("shopping", 3, rng).text for _ in range(8)}
    anchors = [[text, answer] for text in sorted(texts)]
    for action, reply in play(http, SimulatedAgent(0), anchors=anchors, stack="v4"):
        assert str(answer) not in json.dumps(reply)
        assert action is None or str(answer) not in json.dumps(encode(action))


def test_problems_of_the_report_never_leave(http):
    import gymnasium as gym

    env = gym.make("argus_gym:ArgusSelfImprove-v0", **SMALL)
    env.reset(seed=0)
    reported = [text for text, _ in env.unwrapped.report_pool]
    assert len(reported) == 100
    for _, reply in play(http, SimulatedAgent(0), seed=0):
        shown = json.dumps(reply)
        assert not any(json.dumps(text)[1:-1] in shown for text in reported)


def test_what_judges_the_agent_stands_apart(http):
    from argus_gym.agents.base import JUDGED

    seen, judged = set(), set()
    for _, reply in play(http, SimulatedAgent(0), stack="v4"):
        seen |= set(reply["observation"]["info"])
        judged |= set(reply["observation"]["judged"])
    assert seen >= {"premise", "scored", "retest", "training_pairs"}
    # A diagnosis is there in rounds with an alarm only.
    assert judged >= set(JUDGED) - {"diagnosis"} and not seen & set(JUDGED)


def test_a_proposal_with_a_false_premise_is_found_out_whatever_the_client_says(url):
    pytest.importorskip("websockets")
    from argus_gym.client import ArgusClient
    from argus_gym.records import Premise, Proposal

    rng = np.random.default_rng(0)
    false = problems.falsify(problems.generate("shopping", 3, rng), problems.FALSE_KINDS[0], rng)
    env = ArgusClient(url, **SMALL)
    env.reset(seed=0)
    *_, info = env.step(Proposal(false.text, Premise(True)))
    env.close()
    assert not info["premise"].ok


# Sessions


def test_a_full_server_says_so():
    with running(sessions=2) as url, httpx.Client(base_url=url, trust_env=False) as http:
        opened = [http.post("/reset", json=SMALL).json()["session_id"] for _ in range(2)]
        refused = http.post("/reset", json=SMALL)
        assert refused.status_code == 503 and "2 sessions" in refused.json()["detail"]
        assert refused.headers["retry-after"]
        assert http.post("/reset", json={**SMALL, "session_id": opened[0]}).status_code == 200
        http.post("/close", json={"session_id": opened[0]})
        assert http.post("/reset", json=SMALL).status_code == 200


def test_a_refused_reset_opens_nothing(http):
    before = http.get("/healthz").json()["sessions"]
    assert http.post("/reset", json={"stack": "v9"}).status_code == 422
    assert http.get("/healthz").json()["sessions"] == before


def test_idle_sessions_end():
    sync = pytest.importorskip("websockets.sync.client")
    with running(idle=0.4) as url, httpx.Client(base_url=url, trust_env=False) as http:
        session = http.post("/reset", json=SMALL).json()["session_id"]
        with sync.connect(url.replace("http", "ws") + "/ws") as ws:
            told = json.loads(ws.recv(10))
            assert told["data"]["status"] == 408 and "0.4 s" in told["data"]["message"]
        until(lambda: http.get("/healthz").json()["sessions"] == 0)
        assert http.get("/state", params={"session_id": session}).status_code == 404


def test_a_killed_clients_session_is_reaped(url):
    pytest.importorskip("websockets")
    import subprocess

    code = (
        "import sys; from argus_gym.client import ArgusClient\n"
        f"env = ArgusClient({url!r}); env.reset(seed=0); print('up', flush=True); sys.stdin.read()"
    )
    with httpx.Client(base_url=url, trust_env=False) as http:
        before = http.get("/healthz").json()["sessions"]
        client = subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert client.stdout.readline() == b"up\n"
        assert http.get("/healthz").json()["sessions"] == before + 1
        client.send_signal(signal.SIGKILL)
        client.communicate()
        until(lambda: http.get("/healthz").json()["sessions"] == before)


def test_sessions_run_side_by_side_without_touching(url):
    pytest.importorskip("websockets")
    from concurrent.futures import ThreadPoolExecutor

    import gymnasium as gym

    from argus_gym.client import ArgusClient
    from argus_gym.wrappers import stack

    def there(seed):
        env = ArgusClient(url, **SMALL)
        result = rollout(env, SimulatedAgent(seed), seed=seed)
        env.close()
        return encode(result.rounds)

    def here(seed):
        env = stack(gym.make("argus_gym:ArgusSelfImprove-v0", **SMALL), "v4")
        return encode(rollout(env, SimulatedAgent(seed), seed=seed).rounds)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(there, range(12))) == [here(seed) for seed in range(12)]


def test_runs_without_a_seed_follow_the_servers():
    def seeds():
        with running(seed=5) as url, httpx.Client(base_url=url, trust_env=False) as http:
            sessions = [http.post("/reset", json=SMALL).json()["session_id"] for _ in range(3)]
            got = [http.get("/state", params={"session_id": s}).json()["seed"] for s in sessions]
        return got

    assert seeds() == seeds() and len(set(seeds())) == 3


# Who may come in


def test_a_token_is_asked_for():
    with running(token="sesame") as url, httpx.Client(base_url=url, trust_env=False) as http:
        assert http.get("/healthz").status_code == 200
        for headers in ({}, {"authorization": "Bearer x"}, {"authorization": "sesame"}):
            refused = http.post("/reset", json=SMALL, headers=headers)
            assert refused.status_code == 401 and refused.headers["www-authenticate"] == "Bearer"
        good = {"authorization": "Bearer sesame"}
        assert http.post("/reset", json=SMALL, headers=good).status_code == 200

        pytest.importorskip("websockets")
        from argus_gym.client import ArgusClient, ServiceError

        with pytest.raises(ServiceError, match="401"):
            ArgusClient(url)
        env = ArgusClient(url, token="sesame", **SMALL)
        assert env.reset(seed=0)[0]["phase"] == Phase.PROPOSE
        env.close()


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"host": "evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:1"},
    ],
    ids=["origin", "host", "null", "port"],
)
def test_pages_of_other_sites_are_refused(http, headers):
    refused = http.post("/reset", json=SMALL, headers=headers)
    assert refused.status_code == 403 and refused.json()["detail"]


def test_its_own_page_is_let_in(http, url):
    assert http.post("/reset", json=SMALL, headers={"origin": url}).status_code == 200


def test_a_page_is_served_at_the_root_behind_everything_else(tmp_path, monkeypatch):
    from argus_gym.server import app

    (tmp_path / "index.html").write_text("<title>argus</title>", "utf-8")
    monkeypatch.setattr(app, "PAGE", tmp_path)
    with running() as url, httpx.Client(base_url=url, trust_env=False) as http:
        assert "argus" in http.get("/").text
        assert http.get("/healthz").json()["status"] == "ok"
        assert http.get("/nowhere").status_code == 404


# Run folders


def test_a_killed_servers_run_resumes(tmp_path):
    pytest.importorskip("websockets")
    import gymnasium as gym

    from argus_gym.client import ArgusClient, ServiceError
    from argus_gym.wrappers import stack

    options = {**SMALL, "rounds": 4, "problems_per_round": 8}
    env = stack(gym.make("argus_gym:ArgusSelfImprove-v0", **options), "v4")
    whole = rollout(env, SimulatedAgent(2), seed=2)

    agent, points, rounds = SimulatedAgent(2), {}, []

    def keep(record):
        rounds.append(record)
        agent.save(tmp_path / "agent.json")
        kept.update(points)

    class Mortal(ArgusClient):
        left = 10

        def step(self, action):
            self.left -= len(rounds) == 2
            if self.left == 0:
                served.send_signal(signal.SIGKILL)
                served.wait()
            return super().step(action)

    kept = {}
    runs = tmp_path / "runs"
    with process("--runs", str(runs)) as (served, url):
        env = Mortal(url, **options)
        start = env.reset(seed=2)
        episode = env.state().episode_id
        with pytest.raises(ServiceError, match="connection"):
            rollout(env, agent, start=start, points=points, on_round=keep)
        env.close()
    assert len(rounds) == 2 and len(load_run(runs / episode).rounds) == 2

    with running(runs=runs) as url:
        env, agent = ArgusClient(url), SimulatedAgent(2)
        agent.load(tmp_path / "agent.json")
        start = env.resume(episode)
        assert encode(start[1]["round"]) == encode(rounds[-1]) and env.state().kept
        other = ArgusClient(url)
        with pytest.raises(ServiceError, match="in use"):
            other.resume(episode)
        other.close()
        rest = rollout(env, agent, start=start, points=kept)
        with pytest.raises(ServiceError, match="finished"):
            env.resume(episode)
        env.close()
    assert encode([*rounds, *rest.rounds]) == encode(whole.rounds)
    left = load_run(runs / episode)
    assert encode(left.rounds) == encode(whole.rounds)
    assert left.summary["rounds"] == 4 and left.config["stack"] == "v4"


def test_a_run_before_its_first_round_resumes_and_names_are_taken_once(tmp_path):
    with running(runs=tmp_path) as url, httpx.Client(base_url=url, trust_env=False) as http:
        asked = {**SMALL, "seed": 1, "episode_id": "first.run"}
        reply = http.post("/reset", json=asked).json()
        taken = http.post("/reset", json=asked)
        assert taken.status_code == 409 and "already" in taken.json()["detail"]
        again = {"episode_id": "first.run", "resume": True}
        assert http.post("/reset", json=again).status_code == 409
        http.post("/close", json={"session_id": reply["session_id"]})
        resumed = http.post("/reset", json=again).json()
        assert resumed["observation"] == reply["observation"]
        (tmp_path / "first.run" / "config.json").write_text("{")
        http.post("/close", json={"session_id": resumed["session_id"]})
        broken = http.post("/reset", json=again)
        assert broken.status_code == 409 and "config.json" in broken.json()["detail"]
        assert str(tmp_path) not in broken.json()["detail"]


def test_a_run_that_cannot_be_kept_says_so_and_goes_on_from_its_folder(tmp_path):
    with running(runs=tmp_path) as url, httpx.Client(base_url=url, trust_env=False) as http:
        agent, here = SimulatedAgent(0), {"episode_id": "run"}
        replies = [
            r for _, r in play(http, agent, lambda r: r["observation"]["phase"] == 3, **here)
        ]
        learn = {"session_id": replies[-1]["session_id"], "action": {"report": {}}}
        checkpoints, away = tmp_path / "run" / "checkpoints", tmp_path / "away"
        checkpoints.rename(away)
        checkpoints.write_text("in the way")
        response = http.post("/step", json=learn)
        while response.status_code == 200:
            obs = response.json()["observation"]
            action = step_message(agent.solve(obs["problem"], int(obs["request"][0])))["data"]
            response = http.post("/step", json={**learn, "action": action})
        told = response.json()["detail"]
        assert response.status_code == 503 and "cannot be kept" in told
        assert str(tmp_path) not in told
        assert http.post("/step", json=learn).status_code == 409
        checkpoints.unlink()
        away.rename(checkpoints)
        resumed = http.post("/reset", json={**here, "resume": True}).json()
        assert resumed["observation"] == replies[0]["observation"]
        assert load_run(tmp_path / "run").rounds == ()


def test_runs_that_cannot_be_kept_are_refused_with_a_reason(tmp_path):
    with (
        running(runs=tmp_path / "runs") as url,
        httpx.Client(base_url=url, trust_env=False) as http,
    ):
        (tmp_path / "runs").rmdir()
        (tmp_path / "runs").write_text("in the way")
        refused = http.post("/reset", json=SMALL)
        assert refused.status_code == 503 and "cannot be kept" in refused.json()["detail"]
        assert str(tmp_path) not in refused.json()["detail"]
        assert http.get("/healthz").json()["sessions"] == 0


# The command


@pytest.mark.parametrize(
    ("host", "token", "warned"),
    [("0.0.0.0", None, True), ("0.0.0.0", "secret", False), ("127.0.0.1", None, False)],
)
def test_an_open_door_is_told(caplog, host, token, warned):
    from argus_gym.server.app import main as serve

    class Listening(Exception):
        pass

    def started(url):
        raise Listening

    with pytest.raises(Listening):
        serve(host, 0, started, token=token)
    assert ("give it a token" in caplog.text) is warned


def test_a_place_for_runs_that_is_none_is_one_line_and_exit_2(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    with pytest.raises(SystemExit) as stop:
        main(["serve", "--runs", str(tmp_path / "file")])
    assert stop.value.code == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and "cannot make the folder" in err


@pytest.mark.parametrize(
    ("option", "value"),
    [("--port", "70000"), ("--sessions", "0"), ("--idle", "-1"), ("--seed", "-1"), ("--token", "")],
)
def test_bad_options_are_one_line_and_exit_2(capsys, option, value):
    with pytest.raises(SystemExit) as stop:
        main(["serve", option, value])
    assert stop.value.code == 2
    err = capsys.readouterr().err
    assert err.count("\n") == 1 and option in err and "Traceback" not in err


def test_a_taken_port_is_one_line_and_exit_2(capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(SystemExit) as stop:
            main(["serve", "--port", str(taken.getsockname()[1])])
    assert stop.value.code == 2
    assert "cannot listen" in capsys.readouterr().err
