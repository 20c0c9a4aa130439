"""Holds the gates against forged ledgers (V14)."""

from __future__ import annotations

import unittest
from typing import Any

import forge
import kinds
from forge import Draft, number
from forged import Forged
from kinds import ACTORS, EFFECTS, EVIDENCE, OPS, POLICY, SUBJECT
from row import Reason

UNKNOWN, LIVE, TIER = Reason.UNKNOWN_ACTION, Reason.LIVE_NOT_ALLOWED, Reason.TIER_TOO_LOW
JUDGE, FLOOR, SEPARATE = range(4, 7)
ATTESTATION, MOVE = Reason.ATTESTATION_MISSING, Reason.MOVE_NOT_ALLOWED
MISSING, UNCALIBRATED, BELOW = range(9, 12)
IRREVERSIBLE = Reason.IRREVERSIBLE
UNPROVEN, GUARD, ABSENT, MISMATCH, OVERFLOW = range(15, 20)


class Decided(Forged):
    """Decisions, each of them with the stamps it must have."""

    def lands(self, book: forge.Forge, *reasons: int, **fields: Any) -> None:
        """Lands a decision; with these reasons it passes, with one more or less it does not."""
        fields = {"action": "a", **fields}
        book.decide(self.agent, reasons=sorted(reasons), **fields)
        self.passes(book)
        book.drop()
        book.decide(self.agent, reasons=sorted({*reasons} ^ {Reason.KIND_MISMATCH}), **fields)
        self.finds(book, "V14", says="reasons are")
        book.drop()
        book.decide(self.agent, reasons=sorted(reasons), outcome=1 if reasons else 2, **fields)
        self.finds(book, "V14", says="the outcome is")
        book.drop()
        book.decide(self.agent, reasons=sorted(reasons), **fields)


