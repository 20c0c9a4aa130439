"""Chains of targets: what a rollback row takes back, what that took back, and so on.

FORMAT.md, section 21.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import kinds
from bodies import Rollback
from entry import Entry
from history import History, applied
from row import Unknown

#: How many rollback rows the chain of an admitted one has at most.
MAX_ROLLBACKS = 256


@dataclass(frozen=True)
class Chain:
    """The targets of a rollback row, as far as they are known."""

    rows: Sequence[Entry]
    #: Why there may be more of them.
    doubt: Unknown | None = None

    @property
    def rollbacks(self) -> int:
        """How many rollback rows count: all that are known, but for the last row."""
        return max(len(self.rows) - 1, 0)

    @property
    def too_long(self) -> bool | None:
        """Whether more of them count than may; None where that is not known."""
        if self.rollbacks > MAX_ROLLBACKS:
            return True
        # Each row names one below it.
        unseen = self.rows[-1].number if self.rows and self.doubt is not None else 0
        return None if self.rollbacks + unseen > MAX_ROLLBACKS else False

    def whole(self) -> Chain:
        """The chain, if all of it is known."""
        if self.doubt is not None:
            raise self.doubt
        return self

    @property
    def brings_back(self) -> bool:
        """Whether a decision comes back into force by it."""
        return self.rollbacks % 2 == 1


def chain_of(entry: Entry, history: History) -> Chain:
    """The chain of targets of a rollback row.

    It goes on behind rollback rows that moved what is taken back. The first row that did not is the
    last one: a decision or an approval, or a rollback row that was not applied or moved nothing.
    """
    targets: list[Entry] = []
    while True:
        try:
            target = entry.row.said(Rollback).target
            if target >= entry.number:
                return Chain(targets)
            entry = history.at(target)
        except Unknown as error:
            return Chain(targets, error)
        targets.append(entry)
        if not applied(entry, kinds.ROLLBACK_ROW) or entry.moved is False:
            return Chain(targets)
        if entry.moved is None:
            doubt = Unknown(f"whether row {entry.number} took anything back is not known")
            return Chain(targets, doubt)
