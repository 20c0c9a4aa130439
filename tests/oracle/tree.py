"""The Merkle tree of RFC 6962 with SHA-256 (FORMAT.md, section 14)."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256


def leaf(entry: bytes) -> bytes:
    """The hash of a leaf."""
    return sha256(b"\x00" + entry).digest()


def node(left: bytes, right: bytes) -> bytes:
    """The hash above two others."""
    return sha256(b"\x01" + left + right).digest()


class Range:
    """The compact range of the leaves from 0 on: the roots of its largest complete subtrees."""

    def __init__(self) -> None:
        self.size = 0
        self._peaks: list[bytes] = []

    def push(self, entry: bytes) -> None:
        """Appends the leaf of an entry."""
        peak, size = leaf(entry), self.size
        while size & 1:
            peak = node(self._peaks.pop(), peak)
            size >>= 1
        self._peaks.append(peak)
        self.size += 1

    def root(self) -> bytes:
        """The root of the tree of this size."""
        if not self._peaks:
            return sha256().digest()
        root = self._peaks[-1]
        for peak in reversed(self._peaks[:-1]):
            root = node(peak, root)
        return root


def root_of(entries: Iterable[bytes]) -> bytes:
    """The root of the tree over the given entries."""
    tree = Range()
    for entry in entries:
        tree.push(entry)
    return tree.root()
