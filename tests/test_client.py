"""The typed clients of the service."""

import asyncio
import contextlib
import io
import json
import re
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import gymnasium as gym
import pytest
from serving import CHAINS, SMALL, running

from argus_gym.agents import SimulatedAgent
from argus_gym.records import Chain, TrainingPair, encode
from argus_gym.spaces import Phase

pytest.importorskip("openenv")
pytest.importorskip("websockets")

from argus_gym.client import ArgusClient, AsyncArgusClient, ServiceError, SessionState

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def url():
    with running() as at:
        yield at


@pytest.fixture
def env(url):
    client = ArgusClient(url, **SMALL)
    yield client
    client.close()


def printed(code):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(compile(code, "example", "exec"), {"__name__": "example"})
    return out.getvalue()


def test_the_readmes_first_example_goes_through_the_client_unchanged(url):
    """Only where the environment comes from differs; the loop and what it prints are the same."""
    example = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.S)[0]
    made = 'env = gym.make("argus_gym:ArgusSelfImprove-v0", rounds=5)'
    assert example.count(made) == 1
    client = (
        "from argus_gym.client import ArgusClient\n"
        f'env = ArgusClient("{url}", stack="no-metacognition", rounds=5)'
    )
    served = printed(example.replace(made, client))
    assert served == printed(example) and served.count("round") == 5


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("number", [0, 1, 3], ids=["sync", "async", "openenv"])
def test_the_examples_of_the_page_on_serving_run(url, number):
    page = (ROOT / "docs" / "serving.md").read_text("utf-8")
    example = re.findall(r"```python\n(.*?)```", page, re.S)[number]
    assert "http://127.0.0.1:8000" in example
    printed(example.replace("http://127.0.0.1:8000", url))


def test_it_is_an_environment(env):
    assert isinstance(env, gym.Env)
    with env as same:
        obs, info = same.reset(seed=0)
        assert info == {} and same.observation_space.contains(obs)


def test_state_and_buffer_are_typed(env):
    env.reset(seed=4, options={"problems_per_round": 24, "episode_id": "mine"})
    state = env.state()
    assert isinstance(state, SessionState)
    assert (state.episode_id, state.seed, state.rounds, state.kept) == ("mine", 4, 2, False)
    agent, obs, info = SimulatedAgent(4), *env.reset(seed=4, options={"problems_per_round": 24})
    while obs["phase"] != Phase.LEARN:
        if obs["phase"] == Phase.PROPOSE:
            action = agent.propose(obs, info)
        else:
            action = agent.solve(obs["problem"], int(obs["request"][0]))
        obs, *_, info = env.step(action)
    pairs = env.buffer()
    assert pairs and all(isinstance(pair, TrainingPair) for pair in pairs)
    assert encode(pairs) == encode(info["training_pairs"])
    with pytest.raises(ServiceError, match="learning step"):
        env.clear_buffer()
    assert env.state().waiting == len(pairs)


def test_cleared_pairs_are_gone(env):
    agent, obs, info = SimulatedAgent(4), *env.reset(seed=4, options={"problems_per_round": 24})
    while len(env.buffer()) < 2:
        if obs["phase"] == Phase.PROPOSE:
            action = agent.propose(obs, info)
        else:
            action = agent.solve(obs["problem"], int(obs["request"][0]))
        obs, *_, info = env.step(action)
    assert env.clear_buffer() == 2 and env.buffer() == () and env.clear_buffer() == 0


def test_a_fraction_and_a_word_survive_the_way(env):
    from fractions import Fraction

    for answer in (Fraction(7, 3), "yes", None, 10**30):
        env.reset(seed=0)
        env.step("Ann has 3 pens and buys 4. How many has she?")
        *_, info = env.step([Chain("", answer, (Fraction(1, 2), 3))] * 4)
        assert info["scored"].answer == answer


def test_lone_surrogates_become_question_marks(env):
    env.reset(seed=0)
    obs, *_ = env.step("Ann has 3 \ud800 pens and buys 4. How many has she?")
    assert obs["problem"] == "Ann has 3 ? pens and buys 4. How many has she?"
    assert env.step(["#### 7 √ 🙂"] * 4)[4]["scored"].outcome == 1.0


def test_what_is_too_long_for_the_wire_stays_here(env):
    env.reset(seed=0)
    with pytest.raises(ServiceError, match="fit") as refused:
        env.step("x" * 9_000_000)
    assert refused.value.status == 413
    assert "invalid" in env.step("x" * 8_000_000)[4]
    assert "premise" in env.step("Ann has 3 pens.")[4]


def test_an_embedding_of_two_dimensions_is_an_error(env):
    import numpy as np

    from argus_gym.records import Solve

    env.reset(seed=0)
    env.step("Ann has 3 pens.")
    with pytest.raises(ValueError, match="embedding"):
        env.step(Solve(CHAINS, np.ones((2, 2))))


def test_a_refusal_keeps_the_session(env):
    env.reset(seed=0)
    with pytest.raises(ServiceError, match="bits") as refused:
        env.step([Chain("", 2**2_000)] * 4)
    assert refused.value.code == "VALIDATION_ERROR" and refused.value.status == 422
    assert env.state().step_count == 0


