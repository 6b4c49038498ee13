"""Failure: the load test could not run, and why."""

from __future__ import annotations


class CanNotRun(Exception):
    """Its text is a sentence for whoever started the load test."""
