"""Rollback rows: whether they bring something back into force (FORMAT.md, section 21)."""

from __future__ import annotations

import kinds
from bodies import Rollback
from entry import Entry
from history import History


def brings_back(entry: Entry, history: History) -> bool:
    """Whether an odd number of rollback rows stands in the chain of targets of a rollback row."""
    odd = False
    target = entry.row.said(Rollback).target
    while target < entry.number:
        entry = history.at(target)
        if entry.head.kind != kinds.ROLLBACK_ROW:
            break
        odd = not odd
        target = entry.row.said(Rollback).target
    return odd
