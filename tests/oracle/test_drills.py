"""Holds recovery drills against forged ledgers: the reason `unproven` (V14), and their writers."""

from __future__ import annotations

import unittest
from typing import Any

import forge
import kinds
from forge import Draft, number
from forged import Forged
from kinds import BODY, EFFECTS, POLICY
from row import Reason

UNPROVEN, IRREVERSIBLE = Reason.UNPROVEN, Reason.IRREVERSIBLE
CLASSES = ("exact", "declared", "window", "compensating")
#: For each class an effect that makes a row of it, and its stamp.
EFFECTS_OF = (
    (None, b"\x00"), (forge.effect(undo=1), b"\x01"),
    (forge.effect(undo=2, until=10**6), b"\x02" + forge.signed(10**6)),
    (forge.effect(undo=3), b"\x03"), (forge.effect(), b"\x04"),
)  # fmt: skip


class Drills(Forged):
    """A class of reversibility is proven by a drill that passed lately."""

    def proven(self, period: int = 100) -> forge.Forge:
        """A ledger whose rule asks for drills."""
        return self.book(forge.rule("*", proven=period))

    def drill(self, book: forge.Forge, name: str = "exact", passed: int = 1, **fields: Any) -> int:
        """Lands the reading of a drill."""
        body = forge.reading("drill/" + name, number(passed))
        return book.land(Draft(kinds.READING, self.operator, body, **fields))

    def act(self, book: forge.Forge, rank: int = 0, **fields: Any) -> int:
        """Lands a decision of a class."""
        effect, stamp = EFFECTS_OF[rank]
        said: Any = {} if effect is None else {EFFECTS: forge.items([effect])}
        return book.decide(self.agent, "a", parts=said, reversibility=stamp, **fields)

    def asked(self, book: forge.Forge, holds: bool, rank: int = 0, at: int | None = None) -> None:
        """Checks that a decision is unproven, or that it is not, and leaves it out."""
        for reasons in ([], [UNPROVEN]):
            row = self.act(book, rank, at=at, reasons=reasons)
            if bool(reasons) == holds:
                self.passes(book)
            else:
                self.finds(book, "V14", row=row)
            book.drop()

    def test_classes(self) -> None:
        """Each for itself, and what cannot be taken back is never proven."""
        for rank, name in enumerate(CLASSES):
            book = self.proven()
            self.drill(book, name)
            for other in range(5):
                self.asked(book, other != rank, other)

    def test_times(self) -> None:
        """The newest drill counts, and it does not as soon as it is too old."""
        book = self.proven()
        self.asked(book, True)
        self.drill(book, at=50)
        self.drill(book, at=100)
        for at, holds in ((199, False), (200, False), (201, True)):
            self.asked(book, holds, at=at)
        self.drill(book, live=False, at=150)
        self.drill(book, "declared", 0, at=151)
        self.asked(book, True, at=201)
        self.drill(book, passed=0, at=160)
        self.asked(book, True, at=161)
        self.drill(book, at=170)
        self.asked(book, False, at=171)

    def test_rules(self) -> None:
        """It is asked where the rule asks, in dry runs too, beside what else holds."""
        book = self.book(forge.rule("a", proven=100, reach=0), forge.rule("b"))
        self.act(book, 1, reasons=[IRREVERSIBLE, UNPROVEN])
        self.act(book, live=False, reasons=[UNPROVEN])
        book.decide(self.agent, "b")
        self.passes(book)

    def test_approvals(self) -> None:
        """An approval lets it pass, where the decision was put aside for it."""
        book = self.proven()
        book.review(self.act(book, reasons=[UNPROVEN]))
        book.govern(POLICY, forge.policy([forge.rule("*", tier=1)]))
        aside = book.decide(self.agent, "a", tier=2, reasons=[Reason.TIER_TOO_LOW])
        book.govern(POLICY, forge.policy([forge.rule("*", proven=100)]))
        book.review(aside, reasons=[UNPROVEN])
        self.passes(book)

    def test_closed(self) -> None:
        """A closed reading may be any drill, unless it is too old to matter."""
        book = self.proven()
        self.drill(book, at=100, closed=[BODY])
        self.act(book, at=150)
        self.unsure(book, "V14", says="whether a recovery drill has passed lately")
        book.drop()
        self.asked(book, True, 4, at=150)
        self.asked_rows(book, {150: {5}, 200: {5}, 201: set()}, [UNPROVEN])
        self.drill(book, at=160)
        self.asked(book, False, at=170)
        self.drill(book, at=180, closed=[BODY], live=False)
        self.asked(book, False, at=181)
        self.drill(book, passed=0, at=190)
        self.drill(book, at=200, closed=[BODY])
        self.asked_rows(book, {250: {9}, 301: set()}, [UNPROVEN])

    def asked_rows(self, book: forge.Forge, gaps: dict[int, set[int]], reasons: Any) -> None:
        """Checks which rows are left open when a decision lands at a time, and leaves it out."""
        for at, rows in gaps.items():
            self.act(book, at=at, reasons=reasons)
            report = self.report(book)
            self.assertEqual(report.findings, [])
            self.assertEqual({gap["row"] for gap in report.gaps}, rows)
            book.drop()

    def test_closed_effects(self) -> None:
        """Of closed effects the class is not known."""
        book = self.proven()
        self.drill(book, "declared")
        self.act(book, 1, closed=[EFFECTS])
        self.unsure(book, "V14")

    def test_lost_rows(self) -> None:
        """Rows that were not read may have been drills, until time has passed."""
        book = self.proven()
        self.drill(book, "declared", at=10)
        book.decide(self.agent, "a", version=4, at=50)
        book.govern(POLICY, forge.policy([forge.rule("*", proven=100)]), at=60)
        self.act(book, 1, at=110)
        self.act(book, 1, at=161, reasons=[UNPROVEN])
        report = self.report(book)
        self.assertEqual({finding["check"] for finding in report.findings}, {"V02"})
        rows = {gap["row"] for gap in report.gaps if "recovery drill" in str(gap["message"])}
        self.assertEqual(rows, {7})

    def test_writers(self) -> None:
        """A drill is an operator's, whoever else may write readings."""
        writers = [(kinds.READING, kinds.EXECUTOR | kinds.JUDGE)]
        for policy in ({}, {"writers": writers}):
            book = self.book(**policy)
            both = forge.Signer(7)
            book.grant(both, kinds.JUDGE | kinds.OPERATOR, "both")
            body = forge.reading("drill/exact", number(1))
            book.land(Draft(kinds.READING, both, body))
            self.passes(book)
            for author in (self.judge, self.agent):
                book.land(Draft(kinds.READING, author, body))
                self.finds(book, "V09", says="a recovery drill by no operator", row=6)
                book.drop()
            book.land(Draft(kinds.READING, self.judge, forge.reading("m", number(1))))
            self.passes(book)
            book.drop()
            self.drill(book)
            self.finds(book, *(["V09"] if policy else []))


if __name__ == "__main__":
    unittest.main()
