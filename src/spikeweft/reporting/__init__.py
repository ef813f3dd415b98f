"""The report: one result as one self-contained page."""

from spikeweft.reporting.result_page import build_report

__all__ = ["build_report"]