class Gates(Decided):
    """Each gate, and the operations."""

    def test_rules(self) -> None:
        """The action's own rule counts, else that with the longest prefix."""
        rules = [forge.rule("*", live=False), forge.rule("a*", tier=1), forge.rule("ab"),
                 forge.rule("ab*", tier=2), forge.rule("b")]  # fmt: skip
        book = self.book(*rules)
        self.lands(book, action="ab", tier=0)
        self.lands(book, TIER, action="abc", tier=3)
        self.lands(book, action="abc", tier=2)
        self.lands(book, TIER, action="aa", tier=2)
        self.lands(book, LIVE, action="bb")
        self.lands(book, action="bb", live=False)
        self.lands(book, action="b")
        book.govern(POLICY, forge.policy([forge.rule("b")]))
        self.lands(book, UNKNOWN, action="a")
        self.lands(book, UNKNOWN, action="bb", live=False)

    def test_tiers(self) -> None:
        """A is above B, B above C, C above unstated."""
        order = (1, 2, 3, 0)
        for least in order:
            for tier in order:
                with self.subTest(least=least, tier=tier):
                    book = self.book(forge.rule("*", tier=least))
                    low = order.index(tier) > order.index(least)
                    book.decide(self.agent, "a", tier=tier, reasons=[TIER] if low else [])
                    self.passes(book)

    def test_judges(self) -> None:
        """A judge is named, scores enough, and is neither planner nor author."""
        book = self.book(forge.rule("a", floor=500), forge.rule("b"), separation=True)
        self.lands(book, JUDGE)
        self.lands(book, JUDGE, parts={ACTORS: forge.actors("planner")})
        self.lands(book, FLOOR, parts={ACTORS: forge.actors("planner", "judge", 499)})
        self.lands(book, parts={ACTORS: forge.actors("planner", "judge", 500)})
        self.lands(book, SEPARATE, parts={ACTORS: forge.actors("judge", "judge", 500)})
        self.lands(book, FLOOR, SEPARATE, parts={ACTORS: forge.actors("judge", "judge")})
        self.lands(book, SEPARATE, action="b", parts={ACTORS: forge.actors("judge", "judge")})
        # Without a rule who judges is not asked.
        self.lands(book, UNKNOWN, action="c", parts={ACTORS: forge.actors("judge", "judge")})
        book.govern(POLICY, forge.policy([forge.rule("*")]))
        self.lands(book, parts={ACTORS: forge.actors("judge", "judge")})

    def test_author_is_named(self) -> None:
        """The judge's name is not the one under which the author's key is enrolled."""
        book = self.book(forge.rule("a"), separation=True)
        self.lands(book, SEPARATE, parts={ACTORS: forge.actors("planner", "agent")})
        self.lands(book, UNKNOWN, action="b", parts={ACTORS: forge.actors("", "agent")})
        other, heir = forge.Signer(7), forge.Signer(8)
        book.grant(other, kinds.EXECUTOR, "other")
        book.govern(kinds.KEY, forge.rotate(other, heir))
        book.decide(heir, "a", parts={ACTORS: forge.actors("", "other")}, reasons=[SEPARATE])
        book.decide(heir, "a", parts={ACTORS: forge.actors("", "agent")})
        self.passes(book)
        book.govern(POLICY, forge.policy([forge.rule("*")]))
        self.lands(book, parts={ACTORS: forge.actors("", "agent")})

    def test_author_without_name(self) -> None:
        """Behind a closed key row the author's name is not known."""
        book = self.book(separation=True)
        other = forge.Signer(7)
        body = forge.grant(other, kinds.EXECUTOR, "other")
        book.govern(kinds.KEY, body, closed=[kinds.BODY])
        book.decide(other, "a", parts={ACTORS: forge.actors("x", "other")}, reasons=[SEPARATE])
        book.decide(other, "a", parts={ACTORS: forge.actors("other", "other")}, reasons=[SEPARATE])
        self.unsure(book, "V09", "V10", "V14", says="under which name")
        rows = [gap["row"] for gap in self.report(book).gaps if gap["check"] == "V14"]
        self.assertEqual(rows, [5])

    def test_author_judges(self) -> None:
        """Who signs the row does not sign its verdict."""
        book = self.book(separation=True)
        both = forge.Signer(7)
        book.grant(both, kinds.EXECUTOR | kinds.JUDGE, "both")
        book.decide(both, "a", judge=(both, "both", 1), reasons=[SEPARATE])
        book.decide(both, "a", judge=(self.judge, "judge", 1))
        self.passes(book)

    def test_attestations(self) -> None:
        """Where they are asked for they are there."""
        book = self.book(forge.rule("*", attested=True))
        self.lands(book, JUDGE)
        self.lands(book, ATTESTATION, parts={ACTORS: forge.actors("", "judge")})
        self.lands(book, judge=(self.judge, "judge", 0))

    def test_moves(self) -> None:
        """Each transition is one of the moves, from where the one before it left the entity."""
        book = self.book(moves=[("", "new"), ("new", "live"), ("new", "old")])

        def moved(*moves: tuple[str, str]) -> dict[str, Any]:
            return {"parts": {OPS: forge.ops(*(forge.move(*pair) for pair in moves))}}

        self.lands(book, MOVE, **moved(("x", "live")))
        self.lands(book, **moved(("x", "new")))
        self.lands(book, MOVE, **moved(("x", "new")))
        self.lands(book, MOVE, **moved(("x", "")))
        self.lands(book, **moved(("x", "live"), ("y", "new"), ("y", "old")))
        self.lands(book, MOVE, **moved(("z", "new"), ("x", "old")))
        said: Any = {OPS: forge.ops(forge.move("y", "live", forge.holds_stage("new")))}
        self.lands(book, MOVE, GUARD, parts=said)
        # The lifecycle is the policy's, not a rule's; without one any move goes.
        book.govern(POLICY, forge.policy(moves=[("", "new")]))
        self.lands(book, UNKNOWN, MOVE, **moved(("y", "live")))
        book.govern(POLICY, forge.policy([forge.rule("*")]))
        self.lands(book, **moved(("y", "y"), ("y", "")))

    def test_reversibility(self) -> None:
        """It is the class of the worst effect, and is held against what the rule allows."""
        effect = forge.effect
        kinds_of = (
            ([effect(undo=1)], b"\x01", 1),
            ([effect(undo=1), effect(undo=2, until=101), effect(undo=2, until=150)],
             b"\x02" + forge.signed(101), 2),
            ([effect(undo=3), effect(undo=2, until=101)], b"\x03", 3),
            ([effect(undo=0), effect(undo=1)], b"\x04", 4),
            ([effect(undo=2, until=100), effect(undo=3)], b"\x04", 4),
        )  # fmt: skip
        for reach in range(5):
            for effects, stamped, rank in kinds_of:
                with self.subTest(reach=reach, rank=rank):
                    book = self.book(forge.rule("*", reach=reach))
                    reasons = [IRREVERSIBLE] if rank > reach else []
                    said = {EFFECTS: forge.items(effects)}
                    book.decide(self.agent, "a", parts=said, at=100, reversibility=stamped,
                                reasons=reasons)  # fmt: skip
                    self.passes(book)
                    book.drop()
                    book.decide(self.agent, "a", parts=said, at=100, reversibility=b"\x00",
                                reasons=reasons)  # fmt: skip
                    self.finds(book, "V14", says="reversibility is", row=4)

    def test_operations(self) -> None:
        """Operations fail on the state with one reason, the first one."""
        book = self.book()

        def does(*operations: forge.Part) -> dict[str, Any]:
            return {"parts": {OPS: forge.ops(*operations)}}

        one, two = forge.integer(1), forge.integer(2)
        put, add, delete = forge.put, forge.add, forge.delete
        self.lands(book, ABSENT, **does(delete("k")))
        self.lands(book, GUARD, **does(delete("k", forge.holds_value(one)), delete("k")))
        self.lands(book, **does(put("k", one, forge.ABSENT), add("n", 5, forge.holds_count(0))))
        self.lands(book, GUARD, **does(put("k", one, forge.ABSENT)))
        self.lands(book, GUARD, **does(put("k", two, forge.holds_value(two))))
        self.lands(book, MISMATCH, **does(add("k", 1), delete("nothing")))
        self.lands(book, OVERFLOW, **does(add("k", -(2**63))))
        self.lands(book, OVERFLOW, **does(add("n", 2**63 - 1)))
        self.lands(book, **does(add("n", 2**63 - 6)))
        self.lands(book, OVERFLOW, **does(add("m", 2**63 - 1), add("n", 1)))
        self.lands(book, **does(add("n", -(2**63 - 1)), add("n", 0 - 2**63 + 1)))
        self.lands(book, **does(add("n", 2**63 - 1), add("o", 1, forge.ABSENT)))
        self.lands(book, **does(add("p", 7), add("p", -2, forge.holds_count(7))))
        self.lands(book, GUARD, **does(add("p", 1, forge.holds_count(7))))
        self.lands(book, GUARD, **does(add("p", 1, forge.holds_count(0))))
        self.lands(book, GUARD, **does(add("k", 1, forge.holds_count(5))))
        self.lands(book, GUARD, **does(add("p", 1, forge.holds_value(one))))
        self.lands(book, GUARD, **does(add("p", 1, forge.holds_stage("s"))))
        self.lands(book, **does(add("p", -5, forge.holds_count(5)), put("p", one, forge.ABSENT)))
        self.lands(book, **does(put("n", two, forge.holds_count(0)), put("o", two)))
        self.lands(book, **does(delete("n", forge.holds_value(two)), forge.move("e", "s")))
        self.lands(book, GUARD, **does(forge.move("e", "t", forge.ABSENT)))
        self.lands(
            book,
            **does(forge.move("e", "", forge.holds_stage("s")), forge.move("e", "", forge.ABSENT)),
        )

    def test_dry_runs(self) -> None:
        """They are decided alike, and leave the state as it is."""
        book = self.book()
        said: Any = {OPS: forge.ops(forge.put("k", b"\x00", forge.ABSENT))}
        self.lands(book, live=False, parts=said)
        self.lands(book, live=False, parts=said)
        self.lands(book, parts=said)
        self.lands(book, GUARD, live=False, parts=said)

    def test_rows_that_are_not_asked(self) -> None:
        """Rollbacks have the reasons of their operations; other rows have none."""
        book = self.book(forge.rule("b"), moves=[("", "s")])
        back = forge.ops(forge.move("e", "", forge.holds_stage("s")))
        said: Any = {OPS: forge.ops(forge.move("e", "s"))}
        decided = book.decide(self.agent, "b", parts=said, inverse=back)
        book.roll_back(self.operator, decided, live=False)
        redo = forge.ops(forge.move("e", "s", forge.ABSENT))
        book.roll_back(self.operator, decided, inverse=redo)
        again = book.decide(self.agent, "b", parts=said, inverse=back)
        book.govern(POLICY, forge.policy())
        book.roll_back(self.operator, 6, reasons=[GUARD])
        out = {OPS: forge.ops(forge.move("e", ""))}
        forced = forge.rollback(again, book.rows[again].hash, 1)
        book.roll_back(self.operator, again, body=forced, parts=out)
        book.roll_back(self.operator, 6)
        self.passes(book)
        book.land(Draft(kinds.READING, self.judge, forge.reading("m", number(1)), reasons=[LIVE]))
        self.finds(book, "V14", says="reasons are none", row=12)

    def test_policy_row(self) -> None:
        """It is the newest applied policy row."""
        book = self.book()
        book.govern(POLICY, forge.policy([forge.rule("*")]), live=False)
        book.govern(POLICY, forge.policy([forge.rule("*")]))
        book.decide(self.agent, "a")
        self.passes(book)
        book.decide(self.agent, "a", policy_row=4)
        self.finds(book, "V14", says="policy_row is 5, it says 4", row=7)


