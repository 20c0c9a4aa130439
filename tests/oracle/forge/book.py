"""Ledgers in the making: what is to land, and what became of it."""

from __future__ import annotations

import struct
from base64 import b64encode
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import kinds
import note
import tree
from digest import ZERO, crc32c, derive

from .bodies import grant, review, rollback
from .contents import SALT, Part, Parts, actors, add, ops
from .encoder import blob, items, option, signed, text, varint
from .signer import Signer

ORIGIN = "example.com/forged"


@dataclass
class Draft:
    """What is to land as a row. Unless told, the stamps are those of an applied row."""

    kind: int
    author: Signer
    body: bytes | None = None
    action: str = ""
    tier: int = 1
    live: bool = True
    parts: Parts = field(default_factory=dict)
    closed: Sequence[int] = ()
    at: int | None = None
    outcome: int | None = None
    reasons: Sequence[int] = ()
    reversibility: bytes = b"\x00"
    policy_row: int | None = None
    kill_switch_row: int | None = None
    version: int = 3
    #: The key that attests the score of the judge, and the score.
    judge: tuple[Signer, str, int] | None = None
    salt: bytes = SALT
    #: The rollback part.
    inverse: Part | None = None

    def stamp(self) -> int:
        """Its outcome."""
        if self.outcome is not None:
            return self.outcome
        return 2 if self.reasons else 0 if self.live else 1


@dataclass
class Written:
    """What became of a row."""

    hash: bytes
    draft: Draft


