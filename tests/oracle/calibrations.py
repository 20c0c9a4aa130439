"""Calibrations, computed again (V23): which readings, and their quantile (FORMAT.md, section 9)."""

from __future__ import annotations

import kinds
from bodies import Calibration, Reading
from entry import Entry
from history import History, applied
from number import Number
from parts import MILLION
from row import Unknown


def faults(entry: Entry, history: History) -> list[str]:
    """What is wrong with a calibration row; raises `Unknown` where that cannot be said."""
    calibration = entry.row.said(Calibration)
    if calibration.upto > entry.number:
        return [f"calibration: it reaches up to row {calibration.upto}, behind its own"]
    named, values = set(calibration.rows), []
    doubt: Unknown | None = None
    for other in history.rows:
        try:
            if other is None:
                raise Unknown("rows in front were not read")
            if _selected(other, calibration) != (other.number in named):
                wrong = "is no such reading" if other.number in named else "is left out"
                return [f"calibration: row {other.number} {wrong}"]
            if other.number in named:
                values.append(other.row.said(Reading).value)
        except Unknown as error:
            doubt = error
    if doubt is not None:
        raise doubt
    threshold = quantile(values, calibration.quantile)
    if threshold != calibration.threshold:
        return [f"calibration: the threshold is {threshold}, it says {calibration.threshold}"]
    return []


def quantile(values: list[Number], millionths: int) -> Number:
    """The quantile by the nearest rank, without zeros at the end behind the point."""
    rank = max(1, -(-len(values) * millionths // MILLION))
    return sorted(values, key=lambda number: number.worth)[rank - 1].shortened()


def _selected(entry: Entry, calibration: Calibration) -> bool:
    """Whether a row is one of the readings that a calibration rests on."""
    if not applied(entry, kinds.READING) or entry.number >= calibration.upto:
        return False
    if calibration.action and entry.head.action != calibration.action:
        return False
    if entry.landing.landed_at < calibration.start:
        return False
    return entry.row.said(Reading).metric == calibration.metric