class Metrics(Decided):
    """Readings that actions rest on."""

    RULE = forge.rule("*", metrics=[forge.metric("m", number(15, 1)), forge.metric("n", None)])

    def reads(self, book: forge.Forge, metric: str, value: bytes, about: str = "",
              **fields: Any) -> int:  # fmt: skip
        """Lands a reading."""
        parts: Any = {SUBJECT: forge.subject(about)} if about else {}
        body = forge.reading(metric, value)
        return book.land(Draft(kinds.READING, self.judge, body, parts=parts, **fields))

    def rests(self, *rows: int, about: str = "") -> dict[str, Any]:
        """The parts of a decision that rests on rows."""
        parts: Any = {EVIDENCE: forge.evidence(*rows)} if rows else {}
        return {"parts": {**parts, SUBJECT: forge.subject(about)} if about else parts}

    def test_metrics(self) -> None:
        """They are there, have a calibration where one is asked for, and are not below it."""
        book = self.book(self.RULE)
        m = self.reads(book, "m", number(15, 1))
        n = self.reads(book, "n", number(7))
        self.lands(book, MISSING, UNCALIBRATED)
        self.lands(book, MISSING, UNCALIBRATED, **self.rests(m, 1, 0))
        self.lands(book, UNCALIBRATED, **self.rests(m, n))
        book.govern(kinds.CALIBRATION, forge.calibration("n", [n], number(7)), live=False)
        self.lands(book, UNCALIBRATED, **self.rests(m, n))
        book.govern(kinds.CALIBRATION, forge.calibration("n", [n], number(7)))
        self.lands(book, **self.rests(m, n))
        low = self.reads(book, "m", number(1499, 3))
        self.lands(book, BELOW, **self.rests(m, n, low))
        self.lands(book, MISSING, BELOW, **self.rests(low))
        # What is no earlier row is no reading; that it is pointed to is V21's.
        self.lands(book, BELOW, **self.rests(m, n, low, len(book.rows), 99))
        rows = [n, *(self.reads(book, "n", number(9)) for _ in range(2))]
        book.govern(kinds.CALIBRATION, forge.calibration("n", rows, number(9)))
        self.lands(book, BELOW, **self.rests(m, n))
        self.lands(book, **self.rests(m, rows[1]))

    def test_entities(self) -> None:
        """A reading serves its own entity, and one of none serves all."""
        book = self.book(forge.rule("*", metrics=[forge.metric("m", number(0))]))
        all_, mine, other = (self.reads(book, "m", number(1), about) for about in ("", "x", "y"))
        low = self.reads(book, "m", number(-1), "y")
        dry = self.reads(book, "m", number(1), live=False)
        self.lands(book, **self.rests(all_, about="x"))
        self.lands(book, **self.rests(all_))
        self.lands(book, **self.rests(mine, other, low, about="x"))
        self.lands(book, MISSING, **self.rests(mine))
        self.lands(book, MISSING, **self.rests(other, about="x"))
        self.lands(book, BELOW, **self.rests(other, low, about="y"))
        self.lands(book, MISSING, **self.rests(dry, about="x"))


