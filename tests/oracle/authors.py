"""Who may write a row, and who may vouch for it: rights, scopes and signatures (V09)."""

from __future__ import annotations

import curve
import kinds
from bodies import CLOSED, Outcome, Reading
from entry import Entry
from frames import Submission
from keyring import Key, Keyring
from parts import Judge
from report import Report
from row import Row, Unknown

_NO_WRITER = kinds.LEDGER | kinds.AUDITOR
#: The parts that a verdict covers.
_JUDGED = (kinds.SUBJECT, kinds.EVIDENCE, kinds.OPS, kinds.EFFECTS)


class Authors:
    """The signatures in a ledger, held against the keys that are known."""

    def __init__(self, report: Report, keys: Keyring, ledger_id: bytes | None) -> None:
        self.report = report
        self.keys = keys
        self.ledger_id = ledger_id

    def submission(self, name: bytes, submission: Submission, entries: list[Entry]) -> None:
        """Checks the rights of an author, the signature, and the attestations of the rows."""
        report, place = self.report, entries[0].place
        for entry in entries:
            self._attestation(entry)
        key = self.keys.get(name)
        if key is None:
            if self.keys.may_miss(entries[0].number):
                report.skip("V09", f"author {name.hex()} is not known", place)
            else:
                report.judge("V09", False, f"author {name.hex()} was never enrolled", place)
            return
        for entry in entries:
            self._living(key, entry, "the author's key")
            if entry.row.head is not None:
                self._role(key, entry)
                self._operator(key, entry)
                self._scope(key, entry)
        if self.ledger_id is None:
            report.skip("V09", "the ledger id is not known", place)
            return
        count = submission.count.to_bytes(4, "little")
        message = b"counterfoil/submission/v1\n" + self.ledger_id + count + submission.root
        holds = curve.verify(key.public, message, submission.signature)
        report.judge("V09", holds, "the author's signature is not valid", place)

    def _living(self, key: Key, entry: Entry, whose: str) -> None:
        alive = key.lives_at(entry.number)
        if alive and self.keys.may_have_ended(entry.number):
            self.report.skip("V09", f"whether {whose} still lives is not known", entry.place)
        else:
            self.report.judge("V09", alive, f"{whose} is not living", entry.place)

    def _role(self, key: Key, entry: Entry) -> None:
        kind = entry.head.kind
        message = f"the author may not write a row of kind {kinds.KIND_NAMES[kind]}"
        policy = entry.standing.policy
        if policy is not None or kind in (kinds.GENESIS, kinds.SNAPSHOT):
            # No policy changes who writes these two.
            roles = kinds.WRITERS[kind] if policy is None else policy.roles_for(kind)
            self.report.judge("V09", bool(key.roles & roles), message, entry.place)
        elif not key.roles & ~_NO_WRITER:
            self.report.judge("V09", False, message, entry.place)
        elif kind not in (kinds.KEY, kinds.POLICY, kinds.ERASURE) or not key.roles & kinds.OWNER:
            # The owner may write these three under every policy.
            self.report.skip("V09", "who may write is not known", entry.place)

    def _operator(self, key: Key, entry: Entry) -> None:
        """Checks that what is an operator's is written by one, whatever other role it has."""
        if entry.head.kind not in (kinds.READING, kinds.OUTCOME) or key.roles & kinds.OPERATOR:
            return
        body = entry.row.body
        if isinstance(body, Reading):
            message, holds = "a recovery drill by no operator", not body.is_drill
        elif isinstance(body, Outcome):
            message, holds = "a call closed by no operator", body.status != CLOSED
        else:
            message = "whether an operator must have written it is not known: its body is closed"
            self.report.skip("V09", message, entry.place)
            return
        self.report.judge("V09", holds, message, entry.place)

    def _scope(self, key: Key, entry: Entry) -> None:
        judge, scope, place = self.report.judge, key.scope, entry.place
        in_time = scope.admits_time(entry.landing.landed_at)
        judge("V09", in_time, "it landed outside the times of its author's scope", place)
        if entry.head.kind in (kinds.DECISION, kinds.REVIEW):
            action = entry.head.action
            message = f"action {action!r} is outside its author's scope"
            judge("V09", scope.admits_action(action), message, place)
        if not scope.prefixes:
            return
        try:
            outside = [
                operation.key
                for operation in entry.row.operations()
                if not scope.admits_key(operation.key)
            ]
        except Unknown as error:
            self.report.skip("V09", f"scope: {error}", place)
            return
        judge("V09", not outside, f"keys outside its author's scope: {outside}", place)

    def _attestation(self, entry: Entry) -> None:
        """Checks the attestation in a decision. In rows of other kinds it means nothing."""
        if entry.row.head is None or entry.row.landing is None:
            return
        if entry.head.kind != kinds.DECISION:
            return
        try:
            actors = entry.row.actors()
        except Unknown as error:
            self.report.skip("V09", f"attestation: {error}", entry.place)
            return
        judge = None if actors is None else actors.judge
        if judge is None or judge.attestation is None:
            return
        name, signature = judge.attestation
        key = self.keys.get(name)
        if key is None:
            if self.keys.may_miss(entry.number):
                self.report.skip("V09", f"judge's key {name.hex()} is not known", entry.place)
            else:
                message = f"judge's key {name.hex()} was never enrolled"
                self.report.judge("V09", False, message, entry.place)
            return
        self._living(key, entry, "the judge's key")
        self._judge_key(key, judge, entry)
        if self.ledger_id is None:
            self.report.skip("V09", "the ledger id is not known", entry.place)
            return
        signed = verdict(self.ledger_id, entry.row, judge.score)
        holds = curve.verify(key.public, signed, signature)
        self.report.judge("V09", holds, "the judge's attestation is not valid", entry.place)

    def _judge_key(self, key: Key, judge: Judge, entry: Entry) -> None:
        check, place = self.report.judge, entry.place
        check("V09", bool(key.roles & kinds.JUDGE), "the attestation is by no judge", place)
        message = f"the judge is {judge.by!r}, the attestation by {key.name!r}"
        check("V09", judge.by == key.name, message, place)
        in_time = key.scope.admits_time(entry.landing.landed_at)
        check("V09", in_time, "it landed outside the times of its judge's scope", place)


def verdict(ledger_id: bytes, row: Row, score: int) -> bytes:
    """What the judge of a row signs (section 8)."""
    assert row.head is not None
    judged = [tag for tag in _JUDGED if row.has(tag)]
    return b"".join(
        (
            b"counterfoil/verdict/v1\n",
            ledger_id,
            row.head.id,
            bytes([row.head.tier]),
            score.to_bytes(4, "little"),
            bytes([sum(1 << tag for tag in judged)]),
            *(row.commitments[tag] for tag in judged),
            row.head.action.encode(),
        )
    )
