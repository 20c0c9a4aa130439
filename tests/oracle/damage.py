"""Damage done to a ledger, wherever it can be done.

Kept apart so that it runs for subclasses alone.
"""

from __future__ import annotations

import unittest
from functools import lru_cache
from pathlib import Path
from unittest.mock import patch

import curve
import frames
import ledger
import row
from digest import crc32c
from report import Report
from verify import read_pins, verify

SEGMENT = "00000000000000000000.seg"

#: Functions that answer by the bytes they are given alone. Most of a damaged ledger is as it was,
#: so that they would be asked the same thousands of times.
_PURE = ((curve, "verify"), (frames, "crc32c"), (ledger, "crc32c"), (row, "read_row"))


def failed(report: Report) -> set[str]:
    """The checks that failed."""
    return {check for check in report.checks if report.status(check) == "failed"}


class Damage(unittest.TestCase):
    """Changes every byte of a ledger. `segment` and `checkpoint` are the subclass's."""

    segment: bytes
    checkpoint: str
    folder: Path

    def setUp(self) -> None:
        """Lets what was computed once be looked up."""
        for module, name in _PURE:
            remembering = lru_cache(256)(getattr(module, name))
            self.enterContext(patch.object(module, name, remembering))

    def judge(self, segment: bytes, checkpoint: str | None = None, *pins: str) -> Report:
        """What the oracle says about a ledger of one segment."""
        file = self.folder / "log" / SEGMENT
        # A new file each time: some file systems wait for the disk when one is overwritten.
        file.unlink(missing_ok=True)
        file.write_bytes(segment)
        (self.folder / "checkpoint").unlink(missing_ok=True)
        if checkpoint is not None:
            (self.folder / "checkpoint").write_text(checkpoint, encoding="utf-8", newline="")
        return verify(self.folder, read_pins(pins), meaning=True)

    def test_every_damaged_byte(self) -> None:
        """A changed byte is found wherever it is."""
        for at in range(len(self.segment)):
            damaged = bytearray(self.segment)
            damaged[at] ^= 1 << at % 8
            with self.subTest(at=at):
                self.assertEqual(self.judge(bytes(damaged)).verdict, "broken")

    def test_every_changed_byte_under_right_checksums(self) -> None:
        """A changed byte of a body is found by what it means, when its checksums are put right."""
        salt = self.segment[24:40]
        for begin, end in self.groups():
            for at in range(begin + 72, end):
                changed = bytearray(self.segment)
                changed[at] ^= 1 << at % 8
                crc = crc32c(salt + changed[begin + 72 : end])
                changed[begin + 64 : begin + 68] = crc.to_bytes(4, "little")
                crc = crc32c(salt + changed[begin : begin + 68])
                changed[begin + 68 : begin + 72] = crc.to_bytes(4, "little")
                with self.subTest(at=at):
                    self.assertTrue(failed(self.judge(bytes(changed))) - {"V01"})

    def test_every_cut(self) -> None:
        """A cut inside a group is found; one between groups only by the checkpoint."""
        ends = {end for _, end in self.groups()}
        for length in range(len(self.segment)):
            with self.subTest(length=length):
                found = failed(self.judge(self.segment[:length], self.checkpoint))
                self.assertIn("V12", found)
                self.assertEqual(found == {"V12"}, length in ends)
        for length in ends:
            self.assertEqual(self.judge(self.segment[:length]).verdict, "intact")

    def groups(self) -> list[tuple[int, int]]:
        """Where the groups begin and end."""
        groups, at = [], 104
        while at < len(self.segment):
            end = at + 72 + int.from_bytes(self.segment[at + 4 : at + 8], "little")
            groups.append((at, end))
            at = end
        return groups
