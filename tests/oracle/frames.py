"""Frames: segment headers, groups and what a group's body holds (FORMAT.md, sections 16 and 17)."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from digest import crc32c
from encoding import Malformed, Newer
from row import MAX_RECORD

SEGMENT_HEADER = 104
GROUP_HEADER = 72
SUBMISSION = 100
SEAL = 96
MAX_SEGMENT = 2**32
MAX_GROUP_BODY = 67_108_864
MAX_GROUP_ROWS = 65_536
MAX_SUBMISSION_ROWS = 4096
GROUP_MAGIC = b"cfgr"


@dataclass(frozen=True)
class SegmentHeader:
    """The first 104 bytes of a segment file."""

    first_seq: int
    salt: bytes
    ledger_id: bytes
    previous: bytes


@dataclass(frozen=True)
class GroupHeader:
    """The 72 bytes in front of a group's body."""

    body_bytes: int
    rows: int
    submissions: int
    first_seq: int
    durable_upto: int
    previous: bytes
    body_crc: int


@dataclass(frozen=True)
class Submission:
    """What a group says about one submission."""

    count: int
    root: bytes
    signature: bytes


@dataclass(frozen=True)
class Body:
    """The body of a group: records with their offsets in the body, submissions and seal."""

    records: list[tuple[int, bytes]]
    submissions: list[Submission]
    seal_root: bytes
    seal_signature: bytes


def read_segment_header(data: bytes) -> SegmentHeader:
    """The header of a segment, its checksum compared first."""
    if len(data) < SEGMENT_HEADER:
        raise Malformed(f"segment header: {len(data)} bytes of {SEGMENT_HEADER}")
    magic, version, crc, first_seq, salt, ledger_id, previous = struct.unpack(
        "<8sIIQ16s32s32s", data[:SEGMENT_HEADER]
    )
    if magic != b"cfoilseg":
        raise Malformed("segment header: other magic bytes")
    if crc != crc32c(data[:12] + bytes(4) + data[16:SEGMENT_HEADER]):
        raise Malformed("segment header: checksum")
    if version != 3:
        raise Newer(f"segment header: version {version}")
    return SegmentHeader(first_seq, salt, ledger_id, previous)


def read_group_header(data: bytes, at: int, salt: bytes) -> GroupHeader:
    """The header of the group at an offset, its checksum compared first."""
    header = data[at : at + GROUP_HEADER]
    if len(header) < GROUP_HEADER:
        raise Malformed(f"group header: {len(header)} bytes of {GROUP_HEADER}")
    if header[:4] != GROUP_MAGIC:
        raise Malformed("group header: other magic bytes")
    *fields, crc = struct.unpack("<IIIQQ32sII", header[4:])
    if crc != crc32c(salt + header[:-4]):
        raise Malformed("group header: checksum")
    group = GroupHeader(*fields)
    if group.body_bytes % 8 or group.body_bytes > MAX_GROUP_BODY:
        raise Malformed(f"group header: a body of {group.body_bytes} bytes")
    if not 1 <= group.rows <= MAX_GROUP_ROWS:
        raise Malformed(f"group header: {group.rows} rows")
    if not 1 <= group.submissions <= group.rows:
        raise Malformed(f"group header: {group.submissions} submissions of {group.rows} rows")
    if group.first_seq + group.rows >= 2**64:
        raise Malformed(f"group header: first row {group.first_seq}")
    return group


def find_group(data: bytes, at: int, salt: bytes) -> int | None:
    """The offset of the next group from `at` on, by magic and header checksum."""
    at = -(-at // 8) * 8
    while (at := data.find(GROUP_MAGIC, at)) >= 0:
        if at % 8 == 0:
            try:
                read_group_header(data, at, salt)
                return at
            except Malformed:
                pass
        at += 1
    return None


def read_body(header: GroupHeader, body: bytes) -> Body:
    """Takes the body of a group apart."""
    at = 0

    def take(length: int, what: str) -> bytes:
        nonlocal at
        piece = body[at : at + length]
        if len(piece) < length:
            raise Malformed(f"group body: {what} does not fit")
        at += length
        return piece

    records = []
    for _ in range(header.rows):
        length = int.from_bytes(take(4, "length of a row"), "little")
        if length > MAX_RECORD:
            raise Malformed(f"group body: a row of {length} bytes")
        records.append((at, take(length, "row")))
    submissions = []
    for _ in range(header.submissions):
        count, root, signature = struct.unpack("<I32s64s", take(SUBMISSION, "submission"))
        if not 1 <= count <= MAX_SUBMISSION_ROWS:
            raise Malformed(f"group body: a submission of {count} rows")
        submissions.append(Submission(count, root, signature))
    seal = take(SEAL, "seal")
    padding = body[at:]
    if len(padding) > 7 or any(padding):
        raise Malformed("group body: its padding is not 0 to 7 zero bytes")
    if sum(submission.count for submission in submissions) != len(records):
        raise Malformed("group body: the submissions do not cover the rows")
    return Body(records, submissions, seal[:32], seal[32:])
