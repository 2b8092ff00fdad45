"""One self-contained page from run folders, and its plots as functions on matplotlib axes."""

from argus_gym.report.html import page, write_report
from argus_gym.report.source import ReportRun, read_run

__all__ = ["ReportRun", "page", "read_run", "write_report"]
