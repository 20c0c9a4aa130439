"""Holds the kill switch and its drills against forged ledgers (V18)."""

from __future__ import annotations

import unittest
from typing import Any

import forge
import kinds
from forge import Draft, number, turn
from forged import Forged
from kinds import BODY, KILL_SWITCH, POLICY
from row import Reason

KILL = Reason.KILL_SWITCH
ENGAGE, RELEASE, HAND_OVER, DRILL = range(4)


class Turned(Forged):
    """Tests that turn the switch."""

    def turn(self, book: forge.Forge, act: int, engaged: bool,
             drill: tuple[int, int] | None = None, **fields: Any) -> int:  # fmt: skip
        """Lands a kill-switch row of the operator."""
        fields.setdefault("body", turn(act, engaged, self.operator, drill))
        return book.land(Draft(KILL_SWITCH, self.operator, **fields))


class Switch(Turned):
    """The switch stops what is live."""

    def test_engaged(self) -> None:
        """It stops live decisions from the next row on, and nothing else."""
        book = self.book()
        self.turn(book, ENGAGE, True)
        book.decide(self.agent, "a", reasons=[KILL])
        book.decide(self.agent, "a", live=False)
        book.land(Draft(kinds.READING, self.judge, forge.reading("m", number(1))))
        self.turn(book, HAND_OVER, True)
        book.decide(self.agent, "b", reasons=[KILL])
        self.turn(book, RELEASE, False, live=False)
        book.decide(self.agent, "b", reasons=[KILL])
        self.turn(book, RELEASE, False)
        book.decide(self.agent, "b")
        self.passes(book)

    def test_stamps(self) -> None:
        """A reason that is missing or too much, and another row."""
        book = self.book()
        book.decide(self.agent, "a", reasons=[KILL])
        self.finds(book, "V18", says="did not stop it", row=4)
        book.drop()
        book.decide(self.agent, "a", kill_switch_row=2)
        self.finds(book, "V18", says="kill_switch_row is 0, it says 2", row=4)
        book = self.book()
        self.turn(book, ENGAGE, True)
        book.decide(self.agent, "a")
        self.finds(book, "V18", says="was engaged", row=5)
        book.drop()
        book.land(Draft(kinds.READING, self.judge, forge.reading("m", number(1)), reasons=[KILL]))
        self.finds(book, "V18", says="did not stop it", row=5)
        book.drop()
        book.decide(self.agent, "a", reasons=[KILL], outcome=0)
        self.finds(book, "V14", says="the outcome is review, it says applied", row=5)

    def test_reviews(self) -> None:
        """It stops approvals, whatever the decision was stopped by, and no rejections."""
        book = self.book()
        self.turn(book, ENGAGE, True)
        book.decide(self.agent, "a", reasons=[KILL])
        book.review(5, reasons=[KILL])
        book.review(5, 1)
        self.passes(book)
        book = self.book()
        self.turn(book, ENGAGE, True)
        book.decide(self.agent, "a", reasons=[KILL])
        book.review(5)
        self.finds(book, "V18", says="was engaged", row=6)

    def test_hand_over(self) -> None:
        """It leaves the switch as it is, and one that does not changes nothing."""
        for act, engaged in ((ENGAGE, True), (RELEASE, False)):
            for live in (True, False):
                with self.subTest(act, live=live):
                    book = self.book()
                    self.turn(book, act, engaged)
                    self.turn(book, HAND_OVER, engaged)
                    self.passes(book)
                    self.turn(book, HAND_OVER, not engaged, live=live)
                    self.finds(book, "V18", says="it moves the switch", row=6)
                    book.kill_switch_row = 5
                    book.decide(self.agent, "a", reasons=[KILL] if engaged else [])
                    self.finds(book, "V18", row=6)

    def test_hand_over_at_first(self) -> None:
        """Before the first row the switch is released."""
        book = self.book()
        self.turn(book, HAND_OVER, True)
        self.finds(book, "V18", says="it moves the switch", row=4)

    def test_closed_review(self) -> None:
        """Of a closed review its parts tell whether it approves."""
        for verdict in (0, 1):
            book = self.book()
            self.turn(book, ENGAGE, True)
            book.decide(self.agent, "a", reasons=[KILL])
            book.review(5, verdict, closed=[BODY], reasons=[] if verdict else [KILL])
            self.unsure(book, "V14")
            book.drop()
            book.review(5, verdict, closed=[BODY], reasons=[KILL] if verdict else [])
            self.finds(book, "V18", row=6)

    def test_holders(self) -> None:
        """A row that does not go through changes nothing."""
        book = self.book()
        self.turn(book, ENGAGE, True, body=turn(ENGAGE, True, self.agent))
        book.kill_switch_row = 0
        book.decide(self.agent, "a")
        self.finds(book, "V09", says="holder", row=4)

    def test_writer_without_right(self) -> None:
        """One by an author without the right takes effect all the same."""
        book = self.book()
        book.land(Draft(KILL_SWITCH, self.agent, turn(ENGAGE, True, self.operator)))
        book.decide(self.agent, "a", reasons=[KILL])
        self.finds(book, "V09", row=4)

    def test_closed(self) -> None:
        """Behind a closed row it is not known what is stopped; what is not live is not."""
        book = self.book()
        self.turn(book, ENGAGE, True, closed=[BODY])
        book.decide(self.agent, "a", live=False)
        self.unsure(book, "V09", "V18")
        book.decide(self.agent, "a")
        self.unsure(book, "V09", "V18", says="whether the kill switch is engaged")
        self.turn(book, RELEASE, False)
        book.decide(self.agent, "a")
        rows = {gap["row"] for gap in self.report(book).gaps if "engaged" in str(gap["message"])}
        self.assertEqual(rows, {6})


