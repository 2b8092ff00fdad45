"""The page in headless Chromium: click, wait, read. Skipped without playwright and a Chromium.

``ARGUS_CHROMIUM`` names the browser where it is not on the path, ``ARGUS_PAGE_PICTURE`` a file for
the picture in ``docs/page.md``. With ``-s`` the time until Run can be pressed is printed, over
``ARGUS_PAGE_LOADS`` visits; there is no wall-clock bound in the test itself.
"""

import json
import os
import re
import shutil
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from statistics import median

import pytest
from serving import running
from test_page import ROUNDS_CSV, SUMMARY_CSV

from argus_gym.checkpoint import RunFolder
from argus_gym.run import RunConfig, run

pytest.importorskip("openenv")
sync_api = pytest.importorskip("playwright.sync_api")
CHROMIUM = os.environ.get("ARGUS_CHROMIUM") or shutil.which("chromium") or ""
if not CHROMIUM:
    pytest.skip("needs a Chromium: apt-get install chromium", allow_module_level=True)

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
HOSTILE = (
    "<img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script>\u202e"
)
STAGES = {
    **dict.fromkeys(("propose", "premise", "chains", "consensus", "zone", "buffer"), "solve"),
    **dict.fromkeys(("before", "after"), "retest"),
    **dict.fromkeys(("learn", "gate", "detectors"), "learn"),
}


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    runs, data = tmp_path_factory.mktemp("runs"), tmp_path_factory.mktemp("data")
    (data / "published_runs").mkdir()
    (data / "published_runs" / "rounds.csv").write_text(ROUNDS_CSV, "utf-8")
    (data / "published_runs" / "summary.csv").write_text(SUMMARY_CSV, "utf-8")
    whole = run(RunConfig(seed=3, rounds=4, problems=6), out=runs / "whole")
    problems = [replace(p, problem=HOSTILE) for p in whole.rounds[0].problems]
    odd = replace(whole.rounds[0], problems=tuple(problems))
    events = [{**e, "event": f"lie.{HOSTILE}", "action": HOSTILE} for e in whole.ledger[:1]]
    with RunFolder.create(runs / "hostile", {**whole.config, "agent": HOSTILE}) as folder:
        lines = "".join(f"{line}\n" for line in map(json.dumps, events))
        folder.save([odd], lines, {"layers": []}, lambda path: None)
    with running(runs=runs, data=data) as at:
        yield at


@pytest.fixture(scope="module")
def browser():
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield started
        started.close()


@pytest.fixture
def visit(browser, url):
    """Open the page; whatever the script throws, or asks of another address, fails the test."""
    contexts, wrong = [], []

    def open_(at=url, **options):
        contexts.append(browser.new_context(**options))
        page = contexts[-1].new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda r: r.url.startswith((at, "data:")) or wrong.append(r.url))
        page.goto(at)
        return page

    yield open_
    for context in contexts:
        context.close()
    assert not wrong


def ready(page):
    page.locator("#run:enabled").wait_for()
    return page


def press(page, name):
    page.get_by_role("button", name=name, exact=True).click()


def shows(page, name):
    """Wait for the main button to say ``name``."""
    page.get_by_role("button", name=name, exact=True).wait_for()


def table(page, name):
    rows = page.locator(f"#{name} tbody tr").all()
    return [row.locator("th, td").all_inner_texts() for row in rows]


def totals(page):
    texts = page.locator("#totals div").all_inner_texts()
    return dict(text.split("\n") for text in texts)


def cycle(page, problems="4", speed="at once"):
    page.get_by_label("Problems a round").fill(problems)
    page.get_by_label("Speed").select_option(speed)
    press(page, "Run one cycle")
    shows(page, "Run next cycle")


def watch_status(page):
    page.evaluate(
        "() => { const status = document.getElementById('status'); window.told = [];"
        "new MutationObserver(() => window.told.push(status.textContent))"
        ".observe(status, {childList: true, characterData: true, subtree: true}); }"
    )


