"""The package as others get it: the wheel, the links, the import, the README."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from email import message_from_bytes
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
LINKS = ("agents", "benchmarks", "wrappers")
HEAVY = {
    *("torch", "transformers", "trl", "peft", "sklearn", "scipy", "sympy"),
    *("matplotlib", "pandas", "rich", "typer"),
}
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md"))]


def python(code, tmp_path, *options):
    """Run code in a new process, away from the repository, and return what it prints."""
    paths = [str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])]
    done = subprocess.run(
        [sys.executable, *options, "-c", code],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Build the wheel from a copy, so that the build leaves nothing in the repository."""
    source = tmp_path_factory.mktemp("wheel") / "source"
    source.mkdir()
    skip = shutil.ignore_patterns("__pycache__", "*.egg-info")
    shutil.copytree(ROOT / "argus_gym", source / "argus_gym", ignore=skip)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    for name in LINKS:
        (source / name).symlink_to(Path("argus_gym") / name)
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", "dist", "."]
    done = subprocess.run(build, cwd=source, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = (source / "dist").glob("*.whl")
    with zipfile.ZipFile(path) as file:
        yield file


def test_the_wheel_holds_every_module_and_nothing_beside_the_package(wheel):
    names = {name for name in wheel.namelist() if ".dist-info/" not in name}
    modules = {p.relative_to(ROOT).as_posix() for p in (ROOT / "argus_gym").rglob("*.py")}
    folders = (ROOT / "argus_gym/server/page", ROOT / "argus_gym/agents/argus_tiny")
    kept = {p.relative_to(ROOT).as_posix() for folder in folders for p in folder.iterdir()}
    data = {"py.typed", "openenv.yaml", "server/Dockerfile", "wrappers/diagnosis.json"}
    assert names == modules | kept | {f"argus_gym/{name}" for name in data}


def test_the_metadata_of_the_wheel(wheel):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    (name,) = (n for n in wheel.namelist() if n.endswith(".dist-info/METADATA"))
    metadata = message_from_bytes(wheel.read(name))
    assert (metadata["Name"], metadata["Version"]) == ("argus-gym", project["version"])
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == ">=3.11"
    assert "gymnasium<2,>=1.2" in metadata.get_all("Requires-Dist")
    scripts = wheel.read(name.replace("METADATA", "entry_points.txt")).decode()
    assert "argus-gym = argus_gym.cli:main" in scripts
    (licence,) = (n for n in wheel.namelist() if n.endswith("LICENSE"))
    assert b"TERMS AND CONDITIONS FOR USE, REPRODUCTION, AND DISTRIBUTION" in wheel.read(licence)


@pytest.mark.parametrize("name", LINKS)
def test_the_rooms_at_the_top_are_links_into_the_package(name):
    link = ROOT / name
    assert link.is_symlink() and os.readlink(link) == f"argus_gym/{name}"
    assert (link / "__init__.py").is_file()


def test_the_import_loads_nothing_heavy(tmp_path):
    code = "import sys, argus_gym; print(*{name.split('.')[0] for name in sys.modules})"
    loaded = set(python(code, tmp_path).split())
    assert "argus_gym" in loaded and not loaded & HEAVY


def test_every_public_name_is_there(tmp_path):
    code = "import argus_gym; print(*[bool(getattr(argus_gym, n)) for n in argus_gym.__all__])"
    assert set(python(code, tmp_path).split()) == {"True"}


@pytest.mark.parametrize(
    "code",
    [
        'gym.make("argus_gym:ArgusSelfImprove-v0")',
        'import argus_gym; gym.make("ArgusSelfImprove-v0")',
        'import argus_gym; gym.register_envs(argus_gym); gym.make("ArgusSelfImprove-v0")',
    ],
)
def test_the_environment_is_registered(code, tmp_path):
    *imports, make = code.split("; ")
    lines = ["import gymnasium as gym", *imports, f"env = {make}", "env.reset(seed=0)"]
    code = "\n".join([*lines, "print(env.spec.id)"])
    assert python(code, tmp_path, "-W", "error") == "ArgusSelfImprove-v0\n"


def blocks(language):
    """Return the README's code blocks in a language."""
    text = (ROOT / "README.md").read_text("utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def test_the_example_of_the_readme_runs(tmp_path):
    (example,) = blocks("python")
    lines = python(example, tmp_path, "-W", "error").splitlines()
    assert [line.split(":")[0] for line in lines] == [f"round {i}" for i in range(5)]


def test_the_chains_of_the_readme_are_read(tmp_path):
    from argus_gym.chain_sets import load

    (line,) = blocks("json")
    (tmp_path / "chains.jsonl").write_text(line, "utf-8")
    (item,) = load(tmp_path / "chains.jsonl")
    assert item.answer == 7 and len(item.chains) == 2


def test_the_first_two_commands_of_the_readme_run_and_test():
    """``.ci/run`` runs these two lines as they stand."""
    main, tests, *_ = blocks("sh")
    setup = "python3 -m venv .venv && .venv/bin/pip install -q -e "
    assert main.startswith(setup) and main.endswith("&& .venv/bin/argus-gym run\n")
    assert tests.startswith(setup) and "&& .venv/bin/pytest" in tests
    assert main.count("\n") == tests.count("\n") == 1


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_lead_somewhere(page):
    text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
    targets = re.findall(r"\]\(([^)#\s]+)", text)
    broken = [t for t in targets if "://" not in t and not (page.parent / t).exists()]
    assert not broken


def test_every_page_is_in_the_index():
    index = (ROOT / "docs" / "README.md").read_text("utf-8")
    pages = {p.name for p in (ROOT / "docs").glob("*.md")} - {"README.md"}
    assert {p for p in pages if f"({p})" not in index} == set()
