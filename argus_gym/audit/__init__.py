"""Audit of training logs made elsewhere: which signals went wrong, when, and on what evidence."""

from argus_gym.audit.auditing import Audit, Outcome, Signal, audit, audit_log
from argus_gym.audit.checks import Alarm
from argus_gym.audit.readers import Log, read

__all__ = ["Alarm", "Audit", "Log", "Outcome", "Signal", "audit", "audit_log", "read"]
