"""All rows so far, to be looked through again and again."""

from __future__ import annotations

from collections.abc import Iterator

import kinds
import row as rows
from bodies import Calibration, Reading
from entry import Entry
from number import Number
from row import Unknown


class History:
    """The rows that were read, in order, with a None wherever some were not."""

    def __init__(self) -> None:
        self.rows: list[Entry | None] = []
        self._numbered: dict[int, Entry] = {}

    def add(self, entry: Entry) -> None:
        """Appends a row."""
        self.rows.append(entry)
        self._numbered[entry.number] = entry

    def lost(self) -> None:
        """Notes that rows were not read here."""
        self.rows.append(None)

    def at(self, number: int) -> Entry:
        """An earlier row."""
        if number not in self._numbered:
            raise Unknown(f"row {number} was not read")
        return self._numbered[number]

    def backwards(self) -> Iterator[Entry]:
        """The rows from the newest on; raises `Unknown` where some were not read."""
        for entry in reversed(self.rows):
            if entry is None:
                raise Unknown("rows in front were not read")
            yield entry

    def upto(self, number: int) -> Iterator[Entry]:
        """The rows up to and including one; raises `Unknown` where some were not read."""
        self.at(number)
        for entry in self.rows:
            if entry is None:
                raise Unknown("rows in front were not read")
            yield entry
            if entry.number == number:
                return

    def threshold(self, metric: str) -> Number | None:
        """The calibration of a metric: the newest applied one (section 20)."""
        for entry in self.backwards():
            if applied(entry, kinds.CALIBRATION):
                calibration = entry.row.said(Calibration)
                if calibration.metric == metric:
                    return calibration.threshold
        return None


def applied(entry: Entry, kind: int) -> bool:
    """Whether a row is of a kind and stamped applied."""
    return entry.head.kind == kind and entry.landing.outcome == rows.APPLIED


def reading(entry: Entry) -> Reading | None:
    """What a row measured, if it is a reading: an applied evidence row (section 9)."""
    return entry.row.said(Reading) if applied(entry, kinds.READING) else None