def test_no_server_is_said(url):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        with pytest.raises(ServiceError, match="connection"):
            ArgusClient(f"http://127.0.0.1:{free.getsockname()[1]}")
    with pytest.raises(ValueError, match="url"):
        ArgusClient("127.0.0.1:8000")


def test_a_full_server_is_said():
    with running(sessions=1) as url:
        first, second = ArgusClient(url, **SMALL), ArgusClient(url, **SMALL)
        with pytest.raises(ServiceError, match="1 sessions") as refused:
            second.reset(seed=0)
        assert refused.value.code == "CAPACITY_REACHED" and refused.value.status == 503
        first.reset(seed=0)
        first.close()
        second.close()


def test_a_server_that_goes_is_said():
    with running() as url:
        env = ArgusClient(url, **SMALL)
        env.reset(seed=0)
    with pytest.raises(ServiceError, match="connection"):
        env.step("Ann has 3 pens.")
    env.close()


@contextlib.contextmanager
def slow():
    """Serve answers that come late, each with the number of its question."""
    from websockets.sync.server import serve

    def answer(connection):
        for number, _ in enumerate(connection):
            time.sleep(0.4)
            connection.send(json.dumps({"type": "cleared", "data": {"pairs": number}}))

    with serve(answer, "127.0.0.1", 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.socket.getsockname()[1]}"
        server.shutdown()


def test_an_answer_that_comes_late_is_nobodys():
    with slow() as url:
        env = ArgusClient(url, timeout=5.0)
        assert env.clear_buffer() == 0
        env.close()
        env = ArgusClient(url, timeout=0.2)
        with pytest.raises(TimeoutError):
            env.clear_buffer()
        with pytest.raises(ServiceError, match="connection"):
            env.clear_buffer()


def test_an_answer_that_comes_late_is_nobodys_in_asyncio_either():
    async def asked(url):
        async with AsyncArgusClient(url, timeout=0.2) as env:
            with pytest.raises(TimeoutError):
                await env.clear_buffer()
            with pytest.raises(ServiceError, match="connection"):
                await env.clear_buffer()

    with slow() as url:
        asyncio.run(asked(url))


def test_a_block_of_retests_names_its_problems_as_the_environment_does(env):
    agent, blocks = SimulatedAgent(0), []
    obs, info = env.reset(seed=0)
    while "round" not in info:
        if "problems" in info.get("retest", ()):
            blocks.append(info["retest"])
        if obs["phase"] == Phase.PROPOSE:
            action = agent.propose(obs, info)
        elif obs["phase"] == Phase.LEARN:
            action = agent.learn(info["training_pairs"])
        else:
            action = agent.solve(obs["problem"], int(obs["request"][0]))
        obs, _, _, _, info = env.step(action)
    assert len(blocks) >= 2
    assert all(type(b["problems"]) is tuple and len(b["problems"]) == b["items"] for b in blocks)


def test_only_a_session_without_a_run_asks_for_a_reset(tmp_path):
    with running(runs=tmp_path) as url:
        for _ in range(2):
            env = ArgusClient(url, **SMALL, stack="no-metacognition")
            with contextlib.ExitStack() as stack:
                stack.callback(env.close)
                if (tmp_path / "reset").exists():
                    stack.enter_context(pytest.raises(ServiceError, match="already"))
                env.reset(seed=0, options={"episode_id": "reset"})


def test_the_async_client_does_the_same(url):
    async def played():
        agent, lines = SimulatedAgent(1), []
        async with AsyncArgusClient(url, **SMALL) as env:
            obs, info = await env.reset(seed=1)
            done = False
            while not done:
                if obs["phase"] == Phase.PROPOSE:
                    action = agent.propose(obs, info)
                elif obs["phase"] == Phase.LEARN:
                    assert await env.buffer() == info["training_pairs"]
                    action = agent.learn(info["training_pairs"])
                else:
                    action = agent.solve(obs["problem"], int(obs["request"][0]))
                obs, reward, terminated, done, info = await env.step(action)
                lines.append(encode([obs, reward, terminated, info]))
            assert (await env.state()).truncated
            with pytest.raises(gym.error.ResetNeeded):
                await env.clear_buffer()
            with pytest.raises(ServiceError, match="no run"):
                await env.resume("none")
        return lines

    def here():
        agent, lines, env = SimulatedAgent(1), [], ArgusClient(url, **SMALL)
        obs, info = env.reset(seed=1)
        done = False
        while not done:
            if obs["phase"] == Phase.PROPOSE:
                action = agent.propose(obs, info)
            elif obs["phase"] == Phase.LEARN:
                action = agent.learn(info["training_pairs"])
            else:
                action = agent.solve(obs["problem"], int(obs["request"][0]))
            obs, reward, terminated, done, info = env.step(action)
            lines.append(encode([obs, reward, terminated, info]))
        env.close()
        return lines

    assert asyncio.run(played()) == here()


def test_it_loads_nothing_heavy():
    code = "import sys, argus_gym.client; print({'openenv', 'fastapi', 'torch'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
