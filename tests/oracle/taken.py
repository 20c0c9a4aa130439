"""Which rows are taken back (FORMAT.md, section 22)."""

from __future__ import annotations

from chains import Chain
from entry import Entry
from row import Unknown


class Taken:
    """The rows that are taken back, each with the rollback row that did it."""

    def __init__(self) -> None:
        self._by: dict[int, int] = {}
        #: Rows below this one may have been taken back, or come back, unseen.
        self._dark = 0

    def lost(self, row: int) -> None:
        """Notes that rows in front of this one were not read."""
        self._dark = max(self._dark, row)

    def in_force(self, row: int) -> bool:
        """Whether a row is not taken back."""
        if row < self._dark:
            raise Unknown("which rows are taken back is not known")
        return row not in self._by

    def move(self, entry: Entry, chain: Chain) -> bool | None:
        """Takes over what an applied rollback row does; gives whether it does anything."""
        moves = self._moves(chain)
        if moves is None:
            self.lost(chain.rows[0].number + 1 if chain.rows else entry.number)
        elif moves:
            self._follow(entry.number, chain)
        return moves

    def _moves(self, chain: Chain) -> bool | None:
        """Whether an applied rollback row does anything; None where that is not known.

        It does, whatever else is wrong with it, when its target is an earlier row that is in force
        and its chain is not too long.
        """
        if not chain.rows:
            return False if chain.doubt is None else None
        try:
            if not self.in_force(chain.rows[0].number):
                return False
        except Unknown:
            return False if chain.too_long else None
        return None if chain.too_long is None else not chain.too_long

    def _follow(self, last: int, chain: Chain) -> None:
        """Takes each second row of a chain out of force, and brings the others back."""
        for place, target in enumerate(chain.rows):
            if place % 2 == 0:
                self._by[target.number] = last
            else:
                self._by.pop(target.number, None)
            last = target.number
        if chain.doubt is not None:
            self.lost(last)
