"""Holds rollbacks under the kill switch against forged ledgers (V18)."""

from __future__ import annotations

import unittest
from typing import Any

import forge
from forge import Draft, add, ops
from forged import Forged
from kinds import BODY, EFFECTS, KILL_SWITCH, OPS
from row import Reason

KILL = Reason.KILL_SWITCH


class Chains(Forged):
    """What takes back goes on while the switch is engaged, and what brings back does not."""

    def decided(self) -> forge.Forge:
        """A ledger with a decision in row 4."""
        book = self.book()
        book.decide(self.agent, "a")
        return book

    def engage(self, book: forge.Forge, **fields: Any) -> int:
        """Pulls the switch."""
        body = forge.turn(0, True, self.operator)
        return book.land(Draft(KILL_SWITCH, self.operator, body, **fields))

    def back(self, book: forge.Forge, row: int, **fields: Any) -> int:
        """Lands the rollback of a row."""
        return book.roll_back(self.operator, row, **fields)

    def stopped(self, book: forge.Forge, row: int) -> None:
        """Checks that a rollback is stopped, and leaves it so."""
        at = self.back(book, row)
        self.finds(book, "V18", says="the kill switch was engaged", row=at)
        book.drop()
        self.back(book, row, reasons=[KILL])
        self.passes(book)

    def goes_on(self, book: forge.Forge, row: int) -> int:
        """Checks that a rollback is not stopped, and leaves it so."""
        at = self.back(book, row, reasons=[KILL])
        self.finds(book, "V18", says="did not stop it", row=at)
        book.drop()
        self.back(book, row)
        self.passes(book)
        return at

    def test_first(self) -> None:
        """The rollback of a decision goes on."""
        book = self.decided()
        self.engage(book)
        self.goes_on(book, 4)

    def test_redo(self) -> None:
        """The rollback of a rollback brings the decision back, and so is stopped."""
        book = self.decided()
        back = self.back(book, 4)
        self.engage(book)
        self.stopped(book, back)

    def test_lengths(self) -> None:
        """An odd number of rollback rows in the chain of targets brings back, an even one takes."""
        for length in range(5):
            with self.subTest(length=length):
                book = self.decided()
                last = 4
                for _ in range(length):
                    last = self.back(book, last)
                self.engage(book)
                (self.stopped if length % 2 else self.goes_on)(book, last)

    def test_approval(self) -> None:
        """What an approval did is brought back in the same way."""
        book = self.book(forge.rule("*", tier=1))
        aside = book.decide(self.agent, "a", tier=2, reasons=[Reason.TIER_TOO_LOW])
        approval = book.review(aside)
        back = self.back(book, approval)
        again = book.review(book.decide(self.agent, "a", tier=2, reasons=[Reason.TIER_TOO_LOW]))
        self.engage(book)
        self.stopped(book, back)
        self.goes_on(book, again)

    def test_put_aside(self) -> None:
        """One that is stopped has no other of the gates' reasons, and that of its operations."""
        book = self.book(forge.rule("a"), moves=[("", "s")])
        there = ops(forge.move("e", "s", forge.ABSENT))
        gone = ops(forge.move("e", "", forge.holds_stage("s")))
        said: Any = {OPS: ops(forge.move("e", "s"))}
        book.decide(self.agent, "a", parts=said, inverse=gone)
        back = self.back(book, 4, inverse=there)
        book.decide(self.agent, "a", parts=said, inverse=gone)
        self.engage(book)
        self.back(book, back, reasons=[KILL, Reason.GUARD_FAILED])
        self.back(book, 6, inverse=there)
        self.back(book, back, reasons=[KILL])
        self.passes(book)
        self.back(book, back, reasons=[KILL, Reason.GUARD_FAILED])
        self.finds(book, "V14", says="reasons are none", row=11)

    def test_dry_run(self) -> None:
        """One that is no more than tried is not stopped."""
        book = self.decided()
        back = self.back(book, 4)
        self.engage(book)
        self.back(book, back, live=False)
        self.passes(book)

    def test_released(self) -> None:
        """While the switch is released it goes on."""
        book = self.decided()
        self.goes_on(book, self.back(book, 4))

    def ending(self, **fields: Any) -> forge.Forge:
        """A ledger in which row 5 takes row 4 back, and row 6 is another rollback row."""
        book = self.decided()
        self.back(book, 4)
        self.back(book, 5, **fields)
        return book

    def test_ends(self) -> None:
        """A row that was not applied, or moved nothing, ends a chain, and does not count."""
        hash_ = self.decided().rows[4].hash
        for fields in (
            {"live": False}, {"body": forge.rollback(9, bytes(32))},
            {"body": forge.rollback(4, hash_)},
        ):  # fmt: skip
            for counting in range(4):
                with self.subTest(counting, **fields):
                    book, last = self.ending(**fields), 6
                    for _ in range(counting):
                        last = self.back(book, last)
                    self.engage(book)
                    self.back(book, last, reasons=[KILL] if counting % 2 else [])
                    self.assertEqual(self.report(book).status("V18"), "passed")
                    book.drop()
                    self.back(book, last, reasons=[] if counting % 2 else [KILL])
                    self.finds(book, "V17", "V18")

    def test_other_faults(self) -> None:
        """A row that moved something goes on in a chain, whatever else is wrong with it."""
        book = self.decided()
        self.back(book, 4, body=forge.rollback(4, bytes(32)))
        self.engage(book)
        self.back(book, 5, reasons=[KILL])
        self.finds(book, "V17", says="another hash", row=5)

    def test_closed(self) -> None:
        """Behind a closed body in the chain of targets it is not known."""
        book = self.decided()
        back = self.back(book, 4, closed=[BODY])
        self.back(book, back)
        self.unsure(book, "V17", "V19")
        book.drop()
        self.engage(book)
        self.back(book, back)
        self.unsure(book, "V17", "V18", "V19", says="whether row 5 took anything back")

    def test_not_known_to_move(self) -> None:
        """Nor is it behind a row whose target may have been taken back by a closed one."""
        book = self.decided()
        self.back(book, book.decide(self.agent, "a"), closed=[BODY])
        back = self.back(book, 4)
        self.engage(book)
        self.back(book, back)
        self.unsure(book, "V17", "V18", "V19", says=f"whether row {back} took anything back")

    def test_effects(self) -> None:
        """A rollback row has no effects."""
        book = self.decided()
        said = {OPS: ops(add("decided", -1)), EFFECTS: forge.items([forge.effect(undo=1)])}
        self.back(book, 4, parts=said, reversibility=b"\x01")
        self.finds(book, "V02", says="a rollback with effects", row=5)


if __name__ == "__main__":
    unittest.main()
