"""Holds snapshots against forged ledgers (V16)."""

from __future__ import annotations

import unittest
from typing import Any

import forge
import kinds
from digest import derive
from forge import Draft, add, integer, move, ops, put, signed, text
from forged import Forged
from kinds import BODY, OPS
from row import Reason


def value(key: str, held: bytes) -> bytes:
    """A leaf of a value."""
    return text(key) + b"\x00" + derive("value", forge.SALT + held)


def counter(key: str, count: int) -> bytes:
    """A leaf of a counter."""
    return text(key) + b"\x01" + signed(count)


def stage(entity: str, name: str) -> bytes:
    """A leaf of a stage."""
    return text("lifecycle/" + entity) + b"\x02" + text(name)


class Snapshots(Forged):
    """The digest of the state after a row."""

    def does(self, book: forge.Forge, *operations: forge.Part, **fields: Any) -> int:
        """Lands a decision."""
        return book.decide(self.agent, "a", parts={OPS: ops(*operations)}, **fields)

    def pin(self, book: forge.Forge, at: int, *leaves: bytes, count: int | None = None,
            **fields: Any) -> int:  # fmt: skip
        """Lands a snapshot row, with leaves in the order of their keys."""
        number = len(leaves) if count is None else count
        body = forge.snapshot(at, derive("state", b"".join(leaves)), number)
        return book.land(Draft(kinds.SNAPSHOT, book.ledger, body, **fields))

    def wrong(self, book: forge.Forge, says: str, at: int, *leaves: bytes,
              count: int | None = None) -> None:  # fmt: skip
        """Checks that a snapshot row is a finding, in every outcome, and leaves it out."""
        for live in (True, False):
            row = self.pin(book, at, *leaves, count=count, live=live)
            self.finds(book, "V16", says=says, row=row)
            book.drop()

    def test_good(self) -> None:
        """Values, counters and stages, sorted by the bytes of their keys."""
        book = self.book()
        one, two = integer(1), integer(2)
        self.pin(book, 0)
        self.pin(book, 4)
        first = self.does(book, put("m", one), add("é", -3), add("a", 70), move("e", "new"))
        self.does(book, put("m", two), live=False)
        self.does(book, forge.delete("gone"), put("m", two), reasons=[Reason.KEY_ABSENT])
        after = self.does(book, put("m", two), add("a", -70), add("l", 2**63 - 1), put("\x7f", one))
        last = self.does(book, move("e", ""), forge.delete("m"))
        leaves = [counter("a", 70), stage("e", "new"), value("m", one), counter("é", -3)]
        self.pin(book, first, *leaves)
        self.pin(book, after - 1, *leaves)
        big, ends = counter("l", 2**63 - 1), [value("\x7f", one), counter("é", -3)]
        self.pin(book, after, big, stage("e", "new"), value("m", two), *ends)
        self.pin(book, last, big, *ends)
        self.pin(book, last, big, *ends, live=False)
        self.passes(book)

    def test_wrong(self) -> None:
        """Another digest, another number, and a row that is not before it."""
        book = self.book()
        at = self.does(book, put("k", integer(1)), put("j", integer(1)))
        leaves = value("j", integer(1)), value("k", integer(1))
        self.pin(book, at, *leaves)
        self.passes(book)
        self.wrong(book, "another digest", at, leaves[0], value("k", integer(2)))
        self.wrong(book, "another digest", at, leaves[1], leaves[0])
        self.wrong(book, "another digest", at - 1, *leaves, count=0)
        self.wrong(book, "has 2 leaves, it says 3", at, *leaves, count=3)
        for row in (at + 2, at + 3, 2**64 - 1):
            self.wrong(book, "is not before it", row, *leaves)

    def test_closed(self) -> None:
        """Behind closed operations the state is not known; of closed values it is."""
        book = self.book()
        first = self.does(book, put("k", integer(1), closed=True))
        self.does(book, put("j", integer(1)), closed=[OPS], live=False)
        self.pin(book, first + 1, value("k", integer(1)))
        self.unsure(book, "V14")
        after = self.does(book, put("j", integer(1)), closed=[OPS])
        self.pin(book, first, value("k", integer(1)))
        self.unsure(book, "V14")
        self.pin(book, after, value("k", integer(1)))
        self.unsure(book, "V14", "V16", says="its ops part is closed")
        self.wrong(book, "another digest", first)
        book = self.book()
        self.pin(book, 3, closed=[BODY])
        self.unsure(book, "V16", says="its body is closed")

    def test_lost_rows(self) -> None:
        """Behind a row that cannot be read it is not known either."""
        book = self.book()
        first = self.does(book, add("k", 1))
        self.does(book, add("k", 1), version=4)
        self.pin(book, first, counter("k", 1))
        self.pin(book, first + 1, counter("k", 2))
        self.pin(book, first + 2, counter("k", 2))
        report = self.report(book)
        self.assertEqual({finding["check"] for finding in report.findings}, {"V02"})
        rows = {gap["row"] for gap in report.gaps if gap["check"] == "V16"}
        self.assertEqual(rows, {None, 7, 8})

    def test_writers(self) -> None:
        """The ledger itself, an operator or the owner, under whatever policy."""
        book = self.book()
        body = forge.snapshot(0, derive("state", b""), 0)
        for author in (book.ledger, self.operator, book.owner):
            book.land(Draft(kinds.SNAPSHOT, author, body))
        self.passes(book)
        for author in (self.agent, self.judge):
            book.land(Draft(kinds.SNAPSHOT, author, body))
            self.finds(book, "V09", says="kind snapshot", row=7)
            book.drop()
        book.govern(kinds.POLICY, forge.policy(), closed=[BODY])
        book.land(Draft(kinds.SNAPSHOT, book.ledger, body))
        report = self.report(book)
        self.assertEqual((report.findings, report.status("V09")), ([], "passed"))
        book.land(Draft(kinds.SNAPSHOT, self.agent, body))
        self.finds(book, "V09", says="kind snapshot", row=9)


if __name__ == "__main__":
    unittest.main()
