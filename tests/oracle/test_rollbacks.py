"""Holds rollback rows against forged ledgers (V17)."""

from __future__ import annotations

import unittest
from typing import Any

import forge
import kinds
from forge import Draft, add, holds_value, integer, ops, put
from forged import Forged
from kinds import BODY, EFFECTS, OPS, ROLLBACK
from row import Reason

EXACT, FORCED, PARTIAL = range(3)
NEVER, REQUEST, UNTIL, COMPENSATE = range(4)


class Taking(Forged):
    """Tests that take rows back."""

    def decided(self, count: int = 1) -> forge.Forge:
        """A ledger with decisions from row 4 on."""
        book = self.book()
        for _ in range(count):
            book.decide(self.agent, "a")
        return book

    def back(self, book: forge.Forge, row: int, manner: int = EXACT, effects: Any = (),
             **fields: Any) -> int:  # fmt: skip
        """Lands the rollback of a row."""
        fields.setdefault("body", forge.rollback(row, book.rows[row].hash, manner, effects))
        return book.roll_back(self.operator, row, **fields)

    def refused(self, book: forge.Forge, row: int, says: str, manner: int = EXACT,
                **fields: Any) -> None:  # fmt: skip
        """Checks that a rollback is a finding of V17, in every outcome, and leaves it out."""
        for live in (True, False):
            at = self.back(book, row, manner, **fields, live=live)
            self.finds(book, "V17", says=says, row=at)
            book.drop()


class Targets(Taking):
    """Which rows are taken back."""

    def test_good(self) -> None:
        """A decision and an approval, applied or tried; and what took them back."""
        book = self.book(forge.rule("*", tier=1))
        aside = book.decide(self.agent, "a", tier=2, reasons=[Reason.TIER_TOO_LOW])
        approval = book.review(aside)
        self.back(book, approval, live=False)
        last = self.back(book, approval)
        for _ in range(3):
            last = self.back(book, last)
        self.passes(book)

    def test_numbers(self) -> None:
        """The target is an earlier row, named by its hash."""
        book = self.decided(2)
        hash_ = book.rows[4].hash
        for row in (6, 7, 2**64 - 1):
            self.refused(book, 4, "is not before it", body=forge.rollback(row, hash_))
        self.refused(book, 4, "row 5 has another hash", body=forge.rollback(5, hash_))
        self.refused(book, 4, "row 4 has another hash", body=forge.rollback(4, bytes(32)))

    def test_outcomes(self) -> None:
        """A row that was put aside or only tried is not taken back; nor is a rollback of these."""
        book = self.book(forge.rule("*", tier=1))
        aside = book.decide(self.agent, "a", tier=2, reasons=[Reason.TIER_TOO_LOW])
        self.refused(book, aside, "was not applied", parts={})
        dry = book.decide(self.agent, "a", live=False)
        self.refused(book, dry, "was not applied")
        done = book.decide(self.agent, "a")
        self.refused(book, self.back(book, done, live=False), "was not applied")

    def test_kinds(self) -> None:
        """Nothing but decisions, approvals and rollback rows is taken back."""
        book = self.book(forge.rule("*", tier=1))
        aside = book.decide(self.agent, "a", tier=2, reasons=[Reason.TIER_TOO_LOW])
        rejected = book.review(aside, 1)
        for row in (0, 1, rejected):
            self.refused(book, row, "no decision, approval or rollback")

    def test_closed_review(self) -> None:
        """Of a closed review its parts tell whether it approves."""
        for verdict in (0, 1):
            book = self.book(forge.rule("*", tier=1))
            aside = book.decide(self.agent, "a", tier=2, reasons=[Reason.TIER_TOO_LOW])
            self.back(book, book.review(aside, verdict, closed=[BODY]))
            if verdict:
                self.finds(book, "V17", says="no decision, approval or rollback", row=6)
            else:
                self.unsure(book, "V14")


