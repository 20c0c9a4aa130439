"""Holds reviews against forged ledgers (V14)."""

from __future__ import annotations

import unittest
from typing import Any

import forge
import kinds
from forged import Forged
from kinds import ACTORS, BODY, CONTEXT, EFFECTS, EVIDENCE, OPS, POLICY, SUBJECT
from row import Reason


class Reviews(Forged):
    """What a human says of a row that was put aside."""

    def aside(self, *rules: bytes, reasons: Any = (Reason.TIER_TOO_LOW,), **policy: Any) -> Any:
        """A ledger in which row 4 was put aside."""
        book = self.book(*(rules or (forge.rule("*", tier=1),)), **policy)
        said: Any = {
            SUBJECT: forge.subject("x"), ACTORS: forge.actors("p", "j", 5),
            EVIDENCE: forge.evidence(1), OPS: forge.ops(forge.put("k", b"\x00", forge.ABSENT)),
            EFFECTS: forge.items([forge.effect(undo=1)]),
        }  # fmt: skip
        book.decide(self.agent, "a", tier=2, parts=said, reasons=reasons, reversibility=b"\x01")
        return book

    def test_approval(self) -> None:
        """It lands the decision anew, once."""
        book = self.aside()
        book.review(4, reversibility=b"\x01")
        self.passes(book)
        book.review(4, reversibility=b"\x01", reasons=[Reason.GUARD_FAILED])
        self.finds(book, "V14", says="settled before", row=6)

    def test_rejection(self) -> None:
        """It settles the decision too; one that is a dry run does not."""
        book = self.aside()
        book.review(4, 1, live=False)
        book.review(4, 1)
        self.passes(book)
        book.review(4, reversibility=b"\x01")
        self.finds(book, "V14", says="settled before", row=7)

    def test_put_aside_in_turn(self) -> None:
        """An approval that is put aside settles nothing, and is not approved itself."""
        book = self.aside()
        said: Any = {OPS: forge.ops(forge.put("k", b"\x01\x01"))}
        book.decide(self.agent, "a", parts=said)
        book.review(4, reversibility=b"\x01", reasons=[Reason.GUARD_FAILED])
        said = {OPS: forge.ops(forge.delete("k"))}
        book.decide(self.agent, "a", parts=said)
        book.review(4, reversibility=b"\x01")
        self.passes(book)
        book.review(6, reversibility=b"\x01")
        self.finds(book, "V14", says="no live decision", row=9)

    def test_other_rows(self) -> None:
        """Another hash, a row that was applied, one that is no decision, and one to come."""
        book = self.aside()
        for fields in (
            {"body": forge.review(4, bytes(32))},
            {"body": forge.review(3, book.rows[3].hash)},
            {"body": forge.review(5, bytes(32))},
            {"body": forge.review(2**64 - 1, bytes(32))},
        ):
            book.review(4, reversibility=b"\x01", **fields)
            self.finds(book, "V14", says="no live decision", row=5)
            book.drop()
        book.decide(self.agent, "a")
        book.review(5)
        self.finds(book, "V14", says="no live decision", row=6)

    def test_dry_decision(self) -> None:
        """A dry run that was put aside is neither approved nor rejected."""
        book = self.book(forge.rule("*", tier=1))
        book.decide(self.agent, "a", tier=2, live=False, reasons=[Reason.TIER_TOO_LOW])
        for verdict in (0, 1):
            for live in (True, False):
                book.review(4, verdict, live=live)
                self.finds(book, "V14", says="no live decision", row=5)
                book.drop()

    def test_probe(self) -> None:
        """The end of a drill settles its probe; one that is tried, or no end, does not."""
        book = self.book()
        self.turn(book, 3, True)
        probe = book.decide(self.agent, "a", reasons=[Reason.KILL_SWITCH])
        self.turn(book, 3, False, (4, probe), live=False)
        book.review(probe, reasons=[Reason.KILL_SWITCH])
        self.passes(book)
        self.turn(book, 3, False, (4, probe))
        self.passes(book)
        for verdict in (0, 1):
            book.review(probe, verdict)
            self.finds(book, "V14", says="settled before", row=9)
            book.drop()

    def test_probe_of_no_drill(self) -> None:
        """An end that does not go through settles nothing."""
        book = self.book()
        self.turn(book, 0, True)
        aside = book.decide(self.agent, "a", reasons=[Reason.KILL_SWITCH])
        self.turn(book, 3, False, (4, aside))
        book.kill_switch_row = 4
        self.turn(book, 1, False)
        book.review(aside)
        self.finds(book, "V18", says="not engaged by a drill", row=6)

    def test_closed_end(self) -> None:
        """The closed end of a drill may have settled any row."""
        book = self.book()
        self.turn(book, 3, True)
        probe = book.decide(self.agent, "a", reasons=[Reason.KILL_SWITCH])
        self.turn(book, 3, False, (4, probe), closed=[BODY])
        book.review(probe, 1)
        self.unsure(book, "V09", "V14", "V18")

    def test_closed_beginning(self) -> None:
        """Where the beginning of a drill is closed, its end may have settled its probe."""
        book = self.book()
        self.turn(book, 3, True, closed=[BODY])
        probe = book.decide(self.agent, "a", reasons=[Reason.KILL_SWITCH])
        self.turn(book, 3, False, (4, probe))
        book.review(probe, 1)
        self.unsure(book, "V09", "V14", "V18", says="whether the drill that ends in row 6 was on")

    def turn(self, book: forge.Forge, act: int, engaged: bool,
             drill: tuple[int, int] | None = None, **fields: Any) -> None:  # fmt: skip
        """Lands a kill-switch row of the operator."""
        body = forge.turn(act, engaged, self.operator, drill)
        book.land(forge.Draft(kinds.KILL_SWITCH, self.operator, body, **fields))

    def test_other_contents(self) -> None:
        """Each of the five parts is the decision's, salt included; so are action, tier, mode."""
        book = self.aside()
        parts: Any = book.rows[4].draft.parts
        others: Any = {
            SUBJECT: forge.subject("y"), ACTORS: forge.actors("p", "j", 6),
            EVIDENCE: forge.evidence(2), OPS: forge.ops(forge.put("k", b"\x01\x01")),
            EFFECTS: forge.items([forge.effect(b"\x01\x01", undo=1)]),
        }  # fmt: skip
        for tag, part in others.items():
            without = {other: parts[other] for other in parts if other != tag}
            for said in ({**parts, tag: part}, without):
                book.review(4, parts=said, reversibility=b"\x01" if EFFECTS in said else b"\x00")
                self.finds(book, "V14", says=f"another {kinds.PART_NAMES[tag]}", row=5)
                book.drop()
        for fields in ({"tier": 1}, {"live": False}):
            book.review(4, reversibility=b"\x01", **fields)
            self.finds(book, "V14", says="another tier or mode", row=5)
            book.drop()
        for verdict, reversibility in ((0, b"\x01"), (1, b"\x00")):
            book.review(4, verdict, reversibility=reversibility, action="b")
            self.finds(book, "V14", says="another action", row=5)
            book.drop()
        book.review(4, reversibility=b"\x01", salt=b"\xdd" * 16)
        self.finds(book, "V14", says="another subject", row=5)
        book.drop()
        said = {**parts, CONTEXT: forge.text("why") + forge.blob(forge.mapping())}
        book.review(4, reversibility=b"\x01", parts=said)
        self.passes(book)

    def test_rejection_with_operations(self) -> None:
        """One that rejects does nothing."""
        for tag, stamp in ((OPS, b"\x00"), (EFFECTS, b"\x01")):
            book = self.aside()
            said = {tag: book.rows[4].draft.parts[tag]}
            book.review(4, 1, parts=said, reversibility=stamp)
            self.finds(book, "V14", says="it rejects", row=5)

    def test_what_is_waived(self) -> None:
        """What the decision was put aside for is let pass, but not what is new or may never be."""
        book = self.aside()
        stricter = forge.rule("*", tier=1, floor=9)
        book.govern(POLICY, forge.policy([stricter]))
        book.review(4, reversibility=b"\x01", reasons=[Reason.JUDGE_BELOW_FLOOR])
        book.govern(POLICY, forge.policy([forge.rule("*", live=False)]))
        book.review(4, reversibility=b"\x01", reasons=[Reason.LIVE_NOT_ALLOWED])
        book.govern(POLICY, forge.policy())
        book.review(4, reversibility=b"\x01", reasons=[Reason.UNKNOWN_ACTION])
        book.govern(POLICY, forge.policy([forge.rule("*")]))
        book.review(4, reversibility=b"\x01")
        self.passes(book)

    def test_what_is_not_waived(self) -> None:
        """A mode that is not allowed stays so, although the decision was put aside for it."""
        stopped = [Reason.LIVE_NOT_ALLOWED, Reason.TIER_TOO_LOW]
        book = self.aside(forge.rule("*", live=False, tier=1), reasons=stopped)
        book.review(4, reversibility=b"\x01", reasons=[Reason.LIVE_NOT_ALLOWED])
        self.passes(book)
        book.review(4, reversibility=b"\x01")
        self.finds(book, "V14", says="reasons are live-not-allowed")

    def test_whose_author(self) -> None:
        """Its key is not that of the decision's author, its name not the approver's."""
        both, rules = forge.Signer(7), [forge.rule("*", tier=1)]
        writers = [(kinds.DECISION, 0x0D), (kinds.REVIEW, 0x0D)]
        policy = {"separation": True, "writers": writers}
        for author, reviewer in ((self.agent, both), (both, self.agent)):
            with self.subTest(author is both):
                book = self.book(*rules, **policy)
                book.grant(both, kinds.JUDGE, "both")
                separate = [] if author is self.agent else [Reason.JUDGE_NOT_SEPARATE]
                reasons = [Reason.TIER_TOO_LOW, *separate]
                book.decide(author, "a", tier=0, judge=(both, "both", 5), reasons=reasons)
                book.review(5, reasons=separate)
                book.review(5, author=reviewer, reasons=[Reason.JUDGE_NOT_SEPARATE])
                if separate:
                    self.passes(book)
                    continue
                self.finds(book, "V14", says="settled before", row=7)
                book.drop()
                self.passes(book)

    def test_names(self) -> None:
        """The judge's name is not the approver's, and not that of the decision's author either."""
        separate = Reason.JUDGE_NOT_SEPARATE
        book = self.book(forge.rule("*", tier=1), separation=True)
        for name in ("owner", "operator"):
            said = {ACTORS: forge.actors("", name)}
            aside = book.decide(self.agent, "a", tier=2, parts=said, reasons=[Reason.TIER_TOO_LOW])
            for author in (book.owner, self.operator):
                own = (name == "owner") == (author is not self.operator)
                book.review(aside, author=author, reasons=[separate] if own else [])
                self.passes(book)
                book.drop()
                book.review(aside, author=author, reasons=[] if own else [separate])
                self.finds(book, "V14", says="reasons are", row=aside + 1)
                book.drop()
        said = {ACTORS: forge.actors("", "agent")}
        aside = book.decide(self.agent, "a", parts=said, reasons=[separate])
        book.review(aside, reasons=[separate])
        self.passes(book)
        book.review(aside)
        self.finds(book, "V14", says="reasons are judge-not-separate")

    def test_separation(self) -> None:
        """Who wrote does not approve, where the policy says so; but may reject."""
        writers = [(kinds.REVIEW, 0x09)]
        for separation in (False, True):
            book = self.aside(separation=separation, writers=writers)
            book.review(4, reversibility=b"\x01", author=self.agent)
            if separation:
                self.finds(book, "V14", says="a row of its own", row=5)
                book.drop()
                book.review(4, 1, author=self.agent)
            self.passes(book)

    def test_separation_of_names(self) -> None:
        """One author may have several keys, under one name."""
        for name, holds in (("agent", False), ("agent-2", True)):
            with self.subTest(name):
                book = self.aside(separation=True, writers=[(kinds.REVIEW, 0x09)])
                other = forge.Signer(9)
                book.grant(other, kinds.EXECUTOR, name)
                book.review(4, reversibility=b"\x01", author=other)
                self.finds(book, *(() if holds else ("V14",)), row=-1 if holds else 6)

    def test_closed(self) -> None:
        """Of a closed review nothing is known, nor what it has settled."""
        book = self.aside()
        book.review(4, 1, closed=[BODY])
        self.unsure(book, "V14", says="its body is closed")
        book.review(4, reversibility=b"\x01")
        report = self.report(book)
        self.assertEqual(report.findings, [])
        self.assertEqual([gap["row"] for gap in report.gaps], [5, 6])


if __name__ == "__main__":
    unittest.main()
