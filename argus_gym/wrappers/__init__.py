"""Wrappers: detectors of self-deception, gates and monitors."""