class Force(Taking):
    """What is in force is taken back, and nothing else."""

    def test_twice(self) -> None:
        """What is taken back is not taken back again, until it was brought back."""
        book = self.decided()
        back = self.back(book, 4)
        self.refused(book, 4, "row 4 is taken back already")
        redo = self.back(book, back)
        self.refused(book, back, "row 5 is taken back already")
        again = self.back(book, 4)
        self.refused(book, 4, "row 4 is taken back already")
        # The redo is in force, and so was what it brought back; the first rollback comes again.
        self.refused(book, redo, "row 4 is taken back already")
        self.back(book, again)
        self.back(book, redo)
        self.refused(book, 4, "row 4 is taken back already")
        self.back(book, back)
        self.passes(book)

    def test_dry_run(self) -> None:
        """What is only tried, or put aside, takes nothing back."""
        book = self.decided()
        self.back(book, 4, live=False)
        book.govern(kinds.KILL_SWITCH, forge.turn(0, True, book.owner))
        back = self.back(book, 4)
        self.back(book, back, reasons=[Reason.KILL_SWITCH])
        self.back(book, back, reasons=[Reason.KILL_SWITCH])
        self.passes(book)

    def test_as_stamped(self) -> None:
        """One of another hash should have been refused, and takes back all the same."""
        book = self.decided()
        self.back(book, 4, body=forge.rollback(4, bytes(32)))
        self.back(book, 4)
        report = self.report(book)
        self.assertEqual([finding["row"] for finding in report.findings], [5, 6])

    def test_moves_nothing(self) -> None:
        """One whose target is not in force, or no earlier row, takes nothing back or again."""
        hash_ = self.decided().rows[4].hash
        for row in (4, 9):
            book = self.decided()
            self.back(book, 4)
            idle = self.back(book, 4, body=forge.rollback(row, hash_))
            self.back(book, idle)
            self.finds(book, "V17", row=idle)
            self.back(book, 4, live=False)
            self.assertEqual(self.rows(book), [idle, 8])
            book.drop()
            self.back(book, 5)
            self.back(book, 4)
            self.assertEqual(self.rows(book), [idle])

    def rows(self, book: forge.Forge) -> list[Any]:
        """Of which rows something is found."""
        return [finding["row"] for finding in self.report(book).findings]

    def test_lengths(self) -> None:
        """A chain of targets has at most 256 rollback rows."""
        book = self.decided()
        last = 4
        for _ in range(257):
            last = self.back(book, last)
        self.passes(book)
        self.refused(book, last, "more than 256 rollback rows")
        over = self.back(book, last)
        self.back(book, over)
        self.finds(book, "V17", says="more than 256 rollback rows", row=over)
        self.back(book, last, live=False)
        self.assertEqual(self.rows(book), [over, over + 2])

    def test_closed(self) -> None:
        """Behind a closed body it is not known what is taken back below it, and what is above."""
        book = self.decided(2)
        back = self.back(book, 4, closed=[BODY])
        self.unsure(book, "V17", "V19", says="its body is closed")
        for row in (4, 5):
            self.back(book, row)
            report = self.report(book)
            self.assertEqual(report.findings, [])
            rows = {gap["row"] for gap in report.gaps if gap["check"] == "V17"}
            self.assertEqual(rows, {6, 7})
            book.drop()
        self.back(book, back)
        self.refused(book, back, "row 6 is taken back already")
        later = book.decide(self.agent, "a")
        self.back(book, later)
        self.assertEqual({gap["row"] for gap in self.report(book).gaps}, {6, 7})

    def test_lost_rows(self) -> None:
        """Rows that were not read may have taken back what is in front of them."""
        book = self.decided()
        self.back(book, 4)
        book.decide(self.agent, "a", version=4)
        self.back(book, 4)
        self.back(book, book.decide(self.agent, "a"))
        report = self.report(book)
        self.assertEqual({finding["check"] for finding in report.findings}, {"V02"})
        rows = {gap["row"] for gap in report.gaps if gap["check"] == "V17"}
        self.assertEqual(rows - {None}, {7})


