"""Holds limits against forged ledgers (V14)."""

from __future__ import annotations

import unittest
from typing import Any

import forge
import kinds
import limits
import parts
from forge import integer, limit, mapping, number
from forged import Forged
from kinds import EFFECTS, OPS, POLICY, SUBJECT
from row import Reason, Row, Unknown
from slot import Slot

COUNT, SUM = Reason.COUNT_LIMIT, Reason.SUM_LIMIT


class Limits(Forged):
    """How much may be applied in a time."""

    def act(self, book: forge.Forge, *reasons: int, about: str = "", said: Any = None,
            action: str = "a", **fields: Any) -> int:  # fmt: skip
        """Lands a decision."""
        parts: Any = {OPS: forge.ops(*said)} if said else {}
        if about:
            parts[SUBJECT] = forge.subject(about)
        return book.decide(self.agent, action, reasons=reasons, parts=parts, **fields)

    def test_count(self) -> None:
        """As many rows as it says, in a window that is open at its beginning."""
        book = self.book(limits=[limit("a*", 100, 2)])
        self.act(book, at=100)
        self.act(book, at=150, action="ab")
        self.act(book, at=160, action="b")
        self.act(book, COUNT, at=199)
        self.act(book, COUNT, at=199, live=False)
        self.act(book, at=200)
        self.act(book, COUNT, at=201)
        self.passes(book)
        self.act(book, at=202)
        self.finds(book, "V14", says="reasons are count-limit")

    def test_what_counts(self) -> None:
        """Applied decisions and approvals count, the row itself and others do not."""
        book = self.book(limits=[limit("*", 1000, 2)])
        self.act(book, live=False)
        self.act(book, live=False)
        aside = self.act(book, Reason.KEY_ABSENT, said=[forge.delete("k")])
        book.govern(kinds.REVIEW, forge.review(aside, book.rows[aside].hash, 1), action="a")
        self.act(book, said=[forge.put("k", b"\x00")])
        aside = self.act(book, Reason.KEY_ABSENT, said=[forge.delete("j")])
        self.act(book, said=[forge.put("j", b"\x00")])
        self.act(book, COUNT)
        book.review(aside, reasons=[COUNT])
        self.passes(book)

    def test_approvals(self) -> None:
        """What was put aside for a limit is let pass, and counts from then on."""
        book = self.book(limits=[limit("*", 1000, 1)])
        self.act(book, at=100)
        aside = self.act(book, COUNT)
        book.review(aside, at=1000)
        self.act(book, COUNT, at=1999)
        self.act(book, at=2000)
        self.passes(book)

    def test_entities(self) -> None:
        """Each entity for itself, and rows of none together."""
        book = self.book(limits=[limit("*", 1000, 1, per=1)])
        self.act(book, about="x")
        self.act(book, about="y")
        self.act(book)
        for about in ("x", "y", ""):
            self.act(book, COUNT, about=about)
        self.passes(book)

    def test_sum(self) -> None:
        """What a row adds, and that it says how much."""
        book = self.book(limits=[limit("*", 1000, total=("f", number(105, 1)))])
        self.act(book, said=[forge.add("x/f", -5)])
        self.act(book, SUM, said=[forge.put("k", b"\x00")])
        self.act(book, SUM, said=[forge.put("k", forge.decimal(551, 2))])
        self.act(book, SUM, said=[forge.put("f", forge.decimal(551, 2))])
        self.act(book, said=[forge.put("f", forge.decimal(55, 1))])
        self.act(book, SUM, said=[forge.add("y/f", 1)])
        self.act(book, said=[forge.put("k", mapping(f=integer(0)))])
        self.passes(book)

    def test_unclear(self) -> None:
        """An amount that is not clear is none, and counts as none for what follows."""
        book = self.book(
            forge.rule("*", reach=4), limits=[limit("*", 1000, total=("f", number(9)))]
        )
        inner = mapping(g=mapping(f=integer(1)))
        for said in (
            [forge.add("f", 5), forge.put("k", inner)],
            [forge.put("k", mapping(f=integer(5), g=b"\x06\x01" + inner))],
            [forge.add("f", 5), forge.put("x/f", b"\x00")],
            [forge.put("k", integer(5), closed=True), forge.put("k", inner)],
        ):
            aside = self.act(book, SUM, said=said)
            book.review(aside)
        effects = forge.items([forge.effect(mapping(f=integer(5))), forge.effect(inner)])
        book.decide(self.agent, "a", parts={EFFECTS: effects}, reasons=[SUM], reversibility=b"\x04")
        self.act(book, said=[forge.add("f", 9)])
        self.passes(book)
        self.act(book, said=[forge.put("k", inner)])
        self.finds(book, "V14", says="reasons are sum-limit")

    def test_both(self) -> None:
        """A limit with a count and a sum has two reasons; each limit is asked."""
        book = self.book(
            limits=[limit("*", 1000, 2, ("f", number(1))), limit("a", 1000, total=("g", number(9)))]
        )
        self.act(book, said=[forge.add("f", 1), forge.add("g", 9)])
        self.act(book, SUM, said=[forge.add("f", 1), forge.add("g", 0 - 1)])
        self.act(book, action="b", said=[forge.put("f", integer(0))])
        self.act(book, COUNT, SUM, said=[forge.put("f", integer(0))])
        self.passes(book)

    def test_new_policies(self) -> None:
        """The same limit goes on with its count, whatever its count says; others begin anew."""
        rules = [forge.rule("*")]
        book = self.book(limits=[limit("*", 1000, 1)])
        self.act(book)
        book.govern(POLICY, forge.policy(rules, limits=[limit("*", 1000, 2)]))
        self.act(book)
        self.act(book, COUNT)
        book.govern(POLICY, forge.policy(rules, limits=[limit("*", 1001, 1)]))
        self.act(book)
        self.act(book, COUNT)
        book.govern(POLICY, forge.policy(rules))
        book.govern(POLICY, forge.policy(rules, limits=[limit("*", 1001, 1)]))
        self.act(book)
        self.act(book, COUNT)
        added = limit("*", 1001, 1, ("decided", number(9)))
        book.govern(POLICY, forge.policy(rules, limits=[added]))
        self.act(book)
        self.act(book, COUNT)
        self.passes(book)

    def test_closed(self) -> None:
        """What may or may not lie in a window leaves open only what hangs on it."""
        book = self.book(limits=[limit("*", 1000, 2, per=1)])
        self.act(book, about="x", closed=[SUBJECT])
        self.act(book, about="x")
        self.act(book)
        self.act(book)
        self.passes(book)
        self.act(book, about="y")
        self.passes(book)
        self.act(book, about="x")
        self.unsure(book, "V14", says="how many rows")
        self.act(book, COUNT, about="x")
        report = self.report(book)
        self.assertEqual(report.findings, [])
        self.assertEqual([gap["row"] for gap in report.gaps], [9])

    def test_closed_review(self) -> None:
        """A closed review may have approved, or not."""
        book = self.book(limits=[limit("*", 1000, 2)])
        aside = self.act(book, Reason.KEY_ABSENT, said=[forge.delete("k")])
        body = forge.review(aside, book.rows[aside].hash, 1)
        book.govern(kinds.REVIEW, body, action="a", closed=[kinds.BODY])
        self.act(book)
        self.act(book)
        report = self.report(book)
        self.assertEqual(report.findings, [])
        self.assertEqual([gap["row"] for gap in report.gaps], [5, 7])

    def test_lost_rows(self) -> None:
        """Rows that were not read may lie in a window, until time has passed."""
        said = forge.items([forge.effect(mapping(f=integer(1)), 1)])
        fields: Any = {"parts": {EFFECTS: said}, "reversibility": b"\x01"}
        for asked in (limit("*", 100, 9), limit("*", 100, total=("f", number(9)))):
            book = self.book(limits=[asked])
            book.decide(self.agent, "a", version=4)
            book.govern(POLICY, forge.policy([forge.rule("*")], limits=[asked]), at=50)
            book.decide(self.agent, "a", at=149, **fields)
            book.decide(self.agent, "a", at=150, **fields)
            report = self.report(book)
            self.assertEqual({finding["row"] for finding in report.findings}, {4})
            rows = {gap["row"] for gap in report.gaps if "window" in str(gap["message"])}
            self.assertEqual(rows, {6})

    def test_closed_policy(self) -> None:
        """A limit behind a closed policy may go on, or begin anew."""
        book = self.book(limits=[limit("*", 1000, 1)])
        self.act(book)
        book.govern(POLICY, forge.policy(), closed=[kinds.BODY])
        book.govern(POLICY, forge.policy([forge.rule("*")], limits=[limit("*", 1000, 1)]))
        self.act(book)
        self.unsure(book, "V14", "V18", says="how many rows")
        self.act(book, COUNT)
        report = self.report(book)
        self.assertEqual(report.findings, [])
        self.assertEqual({gap["row"] for gap in report.gaps if gap["check"] == "V14"}, {7})

    def test_closed_sums(self) -> None:
        """A closed value may be anything, but not less than nothing."""
        book = self.book(limits=[limit("*", 1000, total=("f", number(5)))])
        self.act(book, said=[forge.put("k", integer(1), closed=True)])
        self.unsure(book, "V14", says="the value of k is closed")
        self.act(book, SUM, said=[forge.add("f", 6)])
        self.act(book, SUM, said=[forge.put("f", b"\x00")])
        report = self.report(book)
        self.assertEqual(report.findings, [])
        self.assertEqual([gap["row"] for gap in report.gaps], [4])


