"""The report: one result as one self-contained page."""

from spikeweft.report.builder import build_report

__all__ = ["build_report"]
