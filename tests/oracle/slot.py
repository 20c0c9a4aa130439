"""Slots: where a part or a value stands (FORMAT.md, section 5)."""

from __future__ import annotations

from dataclasses import dataclass

from encoding import Reader


@dataclass(frozen=True)
class Slot:
    """Open with salt and content, or closed with a commitment."""

    salt: bytes | None
    content: bytes | None
    stored: bytes | None


def read_slot(reader: Reader, most: int, what: str) -> Slot:
    """Takes a slot off a reader."""
    if reader.tag(2, f"slot of {what}") == 0:
        return Slot(None, None, reader.take(32))
    return Slot(reader.take(16), reader.blob(most, what), None)