class Operations(Taking):
    """The operations of a rollback row are the target's stored rollback."""

    ONE, TWO = integer(1), integer(2)
    #: Of two keys, one of them twice.
    STORED: tuple[forge.Part, ...] = (
        put("k", TWO, holds_value(ONE)), forge.delete("j", holds_value(ONE)),
        put("k", ONE, holds_value(TWO)),
    )  # fmt: skip

    def two_keys(self, **fields: Any) -> forge.Forge:
        """A ledger whose row 6 puts to two keys."""
        book = self.book()
        book.decide(self.agent, "a", parts={OPS: ops(put("k", self.ONE))})
        book.decide(self.agent, "a", parts={OPS: ops(put("j", self.ONE))})
        said = {OPS: ops(put("k", self.ONE))}
        book.decide(self.agent, "a", parts=said, inverse=ops(*self.STORED), **fields)
        return book

    def does(self, *operations: forge.Part) -> dict[str, Any]:
        """The part of a rollback row."""
        return {"parts": {OPS: ops(*operations)}}

    def test_exact(self) -> None:
        """Each is the same, with its guard, whether its value is open or closed."""
        first, second, third = self.STORED
        for said in (
            (first, second), (first, third, second), (second, first, third), (first, second, first),
            (first, second, third, put("i", self.ONE)),
            (put("k", self.TWO), second, third),
            (put("k", self.ONE, holds_value(self.ONE)), second, third),
            (first, forge.delete("j"), third),
            (first, forge.delete("j", forge.holds_value(self.TWO)), third),
        ):  # fmt: skip
            for manner in (EXACT, PARTIAL):
                book = self.two_keys()
                at = self.back(book, 6, manner, live=False, **self.does(*said))
                found = self.report(book).findings
                self.assertIn(("V17", at), {(find["check"], find["row"]) for find in found})
        book = self.two_keys()
        closed = put("k", self.TWO, holds_value(self.ONE), closed=True)
        self.back(book, 6, **self.does(closed, *self.STORED[1:]))
        self.passes(book)

    def test_forced(self) -> None:
        """Each guard is the same, or there is none; nothing is left out."""
        first, second, third = self.STORED
        bare = put("k", self.TWO), forge.delete("j"), put("k", self.ONE)
        good = (bare, self.STORED, (first, bare[1], third))
        for said in good:
            book = self.two_keys()
            self.back(book, 6, FORCED, **self.does(*said))
            self.passes(book)
        bad: tuple[tuple[forge.Part, ...], ...] = (
            (first, second), bare[:2], (put("k", self.TWO, forge.ABSENT), second, third),
            (put("k", self.TWO, holds_value(self.TWO)), second, third),
        )  # fmt: skip
        for said in bad:
            book = self.two_keys()
            at = self.back(book, 6, FORCED, live=False, **self.does(*said))
            found = self.report(book).findings
            self.assertIn(("V17", at), {(find["check"], find["row"]) for find in found})

    def test_partial(self) -> None:
        """All that is done to some of the keys is left out, and the guards stay."""
        first, second, third = self.STORED
        good: tuple[tuple[forge.Part, ...], ...] = ((second,), (first, third))
        for said in good:
            book = self.two_keys()
            self.back(book, 6, PARTIAL, **self.does(*said))
            self.passes(book)
        book = self.two_keys()
        for said, says in (
            (self.STORED, "no key is left out"), ((first,), "other operations"),
            ((first, second), "no key is left out"), ((forge.delete("j"),), "other operations"),
            ((put("i", self.ONE),), "other operations"),
        ):  # fmt: skip
            self.refused(book, 6, says, PARTIAL, **self.does(*said))
        self.refused(self.decided(), 4, "no keys to leave out", PARTIAL)

    def test_entities(self) -> None:
        """A transition touches a key of its own, whatever the name of the entity."""
        book = self.book()
        stored = ops(forge.move("k", ""), add("k", -1))
        said = {OPS: ops(add("k", 1), forge.move("k", "s"))}
        book.decide(self.agent, "a", parts=said, inverse=stored)
        self.back(book, 4, PARTIAL, **self.does(add("k", -1)))
        self.passes(book)
        book.drop()
        self.refused(book, 4, "other operations", **self.does(forge.move("k", "t"), add("k", -1)))
        self.refused(book, 4, "other operations", **self.does(forge.move("k", ""), add("k", -2)))

    def test_none(self) -> None:
        """A row without a rollback part is taken back without operations."""
        book = self.book()
        said = {EFFECTS: forge.items([forge.effect(undo=REQUEST)])}
        book.decide(self.agent, "a", parts=said, reversibility=b"\x01")
        self.refused(book, 4, "has no rollback part", **self.does(add("k", 1)))
        self.refused(book, 4, "no keys to leave out", PARTIAL)
        self.back(book, self.back(book, 4))
        self.back(book, 4, FORCED)
        self.passes(book)
        self.refused(self.decided(), 4, "has a rollback part", parts={})

    def test_closed(self) -> None:
        """Closed operations, or a closed rollback part, may be anything but not there."""
        book = self.two_keys(closed=[ROLLBACK])
        self.refused_rows(book, 6, {7}, "V17")
        self.refused(book, 6, "has a rollback part", parts={})
        book = self.two_keys()
        self.refused_rows(book, 6, {7}, "V17", "V14", closed=[OPS])

    def refused_rows(self, book: forge.Forge, row: int, rows: set[int], *checks: str,
                     **fields: Any) -> None:  # fmt: skip
        """Checks that a rollback leaves checks open, and leaves it out."""
        self.back(book, row, **fields)
        self.unsure(book, *checks)
        self.assertEqual({gap["row"] for gap in self.report(book).gaps}, rows)
        book.drop()