def test_run_can_be_pressed_soon(visit):
    loads = int(os.environ.get("ARGUS_PAGE_LOADS", "2"))
    times = []
    for _ in range(loads):
        page = ready(visit())
        [time] = page.evaluate("performance.getEntriesByName('ready').map(m => m.startTime)")
        times.append(time)
    shown = f"median {median(times):.0f} ms, worst {max(times):.0f} ms, n = {loads}"
    print(f"\nuntil Run can be pressed: {shown}")
    assert page.get_by_role("button", name="Run one cycle").is_enabled()


def test_pressing_run_shows_a_cycle(visit):
    page = ready(visit())
    cycle(page, problems="6")
    assert totals(page)["problems"] == "6" and totals(page)["chains"] == "84"
    [row] = table(page, "rounds")
    assert row[0] == "0" and sum(map(int, row[4:7])) == 6 and row[-1] in ("kept", "REFUSED")
    assert row[1] == f"{float(row[1]):.3f}"
    assert sum(int(r[1]) for r in table(page, "map")) == 6
    answers = table(page, "answers")
    assert sum(int(r[1]) for r in answers) == 14
    assert [r[0] for r in table(page, "detectors")] == list("ABCDEFGHIJKLMN")
    assert "by the rule certified" in page.locator("#gate").inner_text()
    assert "Round 0 ended" in page.get_by_role("status").inner_text()
    page.get_by_text("The chains", exact=True).click()
    assert "####" in page.locator("#texts li").first.inner_text()
    press(page, "Run next cycle")
    page.locator("#rounds tbody tr").nth(1).wait_for()
    shows(page, "Run next cycle")
    assert totals(page)["problems"] == "12"


def test_each_stage_lights_its_loop_and_says_so(visit):
    page = ready(visit())
    page.get_by_label("Problems a round").fill("4")
    page.get_by_label("Speed").select_option("half")
    press(page, "Run one cycle")
    press(page, "Pause")
    seen = []
    for _ in range(40):
        current = page.locator(".loop li[aria-current=step]")
        if page.get_by_role("button", name="One stage on").is_disabled():
            break
        stage = current.get_attribute("id").removeprefix("s-")
        lit = page.locator(".loop.lit")
        assert lit.get_attribute("id") == f"loop-{STAGES[stage]}"
        assert "now" in lit.inner_text() and current.inner_text().count("\n") == 0
        assert page.locator(".now:visible").count() == 1
        seen.append(stage)
        press(page, "One stage on")
    assert seen[:12] == ["propose", "premise", "chains", "consensus", "zone", "buffer"] * 2
    assert {"before", "learn", "after"} < set(seen) and seen[-2:] == ["gate", "detectors"]
    assert page.evaluate("document.activeElement.id") == "run"


def test_it_goes_on_until_the_run_ends(visit):
    page = ready(visit())
    page.get_by_label("Go on with the next cycle").check()
    page.get_by_label("Problems a round").fill("4")
    page.get_by_label("Speed").select_option("at once")
    press(page, "Run one cycle")
    shows(page, "Run again")
    assert len(table(page, "rounds")) == 15
    page.get_by_label("Go on with the next cycle").uncheck()
    press(page, "Run again")
    shows(page, "Run next cycle")
    assert len(table(page, "rounds")) == 1


def test_the_keyboard_is_enough(visit):
    page = ready(visit())
    order = []
    for _ in range(10):
        page.keyboard.press("Tab")
        order.append(page.evaluate("document.activeElement.id || document.activeElement.className"))
    assert order[:7] == ["skip", "source", "seed", "problems", "failure", "on", "run"]
    page.locator("#run").focus()
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    assert page.evaluate(outline) != "none"
    page.get_by_label("Speed").select_option("at once")
    page.locator("#run").focus()
    page.keyboard.press("Enter")
    shows(page, "Run next cycle")
    assert page.evaluate("document.activeElement.id") == "run"
    page.locator(".skip").focus()
    page.keyboard.press("Enter")
    assert page.url.endswith("#run")


def test_screen_readers_are_told_rounds_and_not_stages(visit):
    page = ready(visit())
    watch_status(page)
    cycle(page, problems="8", speed="20 times")
    told = page.evaluate("window.told")
    assert 1 <= len(told) <= 2 and told[-1].startswith("Round 0 ended")
    page.get_by_label("Source").select_option("Run folder whole")
    page.get_by_label("Speed").select_option("100 times")
    watch_status(page)
    press(page, "Play")
    page.locator("#rounds tbody tr").nth(3).wait_for()
    shows(page, "Play")
    told = page.evaluate("window.told")
    assert len(told) <= 2 and told[-1].startswith("Round 3 ended")
    assert page.locator("[aria-live], [role=status], [role=alert], [role=log], output").count() == 2


