"""Signed notes, verifier keys and checkpoints (FORMAT.md, section 15)."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from dataclasses import dataclass
from hashlib import sha256

import curve
from encoding import Malformed

MAX_NOTE = 262_144
MAX_LINES = 64
_ED25519 = b"\x01"
_SPACE = re.compile(r"[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]")
_NUMBER = re.compile(r"0|[1-9][0-9]*")


@dataclass(frozen=True)
class Note:
    """A text, and who signed it: name, key id and signature of each line."""

    text: str
    lines: list[tuple[str, bytes, bytes]]

    def signed_by(self, name: str, public: bytes) -> bool:
        """Whether there are lines of this key, and all of them hold."""
        wanted = (name, note_key_id(name, public))
        found = [signature for line, key, signature in self.lines if (line, key) == wanted]
        return bool(found) and all(
            curve.verify(public, self.text.encode(), signature) for signature in found
        )


@dataclass(frozen=True)
class Checkpoint:
    """The claim of a checkpoint: this origin had this root at this size."""

    origin: str
    size: int
    root: bytes
    note: Note


def note_key_id(name: str, public: bytes) -> bytes:
    """The id of a key in a note."""
    return sha256(name.encode() + b"\n" + _ED25519 + public).digest()[:4]


def checkpoint_text(origin: str, size: int, root: bytes) -> str:
    """The text that a seal or a checkpoint signs."""
    return f"{origin}\n{size}\n{b64encode(root).decode()}\n"


def read_vkey(text: str) -> tuple[str, bytes]:
    """Name and public key of a verifier key."""
    try:
        name, key_id, encoded = text.split("+", 2)
    except ValueError as error:
        raise Malformed("vkey: not name, id and key") from error
    material = _base64(encoded)
    if not name or _SPACE.search(name):
        raise Malformed("vkey: its name")
    if len(material) != 33 or material[:1] != _ED25519:
        raise Malformed("vkey: not an Ed25519 key")
    if key_id != note_key_id(name, material[1:]).hex():
        raise Malformed("vkey: its id does not follow from name and key")
    refusal = curve.refusal(material[1:])
    if refusal:
        raise Malformed(f"vkey: {refusal}")
    return name, material[1:]


def read_note(data: bytes) -> Note:
    """Takes a signed note apart."""
    if len(data) > MAX_NOTE:
        raise Malformed(f"note: {len(data)} bytes, at most {MAX_NOTE} allowed")
    try:
        note = data.decode("utf-8", "strict")
    except UnicodeDecodeError as error:
        raise Malformed("note: not UTF-8") from error
    if any(character < " " and character != "\n" for character in note):
        raise Malformed("note: a control character")
    text, gap, tail = note.rpartition("\n\n")
    if not gap:
        raise Malformed("note: no empty line")
    if not tail.endswith("\n"):
        raise Malformed("note: does not end in a signature line")
    lines = tail[:-1].split("\n")
    if len(lines) > MAX_LINES:
        raise Malformed(f"note: {len(lines)} signatures, at most {MAX_LINES} allowed")
    return Note(text + "\n", [_line(line) for line in lines])


def _line(line: str) -> tuple[str, bytes, bytes]:
    pieces = line.split(" ")
    if len(pieces) != 3 or pieces[0] != "\u2014":
        raise Malformed("note: a signature line that is none")
    _, name, encoded = pieces
    if not name or "+" in name or _SPACE.search(name):
        raise Malformed("note: the name in a signature line")
    material = _base64(encoded)
    if len(material) < 5:
        raise Malformed("note: a signature line without a signature")
    return name, material[:4], material[4:]


def _base64(text: str) -> bytes:
    try:
        data = b64decode(text, validate=True)
    except (Base64Error, ValueError) as error:
        raise Malformed("base64: not the standard alphabet with padding") from error
    if b64encode(data).decode() != text:
        raise Malformed("base64: not canonical")
    return data


def read_checkpoint(data: bytes) -> Checkpoint:
    """The checkpoint that a signed note holds; extension lines are refused."""
    note = read_note(data)
    lines = note.text[:-1].split("\n")
    if len(lines) != 3:
        raise Malformed(f"checkpoint: {len(lines)} lines of text instead of 3")
    origin, size, root = lines
    if not _NUMBER.fullmatch(size) or int(size) >= 2**64:
        raise Malformed("checkpoint: its size")
    digest = _base64(root)
    if len(digest) != 32:
        raise Malformed("checkpoint: its root")
    return Checkpoint(origin, int(size), digest, note)