class Drills(Turned):
    """Drills, and when they are due."""

    def drill(self, book: forge.Forge) -> tuple[int, int]:
        """Begins a drill, with a decision that it stops."""
        began = self.turn(book, DRILL, True)
        return began, book.decide(self.agent, "a", reasons=[KILL])

    def test_drill(self) -> None:
        """It begins engaged and ends released."""
        book = self.book()
        self.turn(book, DRILL, False, self.drill(book))
        book.decide(self.agent, "a")
        self.passes(book)

    def test_no_drill(self) -> None:
        """One that was never begun, or is on no longer, does not end."""
        book = self.book()
        self.turn(book, DRILL, False, (1, 2))
        book.kill_switch_row = 0
        self.finds(book, "V18", says="not engaged by a drill", row=4)
        book = self.book()
        self.turn(book, ENGAGE, True)
        probe = book.decide(self.agent, "a", reasons=[KILL])
        self.turn(book, DRILL, False, (4, probe))
        book.kill_switch_row = 4
        book.decide(self.agent, "a", reasons=[KILL])
        self.finds(book, "V18", says="not engaged by a drill", row=6)
        book = self.book()
        drill = self.drill(book)
        self.turn(book, HAND_OVER, True)
        self.turn(book, DRILL, False, drill)
        self.finds(book, "V18", says="not engaged by a drill", row=7)

    def test_begun_engaged(self) -> None:
        """None begins while the switch is engaged, not even one inside another, or dry."""
        for act in (ENGAGE, DRILL):
            for live in (True, False):
                with self.subTest(act, live=live):
                    book = self.book()
                    self.turn(book, act, True)
                    self.turn(book, DRILL, True, live=live)
                    self.finds(book, "V18", says="engaged already", row=5)
                    book.kill_switch_row = 4
                    book.decide(self.agent, "a", reasons=[KILL])
                    self.finds(book, "V18", row=5)
        book = self.book()
        self.turn(book, ENGAGE, True)
        self.turn(book, RELEASE, False)
        self.turn(book, DRILL, True)
        self.passes(book)

    def test_begun_in_vain(self) -> None:
        """One that did not begin does not end either."""
        book = self.book()
        self.turn(book, ENGAGE, True)
        began, probe = self.drill(book)
        book.kill_switch_row = 4
        self.turn(book, DRILL, False, (began, probe))
        report = self.report(book)
        rows = sorted({finding["row"] for finding in report.findings})  # type: ignore[type-var]
        # The probe names a row that does not hold the switch, which is a fault too.
        self.assertEqual(rows, [5, 6, 7])
        self.assertEqual({finding["check"] for finding in report.findings}, {"V18"})

    def test_dry_end(self) -> None:
        """One that does not hold is a fault whatever its outcome; one that does ends nothing."""
        book = self.book()
        self.turn(book, DRILL, False, (1, 2), live=False)
        self.finds(book, "V18", row=4)
        book = self.book()
        drill = self.drill(book)
        self.turn(book, DRILL, False, drill, live=False)
        self.turn(book, DRILL, False, drill)
        self.passes(book)

    def test_false_probe(self) -> None:
        """An end with a false probe takes effect; with one that is no earlier row it does not."""
        book = self.book(period=100)
        began, _ = self.drill(book)
        self.turn(book, DRILL, False, (began, 1), at=101)
        book.decide(self.agent, "a", at=201)
        self.finds(book, "V18", says="no decision that it stopped", row=6)
        book = self.book()
        began, _ = self.drill(book)
        self.turn(book, DRILL, False, (began, 6))
        book.kill_switch_row = began
        book.decide(self.agent, "a", reasons=[KILL])
        self.finds(book, "V18", says="no decision that it stopped", row=6)

    def test_probes(self) -> None:
        """A probe is a live decision that this drill stopped."""
        book = self.book()
        before = book.decide(self.agent, "a")
        began, probe = self.drill(book)
        dry = book.decide(self.agent, "a", live=False)
        approval = book.review(probe, reasons=[KILL])
        for row in (before, began, dry, approval, 9, 10, 99):
            with self.subTest(row):
                self.turn(book, DRILL, False, (began, row))
                self.finds(book, "V18", says="no decision that it stopped", row=9)
                book.drop()
        self.turn(book, DRILL, False, (began, probe))
        again, _ = self.drill(book)
        self.turn(book, DRILL, False, (again, probe))
        self.finds(book, "V18", says="no decision that it stopped", row=12)

    def test_end_that_does_not_go_through(self) -> None:
        """For want of a holder it is a fault of V09, and the drill goes on."""
        book = self.book()
        drill = self.drill(book)
        self.turn(book, DRILL, False, body=turn(DRILL, False, self.agent, drill))
        book.kill_switch_row = drill[0]
        book.decide(self.agent, "a", reasons=[KILL])
        self.finds(book, "V09", says="holder", row=6)

    def test_applied_probe(self) -> None:
        """What was applied, or stopped by something else, is no probe."""
        for fields in ({"reasons": [KILL], "outcome": 0}, {"reasons": [Reason.TIER_TOO_LOW]}):
            book = self.book()
            began = self.turn(book, DRILL, True)
            probe = book.decide(self.agent, "a", **fields)
            self.turn(book, DRILL, False, (began, probe))
            report = self.report(book)
            found = [str(finding["message"]) for finding in report.findings]
            self.assertIn(f"drill: row {probe} is no decision that it stopped", found)

    def test_due(self) -> None:
        """The first row that lands too late is told of, behind row 0 and behind each drill."""
        book = self.book(period=100)
        book.decide(self.agent, "a", at=101)
        self.passes(book)
        book.decide(self.agent, "a", at=102)
        book.decide(self.agent, "a", at=500)
        self.finds(book, "V18", says="a drill was due at 101", row=5)
        drill = self.drill(book)
        self.turn(book, DRILL, False, drill, at=600)
        book.decide(self.agent, "a", at=700)
        self.finds(book, "V18", row=5)
        book.decide(self.agent, "a", at=701)
        rows = [finding["row"] for finding in self.report(book).findings]
        self.assertEqual(rows, [5, 11])

    def test_due_under_which_policy(self) -> None:
        """The period is that of the policy in force."""
        book = self.book()
        book.govern(POLICY, forge.policy([forge.rule("*")], period=100), at=1000)
        self.passes(book)
        book.govern(POLICY, forge.policy([forge.rule("*")]))
        self.finds(book, "V18", says="was due at 101", row=5)
        book = self.book(period=100)
        drill = self.drill(book)
        self.turn(book, DRILL, False, drill, at=102)
        self.finds(book, "V18", says="was due at 101", row=6)

    def test_closed_turns(self) -> None:
        """Behind a closed row it is not known when a drill ended."""
        book = self.book(period=100)
        self.turn(book, RELEASE, False, closed=[BODY])
        book.decide(self.agent, "a", at=900)
        self.unsure(book, "V09", "V18", says="when the last drill ended")

    def test_lost_rows(self) -> None:
        """Behind a row that cannot be read little is known, and nothing is made up."""
        book = self.book(period=100)
        book.decide(self.agent, "a", version=4)
        book.decide(self.agent, "a", policy_row=3, kill_switch_row=2, at=999)
        self.finds(book, "V02", row=4)


if __name__ == "__main__":
    unittest.main()
