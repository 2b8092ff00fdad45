"""A server of this package for tests: in a thread, or in a process that can be killed."""

import json
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

SMALL = {
    "rounds": 2,
    "problems_per_round": 3,
    "k": 4,
    "anchor_items": 2,
    "past_items": 2,
    "retest_chains": 3,
}
CHAINS = ["2 + 3 = 5\n5 * 2 = 10\n#### 10"] * 4


@contextmanager
def running(patience=30.0, **options):
    """Serve from a thread; yields the URL."""
    from argus_gym.server.app import create_app, server
    from argus_gym.server.guard import LOOPBACK

    app = create_app(hosts=LOOPBACK, **options)
    serving, listener = server(app, port=0, patience=patience)
    thread = threading.Thread(target=serving.run, args=([listener],), daemon=True)
    thread.start()
    until(lambda: serving.started)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        serving.should_exit = True
        thread.join(20)
        listener.close()


@contextmanager
def process(*options):
    """Run ``argus-gym serve`` in a process; yields it and the URL."""
    command = [sys.executable, "-m", "argus_gym", "serve", "--port", "0", "--json", *options]
    served = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        lines = ""
        while not lines.endswith("}\n"):
            line = served.stdout.readline()
            assert line, f"the server ended: {served.poll()}"
            lines += line
        yield served, json.loads(lines)["url"]
    finally:
        served.kill()
        served.wait()
        served.stdout.close()


def until(true, seconds=20.0):
    """Wait for something to become true."""
    for _ in range(int(seconds / 0.01)):
        if true():
            return
        time.sleep(0.01)
    raise AssertionError("it did not become true")
