"""Snapshot rows: the digest of the state after a row (V16; FORMAT.md, sections 7 and 22)."""

from __future__ import annotations

import row as rows
from bodies import Snapshot
from entry import Entry
from history import History
from state import State


def faults(entry: Entry, history: History) -> list[str]:
    """What is wrong with a snapshot row; raises `Unknown` where that cannot be said."""
    snapshot = entry.row.said(Snapshot)
    if snapshot.at >= entry.number:
        return [f"snapshot: row {snapshot.at} is not before it"]
    state = _state_after(snapshot.at, history)
    found = []
    if snapshot.state != state.digest():
        found.append(f"snapshot: the state after row {snapshot.at} has another digest")
    leaves = len(state.leaves())
    if snapshot.leaves != leaves:
        found.append(f"snapshot: the state has {leaves} leaves, it says {snapshot.leaves}")
    return found


def _state_after(row: int, history: History) -> State:
    """The state after an earlier row, from the beginning on."""
    state = State()
    for entry in history.upto(row):
        if entry.landing.outcome == rows.APPLIED:
            state.apply(entry.row.operations())
    return state
