"""The service under hostile input: fuzz, bodies too large, clients too slow or too many."""

import json
import os
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from serving import CHAINS, SMALL, running, until

pytest.importorskip("openenv")
httpx = pytest.importorskip("httpx")
sync = pytest.importorskip("websockets.sync.client")
from websockets.exceptions import ConnectionClosed  # noqa: E402

EXAMPLES = int(os.environ.get("ARGUS_FUZZ", "30"))
SAID = []
PROBLEM = "Ann has 3 pens and buys 4. How many has she?"


@pytest.fixture(scope="module")
def url():
    with running(sessions=48, idle=600) as at:
        yield at


def connect(url):
    return sync.connect(url.replace("http", "ws") + "/ws", compression=None, max_size=None)


def ask(ws, message):
    ws.send(message if isinstance(message, str | bytes) else json.dumps(message))
    return json.loads(ws.recv(20))


def sessions(url):
    return httpx.get(f"{url}/healthz", trust_env=False).json()["sessions"]


@pytest.fixture
def witness(url):
    """A session that has to live, unchanged, through whatever the others do."""
    with connect(url) as ws:
        before = ask(ws, {"type": "reset", "data": {"seed": 0, **SMALL}})
        state = ask(ws, {"type": "state"})
        yield ws
        assert ask(ws, {"type": "state"}) == state
        assert ask(ws, {"type": "reset", "data": {"seed": 0, **SMALL}}) == before


# Fuzz

words = st.sampled_from(
    ["reset", "step", "state", "close", "mcp", "buffer", "clear_buffer", "type", "data", "x", ""]
)
values = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-(10**40), 10**40),
        st.floats(),
        st.text(max_size=20),
        words,
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8) | words, inner, max_size=4)
    ),
    max_leaves=12,
)
fields = st.sampled_from(
    [*SMALL, "problem", "chains", "report", "embedding", "seed", "stack", "anchors", "resume"]
)
numbers = st.one_of(st.none(), st.floats(-1e9, 1e9), st.integers(-(10**6), 10**6))
chain = st.one_of(
    st.text(max_size=30),
    st.fixed_dictionaries(
        {},
        optional={
            "text": st.text(max_size=10),
            "answer": st.one_of(st.integers(), st.text(max_size=5), st.just([1, 3])),
            "steps": st.lists(st.one_of(st.integers(), st.just([2, 4])), max_size=4),
            "tokens": st.integers(0, 10**9),
            "nll": numbers,
            "percent": st.booleans(),
        },
    ),
)
pair = st.tuples(numbers, numbers)
actions = st.one_of(
    st.builds(lambda p: {"problem": p}, st.one_of(st.text(max_size=40), st.just(PROBLEM))),
    st.builds(lambda c: {"chains": c}, st.lists(chain, min_size=3, max_size=4)),
    st.builds(
        lambda c, e: {"chains": c, "embedding": e},
        st.lists(chain, min_size=4, max_size=4),
        st.lists(numbers, max_size=4),
    ),
    st.builds(lambda a, b: {"report": {"train": a, "heldout": b}}, pair, pair),
    st.dictionaries(fields, values, max_size=3),
)
messages = st.one_of(
    st.builds(lambda a: json.dumps({"type": "step", "data": a}), actions),
    st.builds(lambda d: json.dumps({"type": "reset", "data": {**SMALL, **d}}), actions),
    st.builds(
        lambda d: json.dumps({"type": "reset", "data": d}),
        st.dictionaries(fields, values, max_size=3),
    ),
    st.builds(lambda t, d: json.dumps({"type": t, "data": d}), words, values),
    st.builds(json.dumps, values),
    st.text(max_size=50),
    st.binary(max_size=50),
    st.sampled_from(["[" * 5_000, '{"a":' * 5_000, "1" * 5_000, '"\\ud800"', "NaN", "-0", ""]),
)


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(said=st.lists(messages, min_size=1, max_size=15))
def test_no_message_ends_a_session(url, witness, said):
    with connect(url) as ws:
        ask(ws, {"type": "reset", "data": {"seed": 1, **SMALL}})
        session = ask(ws, {"type": "state"})["data"]["session_id"]
        SAID.append(len(said))
        for message in said:
            try:
                closes = json.loads(message) == {"type": "close"}
            except (ValueError, RecursionError):
                closes = False
            if closes:
                continue
            reply = ask(ws, message)
            assert reply["type"] in {"observation", "state", "error", "buffer", "cleared", "mcp"}
            if reply["type"] == "error":
                assert 400 <= reply["data"]["status"] < 500 and reply["data"]["message"]
                assert len(reply["data"]["message"]) < 1_000
        assert ask(ws, {"type": "state"})["data"]["session_id"] == session


