"""``python -m argus_gym`` does what ``argus-gym`` does."""

from argus_gym.cli import main

main()
