"""Holds the rights of keys under policies and scopes against forged ledgers (V09)."""

from __future__ import annotations

import unittest

import forge
import kinds
from forge import Draft
from forged import Forged
from kinds import BODY, KEY, POLICY


class Rights(Forged):
    """Who may write what."""

    def test_plain(self) -> None:
        """The table holds where the policy says nothing else."""
        book = self.book()
        book.decide(self.agent, "a")
        book.land(Draft(kinds.READING, self.judge, forge.reading("m", forge.number(1))))
        self.passes(book)
        book.decide(self.operator, "a")
        self.finds(book, "V09", says="may not write a row of kind decision", row=6)

    def test_writers(self) -> None:
        """The policy in force names others, from the next row on."""
        book = self.book(writers=[(kinds.DECISION, kinds.JUDGE)])
        book.decide(self.judge, "a")
        book.govern(POLICY, forge.policy([forge.rule("*")]))
        book.decide(self.agent, "a")
        self.passes(book)
        book.decide(self.judge, "a")
        self.finds(book, "V09", says="kind decision", row=7)

    def test_writers_inside_a_submission(self) -> None:
        """A policy is in force from the next row on, inside a submission too."""
        book = self.book()
        decision = Draft(kinds.DECISION, book.owner, action="a",
                         parts={kinds.OPS: forge.ops(forge.put("k", b"\x00"))})  # fmt: skip
        writers = forge.policy([forge.rule("*")], writers=[(kinds.DECISION, kinds.OWNER)])
        book.land(Draft(POLICY, book.owner, writers), decision)
        self.passes(book)

    def test_dry_policy(self) -> None:
        """A dry-run policy names nobody."""
        book = self.book()
        writers = forge.policy([forge.rule("*")], writers=[(kinds.DECISION, kinds.JUDGE)])
        book.govern(POLICY, writers, live=False)
        book.decide(self.agent, "a")
        self.passes(book)

    def test_closed_policy(self) -> None:
        """Behind a closed policy it is not known who may write, but for what no policy changes."""
        book = self.book()
        book.govern(POLICY, forge.policy(), closed=[BODY])
        book.grant(forge.Signer(7), kinds.EXECUTOR, "other")
        report = self.report(book)
        self.assertEqual(report.status("V09"), "passed")
        book.decide(self.judge, "a")
        self.unsure(book, "V09", "V14", "V18")
        book.land(Draft(KEY, forge.Signer(2), forge.revoke(self.judge)))
        self.finds(book, "V09", says="may not write a row of kind key", row=7)
        book.drop()
        book.land(Draft(KEY, self.agent, forge.revoke(self.judge)))
        self.unsure(book, "V09", "V14", "V18")
        rows = [gap["row"] for gap in self.report(book).gaps if gap["check"] == "V09"]
        self.assertEqual(rows, [6, 7])

    def test_closed_policy_and_separation(self) -> None:
        """Nor is it known whether a key of both roles was enrolled, and so who may sign."""
        book = self.book()
        both = forge.Signer(7)
        book.govern(POLICY, forge.policy(), closed=[BODY])
        book.grant(both, kinds.PLANNER | kinds.JUDGE | kinds.EXECUTOR, "both")
        book.govern(POLICY, forge.policy([forge.rule("*")]))
        book.decide(both, "a")
        report = self.report(book)
        self.assertEqual(report.findings, [])
        self.assertEqual(report.status("V10"), "not checked")

    def test_separation(self) -> None:
        """No key is both planner and judge where the policy says so."""
        book = self.book()
        both = forge.Signer(7)
        book.grant(both, kinds.PLANNER | kinds.JUDGE, "both")
        self.passes(book)
        book.govern(POLICY, forge.policy([forge.rule("*")], separation=True))
        book.govern(KEY, forge.rotate(both, forge.Signer(8)))
        self.finds(book, "V09", says="planner and judge", row=6)
        book = self.book(separation=True)
        book.grant(both, kinds.PLANNER | kinds.JUDGE, "both")
        self.finds(book, "V09", says="planner and judge", row=4)
        book.land(Draft(kinds.READING, both, forge.reading("m", forge.number(1))))
        self.finds(book, "V09", says="never enrolled")

    def test_genesis_with_reasons(self) -> None:
        """The genesis has no reasons."""
        book = forge.Forge(forge.policy([forge.rule("*")]), reasons=[1], outcome=0)
        self.finds(book, "V09", says="genesis", row=0)