class Effects(Taking):
    """The effects that a rollback row calls for."""

    def acted(self, *effects: bytes, stamp: bytes, **fields: Any) -> forge.Forge:
        """A ledger whose row 4 has effects."""
        book = self.book()
        said = {EFFECTS: forge.items(effects)}
        book.decide(self.agent, "a", parts=said, reversibility=stamp, at=100, **fields)
        return book

    def said(self, book: forge.Forge, row: int, *effects: int) -> None:
        """Says of calls that they were closed."""
        for effect in effects:
            body = forge.outcome(row, effect, 4)
            book.land(Draft(kinds.OUTCOME, self.operator, body))

    def test_good(self) -> None:
        """Some of them, none or all; each is undone, and done again."""
        book = self.acted(*(forge.effect(undo=REQUEST) for _ in range(3)), stamp=b"\x01")
        back = self.back(book, 4, effects=[0, 2])
        redo = self.back(book, back, effects=[1])
        self.said(book, back, 0, 2)
        self.said(book, redo, 1)
        self.back(book, redo)
        self.passes(book)
        self.finds_at(book, 10, "row 4 has no effect 3", [2, 3])

    def test_base(self) -> None:
        """It is the base that has them, and a base without effects has none."""
        self.finds_at(self.decided(), 4, "row 4 has no effect 0", [0])
        book = self.acted(forge.effect(undo=REQUEST), stamp=b"\x01")
        back = self.back(book, 4)
        self.finds_at(book, back, "row 4 has no effect 1", [1])

    def test_base_that_is_none(self) -> None:
        """A rollback row that ends a chain is its base, and has no effects."""
        book = self.acted(forge.effect(undo=REQUEST), stamp=b"\x01")
        self.back(book, 4)
        idle = self.back(book, 4)
        at = self.back(book, idle, effects=[0], live=False)
        found = [(find["row"], find["message"]) for find in self.report(book).findings]
        self.assertEqual([row for row, _ in found], [idle, at])
        self.assertIn(f"row {idle} has no effect 0", str(found[1][1]))

    def finds_at(self, book: forge.Forge, row: int, says: str, effects: list[int]) -> None:
        """Checks that a rollback that is tried is a finding, and leaves it out."""
        at = self.back(book, row, effects=effects, live=False)
        self.finds(book, "V17", says=says, row=at)
        book.drop()

    def test_undos(self) -> None:
        """What cannot be undone is not, but may be done again; what ends is undone before it."""
        effects = (
            forge.effect(undo=NEVER), forge.effect(undo=COMPENSATE),
            forge.effect(undo=UNTIL, until=200),
        )  # fmt: skip
        book = self.acted(*effects, stamp=b"\x04")
        self.finds_at(book, 4, "effect 0 of row 4 cannot be undone", [0, 1])
        for at, holds in ((199, True), (200, False), (201, False)):
            self.back(book, 4, effects=[1, 2], live=False, at=at)
            if holds:
                self.passes(book)
            else:
                self.finds(book, "V17", says="effect 2 of row 4 cannot be undone", row=5)
            book.drop()
        back = self.back(book, 4, at=300)
        redo = self.back(book, back, effects=[0, 1, 2], live=False)
        self.passes(book)
        book.drop()
        redo = self.back(book, back)
        self.finds_at(book, redo, "effect 2 of row 4 cannot be undone", [1, 2])

    def test_closed(self) -> None:
        """Behind a closed body the base is not known, and of closed effects nothing is."""
        book = self.acted(forge.effect(), stamp=b"\x04", closed=[EFFECTS])
        self.back(book, 4, live=False)
        self.unsure(book, "V14")
        self.back(book, 4, effects=[0], live=False)
        self.unsure(book, "V14", "V17", says="its effects part is closed")
        book = self.acted(forge.effect(), stamp=b"\x04")
        back = self.back(book, 4, closed=[BODY])
        self.back(book, back, effects=[0], live=False)
        self.unsure(book, "V17", "V19")
        rows = [gap["row"] for gap in self.report(book).gaps if gap["check"] == "V17"]
        self.assertEqual(set(rows), {5, 6})


if __name__ == "__main__":
    unittest.main()
