"""Holds calibrations against forged ledgers (V23)."""

from __future__ import annotations

import unittest
from typing import Any

import calibrations
import forge
import kinds
from forge import Draft, calibration, number
from forged import Forged
from kinds import BODY, CALIBRATION
from number import Number


class Calibrations(Forged):
    """Which readings, and what threshold."""

    def readings(self, *values: int, metric: str = "m", **fields: Any) -> forge.Forge:
        """A ledger with readings from row 4 on, each 10 later than the one before it."""
        book = self.book()
        for place, value in enumerate(values):
            self.read(book, value, metric, at=10 * (place + 1), **fields)
        return book

    def read(self, book: forge.Forge, value: int, metric: str = "m", **fields: Any) -> int:
        """Lands a reading."""
        return book.land(Draft(kinds.READING, self.judge, forge.reading(metric, number(value)),
                               **fields))  # fmt: skip

    def test_good(self) -> None:
        """All readings of the metric, in the order of their worth."""
        book = self.readings(30, 10, 20)
        self.read(book, 99, "other")
        self.read(book, 99, live=False)
        book.govern(CALIBRATION, calibration("m", [4, 5, 6], number(20)))
        book.govern(CALIBRATION, calibration("m", [4, 5, 6], number(20), upto=10))
        book.govern(CALIBRATION, calibration("m", [4, 5], number(10), upto=6))
        self.passes(book)

    def test_selection(self) -> None:
        """Those with the action, from the time on, and below the row."""
        book = self.readings(30, 10, 20)
        self.read(book, 40, at=50, action="x")
        self.read(book, 50, at=60, action="y")
        book.govern(CALIBRATION, calibration("m", [5, 6, 7], number(20), start=20, upto=8))
        book.govern(CALIBRATION, calibration("m", [6, 7, 8], number(40), start=21))
        book.govern(CALIBRATION, calibration("m", [7], number(40), action="x", upto=11))
        self.passes(book)

    def test_bad(self) -> None:
        """Rows that are none, or are left out; another threshold; a reach behind itself."""
        book = self.readings(30, 10, 20)
        self.read(book, 99, "other")
        for body, says in (
            (calibration("m", [4, 5], number(10), upto=8), "row 6 is left out"),
            (calibration("m", [4, 5, 6, 7], number(10)), "row 7 is no such reading"),
            (calibration("m", [3, 4, 5, 6], number(10)), "row 3 is no such reading"),
            (calibration("m", [4, 5, 6], number(20), start=20), "row 4 is no such reading"),
            (calibration("m", [4, 5, 6], number(20), action="x"), "row 4 is no such reading"),
            (calibration("m", [4, 5, 6], number(10)), "threshold is 20"),
            (calibration("m", [4, 5, 6], number(200, 1)), "threshold is 20"),
            (calibration("m", [4, 5, 6], number(20), upto=9), "behind its own"),
        ):
            for live in (True, False):
                with self.subTest(says, live=live):
                    book.govern(CALIBRATION, body, live=live)
                    self.finds(book, "V23", says=says, row=8)
                    book.drop()

    def test_closed(self) -> None:
        """A closed reading may be of any metric, and of any value."""
        book = self.readings(30, 10)
        self.read(book, 20, closed=[BODY], action="x")
        book.govern(CALIBRATION, calibration("m", [4, 5], number(10)))
        self.unsure(book, "V09", says="whether an operator must have written it")
        book.govern(CALIBRATION, calibration("m", [4, 5], number(10), upto=7))
        self.unsure(book, "V09", "V23", says="its body is closed")
        book.govern(CALIBRATION, calibration("m", [4], number(30), upto=7))
        self.finds(book, "V23", says="row 5 is left out", row=9)

    def test_quantiles(self) -> None:
        """The nearest rank, the first at 0; shortened, and by worth."""
        values = [Number(value) for value in (5, 1, 4, 2, 3)]
        for millionths, found in ((0, 1), (1, 1), (200_000, 1), (200_001, 2), (500_000, 3),
                                  (999_999, 5), (1_000_000, 5)):  # fmt: skip
            self.assertEqual(calibrations.quantile(values, millionths), Number(found))
        mixed = [Number(-10, 1), Number(-2), Number(150, 2), Number(0, 9), Number(10)]
        for millionths, wanted in ((0, Number(-2)), (400_000, Number(-1)), (600_000, Number(0)),
                                   (800_000, Number(15, 1)), (1_000_000, Number(10))):  # fmt: skip
            self.assertEqual(calibrations.quantile(mixed, millionths), wanted)


if __name__ == "__main__":
    unittest.main()
