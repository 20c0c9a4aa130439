#!/usr/bin/env python3
"""Checks the integrity of a Counterfoil ledger, V01 to V12, and prints the report as JSON.

With --meaning it also checks what rows mean: V14, V16 to V19 and V23. Exit code 0 is intact,
1 broken, 2 could not check, 3 intact bytes with rows that break the rules.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from anchors import Pins, compare_checkpoint, compare_own_checkpoint, compare_pins
from encoding import Malformed
from ledger import Ledger, Unreadable
from meaning import Meaning
from note import Checkpoint, read_checkpoint, read_vkey
from report import CHECKS, MEANING, Report

EXITS = {"intact": 0, "broken": 1, "unchecked": 2, "findings": 3}


def read_pins(texts: Sequence[str]) -> Pins:
    """Pins from `name=value` texts."""
    pins = dict(text.split("=", 1) for text in texts if "=" in text)
    if len(pins) != len(texts) or not pins.keys() <= {"ledger_id", "owner", "vkey"}:
        raise ValueError("a pin is ledger_id=HEX, owner=HEX or vkey=VKEY, each at most once")
    hashes = {name: bytes.fromhex(pins[name]) for name in ("ledger_id", "owner") if name in pins}
    if any(len(value) != 32 for value in hashes.values()):
        raise ValueError("a pinned id or key has 32 bytes")
    vkey = read_vkey(pins["vkey"]) if "vkey" in pins else None
    return Pins(hashes.get("ledger_id"), hashes.get("owner"), vkey)


def verify(
    path: Path, pins: Pins = Pins(), checkpoints: Sequence[Path] = (), meaning: bool = False
) -> Report:
    """Checks a ledger directory, with what the auditor brings along."""
    report = Report(checks=CHECKS + MEANING if meaning else CHECKS)
    ledger = Ledger(report, Meaning(report) if meaning else None)
    try:
        brought = [(file.name, _brought(file)) for file in checkpoints]
        ledger.read(path)
        compare_pins(ledger, pins)
        own = path / "checkpoint"
        if own.exists():
            compare_own_checkpoint(ledger, own.name, own.read_bytes())
    except OSError as error:
        raise Unreadable(str(error)) from error
    for name, checkpoint in brought:
        compare_checkpoint(ledger, name, checkpoint)
    return report


def _brought(file: Path) -> Checkpoint:
    try:
        return read_checkpoint(file.read_bytes())
    except Malformed as error:
        raise Unreadable(f"{file}: {error}") from error


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("path", type=Path, help="a ledger directory")
    parser.add_argument("--pin", action="append", default=[], metavar="NAME=VALUE",
                        help="ledger_id=HEX, owner=HEX or vkey=VKEY")  # fmt: skip
    parser.add_argument("--checkpoint", action="append", default=[], type=Path, metavar="FILE",
                        help="a checkpoint that must lie on this history")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="the report on one line")
    parser.add_argument("--meaning", action="store_true",
                        help="also check what rows mean: V14, V16 to V19, V23")  # fmt: skip
    options = parser.parse_args(arguments)
    try:
        report = verify(options.path, read_pins(options.pin), options.checkpoint, options.meaning)
    except (Unreadable, Malformed, ValueError) as error:
        print(f"verify: {error}", file=sys.stderr)
        report = Report()
    print(json.dumps(report.as_json(), indent=None if options.json else 2))
    return EXITS[report.verdict]


if __name__ == "__main__":
    sys.exit(main())