def test_every_control_and_region_has_a_name(visit):
    page = ready(visit())
    assert page.get_by_role("banner").count() == page.get_by_role("main").count() == 1
    assert page.locator("html").get_attribute("lang") == "en"
    headings = [
        int(h[1])
        for h in page.evaluate("[...document.querySelectorAll('h1,h2,h3')].map(h => h.tagName)")
    ]
    assert headings[0] == 1 and all(b <= a + 1 for a, b in pairwise(headings))
    ids = page.evaluate("[...document.querySelectorAll('[id]')].map(e => e.id)")
    assert len(ids) == len(set(ids))
    unnamed = page.evaluate(
        "[...document.querySelectorAll('input, select')].filter(e => !e.labels.length).length"
    )
    assert unnamed == 0
    for region in page.locator("main section, [role=region]").all():
        named = region.get_attribute("aria-labelledby")
        assert page.locator(f"#{named}").inner_text()
    cycle(page)
    for head in page.locator("thead th").all():
        assert head.get_attribute("scope") == "col"
    assert page.locator("meter:not([aria-hidden=true])").count() == 0


def test_texts_of_models_stay_texts(visit):
    page = ready(visit())
    title = page.title()
    page.get_by_label("Source").select_option("Run folder hostile")
    page.get_by_label("Speed").select_option("at once")
    press(page, "Play")
    page.locator("#rounds tbody tr").wait_for()
    assert page.locator("#problem").inner_text() == HOSTILE
    assert HOSTILE[:60] in page.locator("#settings").inner_text()
    assert HOSTILE[:60] in table(page, "detectors")[-1][1]
    assert page.locator("img, main script").count() == 0
    page.wait_for_timeout(100)
    assert page.title() == title


def test_a_run_folder_is_replayed_at_the_speed_asked_for(visit):
    page = ready(visit())
    page.get_by_label("Source").select_option("Run folder whole")
    page.get_by_label("Speed").select_option("half")
    press(page, "Play")
    page.locator("li[aria-current=step]").wait_for()
    assert table(page, "rounds") == []
    press(page, "Pause")
    held = page.locator("#s-propose").inner_text()
    page.wait_for_timeout(300)
    assert page.locator("#s-propose").inner_text() == held
    page.get_by_label("Speed").select_option("at once")
    press(page, "Continue")
    page.locator("#rounds tbody tr").nth(3).wait_for()
    shows(page, "Play")
    last = table(page, "rounds")
    slider = page.get_by_role("slider", name="Round")
    slider.focus()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert table(page, "rounds") == last[:2] and page.locator("#at-shown").inner_text() == "1"
    assert slider.get_attribute("aria-valuetext") == "end of round 1"
    assert page.get_by_role("status").inner_text() == ""
    page.keyboard.press("End")
    assert table(page, "rounds") == last
    assert "does not keep them" in page.locator("#answers-none").inner_text()
    press(page, "Start over")
    assert table(page, "rounds") == [] and page.evaluate("document.activeElement.id") == "run"
    page.get_by_label("Source").select_option("New run, simulated agent")
    assert page.get_by_role("status").inner_text() == "Nothing has run yet."


def test_the_published_figures_are_shown(visit):
    page = ready(visit())
    page.get_by_label("Source").select_option("Published run one")
    page.get_by_label("Speed").select_option("at once")
    press(page, "Play")
    page.locator("#rounds tbody tr").nth(1).wait_for()
    assert table(page, "rounds") == [
        ["1", "0.500", "0.250", "–", "5", "3", "4", "no", "not refused"],
        ["2", "0.625", "0.500", "–", "–", "2", "–", "yes", "REFUSED"],
    ]
    shown = totals(page)
    assert shown["rounds"] == "2" and shown["steps refused"] == "1" and shown["hours"] == "1.5"
    assert "problems" not in shown and "hold no problems" in page.locator("#problem").inner_text()