class Lives(Forged):
    """From when and until when a key lives."""

    def test_first_and_last_row(self) -> None:
        """From the row behind the one that enrols it, up to the one that ends it."""
        book = self.book()
        other = forge.Signer(7)
        book.grant(other, kinds.OWNER, "other")
        book.land(Draft(KEY, other, forge.revoke(other)))
        self.passes(book)
        book.land(Draft(KEY, other, forge.grant(forge.Signer(8), kinds.OWNER, "more")))
        self.finds(book, "V09", says="the author's key is not living", row=6)
        book = self.book()
        book.land(Draft(KEY, other, forge.grant(other, kinds.OWNER, "other")))
        self.finds(book, "V09", says="the author's key is not living", row=4)

    def test_last_keys(self) -> None:
        """The last key of the owner or of the ledger is not revoked, but may be rotated."""
        for key, roles in ((forge.Signer(1), kinds.OWNER), (forge.Signer(2), kinds.LEDGER)):
            with self.subTest(roles=roles):
                book = self.book()
                book.govern(KEY, forge.revoke(key))
                self.finds(book, "V09", says="the last of", row=4)
                if roles == kinds.OWNER:
                    book.drop()
                    book.grant(forge.Signer(7), roles, "other")
                    book.govern(KEY, forge.revoke(key))
                    self.passes(book)
                    book.land(Draft(KEY, forge.Signer(7), forge.rotate(forge.Signer(7), self.new)))
                    self.passes(book)

    new = forge.Signer(8)

    def test_behind_a_closed_key_row(self) -> None:
        """What an unknown key could mend is left open; what none could is not."""
        switch = forge.turn(0, True, forge.Signer(7))
        for body, kind in ((forge.revoke(forge.Signer(7)), KEY), (switch, kinds.KILL_SWITCH)):
            book = self.book()
            enrols = forge.grant(forge.Signer(7), kinds.OPERATOR, "other")
            book.govern(KEY, enrols, closed=[BODY])
            book.govern(kind, body)
            self.unsure(book, *(("V09", "V10", "V18")[: 2 if kind == KEY else 3]),
                        says="was never enrolled, as far as is known")  # fmt: skip
        for body in (forge.turn(0, True, self.agent), forge.turn(0, True, self.judge)):
            book = self.book()
            book.govern(KEY, forge.revoke(self.judge), closed=[BODY])
            book.govern(kinds.KILL_SWITCH, body)
            self.finds(book, "V09", says="no living operator", row=5)
        book = self.book()
        book.govern(KEY, forge.revoke(self.judge), closed=[BODY])
        book.decide(self.operator, "a")
        self.finds(book, "V09", says="may not write", row=5)


class Scopes(Forged):
    """To what keys are confined."""

    def confined(self, *scope: object) -> forge.Forge:
        """A ledger in which row 4 grants a confined key."""
        book = self.book()
        self.narrow = forge.Signer(7)
        roles = kinds.EXECUTOR | kinds.OPERATOR
        book.grant(self.narrow, roles, "narrow", forge.scope(*scope))  # type: ignore[arg-type]
        return book

    def test_actions(self) -> None:
        """Decisions and reviews have an action of the scope; other rows any."""
        book = self.confined(["price.*", "stock"])
        book.decide(self.narrow, "price.set")
        book.decide(self.narrow, "stock")
        book.land(Draft(kinds.READING, self.narrow, forge.reading("m", forge.number(1))))
        self.passes(book)
        book.decide(self.narrow, "stocks")
        self.finds(book, "V09", says="action 'stocks'", row=8)

    def test_actions_of_reviews(self) -> None:
        """A review, a rejection too, counts as its own action says."""
        for action, holds in (("price.set", True), ("other", False)):
            with self.subTest(action):
                book = self.confined(["price.*"])
                book.govern(POLICY, forge.policy())
                aside = book.decide(self.agent, action, reasons=[0])
                book.review(aside, 1, author=self.narrow)
                self.finds(book, *(() if holds else ("V09",)))

    def test_prefixes(self) -> None:
        """Every operation touches a key of the scope; a transition one under `lifecycle/`."""
        book = self.confined([], ["lifecycle/sku", "price/"])
        said: forge.Parts = {
            kinds.OPS: forge.ops(forge.put("price/1", b"\x00"), forge.move("sku-1", "new"))
        }
        book.decide(self.narrow, "a", parts=said)
        self.passes(book)
        book.decide(self.narrow, "a", parts=said, closed=[kinds.OPS])
        self.unsure(book, "V09", "V14", says="scope: its ops part is closed")
        for operation in (forge.put("price", b"\x00"), forge.move("s", "new")):
            book = self.confined([], ["lifecycle/sku", "price/"])
            book.decide(self.narrow, "a", parts={kinds.OPS: forge.ops(operation)})
            self.finds(book, "V09", says="keys outside", row=5)

    def test_times(self) -> None:
        """A row lands at the beginning or later, and before the end."""
        for at, holds in ((99, False), (100, True), (199, True), (200, False)):
            with self.subTest(at=at):
                book = self.confined([], [], 100, 200)
                book.decide(self.narrow, "a", at=at)
                self.finds(book, *(() if holds else ("V09",)))

    def test_rotated(self) -> None:
        """The key in its place has the same scope."""
        book = self.confined(["price.*"])
        new = forge.Signer(8)
        book.govern(KEY, forge.rotate(self.narrow, new))
        book.decide(new, "price.set")
        self.passes(book)
        book.decide(new, "a")
        self.finds(book, "V09", says="action", row=7)


