"""The keys of a ledger: who is enrolled, since when, until when (FORMAT.md, section 20)."""

from __future__ import annotations

from dataclasses import dataclass

import curve
from bodies import Genesis, Grant, KeyChange, KillSwitch, Rotate
from digest import key_id
from kinds import JUDGE, LEDGER, OPERATOR, OWNER, PLANNER
from policy import Scope


@dataclass
class Key:
    """An enrolled key; it may sign the rows above `since`, up to and including `until`."""

    public: bytes
    roles: int
    name: str
    scope: Scope
    since: int
    until: int | None = None

    def lives_at(self, row: int) -> bool:
        """Whether the key is living at a row."""
        return self.since < row and (self.until is None or row <= self.until)


@dataclass(frozen=True)
class Refusal:
    """Why a change does not go through, and on what that rests beside the keys known here.

    `on_keys`: that there are no others. `on_policy`: on a policy that is not known.
    """

    why: str
    on_keys: bool = False
    on_policy: bool = False


class Keyring:
    """Every key that was ever enrolled, by id, in the order of enrolment."""

    def __init__(self) -> None:
        self._keys: dict[bytes, Key] = {}
        #: The first row behind which the keys are not known for certain.
        self.blind: int | None = None

    def doubt(self, row: int) -> None:
        """Behind this row the keys are not known for certain."""
        if self.blind is None:
            self.blind = row

    def may_miss(self, row: int) -> bool:
        """Whether a key that is not known here may be enrolled at a row."""
        return self.blind is not None and self.blind <= row

    def may_have_ended(self, row: int) -> bool:
        """Whether a key that is known here may have ended before a row."""
        return self.blind is not None and self.blind < row

    def found(self, genesis: Genesis) -> str | None:
        """Enrols the first two keys; says why not when they may not be."""
        if genesis.owner == genesis.ledger:
            return "owner and ledger are one key"
        # The owner signs row 0 itself; the ledger key first lives behind it.
        for public, role, name, since in (
            (genesis.owner, OWNER, "owner", -1),
            (genesis.ledger, LEDGER, "ledger", 0),
        ):
            refusal = self._enrolment_refusal(public)
            if refusal:
                return refusal
            self._keys[key_id(public)] = Key(public, role, name, Scope(), since)
        return None

    def refusal(
        self, change: KeyChange | KillSwitch, row: int, separation: bool | None
    ) -> Refusal | None:
        """Why a change at a row does not go through; None when it does.

        `separation` is None where the policy in force is not known.
        """
        if isinstance(change, KillSwitch):
            return self._holder_refusal(change.holder, row)
        if isinstance(change, Grant):
            return self._grant_refusal(change.key, change.roles, separation)
        old = self._keys.get(change.old if isinstance(change, Rotate) else change.key)
        if old is None:
            return Refusal("the key to end was never enrolled", on_keys=True)
        if not old.lives_at(row):
            return Refusal("the key to end is not living")
        if isinstance(change, Rotate):
            return self._grant_refusal(change.key, old.roles, separation)
        for role in (OWNER, LEDGER):
            if old.roles & role and len(self._living(role, row)) == 1:
                message = "the key to end is the last of the owner or of the ledger"
                return Refusal(message, on_keys=True)
        return None

    def _holder_refusal(self, name: bytes, row: int) -> Refusal | None:
        holder = self._keys.get(name)
        if holder is None:
            return Refusal("the holder was never enrolled", on_keys=True)
        if not holder.lives_at(row) or not holder.roles & (OPERATOR | OWNER):
            return Refusal("the holder is no living operator or owner")
        return None

    def apply(self, change: KeyChange, row: int) -> None:
        """Carries out a change that goes through."""
        if isinstance(change, Grant):
            key = Key(change.key, change.roles, change.name, change.scope, row)
            self._keys[key_id(change.key)] = key
        elif isinstance(change, Rotate):
            old = self._keys[change.old]
            old.until = row
            self._keys[key_id(change.key)] = Key(change.key, old.roles, old.name, old.scope, row)
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

    def _grant_refusal(self, public: bytes, roles: int, separation: bool | None) -> Refusal | None:
        why = self._enrolment_refusal(public)
        if why is not None:
            return Refusal(why)
        if roles & PLANNER and roles & JUDGE and separation is not False:
            return Refusal("planner and judge are one key", on_policy=separation is None)
        return None

    def _enrolment_refusal(self, public: bytes) -> str | None:
        if key_id(public) in self._keys:
            return "a key of this id was enrolled before"
        return curve.refusal(public)
