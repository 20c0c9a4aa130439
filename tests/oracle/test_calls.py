"""Holds calls and what is said of them against forged ledgers (V19)."""

from __future__ import annotations

import unittest
from typing import Any

import forge
import kinds
from forge import Draft
from forged import Forged
from kinds import BODY, EFFECTS
from row import Reason

INTENDED, DONE, FAILED, UNKNOWN, CLOSED = range(5)
NAMES = ("intended", "done", "failed", "unknown", "closed")

#: What may follow what.
STEPS = {
    INTENDED: {DONE, FAILED, UNKNOWN},
    FAILED: {INTENDED, CLOSED},
    UNKNOWN: {INTENDED, DONE, FAILED, CLOSED},
    DONE: set[int](),
    CLOSED: set[int](),
}


class Calls(Forged):
    """How calls went."""

    def acted(self, count: int = 1, **fields: Any) -> forge.Forge:
        """A ledger whose row 4 has effects."""
        book = self.book(forge.rule("*", tier=1))
        self.act(book, count, **fields)
        return book

    def act(self, book: forge.Forge, count: int = 1, **fields: Any) -> int:
        """Lands a decision with effects."""
        said = {EFFECTS: forge.items([forge.effect(undo=1)] * count)}
        return book.decide(self.agent, "a", parts=said, reversibility=b"\x01", **fields)

    def say(self, book: forge.Forge, row: int, *statuses: int, effect: int = 0,
            **fields: Any) -> int:  # fmt: skip
        """Lands outcome rows of the operator; gives the last one."""
        for status in statuses:
            body = forge.outcome(row, effect, status)
            last = book.land(Draft(kinds.OUTCOME, self.operator, body, **fields))
        return last

    def back(self, book: forge.Forge, row: int, *effects: int, **fields: Any) -> int:
        """Lands a rollback that calls for effects."""
        body = forge.rollback(row, book.rows[row].hash, 0, effects)
        return book.roll_back(self.operator, row, body=body, **fields)

    def wrong(self, book: forge.Forge, says: str, row: int, status: int = DONE,
              effect: int = 0) -> None:  # fmt: skip
        """Checks that an outcome row is a finding, in every outcome, and leaves it out."""
        for live in (True, False):
            at = self.say(book, row, status, effect=effect, live=live)
            self.finds(book, "V19", says=says, row=at)
            book.drop()

    def test_first(self) -> None:
        """Of a decision anything may be said first, of a rollback only that it is intended."""
        for status in range(5):
            book = self.acted()
            self.say(book, 4, status)
            self.finds(book, *(["V19"] if status == INTENDED else []))
            book = self.acted()
            back = self.back(book, 4, 0)
            at = self.say(book, back, status)
            if status == CLOSED:
                self.passes(book)
            elif status == INTENDED:
                self.finds(book, "V19", says="nothing says how it went", row=back)
            else:
                rows = {finding["row"] for finding in self.report(book).findings}
                self.assertEqual(rows, {back, at})

    def test_steps(self) -> None:
        """From each status to each other."""
        ways = {INTENDED: (), DONE: (DONE,), FAILED: (FAILED,), UNKNOWN: (UNKNOWN,),
                CLOSED: (FAILED, CLOSED)}  # fmt: skip
        for old, way in ways.items():
            for new in range(5):
                with self.subTest(NAMES[old], new=NAMES[new]):
                    book = self.acted()
                    self.say(book, 4, INTENDED, *way)
                    at = self.say(book, 4, new)
                    ends = new if new in STEPS[old] else old
                    rows = {4} if ends == INTENDED else set()
                    rows |= set() if new in STEPS[old] else {at}
                    found = self.report(book).findings
                    self.assertEqual({finding["row"] for finding in found}, rows)
                    self.assertLessEqual({finding["check"] for finding in found}, {"V19"})

    def test_kept(self) -> None:
        """A step that does not go leaves the call where it was; so does one that is only tried."""
        book = self.acted()
        self.say(book, 4, INTENDED, DONE)
        at = self.say(book, 4, FAILED)
        self.say(book, 4, INTENDED, live=False)
        rows = [finding["row"] for finding in self.report(book).findings]
        self.assertEqual(rows, [at, at + 1])
        book = self.acted()
        self.say(book, 4, DONE, live=False)
        self.say(book, 4, INTENDED, UNKNOWN)
        self.passes(book)

    def test_each_for_itself(self) -> None:
        """Every effect is a call of its own, and so is each row that calls for it."""
        book = self.acted(2)
        self.say(book, 4, INTENDED, DONE)
        self.say(book, 4, INTENDED, FAILED, effect=1)
        back = self.back(book, 4, 1)
        self.say(book, back, INTENDED, UNKNOWN, DONE, effect=1)
        redo = self.back(book, back, 0, 1)
        for effect in (1, 0):
            self.say(book, redo, INTENDED, DONE, effect=effect)
        self.say(book, 4, CLOSED, effect=1)
        self.passes(book)

    def test_callers(self) -> None:
        """What calls is an applied decision or approval with the effect, or a rollback row."""
        book = self.acted()
        nothing, other = "is no earlier row that calls", "does not call for effect"
        self.wrong(book, other, 4, effect=1)
        for row in (0, 1, 5, 6, 2**64 - 1):
            self.wrong(book, nothing, row)
        dry = self.act(book, live=False)
        aside = self.act(book, tier=2, reasons=[Reason.TIER_TOO_LOW])
        for row in (dry, aside):
            self.wrong(book, nothing, row)
        approval = book.review(aside, reversibility=b"\x01")
        self.say(book, approval, INTENDED, DONE)
        self.passes(book)
        self.wrong(book, other, approval, effect=1)
        self.wrong(book, nothing, self.say(book, 4, DONE))
        plain = book.decide(self.agent, "a")
        self.wrong(book, other, plain)
        back = self.back(book, 4)
        self.wrong(book, other, back, INTENDED)
        tried = self.back(book, approval, 0, live=False)
        self.wrong(book, nothing, tried, INTENDED)
        self.passes(book)
        rejection = book.review(self.act(book, tier=2, reasons=[Reason.TIER_TOO_LOW]), 1)
        self.wrong(book, nothing, rejection)

    def test_ends(self) -> None:
        """A call that stands at intended, and a listed one of which nothing was said."""
        book = self.acted(3)
        self.say(book, 4, INTENDED, effect=1)
        self.finds(book, "V19", says="call 4/1: nothing says", row=4)
        self.say(book, 4, UNKNOWN, effect=1)
        back = self.back(book, 4, 0, 2)
        self.say(book, back, INTENDED, FAILED)
        self.finds(book, "V19", says=f"call {back}/2: nothing says", row=back)
        self.say(book, back, CLOSED, effect=2)
        self.passes(book)

    def test_closed_outcome(self) -> None:
        """What a closed row has said is not known; what would not go on anyway is."""
        book = self.acted(4)
        self.say(book, 4, INTENDED)
        self.say(book, 4, INTENDED, DONE, effect=1)
        self.say(book, 4, DONE, effect=2, closed=[BODY])
        self.unsure(book, "V19", says="its body is closed")
        self.assertEqual([gap["row"] for gap in self.report(book).gaps], [8, 4])
        self.wrong_and_unsure(book, DONE, 1)
        self.say(book, 4, DONE)
        self.say(book, 4, INTENDED, UNKNOWN, effect=3)
        self.unsure(book, "V19", says="how the call 4/0 stands")
        rows = [gap["row"] for gap in self.report(book).gaps]
        self.assertEqual(rows, [8, 9, 10, 11])
        later = self.act(book)
        self.say(book, later, INTENDED)
        self.finds(book, "V19", row=later)

    def wrong_and_unsure(self, book: forge.Forge, status: int, effect: int) -> None:
        """Checks that an outcome row is a finding in spite of a closed one, and leaves it out."""
        at = self.say(book, 4, status, effect=effect)
        self.finds(book, "V19", says="done does not follow", row=at)
        book.drop()

    def test_dry_closed_outcome(self) -> None:
        """One that was only tried has changed nothing."""
        book = self.acted()
        self.say(book, 4, INTENDED, live=False, closed=[BODY])
        self.say(book, 4, INTENDED, DONE)
        self.unsure(book, "V19")
        self.assertEqual([gap["row"] for gap in self.report(book).gaps], [5])

    def test_closed_callers(self) -> None:
        """Of closed effects it is not known whether one is there, only how it went."""
        book = self.acted(closed=[EFFECTS])
        self.say(book, 4, INTENDED, DONE)
        self.unsure(book, "V14", "V19", says="its effects part is closed")
        at = self.say(book, 4, FAILED)
        self.finds(book, "V19", says="failed does not follow", row=at)
        book = self.acted()
        back = self.back(book, 4, 0, closed=[BODY])
        self.say(book, back, INTENDED, DONE)
        self.unsure(book, "V17", "V19", says="what it calls for")
        rows = {gap["row"] for gap in self.report(book).gaps if gap["check"] == "V19"}
        self.assertEqual(rows, {5, 6, 7})
        at = self.say(book, back, DONE, effect=1)
        self.finds(book, "V19", says="done does not follow", row=at)

    def test_executors(self) -> None:
        """They close no calls, and a withheld body may be one that does."""
        book = self.acted()
        body = forge.outcome(4, 0, DONE)
        book.land(Draft(kinds.OUTCOME, self.agent, body, closed=[BODY]))
        self.unsure(book, "V09", "V19")
        for status in range(1, 5):
            book = self.acted()
            book.land(Draft(kinds.OUTCOME, self.agent, forge.outcome(4, 0, status)))
            self.finds(book, *(["V09"] if status == CLOSED else []))

    def test_tellers(self) -> None:
        """Who is no operator tells of calls of their own rows alone."""
        for live in (True, False):
            book = self.acted()
            outcome = forge.outcome(4, 0, DONE)
            book.land(Draft(kinds.OUTCOME, self.agent, outcome, live=live))
            self.passes(book)
            book = self.acted()
            back = self.back(book, 4, 0)
            self.say(book, back, INTENDED)
            outcome = forge.outcome(back, 0, DONE)
            at = book.land(Draft(kinds.OUTCOME, self.agent, outcome, live=live))
            # It changed nothing, so the operator can say the same.
            self.say(book, back, DONE)
            self.finds(book, "V19", says="of another's row, by no operator", row=at)

    def test_lost_rows(self) -> None:
        """Rows that were not read may have said anything of the calls in front of them."""
        book = self.acted()
        back = self.back(book, 4, 0)
        book.decide(self.agent, "a", version=4)
        self.say(book, 4, DONE)
        later = self.act(book)
        self.say(book, later, INTENDED)
        report = self.report(book)
        found = {(finding["check"], finding["row"]) for finding in report.findings}
        self.assertEqual(found, {("V02", 6), ("V19", later)})
        rows = {gap["row"] for gap in report.gaps if gap["check"] == "V19"}
        self.assertEqual(rows, {None, back, 7})


if __name__ == "__main__":
    unittest.main()
