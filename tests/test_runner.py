"""Jobs: in parallel, resumed, none lost."""

import json
import os
import signal
import time
from contextlib import suppress

import pytest

from argus_gym.benchmarks.limit import TooSlow, time_limit
from argus_gym.benchmarks.runner import run_jobs, sources
from argus_gym.run_data import InputError

PLAN = {"suite": "squares"}
JOBS = {f"job {n}": (n,) for n in range(12)}


def square(n):
    return {"value": n * n, "half": n / 2}


def moody(n):
    if n == 3:
        raise RuntimeError("three\nis bad")
    if n == 5:
        os._exit(1)
    if n == 7:
        with time_limit(0.2):
            while True:
                with suppress(Exception):
                    time.sleep(5)
    return n


def deaf(n):
    if n == 1:
        with time_limit(0.2):
            while True:
                with suppress(BaseException):
                    time.sleep(5)
    return n


def test_results_come_in_order_whatever_the_number_of_workers():
    one, three = (run_jobs(square, JOBS, PLAN, workers=w) for w in (1, 3))
    assert json.dumps(one) == json.dumps(three)
    assert list(one) == list(JOBS) and one["job 7"] == {"value": 49, "half": 3.5}


def test_a_job_that_fails_is_reported_and_the_others_finish():
    found = run_jobs(moody, JOBS, PLAN, workers=2)
    assert found["job 3"] == {"failed": "RuntimeError: three is bad"}
    assert found["job 5"] == {"failed": "the process died"}
    assert found["job 7"] == {"failed": "TooSlow: no sign of life for 0.2 s"}
    rest = {k: v for k, v in found.items() if k not in ("job 3", "job 5", "job 7")}
    assert rest == {k: n for k, (n,) in JOBS.items() if k in rest} and len(rest) == 9


def test_code_that_swallows_everything_loses_its_process():
    found = run_jobs(deaf, {str(n): (n,) for n in range(3)}, PLAN, workers=2)
    assert found == {"0": 0, "1": {"failed": "the process died"}, "2": 2}


def test_signs_of_life_extend_the_limit():
    with time_limit(60) as alive:
        time.sleep(0.01)
        left, _ = signal.getitimer(signal.ITIMER_REAL)
        alive()
        assert left < signal.getitimer(signal.ITIMER_REAL)[0] <= 60
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0
    with pytest.raises(TooSlow, match=r"0\.1 s"), time_limit(0.1):
        time.sleep(2)


def test_a_folder_is_continued_where_it_stopped(tmp_path):
    out, calls = tmp_path / "results", []

    def count(n):
        calls.append(n)
        return square(n)

    class Stop(Exception):
        pass

    def stop(done, total):
        if done == 4:
            raise Stop

    with pytest.raises(Stop):
        run_jobs(count, JOBS, PLAN, out=out, workers=1, progress=stop)
    with (out / "runs.jsonl").open("a") as lines:
        lines.write('{"key": "job 4", "res')
    seen = []
    found = run_jobs(count, JOBS, PLAN, out=out, workers=1, progress=lambda *at: seen.append(at))
    assert calls == list(range(12)) and seen[0] == (5, 12) and seen[-1] == (12, 12)
    assert found == run_jobs(square, JOBS, PLAN)
    text = (out / "runs.jsonl").read_text()
    assert len(text.splitlines()) == 12 and run_jobs(count, JOBS, PLAN, out=out) == found
    assert len(calls) == 12 and (out / "runs.jsonl").read_text() == text


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda out: (out / "runs.jsonl").write_text("{]\n"), "damaged in line 1"),
        (lambda out: (out / "runs.jsonl").write_text('{"key": "job 0"}\n'), "damaged in line 1"),
        (lambda out: (out / "runs.jsonl").write_text("[1]\n"), "damaged in line 1"),
        (lambda out: (out / "runs.jsonl").write_bytes(b"\xff\xfe\n"), "damaged in line 1"),
        (lambda out: (out / "plan.json").write_text("{}"), "another plan"),
        (lambda out: (out / "plan.json").unlink(), "no results folder"),
    ],
)
def test_a_corrupted_folder_is_named_and_left_alone(tmp_path, damage, message):
    out = tmp_path / "results"
    run_jobs(square, JOBS, PLAN, out=out, workers=1)
    damage(out)
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    with pytest.raises(InputError, match=message):
        run_jobs(square, JOBS, PLAN, out=out, workers=1)
    assert before == {path.name: path.read_bytes() for path in out.iterdir()}


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file"):
        run_jobs(square, JOBS, PLAN, out=tmp_path / "file", workers=1)


def test_plugins_that_are_files_count_as_code(tmp_path):
    plugin = tmp_path / "world.py"
    plugin.write_text("a = 1")
    first = sources([str(plugin), "module:World"])
    plugin.write_text("a = 2")
    assert len({first, sources([str(plugin)]), sources()}) == 3


def test_bad_workers_are_named():
    with pytest.raises(ValueError, match="workers must be at least 1, got 0"):
        run_jobs(square, JOBS, PLAN, workers=0)


def test_ray_gives_the_same_or_says_how_to_install_it():
    try:
        import ray  # noqa: F401
    except ModuleNotFoundError:
        with pytest.raises(InputError, match=r'pip install "argus-gym\[ray\]"'):
            run_jobs(square, JOBS, PLAN, ray="local")
        return
    # Functions that a worker can import: it does not see this file.
    jobs = {f"{n} by {d}": (n, d) for n in range(5) for d in range(2)}
    assert run_jobs(divmod, jobs, PLAN, ray="local") == run_jobs(divmod, jobs, PLAN, workers=1)
    assert run_jobs(os._exit, {"bad": (1,)}, PLAN, ray="local") == {
        "bad": {"failed": "the process died"}
    }
