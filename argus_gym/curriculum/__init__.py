"""The loop as numbers: what ``ArgusCurriculum-v0`` and its vector form are made of."""