class Requests:
    """Requests made from the OpenAPI document, sent to a session of our own."""

    def __init__(self, url):
        self.made = 0
        self.http = httpx.Client(base_url=url, trust_env=False)
        self.session = self.opened()

    def opened(self):
        return self.http.post("/reset", json={"seed": 0, **SMALL}).json()["session_id"]

    def test(self, operation):
        """Return the test of one operation of the document."""

        @settings(
            max_examples=EXAMPLES,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy())
        def check(case):
            self.check(operation, case)

        return check

    def check(self, operation, case):
        from schemathesis.checks import not_a_server_error

        for part in (case.body, case.query):
            if isinstance(part, dict) and "session_id" in part:
                part["session_id"] = self.session
        response = case.call()
        self.made += 1
        case.validate_response(response, checks=[not_a_server_error], excluded_checks=[])
        if response.status_code != 405 and operation.path != "/mcp":
            declared = operation.definition.raw["responses"]
            assert str(response.status_code) in declared, (operation.path, response.text)
        if response.status_code >= 400:
            assert response.json()["detail"]
            return
        opened = response.json().get("session_id")
        if operation.path == "/close":
            self.session = self.opened()
        elif opened and opened != self.session:
            self.http.post("/close", json={"session_id": opened})


@pytest.mark.filterwarnings("ignore")
def test_the_documents_requests_lead_to_no_5xx(url, witness):
    """Requests made from the OpenAPI document, fitting and not: answers as declared, never 5xx."""
    schemathesis = pytest.importorskip("schemathesis")

    schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
    both = [schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE]
    schema.config.generation.update(modes=both)
    requests = Requests(url)
    try:
        for operation in schema.get_all_operations():
            requests.test(operation.ok())()
        state = requests.http.get("/state", params={"session_id": requests.session})
        assert state.status_code == 200 and requests.made >= 4 * EXAMPLES
        print(f"{requests.made:,} requests, {sum(SAID):,} messages")
        requests.http.post("/close", json={"session_id": requests.session})
    finally:
        requests.http.close()


# Size


def head(url, size, path="/step"):
    host = url.removeprefix("http://")
    return (
        f"POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n"
        f"content-length: {size}\r\n\r\n"
    ).encode()


def raw(url):
    host, port = url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=20)


def test_a_body_of_100_mb_is_refused_before_it_is_read(url, witness):
    with raw(url) as sock:
        sock.sendall(head(url, 100_000_000))
        told = b""
        while not told.endswith(b"}"):
            told += sock.recv(65_536)
        assert told.startswith(b"HTTP/1.1 413 ") and b"8388608 bytes" in told


def test_a_client_that_sends_100_mb_all_the_same_reads_the_refusal(url, witness):
    answer = httpx.post(f"{url}/step", content=b" " * 100_000_000, trust_env=False, timeout=60)
    assert answer.status_code == 413


def test_a_body_of_unknown_size_is_cut_off(url, witness):
    def endless():
        for _ in range(100):
            yield b" " * 100_000

    answer = httpx.post(f"{url}/step", content=endless(), trust_env=False, timeout=60)
    assert answer.status_code == 413


def test_a_websocket_message_too_large_ends_its_own_connection_only(url, witness):
    before = sessions(url)
    with connect(url) as ws:
        with suppress(ConnectionClosed):
            ws.send(" " * 100_000_000)
        with pytest.raises(ConnectionClosed) as closed:
            ws.recv(20)
    assert closed.value.rcvd is None or closed.value.rcvd.code == 1009
    until(lambda: sessions(url) == before)


def test_the_largest_action_there_is_fits(url):
    from argus_gym.spaces import MAX_CHAIN_CHARS, MAX_K

    with connect(url) as ws:
        ask(ws, {"type": "reset", "data": {"seed": 0, "k": MAX_K}})
        ask(ws, {"type": "step", "data": {"problem": PROBLEM}})
        chains = ["√" * (MAX_CHAIN_CHARS - 8) + "\n#### 7"] * MAX_K
        message = json.dumps({"type": "step", "data": {"chains": chains}})
        assert len(message) > 6_000_000
        assert ask(ws, message)["data"]["observation"]["info"]["scored"]["outcome"] == 1.0


# Time


