"""Demonstration data: made-up receipts, and the folder of its own in which the console shows them."""

from __future__ import annotations

from lancelot.demo.data import DemoData, DemoRecords
from lancelot.demo.records import demo_records, seed

__all__ = ["DemoData", "DemoRecords", "demo_records", "seed"]
