"""What the tests of forged ledgers have in common."""

from __future__ import annotations

import tempfile
import unittest
from pathlib import Path

import forge
import kinds
from damage import failed
from report import Report
from verify import verify


class Forged(unittest.TestCase):
    """A test with signers, and with a folder to write ledgers to."""

    def setUp(self) -> None:
        """Makes a folder, and keys for an agent, a judge and an operator."""
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory()))
        self.agent, self.judge, self.operator = (forge.Signer(seed) for seed in (3, 4, 5))

    def book(self, *rules: bytes, **policy: object) -> forge.Forge:
        """A ledger with a policy; rows 1 to 3 grant the keys their roles."""
        first = forge.policy(rules or (forge.rule("*"),), **policy)  # type: ignore[arg-type]
        book = forge.Forge(first)
        book.grant(self.agent, kinds.EXECUTOR, "agent")
        book.grant(self.judge, kinds.JUDGE, "judge")
        book.grant(self.operator, kinds.OPERATOR, "operator")
        return book

    def report(self, book: forge.Forge) -> Report:
        """What the oracle says about a ledger."""
        book.write(self.folder)
        return verify(self.folder, meaning=True)

    def finds(self, book: forge.Forge, *checks: str, says: str = "", row: int = -1) -> None:
        """Checks that these checks fail and no other, and what is said of which row."""
        report = self.report(book)
        self.assertEqual(failed(report), set(checks), report.findings)
        found = [str(finding["message"]) for finding in report.findings]
        self.assertTrue(not says or any(says in message for message in found), found)
        if row >= 0:
            self.assertEqual({finding["row"] for finding in report.findings}, {row})

    def passes(self, book: forge.Forge) -> None:
        """Checks that nothing is wrong, and that everything could be checked."""
        report = self.report(book)
        self.assertEqual(report.findings, [])
        self.assertEqual(report.gaps, [])

    def unsure(self, book: forge.Forge, *checks: str, says: str = "") -> None:
        """Checks that nothing is found, and that these checks could not be made."""
        report = self.report(book)
        self.assertEqual(report.findings, [])
        self.assertEqual({gap["check"] for gap in report.gaps}, set(checks), report.gaps)
        found = [str(gap["message"]) for gap in report.gaps]
        self.assertTrue(not says or any(says in message for message in found), found)