class Closed(Forged):
    """What cannot be decided is not, and what can be is."""

    def test_parts(self) -> None:
        """A closed part that is needed leaves the row open, one that is not does not."""
        asked = {
            "actors": (forge.rule("*", floor=1), ACTORS, forge.actors("", "judge", 1), "V09"),
            "evidence": (
                forge.rule("*", metrics=[forge.metric("m", number(0))]),
                EVIDENCE, forge.evidence(4), "V14",
            ),
            "effects": (forge.rule("*", reach=1), EFFECTS, forge.items([forge.effect()]), "V14"),
        }  # fmt: skip
        for name, (rule, tag, part, also) in asked.items():
            for needed in (True, False):
                with self.subTest(name, needed=needed):
                    book = self.book(rule if needed else forge.rule("*"))
                    book.land(Draft(kinds.READING, self.judge, forge.reading("m", number(0))))
                    book.decide(self.agent, "a", parts={tag: part}, closed=[tag])
                    report = self.report(book)
                    self.assertEqual(report.findings, [])
                    unsure = {gap["check"] for gap in report.gaps}
                    # Reversibility always needs the effects, V09 the attestation.
                    always = {also} if name != "evidence" else set()
                    self.assertEqual(unsure, always | ({"V14"} if needed else set()))

    def test_state(self) -> None:
        """Behind closed operations the state is not known, and what needs none is decided."""
        book = self.book(forge.rule("a", tier=1), forge.rule("b"))
        effects: Any = {EFFECTS: forge.items([forge.effect(undo=1)])}
        book.decide(self.agent, "b", closed=[OPS])
        book.decide(self.agent, "b", parts=effects, reversibility=b"\x01")
        self.unsure(book, "V14", says="ops part is closed")
        book.decide(self.agent, "b")
        self.unsure(book, "V14", says="the state is not known")
        book.decide(self.agent, "a", parts=effects, reversibility=b"\x01", tier=2)
        self.finds(book, "V14", says="reasons are tier-too-low", row=7)

    def test_dry_state(self) -> None:
        """Closed operations that were not applied do not matter to what follows."""
        book = self.book()
        book.decide(self.agent, "a", closed=[OPS], live=False)
        book.decide(self.agent, "a")
        report = self.report(book)
        self.assertEqual([gap["row"] for gap in report.gaps], [4])

    def test_values(self) -> None:
        """A closed value has its commitment still."""
        book = self.book()
        one = forge.integer(1)
        said: Any = {OPS: forge.ops(forge.put("k", one, closed=True))}
        book.decide(self.agent, "a", parts=said)
        said = {OPS: forge.ops(forge.delete("k", forge.holds_value(one)))}
        book.decide(self.agent, "a", parts=said)
        self.passes(book)

    def test_policy(self) -> None:
        """Under a closed policy no decision is decided again, but other rows are."""
        book = self.book()
        book.govern(POLICY, forge.policy(), closed=[kinds.BODY])
        book.decide(self.agent, "a")
        self.unsure(book, "V09", "V14", "V18")
        book.decide(self.agent, "a", policy_row=0)
        self.finds(book, "V14", says="policy_row is 4", row=6)

    def test_readings(self) -> None:
        """A closed reading leaves open what it might say."""
        book = self.book(forge.rule("*", metrics=[forge.metric("m", number(5))]))
        for value in (1, 9):
            body = forge.reading("m", number(value))
            closed = [kinds.BODY] if value == 9 else []
            book.land(Draft(kinds.READING, self.judge, body, closed=closed))
        book.decide(self.agent, "a", parts={EVIDENCE: forge.evidence(5)})
        self.unsure(book, "V09", "V14", says="evidence row 5")
        book.decide(self.agent, "a", parts={EVIDENCE: forge.evidence(4, 5)}, reasons=[BELOW])
        self.unsure(book, "V09", "V14")
        # Whether an operator must have written the reading is open too.
        self.assertEqual([gap["row"] for gap in self.report(book).gaps], [5, 6])


if __name__ == "__main__":
    unittest.main()