class Amounts(unittest.TestCase):
    """What a row amounts to in a field."""

    def amount(self, *operations: forge.Part, effects: Any = ()) -> float | None:
        """The amount in the field `f`."""
        row = Row()
        said: dict[int, bytes] = {}
        if operations:
            said[OPS] = forge.ops(*operations)[0]
        if effects:
            said[EFFECTS] = forge.items(effects)
        for tag, content in said.items():
            part, row.commitments[tag] = parts.read_part(
                tag, Slot(bytes(16), content, None), content
            )
            row.contents[tag] = part
        found = limits.amount(row, "f")
        return None if found is None else float(found)

    def test_amounts(self) -> None:
        """Numbers in maps and under keys of the field, whatever their sign."""
        put, add, effect = forge.put, forge.add, forge.effect
        for operations, found in (
            ([put("f", integer(-3))], 3),
            ([put("a/b/f", forge.decimal(-35, 1))], 3.5),
            ([put("a/fx", integer(3))], None),
            ([put("xf", integer(3))], None),
            ([put("f/a", integer(3))], None),
            ([put("f/", integer(3))], None),
            ([put("f", b"\x04\x011")], None),
            ([put("k", mapping(f=integer(-2), g=integer(9)))], 2),
            ([put("f", mapping(f=integer(2)))], 2),
            ([put("f", mapping(g=integer(2)))], None),
            ([put("k", mapping(f=b"\x00"))], None),
            ([put("k", mapping(f=mapping(f=integer(1))))], None),
            ([add("k/f", -4), add("f", 1), add("k", 9)], 5),
            ([forge.delete("f"), forge.move("f", "s")], None),
            ([put("f", integer(0))], 0),
            ([put("k", b"\x06\x01" + integer(1))], None),
            ([add("f", 1), put("k", mapping(f=b"\x04\x011"))], None),
            ([add("f", 1), put("k", mapping(g=mapping(f=integer(1))))], None),
            ([add("f", 1), put("k", b"\x06\x01" + mapping(f=integer(1)))], None),
            ([add("f", 1), put("k", mapping(f=integer(1), g=mapping(f=integer(1))))], None),
            ([add("f", 1), put("k", mapping(g=b"\x04\x01f"))], 1),
            ([add("f", 1), put("f", b"\x04\x011")], None),
            ([add("f", 1), put("f", mapping())], None),
            ([add("f", 1), put("f", b"\x06\x01" + integer(1))], None),
            ([add("f", 1), put("f", mapping(f=integer(1), g=b"\x00"))], 2),
            ([add("f", 1), put("f", mapping(f=integer(1), g=mapping(f=b"\x00")))], None),
            ([add("f", 1), forge.delete("f"), forge.move("f", "f")], 1),
            ([put("f", mapping(g=integer(1))), put("k", b"\x00", closed=True)], None),
        ):
            with self.subTest(operations):
                self.assertEqual(self.amount(*operations), found)
        effects = [effect(mapping(f=integer(-1))), effect(mapping(f=forge.decimal(5, 1)))]
        self.assertEqual(self.amount(effects=effects), 1.5)
        self.assertIsNone(self.amount(effects=[effect(integer(5), 1, mapping(f=integer(1)))]))
        self.assertEqual(self.amount(add("f", 1), effects=effects), 2.5)
        undone = effect(mapping(f=integer(1)), 1, mapping(g=mapping(f=integer(1))))
        self.assertEqual(self.amount(effects=[undone]), 1)
        deep = effect(mapping(g=mapping(f=integer(1))))
        self.assertIsNone(self.amount(add("f", 1), effects=[deep]))
        with self.assertRaises(Unknown):
            self.amount(put("k", b"\x00", closed=True))


if __name__ == "__main__":
    unittest.main()