class Forge:
    """A ledger in the making: one segment, one group for each submission."""

    def __init__(self, first: bytes, at: int = 0, **fields: Any) -> None:
        self.owner, self.ledger = Signer(1), Signer(2)
        self.rows: list[Written] = []
        self.ledger_id = b""
        self.groups: list[bytes] = []
        self.at = at
        self.policy_row = self.kill_switch_row = 0
        self._hash = ZERO
        self._tree = tree.Range()
        keys = self.owner.public + self.ledger.public
        body = varint(3) + text(ORIGIN) + keys + first
        self.govern(kinds.GENESIS, body, **fields)

    def land(self, *drafts: Draft, signer: Signer | None = None) -> int:
        """Lands rows as one submission; gives the number of the last one."""
        before = self._hash
        self._before = (
            self.groups[:], self.rows[:], deepcopy(self._tree), self._hash, self.at,
            self.policy_row, self.kill_switch_row,
        )  # fmt: skip
        landed = [self._row(draft, index, len(drafts)) for index, draft in enumerate(drafts)]
        root = tree.root_of(intent for intent, _ in landed)
        count = struct.pack("<I", len(drafts))
        message = b"counterfoil/submission/v1\n" + self.ledger_id + count + root
        signature = (signer or drafts[0].author).sign(message)
        checkpoint = note.checkpoint_text(ORIGIN, len(self.rows), self._tree.root()).encode()
        body = b"".join(struct.pack("<I", len(record)) + record for _, record in landed)
        body += count + root + signature + self._tree.root() + self.ledger.sign(checkpoint)
        self._group(len(drafts), before, body + bytes(-len(body) % 8))
        return len(self.rows) - 1

    def _row(self, draft: Draft, index: int, count: int) -> tuple[bytes, bytes]:
        """Lands one row of a submission; gives its intent hash and its record."""
        intent, slots, head = self._intent(draft)
        landing = self._landing(draft, index, count)
        if not self.rows:
            self.ledger_id = intent
        self._hash = derive("row", self._hash + landing + intent)
        self._tree.push(b"\x01" + self._hash)
        self.rows.append(Written(self._hash, draft))
        return intent, blob(landing) + blob(head) + slots + _rollback(draft) + self._hash

    def _group(self, count: int, before: bytes, body: bytes) -> None:
        """Appends a group, whose rows are in the ledger already."""
        first = len(self.rows) - count
        header = struct.pack(
            "<4sIIIQQ32sI", b"cfgr", len(body), count, 1, first, 0, before, crc32c(SALT + body)
        )
        self.groups.append(header + struct.pack("<I", crc32c(SALT + header)) + body)

    def drop(self) -> None:
        """Takes back that the last submission was ever landed."""
        (
            self.groups, self.rows, self._tree, self._hash, self.at, self.policy_row,
            self.kill_switch_row,
        ) = self._before  # fmt: skip

    def decide(self, author: Signer, action: str, **fields: Any) -> int:
        """Lands a decision, which adds one to a counter unless told otherwise."""
        draft = Draft(kinds.DECISION, author, action=action, **fields)
        if not {kinds.OPS, kinds.EFFECTS} & draft.parts.keys():
            draft.parts = {**draft.parts, kinds.OPS: ops(add("decided", 1))}
            draft.inverse = draft.inverse or ops(add("decided", -1))
        return self.land(draft)

    def govern(self, kind: int, body: bytes, **fields: Any) -> int:
        """Lands a row of the owner."""
        return self.land(Draft(kind, self.owner, body, **fields))

    def grant(self, key: Signer, roles: int, name: str, confined: bytes | None = None) -> int:
        """Enrols a key."""
        return self.govern(kinds.KEY, grant(key, roles, name, confined))

    def review(self, row: int, verdict: int = 0, **fields: Any) -> int:
        """Lands the owner's review of a row, which is right unless told otherwise."""
        aside = self.rows[row].draft
        fields.setdefault("author", self.owner)
        fields.setdefault("body", review(row, self.rows[row].hash, verdict))
        same = ("action", "tier", "live", "parts", "inverse") if verdict == 0 else ("action",)
        for name in same:
            fields.setdefault(name, getattr(aside, name))
        return self.land(Draft(kinds.REVIEW, **fields))

    def roll_back(self, author: Signer, row: int, **fields: Any) -> int:
        """Lands the rollback of a row, which is its stored one unless told otherwise."""
        target = self.rows[row].draft
        fields.setdefault("body", rollback(row, self.rows[row].hash))
        if target.inverse is not None:
            fields.setdefault("parts", {kinds.OPS: target.inverse})
            fields.setdefault("inverse", target.parts.get(kinds.OPS))
        return self.land(Draft(kinds.ROLLBACK_ROW, author, **fields))

    def checkpoint(self) -> str:
        """The file `checkpoint`."""
        body = note.checkpoint_text(ORIGIN, len(self.rows), self._tree.root())
        signature = note.note_key_id(ORIGIN, self.ledger.public) + self.ledger.sign(body.encode())
        return f"{body}\n\u2014 {ORIGIN} {b64encode(signature).decode()}\n"

    def attest(self, draft: Draft, judge: tuple[Signer, str, int]) -> bytes:
        """An actors part in which a judge has signed what is to land as the next row."""
        key, name, score = judge
        tags = [tag for tag in (0, 2, 3, 4) if tag in draft.parts]
        message = b"counterfoil/verdict/v1\n" + self.ledger_id + len(self.rows).to_bytes(16, "big")
        message += bytes([draft.tier]) + struct.pack("<I", score)
        message += bytes([sum(1 << tag for tag in tags)])
        message += b"".join(_commit(draft, tag, draft.parts[tag]) for tag in tags)
        return actors("", name, score, key.id + key.sign(message + draft.action.encode()))

    def segment(self) -> bytes:
        """The segment file."""
        fields = (0, SALT, self.ledger_id, ZERO)
        plain = struct.pack("<8sIIQ16s32s32s", b"cfoilseg", 3, 0, *fields)
        header = struct.pack("<8sIIQ16s32s32s", b"cfoilseg", 3, crc32c(plain), *fields)
        return header + b"".join(self.groups)

    def write(self, folder: Path) -> None:
        """Writes the ledger's directory."""
        (folder / "log").mkdir(exist_ok=True)
        file = folder / "log" / "00000000000000000000.seg"
        # A new file each time: some file systems wait for the disk when one is overwritten.
        file.unlink(missing_ok=True)
        file.write_bytes(self.segment())

    def _intent(self, draft: Draft) -> tuple[bytes, bytes, bytes]:
        """Intent hash, slots and head of a draft."""
        name = len(self.rows).to_bytes(16, "big")
        said = dict(draft.parts)
        if draft.body is not None:
            said[kinds.BODY] = draft.body
        if draft.judge is not None:
            said[kinds.ACTORS] = self.attest(draft, draft.judge)
            draft.parts = {**draft.parts, kinds.ACTORS: said[kinds.ACTORS]}
        bits = sum(1 << tag for tag in said)
        head = b"".join(
            (
                bytes([draft.version]), name, varint(draft.kind), draft.author.id,
                text(draft.action), varint(draft.tier), bytes([draft.live]), signed(0),
                bytes([bits]),
            )
        )  # fmt: skip
        slots, commitments = b"", b""
        for tag in sorted(said):
            commitment = _commit(draft, tag, said[tag])
            commitments += commitment
            part = said[tag]
            content = part if isinstance(part, bytes) else part[0]
            closed = tag in draft.closed
            slots += b"\x00" + commitment if closed else b"\x01" + draft.salt + blob(content)
        return derive("intent", head + commitments), slots, head

    def _landing(self, draft: Draft, index: int, count: int) -> bytes:
        """The landing of a draft, which moves clock, policy and switch on."""
        row, outcome = len(self.rows), draft.stamp()
        self.at = self.at + 1 if draft.at is None else draft.at
        policy_row = self.policy_row if draft.policy_row is None else draft.policy_row
        switch = self.kill_switch_row
        switch = switch if draft.kill_switch_row is None else draft.kill_switch_row
        if outcome == 0 and draft.kind == kinds.POLICY:
            self.policy_row = row
        if outcome == 0 and draft.kind == kinds.KILL_SWITCH:
            self.kill_switch_row = row
        return b"".join(
            (
                bytes([draft.version]), varint(row), signed(self.at), varint(outcome),
                items([varint(reason) for reason in draft.reasons]), draft.reversibility,
                varint(policy_row), varint(switch), varint(index), varint(count),
                option(_inverse(draft)),
            )
        )  # fmt: skip


def _inverse(draft: Draft) -> bytes | None:
    """The commitment of the rollback part, which a row that is put aside has not."""
    if draft.inverse is None or draft.stamp() == 2:
        return None
    return _commit(draft, kinds.ROLLBACK, draft.inverse)


def _rollback(draft: Draft) -> bytes:
    """The slot of the rollback part."""
    commitment = _inverse(draft)
    if commitment is None or draft.inverse is None:
        return b""
    if kinds.ROLLBACK in draft.closed:
        return b"\x00" + commitment
    return b"\x01" + draft.salt + blob(draft.inverse[0])


def _commit(draft: Draft, tag: int, part: bytes | Part) -> bytes:
    hashed = part if isinstance(part, bytes) else part[1]
    return derive("part", draft.salt + bytes([tag]) + hashed)
