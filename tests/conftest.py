"""Property tests try the same examples on every CI run, and new ones everywhere else."""

import os

from hypothesis import settings

# Machines are shared: a slow example is no failure.
settings.register_profile("local", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")
