"""What the auditor knows beforehand: pins, and checkpoints kept elsewhere (sections 15 and 30)."""

from __future__ import annotations

from dataclasses import dataclass

import note
from encoding import Malformed
from ledger import Ledger
from report import Place


@dataclass(frozen=True)
class Pins:
    """Ledger id, the first owner's key, and the ledger's name with one of its keys."""

    ledger_id: bytes | None = None
    owner: bytes | None = None
    vkey: tuple[str, bytes] | None = None


def compare_pins(ledger: Ledger, pins: Pins) -> None:
    """Compares a ledger with what is pinned (V11)."""
    report = ledger.report
    if pins.ledger_id is not None:
        known = ledger.ledger_id or ledger.header_id
        if known is not None and known != pins.ledger_id:
            report.judge("V11", False, "another ledger id is pinned")
        elif ledger.ledger_id is None:
            report.skip("V11", "the ledger id is not known: a segment header proves nothing")
        else:
            report.judge("V11", True, "another ledger id is pinned")
    genesis = ledger.genesis
    if genesis is None:
        if pins.owner is not None or pins.vkey is not None:
            report.skip("V11", "the first keys are not known")
        return
    if pins.owner is not None:
        report.judge("V11", genesis.owner == pins.owner, "another owner is pinned")
    if pins.vkey is not None:
        name, public = pins.vkey
        report.judge("V11", name == genesis.origin, "a ledger of another name is pinned")
        if ledger.keys.blind is None or public in ledger.keys.ledger_keys():
            held = public in ledger.keys.ledger_keys()
            report.judge("V11", held, "the pinned key was never a ledger key here")
        else:
            report.skip("V11", "the ledger keys are not known for certain")


def compare_checkpoint(ledger: Ledger, name: str, checkpoint: note.Checkpoint) -> None:
    """Checks that a checkpoint lies on the history of a ledger (V12)."""
    report, place = ledger.report, Place(None, name)
    report.ran.add("V12")
    try:
        if not _lies_on(ledger, checkpoint):
            report.skip("V12", "root or ledger key at its size is not known", place)
    except _Elsewhere as error:
        report.fail("V12", f"checkpoint: {error}", place)


def compare_own_checkpoint(ledger: Ledger, name: str, data: bytes) -> None:
    """The same for the file that lies beside the log, which may be no checkpoint at all."""
    try:
        checkpoint = note.read_checkpoint(data)
    except Malformed as error:
        ledger.report.judge("V12", False, str(error), Place(None, name))
        return
    compare_checkpoint(ledger, name, checkpoint)


class _Elsewhere(Exception):
    """A checkpoint that does not lie on this history."""


def _lies_on(ledger: Ledger, checkpoint: note.Checkpoint) -> bool:
    """Refuses a checkpoint of another history; False when the history is not known well enough."""
    if checkpoint.size == 0:
        raise _Elsewhere("it covers no rows")
    if checkpoint.size > ledger.next:
        raise _Elsewhere(f"it covers {checkpoint.size} rows, here are {ledger.next}")
    if ledger.genesis is None:
        return False
    if checkpoint.origin != ledger.genesis.origin:
        raise _Elsewhere(f"its origin is {checkpoint.origin}")
    root = ledger.roots.get(checkpoint.size)
    if root is not None and root != checkpoint.root:
        raise _Elsewhere(f"it has another root at {checkpoint.size} rows")
    keys = ledger.keys.ledger_keys()
    signed = any(checkpoint.note.signed_by(checkpoint.origin, key) for key in keys)
    if not signed and ledger.keys.blind is None:
        raise _Elsewhere("no ledger key of this ledger has signed it")
    behind = ledger.closed is not None and checkpoint.size > ledger.closed
    return signed and root is not None and not behind
