"""Worlds by name, by ``module:Class`` or from a file: a world is a plug-in anyone can write."""

import difflib
import importlib
import importlib.util
import inspect
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

from argus_gym.benchmarks.worlds.base import World
from argus_gym.run_data import InputError

__all__ = ["load_world"]


def load_world(reference: str) -> World:
    """Return a world.

    Args:
        reference: A name in ``WORLDS``, ``module:Class``, or a ``.py`` file that defines one
            subclass of :class:`~argus_gym.benchmarks.worlds.World`.

    Raises:
        InputError: If there is no such world; names the nearest one that there is.
    """
    from argus_gym.benchmarks.worlds import WORLDS

    if reference in WORLDS:
        return WORLDS[reference]()
    if reference.endswith(".py"):
        return _made(_only(_from_file(Path(reference)), reference), reference)
    if ":" in reference:
        module, _, name = reference.partition(":")
        try:
            found = getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError, ValueError) as error:
            raise InputError(f"--world {reference}: {error}") from None
        return _made(found, reference)
    near = difflib.get_close_matches(reference, WORLDS, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    raise InputError(
        f"--world must be one of {', '.join(WORLDS)}, module:Class or a .py file, "
        f"got {reference!r}{hint}"
    )


def _from_file(path: Path) -> ModuleType:
    if not path.is_file():
        raise InputError(f"--world {path}: expected a file")
    name = f"argus_world_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise InputError(f"--world {path}: {type(error).__name__}: {error}") from None
    return module


def _only(module: ModuleType, reference: str) -> Any:
    own = [
        thing
        for thing in vars(module).values()
        if inspect.isclass(thing)
        and issubclass(thing, World)
        and thing.__module__ == module.__name__
        and not inspect.isabstract(thing)
        and "name" in vars(thing)
    ]
    if len(own) != 1:
        raise InputError(
            f"--world {reference}: expected one named subclass of World, got {len(own)}"
        )
    return own[0]


def _made(found: Any, reference: str) -> World:
    if not (inspect.isclass(found) and issubclass(found, World)):
        raise InputError(f"--world {reference}: expected a subclass of World, got {found!r}")
    try:
        world = found()
    except Exception as error:
        raise InputError(f"--world {reference}: {type(error).__name__}: {error}") from None
    return world
