"""The keys of a ledger: who is enrolled, since when, until when (FORMAT.md, section 20)."""

from __future__ import annotations

from dataclasses import dataclass

import curve
import parts
from digest import key_id

OWNER, PLANNER, JUDGE, EXECUTOR, OPERATOR, LEDGER = (1 << number for number in range(6))

#: The roles of which a writer needs one, by kind of row.
WRITERS = {
    parts.GENESIS: OWNER,
    parts.KEY: OWNER,
    parts.POLICY: OWNER,
    parts.DECISION: EXECUTOR,
    parts.READING: EXECUTOR | PLANNER | JUDGE | OPERATOR,
    parts.KILL_SWITCH: OPERATOR | OWNER,
    parts.ROLLBACK_ROW: OPERATOR,
    parts.OUTCOME: EXECUTOR | OPERATOR,
    parts.SNAPSHOT: OPERATOR | OWNER,
    parts.ERASURE: OWNER,
    parts.CALIBRATION: OPERATOR | OWNER,
}


@dataclass
class Key:
    """An enrolled key; it may sign the rows above `since`, up to and including `until`."""

    public: bytes
    roles: int
    since: int
    until: int | None = None

    def lives_at(self, row: int) -> bool:
        """Whether the key is living at a row."""
        return self.since < row and (self.until is None or row <= self.until)


@dataclass(frozen=True)
class Refusal:
    """Why a change does not go through; certain when no key unknown here could mend it."""

    why: str
    certain: bool


def _certain(why: str | None) -> Refusal | None:
    return None if why is None else Refusal(why, certain=True)


class Keyring:
    """Every key that was ever enrolled, by id, in the order of enrolment."""

    def __init__(self) -> None:
        self._keys: dict[bytes, Key] = {}

    def found(self, genesis: parts.Genesis) -> str | None:
        """Enrols the first two keys; says why not when they may not be."""
        if genesis.owner == genesis.ledger:
            return "owner and ledger are one key"
        # The owner signs row 0 itself; the ledger key first lives behind it.
        for public, role, since in ((genesis.owner, OWNER, -1), (genesis.ledger, LEDGER, 0)):
            refusal = self._enrol(public, role, since)
            if refusal:
                return refusal
        return None

    def refusal(self, change: parts.KeyChange | parts.KillSwitch, row: int) -> Refusal | None:
        """Why a change at a row does not go through; None when it does."""
        if isinstance(change, parts.KillSwitch):
            return self._holder_refusal(change.holder, row)
        if isinstance(change, parts.Grant):
            return _certain(self._enrolment_refusal(change.key))
        old = self._keys.get(change.old if isinstance(change, parts.Rotate) else change.key)
        if old is None:
            return Refusal("the key to end was never enrolled", certain=False)
        if not old.lives_at(row):
            return Refusal("the key to end is not living", certain=True)
        if isinstance(change, parts.Rotate):
            return _certain(self._enrolment_refusal(change.key))
        for role in (OWNER, LEDGER):
            if old.roles & role and len(self._living(role, row)) == 1:
                message = "the key to end is the last of the owner or of the ledger"
                return Refusal(message, certain=False)
        return None

    def _holder_refusal(self, name: bytes, row: int) -> Refusal | None:
        holder = self._keys.get(name)
        if holder is None:
            return Refusal("the holder was never enrolled", certain=False)
        if not holder.lives_at(row) or not holder.roles & (OPERATOR | OWNER):
            return Refusal("the holder is no living operator or owner", certain=True)
        return None

    def apply(self, change: parts.KeyChange, row: int) -> None:
        """Carries out a change that goes through."""
        if isinstance(change, parts.Grant):
            self._enrol(change.key, change.roles, row)
        elif isinstance(change, parts.Rotate):
            old = self._keys[change.old]
            old.until = row
            self._enrol(change.key, old.roles, row)
        else:
            self._keys[change.key].until = row

    def get(self, name: bytes) -> Key | None:
        """The key of an id, whether it lives or not."""
        return self._keys.get(name)

    def ledger_key(self, row: int) -> Key | None:
        """The ledger key in force at a row."""
        living = self._living(LEDGER, row)
        return living[-1] if living else None

    def ledger_keys(self) -> set[bytes]:
        """Every public key that ever had the role ledger."""
        return {key.public for key in self._keys.values() if key.roles & LEDGER}

    def _living(self, role: int, row: int) -> list[Key]:
        return [key for key in self._keys.values() if key.roles & role and key.lives_at(row)]

    def _enrolment_refusal(self, public: bytes) -> str | None:
        if key_id(public) in self._keys:
            return "a key of this id was enrolled before"
        return curve.refusal(public)

    def _enrol(self, public: bytes, roles: int, since: int) -> str | None:
        refusal = self._enrolment_refusal(public)
        if refusal is None:
            self._keys[key_id(public)] = Key(public, roles, since)
        return refusal