@pytest.mark.parametrize("start", ["", "head", "body"], ids=["silent", "head", "body"])
def test_a_slow_client_is_told_408(start):
    with running(patience=0.5) as url, raw(url) as sock:
        if start == "head":
            sock.sendall(head(url, 100)[:40])
        elif start == "body":
            sock.sendall(head(url, 100) + b" " * 10)
        told = sock.recv(65_536)
        assert told.startswith(b"HTTP/1.1 408 ") and b"too long" in told
        assert sock.recv(10) == b""


def test_a_client_that_trickles_is_told_408_too():
    with running(patience=0.5) as url, raw(url) as sock:
        sock.settimeout(0.05)
        sock.sendall(head(url, 1_000))
        told = b""
        for _ in range(100):
            try:
                sock.sendall(b" ")
                told += sock.recv(65_536)
            except TimeoutError:
                continue
            except OSError:
                break
            if told:
                break
        assert told.startswith(b"HTTP/1.1 408 ")


def test_a_client_that_does_not_read_is_cut_off():
    with running(patience=0.5) as url, raw(url) as sock:
        wanted = 400
        asked = f"GET /openapi.json HTTP/1.1\r\nhost: {url.removeprefix('http://')}\r\n\r\n"
        size = len(httpx.get(f"{url}/openapi.json", trust_env=False).content)
        assert size * wanted > 8_000_000
        sock.sendall(asked.encode() * wanted)
        time.sleep(2)
        got = 0
        with suppress(ConnectionResetError):
            while more := sock.recv(1 << 20):
                got += len(more)
        assert got < size * wanted


def test_a_connection_kept_open_is_not_slow():
    with running(patience=1.0) as url, httpx.Client(base_url=url, trust_env=False) as http:
        for _ in range(2):
            assert http.get("/healthz").status_code == 200
            time.sleep(1.2)
        assert http.get("/healthz").status_code == 200


# Number


def test_more_sessions_than_there_is_room_for_are_refused(url, witness):
    before = sessions(url)
    codes, opened = [], []
    with httpx.Client(base_url=url, trust_env=False) as http:
        for _ in range(300):
            reply = http.post("/reset", json={"seed": 0, **SMALL})
            codes.append(reply.status_code)
            if reply.status_code == 200:
                opened.append(reply.json()["session_id"])
        assert sorted(set(codes)) == [200, 503] and len(opened) == 48 - before
        for session in opened:
            http.post("/close", json={"session_id": session})
    assert sessions(url) == before


def test_more_connections_than_there_is_room_for_are_refused():
    with running(sessions=4) as url:

        def knock(_):
            with connect(url) as ws:
                with suppress(ConnectionClosed):
                    ws.send(json.dumps({"type": "reset", "data": {"seed": 0, **SMALL}}))
                reply = json.loads(ws.recv(20))
                time.sleep(0.2)
                return reply

        with ThreadPoolExecutor(16) as pool:
            replies = list(pool.map(knock, range(64)))
        refused = [r["data"] for r in replies if r["type"] == "error"]
        assert refused and {r["code"] for r in refused} == {"CAPACITY_REACHED"}
        assert len(refused) < 64
        until(lambda: sessions(url) == 0)


def test_silent_connections_beyond_the_limit_are_told_503():
    with running(sessions=1) as url:
        held = [raw(url) for _ in range(257)]
        try:
            with raw(url) as more:
                assert more.recv(65_536).startswith(b"HTTP/1.1 503 ")
        finally:
            for sock in held:
                sock.close()

        def up():
            with suppress(httpx.HTTPError):
                return httpx.get(f"{url}/healthz", trust_env=False).status_code == 200

        until(up)


def test_a_session_that_is_busy_makes_the_next_request_wait(url):
    with httpx.Client(base_url=url, trust_env=False) as http, ThreadPoolExecutor(8) as pool:
        session = http.post("/reset", json={"seed": 0, **SMALL}).json()["session_id"]
        body = {"session_id": session, "action": {"problem": ""}}
        replies = list(pool.map(lambda _: http.post("/step", json=body), range(40)))
        assert {r.status_code for r in replies} == {422}
        state = http.get("/state", params={"session_id": session}).json()
        assert state["step_count"] == 40
        body = {"session_id": session, "action": {"problem": PROBLEM}}
        assert http.post("/step", json=body).status_code == 200
        body["action"] = {"chains": CHAINS}
        assert http.post("/step", json=body).json()["reward"] == 1.0
        http.post("/close", json={"session_id": session})