class Attestations(Forged):
    """Judges' signatures."""

    SAID: forge.Parts = {
        kinds.SUBJECT: forge.subject("shop"),
        kinds.OPS: forge.ops(forge.put("k", forge.integer(1))),
        kinds.EFFECTS: forge.items([forge.effect(undo=1)]),
    }

    def attested(self, judge: tuple[forge.Signer, str, int], **fields: object) -> forge.Forge:
        """A ledger with a decision that a judge has signed."""
        book = self.book()
        book.decide(self.agent, "a", parts=dict(self.SAID), judge=judge,
                    reversibility=b"\x01", **fields)  # fmt: skip
        return book

    def test_good(self) -> None:
        """It is by the judge it names, over what was proposed."""
        book = self.attested((self.judge, "judge", 900_000))
        book.decide(self.agent, "a", judge=(self.judge, "judge", 0), live=False)
        self.passes(book)

    def test_bad(self) -> None:
        """By a key that is none, by no judge, under another name, or not over this."""
        self.finds(self.attested((forge.Signer(9), "judge", 1)), "V09", says="never enrolled")
        self.finds(self.attested((self.agent, "agent", 1)), "V09", says="by no judge")
        self.finds(self.attested((self.judge, "other", 1)), "V09", says="the judge is 'other'")
        forged = forge.actors("", "judge", 1, self.judge.id + bytes(64))
        book = self.book()
        book.decide(self.agent, "a", parts={kinds.ACTORS: forged})
        self.finds(book, "V09", says="attestation is not valid", row=4)

    def test_over_something_else(self) -> None:
        """A verdict is over this id, tier, score, parts and action."""
        for change in ("id", "tier", "score", "parts", "action"):
            with self.subTest(change):
                book = self.attested((self.judge, "judge", 5))
                draft = Draft(kinds.DECISION, self.agent, action="a", parts=dict(self.SAID),
                              reversibility=b"\x01")  # fmt: skip
                draft.parts[kinds.ACTORS] = book.attest(draft, (self.judge, "judge", 5))
                if change == "id":
                    draft.parts = book.rows[-1].draft.parts
                elif change == "tier":
                    draft.tier = 2
                elif change == "score":
                    actors = draft.parts[kinds.ACTORS]
                    assert isinstance(actors, bytes)
                    draft.parts[kinds.ACTORS] = actors.replace(b"judge\x05", b"judge\x06")
                elif change == "parts":
                    draft.parts[kinds.EVIDENCE] = forge.evidence(1)
                else:
                    draft.action = "b"
                book.land(draft)
                self.finds(book, "V09", says="attestation is not valid", row=5)

    def test_lives(self) -> None:
        """The judge's key lives, and its times admit the row; its actions do not matter."""
        book = self.book()
        book.govern(KEY, forge.revoke(self.judge))
        book.decide(self.agent, "a", judge=(self.judge, "judge", 1))
        self.finds(book, "V09", says="the judge's key is not living", row=5)
        book = self.book()
        timed = forge.Signer(7)
        book.grant(timed, kinds.JUDGE, "timed", forge.scope(["b"], ["x"], None, 50))
        book.decide(self.agent, "a", judge=(timed, "timed", 1), at=49)
        self.passes(book)
        book.decide(self.agent, "a", judge=(timed, "timed", 1), at=50)
        self.finds(book, "V09", says="times of its judge's scope", row=6)

    def test_not_seen(self) -> None:
        """Of closed actors nothing is known; behind a closed key row neither of unknown keys."""
        book = self.attested((self.judge, "judge", 1), closed=[kinds.ACTORS])
        self.unsure(book, "V09", says="attestation: its actors part is closed")
        book = self.book()
        book.govern(KEY, forge.grant(forge.Signer(7), kinds.JUDGE, "other"), closed=[BODY])
        book.decide(self.agent, "a", judge=(forge.Signer(7), "other", 1))
        self.unsure(book, "V09", "V10", says="judge's key")

    def test_elsewhere(self) -> None:
        """In rows of other kinds an attestation means nothing."""
        book = self.book()
        forged = forge.actors("", "nobody", 1, bytes(72))
        book.land(Draft(kinds.READING, self.judge, forge.reading("m", forge.number(1)),
                        parts={kinds.ACTORS: forged}))  # fmt: skip
        self.passes(book)


if __name__ == "__main__":
    unittest.main()
