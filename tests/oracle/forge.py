"""Writes ledgers for the tests, byte by byte and right or wrong as asked.

Nothing here reads: the encoder is the other half of `encoding.py`, and shares nothing with it.
"""

from __future__ import annotations

import struct
from base64 import b64encode
from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

import kinds
import note
import tree
from digest import ZERO, crc32c, derive, key_id

SALT = b"\xcc" * 16
DAY = 86_400_000_000
ORIGIN = "example.com/forged"


def varint(number: int) -> bytes:
    """An unsigned number."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes(out) + bytes([number])


def signed(number: int) -> bytes:
    """A signed number."""
    return varint(2 * number if number >= 0 else -2 * number - 1)


def blob(data: bytes) -> bytes:
    """Bytes behind their length."""
    return varint(len(data)) + data


def text(data: str) -> bytes:
    """Text behind its length."""
    return blob(data.encode())


def option(data: bytes | None) -> bytes:
    """An option."""
    return b"\x00" if data is None else b"\x01" + data


def items(fields: Sequence[bytes]) -> bytes:
    """A list."""
    return varint(len(fields)) + b"".join(fields)


def number(mantissa: int, scale: int = 0) -> bytes:
    """A mantissa and a scale."""
    return signed(mantissa) + bytes([scale])


def integer(count: int) -> bytes:
    """A value that is an integer."""
    return b"\x02" + signed(count)


def decimal(mantissa: int, scale: int) -> bytes:
    """A value that is a decimal."""
    return b"\x03" + number(mantissa, scale)


def mapping(**entries: bytes) -> bytes:
    """A value that is a map."""
    return b"\x07" + items([text(key) + entries[key] for key in sorted(entries)])


# Operations. A part that has a skeleton is a pair of content and skeleton.

Part = tuple[bytes, bytes]
Parts = dict[int, "bytes | Part"]

UNGUARDED = b"\x00"
ABSENT = b"\x01"


def holds_value(value: bytes) -> bytes:
    """A guard: the key holds this value."""
    return b"\x02" + derive("value", SALT + value)


def holds_count(count: int) -> bytes:
    """A guard: the key holds this counter."""
    return b"\x03" + signed(count)


def holds_stage(stage: str) -> bytes:
    """A guard: the entity is in this stage."""
    return b"\x04" + text(stage)


def put(key: str, value: bytes, guard: bytes = UNGUARDED, closed: bool = False) -> Part:
    """A put."""
    front, commitment = b"\x00" + guard + text(key), derive("value", SALT + value)
    slot = b"\x00" + commitment if closed else b"\x01" + SALT + blob(value)
    return front + slot, front + commitment


def delete(key: str, guard: bytes = UNGUARDED) -> Part:
    """A delete."""
    return (b"\x01" + guard + text(key),) * 2


def add(key: str, delta: int, guard: bytes = UNGUARDED) -> Part:
    """An add."""
    return (b"\x02" + guard + text(key) + signed(delta),) * 2


def move(entity: str, stage: str, guard: bytes = UNGUARDED) -> Part:
    """A transition."""
    return (b"\x03" + guard + text(entity) + text(stage),) * 2


def ops(*operations: Part) -> Part:
    """The content of an ops part."""
    return items([whole for whole, _ in operations]), items([bones for _, bones in operations])


# Other parts


def actors(
    planner: str = "", judge: str | None = None, score: int = 0, attestation: bytes | None = None
) -> bytes:
    """An actors part."""
    named = None if judge is None else text(judge) + varint(score) + option(attestation)
    return text(planner) + option(named) + text("")


def subject(entity: str) -> bytes:
    """A subject part."""
    return text(entity) + option(None)


def evidence(*rows: int) -> bytes:
    """An evidence part that points to rows."""
    return items([b"\x00" + varint(row) for row in rows])


def effect(
    request: bytes = b"\x00", undo: int = 0, other: bytes = b"\x00", until: int | None = None
) -> bytes:
    """An effect."""
    front = text("shop") + blob(request) + varint(undo)
    return front + (blob(other) if undo else b"") + (b"" if until is None else signed(until))


# Policies


def rule(
    pattern: str,
    live: bool = True,
    tier: int = 0,
    floor: int | None = None,
    attested: bool = False,
    reach: int = 4,
    metrics: Sequence[bytes] = (),
) -> bytes:
    """An action rule."""
    asked = None if floor is None else varint(floor)
    return b"".join(
        (
            text(pattern),
            bytes([live, 0, tier]),
            option(asked),
            bytes([attested, reach]),
            items(metrics),
        )
    )


def metric(name: str, floor: bytes | None) -> bytes:
    """A metric of a rule; without a floor it is calibrated."""
    return text(name) + (b"\x01" if floor is None else b"\x00" + floor)


def limit(
    pattern: str,
    window: int,
    count: int | None = None,
    total: tuple[str, bytes] | None = None,
    per: int = 0,
) -> bytes:
    """A limit."""
    asked = None if count is None else varint(count)
    summed = None if total is None else text(total[0]) + total[1]
    return text(pattern) + bytes([per]) + signed(window) + option(asked) + option(summed)


def policy(
    rules: Sequence[bytes] = (),
    writers: Sequence[tuple[int, int]] = (),
    separation: bool = False,
    moves: Sequence[tuple[str, str]] | None = None,
    limits: Sequence[bytes] = (),
    period: int | None = None,
    version: int = 2,
) -> bytes:
    """A policy."""
    lifecycle = None
    if moves is not None:
        stages = sorted({stage for pair in moves for stage in pair if stage})
        lifecycle = items([text(stage) for stage in stages])
        lifecycle += items([text(start) + text(end) for start, end in moves])
    return b"".join(
        (
            bytes([version]),
            items([varint(kind) + bytes([roles]) for kind, roles in writers]),
            bytes([separation]),
            items(rules),
            option(lifecycle),
            items(limits),
            option(None if period is None else signed(period)),
            varint(4096),
        )
    )


def scope(
    actions: Sequence[str] = (),
    prefixes: Sequence[str] = (),
    start: int | None = None,
    until: int | None = None,
) -> bytes:
    """A scope of a key."""
    times = [option(None if time is None else signed(time)) for time in (start, until)]
    lists = [items([text(item) for item in listed]) for listed in (actions, prefixes)]
    return b"".join(lists + times)


# Bodies


def grant(key: Signer, roles: int, name: str, confined: bytes | None = None) -> bytes:
    """A new key."""
    return b"\x00" + key.public + bytes([roles]) + text(name) + (confined or scope())


def rotate(old: Signer, key: Signer) -> bytes:
    """A key in the place of another."""
    return b"\x01" + old.id + key.public


def revoke(key: Signer) -> bytes:
    """The end of a key."""
    return b"\x02" + key.id + option(None) + text("")


def reading(name: str, value: bytes) -> bytes:
    """A reading."""
    return text(name) + value + text("")


def calibration(
    name: str,
    rows: Sequence[int],
    threshold: bytes,
    quantile: int = 500_000,
    upto: int = 0,
    action: str = "",
    start: int = 0,
) -> bytes:
    """A calibration; unless told it reaches to behind its last row."""
    return b"".join(
        (
            text(name), text(action), signed(start), varint(upto or rows[-1] + 1),
            varint(quantile), items([varint(row) for row in rows]), threshold,
        )
    )  # fmt: skip


def turn(act: int, engaged: bool, holder: Signer, drill: tuple[int, int] | None = None) -> bytes:
    """A kill switch."""
    ended = None if drill is None else varint(drill[0]) + varint(drill[1])
    return bytes([act, engaged]) + holder.id + text("") + option(ended)


def review(row: int, row_hash: bytes, verdict: int = 0) -> bytes:
    """A review."""
    return varint(row) + row_hash + bytes([verdict]) + text("")


class Signer:
    """A private key."""

    def __init__(self, seed: int) -> None:
        self._key = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
        self.public = self._key.public_key().public_bytes_raw()
        self.id = key_id(self.public)

    def sign(self, message: bytes) -> bytes:
        """A signature."""
        return self._key.sign(message)


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
    version: int = 2
    #: The key that attests the score of the judge, and the score.
    judge: tuple[Signer, str, int] | None = None
    salt: bytes = SALT


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
        body = varint(2) + text(ORIGIN) + keys + first
        self.govern(kinds.GENESIS, body, **fields)

    def land(self, *drafts: Draft, signer: Signer | None = None) -> int:
        """Lands rows as one submission; gives the number of the last one."""
        intents, records = [], []
        before = self._hash
        self._before = (
            self.groups[:], self.rows[:], deepcopy(self._tree), self._hash, self.at,
            self.policy_row, self.kill_switch_row,
        )  # fmt: skip
        for index, draft in enumerate(drafts):
            intent, slots, head = self._intent(draft)
            landing = self._landing(draft, index, len(drafts))
            if not self.rows:
                self.ledger_id = intent
            self._hash = derive("row", self._hash + landing + intent)
            self._tree.push(b"\x01" + self._hash)
            self.rows.append(Written(self._hash, draft))
            intents.append(intent)
            records.append(blob(landing) + blob(head) + slots + self._hash)
        root = tree.root_of(intents)
        count = struct.pack("<I", len(drafts))
        message = b"counterfoil/submission/v1\n" + self.ledger_id + count + root
        signature = (signer or drafts[0].author).sign(message)
        checkpoint = note.checkpoint_text(ORIGIN, len(self.rows), self._tree.root()).encode()
        body = b"".join(struct.pack("<I", len(record)) + record for record in records)
        body += count + root + signature + self._tree.root() + self.ledger.sign(checkpoint)
        body += bytes(-len(body) % 8)
        first = len(self.rows) - len(drafts)
        header = struct.pack(
            "<4sIIIQQ32sI", b"cfgr", len(body), len(drafts), 1, first, 0, before,
            crc32c(SALT + body),
        )  # fmt: skip
        self.groups.append(header + struct.pack("<I", crc32c(SALT + header)) + body)
        return len(self.rows) - 1

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
        if verdict == 0:
            for name in ("action", "tier", "live", "parts"):
                fields.setdefault(name, getattr(aside, name))
        return self.land(Draft(kinds.REVIEW, **fields))

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
        plain = struct.pack("<8sIIQ16s32s32s", b"cfoilseg", 2, 0, *fields)
        header = struct.pack("<8sIIQ16s32s32s", b"cfoilseg", 2, crc32c(plain), *fields)
        return header + b"".join(self.groups)

    def write(self, folder: Path) -> None:
        """Writes the ledger's directory."""
        (folder / "log").mkdir(exist_ok=True)
        (folder / "log" / "00000000000000000000.seg").write_bytes(self.segment())

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
        row = len(self.rows)
        self.at = self.at + 1 if draft.at is None else draft.at
        outcome = draft.outcome
        if outcome is None:
            outcome = 2 if draft.reasons else 0 if draft.live else 1
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
                varint(policy_row), varint(switch), varint(index), varint(count), option(None),
            )
        )  # fmt: skip


def _commit(draft: Draft, tag: int, part: bytes | Part) -> bytes:
    hashed = part if isinstance(part, bytes) else part[1]
    return derive("part", draft.salt + bytes([tag]) + hashed)
