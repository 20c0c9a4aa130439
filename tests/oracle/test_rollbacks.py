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


class Rollbacks(Forged):
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

    def back(self, book: forge.Forge, row: int, delta: int, **fields: Any) -> int:
        """Lands the rollback of a row, which adds this."""
        fields.setdefault("parts", {OPS: ops(add("decided", delta))})
        return book.roll_back(self.operator, row, **fields)

    def stopped(self, book: forge.Forge, row: int, delta: int) -> None:
        """Checks that a rollback is stopped, and leaves it so."""
        at = self.back(book, row, delta)
        self.finds(book, "V18", says="the kill switch was engaged", row=at)
        book.drop()
        self.back(book, row, delta, reasons=[KILL])
        self.passes(book)

    def goes_on(self, book: forge.Forge, row: int, delta: int) -> int:
        """Checks that a rollback is not stopped, and leaves it so."""
        at = self.back(book, row, delta, reasons=[KILL])
        self.finds(book, "V18", says="did not stop it", row=at)
        book.drop()
        self.back(book, row, delta)
        self.passes(book)
        return at

    def test_first(self) -> None:
        """The rollback of a decision goes on."""
        book = self.decided()
        self.engage(book)
        self.goes_on(book, 4, -1)

    def test_redo(self) -> None:
        """The rollback of a rollback brings the decision back, and so is stopped."""
        book = self.decided()
        back = self.back(book, 4, -1)
        self.engage(book)
        self.stopped(book, back, 1)

    def test_chains(self) -> None:
        """An odd number of rollback rows in the chain of targets brings back, an even one takes."""
        book = self.decided()
        chain = [4]
        for length in range(1, 6):
            chain.append(self.back(book, chain[-1], -1 if length % 2 else 1))
        self.engage(book)
        for place, row in enumerate(chain[1:]):
            with self.subTest(place=place):
                if place % 2:
                    self.goes_on(book, row, -1)
                else:
                    self.stopped(book, row, 1)

    def test_approval(self) -> None:
        """What an approval did is brought back in the same way."""
        book = self.book(forge.rule("*", tier=1))
        aside = book.decide(self.agent, "a", tier=2, reasons=[Reason.TIER_TOO_LOW])
        approval = book.review(aside)
        back = self.back(book, approval, -1)
        self.engage(book)
        self.stopped(book, back, 1)
        self.goes_on(book, approval, -1)

    def test_put_aside(self) -> None:
        """One that is stopped has no other of the gates' reasons, and that of its operations."""
        book = self.book(forge.rule("a"), moves=[("", "s")])
        book.decide(self.agent, "a", parts={OPS: ops(forge.move("e", "s"))})
        said: Any = {OPS: ops(forge.move("e", "", forge.holds_stage("s")))}
        back = self.back(book, 4, 0, parts=said)
        self.engage(book)
        said = {OPS: ops(forge.move("e", "t", forge.ABSENT))}
        self.back(book, back, 0, parts=said, reasons=[KILL])
        said = {OPS: ops(forge.move("e", "t", forge.holds_stage("s")))}
        self.back(book, back, 0, parts=said, reasons=[KILL, Reason.GUARD_FAILED])
        self.passes(book)
        self.back(book, back, 0, parts=said, reasons=[KILL])
        self.finds(book, "V14", says="reasons are guard-failed", row=9)

    def test_dry_run(self) -> None:
        """One that is no more than tried is not stopped."""
        book = self.decided()
        back = self.back(book, 4, -1)
        self.engage(book)
        self.back(book, back, 1, live=False)
        self.passes(book)

    def test_released(self) -> None:
        """While the switch is released it goes on."""
        book = self.decided()
        back = self.back(book, 4, -1)
        self.goes_on(book, back, 1)

    def test_closed(self) -> None:
        """Behind a closed body in the chain of targets it is not known."""
        book = self.decided()
        back = self.back(book, 4, -1, closed=[BODY])
        self.back(book, back, 1)
        self.passes(book)
        book.drop()
        self.engage(book)
        self.back(book, back, 1)
        self.unsure(book, "V18", says="its body is closed")

    def test_effects(self) -> None:
        """A rollback row has no effects."""
        book = self.decided()
        said = {OPS: ops(add("decided", -1)), EFFECTS: forge.items([forge.effect(undo=1)])}
        self.back(book, 4, 0, parts=said, reversibility=b"\x01")
        self.finds(book, "V02", says="a rollback with effects", row=5)


if __name__ == "__main__":
    unittest.main()