def test_what_is_missing_is_on_the_page(visit):
    with running() as at:
        page = ready(visit(at))
        missing = page.locator("#missing").inner_text()
        assert "--runs" in missing and "--data" in missing
        cycle(page)


def test_the_page_asks_for_the_token(visit):
    with running(token="let me in") as at:
        page = visit(at)
        field = page.get_by_label("This server asks for its token")
        field.wait_for()
        assert page.locator("#run").is_disabled()
        field.fill("wrong")
        press(page, "Use it")
        page.get_by_role("alert").get_by_text("token").wait_for()
        field.fill("let me in")
        press(page, "Use it")
        cycle(ready(page))
        assert field.is_hidden() and page.locator("#failure option").count() == 12


def test_a_server_that_goes_away_is_told(visit):
    page = ready(visit())
    page.route("**/demo/cycle", lambda route: route.abort())
    press(page, "Run one cycle")
    page.get_by_role("alert").get_by_text("does not answer").wait_for()
    page.unroute("**/demo/cycle")
    cycle(page)
    assert page.get_by_role("alert").inner_text() == ""


def test_another_window_takes_the_run_over_and_the_first_can_start_again(visit):
    first, second = ready(visit()), ready(visit())
    cycle(first)
    cycle(second)
    press(first, "Run next cycle")
    first.get_by_role("alert").get_by_text("unknown run").wait_for()
    shows(first, "Run one cycle")
    press(first, "Run one cycle")
    shows(first, "Run next cycle")
    assert len(table(first, "rounds")) == 1


def test_it_fits_from_a_phone_to_a_projector(visit):
    page = ready(visit(viewport={"width": 1280, "height": 800}))
    cycle(page)
    letter = "parseFloat(getComputedStyle(document.querySelector('p')).fontSize)"
    for width in (320, 360, 768, 1280, 1920, 3840):
        page.set_viewport_size({"width": width, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert page.evaluate(letter) >= (20 if width >= 1920 else 16)
        for control in page.locator("button:visible, select:visible").all():
            assert control.bounding_box()["height"] >= 38


def test_nothing_moves_for_who_asked_for_that(visit):
    still = ready(visit(reduced_motion="reduce"))
    moving = ready(visit())
    duration = "getComputedStyle(document.querySelector('.loop li')).transitionDuration"
    assert set(still.evaluate(duration).split(", ")) == {"0s"}
    assert set(moving.evaluate(duration).split(", ")) != {"0s"}


def test_text_stands_out_from_what_is_behind_it():
    css = (Path(__file__).parents[1] / "argus_gym/server/page/page.css").read_text("utf-8")
    colours = dict(re.findall(r"--(\w+): (#[0-9a-f]{6})", css))

    def light(colour):
        parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        r, g, b = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
        return 0.2126 * r + 0.7152 * g + 0.0722 * b

    def contrast(a, b):
        low, high = sorted((light(a), light(b)))
        return (high + 0.05) / (low + 0.05)

    for name in ("ink", "grey", "blue", "red", "green"):
        for behind in ("#ffffff", colours["pale"]):
            assert contrast(colours[name], behind) >= 4.5, (name, behind)


def test_the_picture(visit, tmp_path):
    page = ready(visit(viewport={"width": 1280, "height": 900}))
    page.get_by_label("Planted failure").select_option("D")
    page.get_by_label("Speed").select_option("at once")
    press(page, "Run one cycle")
    for done in range(1, 5):
        page.locator("#rounds tbody tr").nth(done - 1).wait_for()
        shows(page, "Run next cycle")
        press(page, "Run next cycle")
    page.locator("#rounds tbody tr").nth(4).wait_for()
    page.get_by_label("Speed").select_option("half")
    press(page, "Run next cycle")
    press(page, "Pause")
    for _ in range(9):
        press(page, "One stage on")
    out = Path(os.environ.get("ARGUS_PAGE_PICTURE", tmp_path / "page.png"))
    top = {"x": 0, "y": 0, "width": 1280, "height": 1640}
    page.screenshot(path=out, full_page=True, clip=top, animations="disabled")
    assert out.stat().st_size > 50_000
