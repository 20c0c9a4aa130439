"""Holds the oracle against the vectors, the worked example of FORMAT.md, and damage."""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
import unittest
from base64 import b64decode
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

import curve
import damage
import encoding
import forge
import kinds
import row
import tree
import value
from damage import failed
from digest import crc32c, derive
from ledger import Unreadable
from report import CHECKS, MEANING, Report
from verify import EXITS, read_pins, verify

ROOT = Path(__file__).resolve().parents[2]
VECTORS = ROOT / "vectors"
BASE = (
    15112221349535400772501151409588531511454012693041857206046113283949847762202,
    46316835694926478169428394003475163141307993866256225615783033603165251855960,
    1,
)


def run_vector(path: Path) -> tuple[Report, dict[str, object]]:
    """What the oracle says about a vector, and what it should say."""
    expected = json.loads((path / "expect.json").read_text())
    pins = read_pins([f"{name}={text}" for name, text in expected["pins"].items()])
    brought = [path / name for name in expected["checkpoints"]]
    return verify(path, pins, brought, meaning=True), expected


class Vectors(unittest.TestCase):
    """Every ledger in `vectors/` gets the verdict that stands beside it."""

    def test_accept(self) -> None:
        """Nothing is wrong with these."""
        paths = sorted((VECTORS / "accept").iterdir())
        self.assertGreater(len(paths), 10)
        for path in paths:
            with self.subTest(path.name):
                report, expected = run_vector(path)
                self.assertEqual(report.findings, [])
                self.assertEqual(report.verdict, "intact")
                open_checks = set(expected.get("not_checked", ()))  # type: ignore[call-overload]
                open_checks |= set() if expected["pins"] else {"V11"}
                for check in report.checks:
                    status = "not checked" if check in open_checks else "passed"
                    self.assertEqual(report.status(check), status, check)

    def test_reject(self) -> None:
        """The check that must find the fault finds it, and no other check complains."""
        paths = sorted((VECTORS / "reject").iterdir())
        self.assertGreater(len(paths), 40)
        for path in paths:
            with self.subTest(path.name):
                if json.loads((path / "expect.json").read_text())["verdict"] == "unchecked":
                    self.assertRaises(Unreadable, run_vector, path)
                    continue
                report, expected = run_vector(path)
                wanted = set(expected["checks"])  # type: ignore[call-overload]
                self.assertEqual(failed(report), wanted & {*CHECKS, *MEANING})
                if wanted <= {*CHECKS, *MEANING}:
                    self.assertEqual(report.verdict, expected["verdict"])
                    self.assertEqual(EXITS[report.verdict], expected["exit"])
                if "row" in expected:
                    rows = {finding["row"] for finding in report.findings}
                    self.assertEqual(rows, {expected["row"]})


class Example(damage.Damage):
    """The worked example of FORMAT.md."""

    blocks: dict[str, str]

    @classmethod
    def setUpClass(cls) -> None:
        """Takes the example's blocks out of the text."""
        text = (ROOT / "docs" / "FORMAT.md").read_text(encoding="utf-8")
        pattern = r"<!-- example:begin (\S+) -->\n```text\n(.*?)```\n<!-- example:end \1 -->"
        cls.blocks = dict(re.findall(pattern, text, re.DOTALL))
        lines = re.findall(r"^offset +\d+ +([0-9a-f]+)$", cls.blocks["segment"], re.MULTILINE)
        cls.checkpoint = cls.blocks["checkpoint"]
        cls.segment = bytes.fromhex("".join(lines))
        cls.folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        (cls.folder / "log").mkdir()

    def field(self, block: str, name: str) -> str:
        """The text that stands behind a name in a block."""
        match = re.search(rf"^ *{name} +(\S+)$", self.blocks[block], re.MULTILINE)
        assert match is not None, name
        return match[1]

    def test_intact(self) -> None:
        """It is intact, its pins fit, and head and root are the ones in the text."""
        ledger_id = self.field("row-0", "intent hash")
        owner = re.search(r"owner: seed.*?public key +(\S+)", self.blocks["keys"], re.DOTALL)
        assert owner is not None
        pins = (f"ledger_id={ledger_id}", f"owner={owner[1]}",
                f"vkey={self.field('keys', 'ledger: vkey')}")  # fmt: skip
        report = self.judge(self.segment, self.blocks["checkpoint"], *pins)
        self.assertEqual(report.findings, [])
        self.assertEqual({report.status(check) for check in CHECKS}, {"passed"})
        self.assertEqual((report.verdict, report.rows, report.size), ("intact", 4, 4))
        answer = report.as_json()
        self.assertEqual(answer["ledger_id"], ledger_id)
        self.assertEqual(answer["head"], self.field("row-3", "row hash"))
        self.assertEqual(report.root, b64decode(self.blocks["checkpoint"].split("\n")[2]))

    def test_checkpoints_that_are_none(self) -> None:
        """The ledger's own is a finding, one handed in an error; so is one that is no file."""
        self.assertEqual(failed(self.judge(self.segment, "no checkpoint")), {"V12"})
        with self.assertRaisesRegex(Unreadable, "checkpoint"):
            verify(self.folder, checkpoints=[self.folder / "checkpoint"])
        (self.folder / "checkpoint").unlink()
        (self.folder / "checkpoint").mkdir()
        with self.assertRaisesRegex(Unreadable, "checkpoint"):
            verify(self.folder)
        (self.folder / "checkpoint").rmdir()

    def test_small_order(self) -> None:
        """The points of small order are those of the text, and have the orders it says."""
        rows = re.findall(r"^order (\d) +([0-9a-f]{64})$", self.blocks["small-order"], re.MULTILINE)
        self.assertEqual({bytes.fromhex(text) for _, text in rows}, curve.SMALL_ORDER)
        for order, text in rows:
            point = curve.decode(bytes.fromhex(text))
            assert point is not None
            orders = [n for n in range(1, 9) if curve.is_identity(curve.multiply(n, point))]
            self.assertEqual(orders[0], int(order))


class Forged(damage.Damage):
    """A ledger of the tests' own, with a policy, scopes, verdicts, and rows about rows."""

    @classmethod
    def setUpClass(cls) -> None:
        """Writes it."""
        cls.folder = Path(cls.enterClassContext(tempfile.TemporaryDirectory()))
        (cls.folder / "log").mkdir()
        agent, judge = forge.Signer(3), forge.Signer(4)
        book = forge.Forge(forge.policy([forge.rule("*", attested=True)]))
        roles = {agent: kinds.EXECUTOR | kinds.OPERATOR, judge: kinds.JUDGE}
        for key, name in ((agent, "agent"), (judge, "judge")):
            book.grant(key, roles[key], name, forge.scope(["a*"], ["p"]))
        one = forge.integer(1)
        said: forge.Parts = {kinds.OPS: forge.ops(forge.put("p", one))}
        acts = {**said, kinds.EFFECTS: forge.items([forge.effect(undo=1)])}
        undo = forge.ops(forge.delete("p", forge.holds_value(one)))
        row = book.decide(agent, "a", parts=acts, judge=(judge, "judge", 9), inverse=undo,
                          reversibility=b"\x01")  # fmt: skip
        body = forge.rollback(row, book.rows[row].hash, 0, [0])
        back = forge.Draft(kinds.ROLLBACK_ROW, agent, body, parts={kinds.OPS: undo})
        book.land(back, forge.Draft(kinds.OUTCOME, agent, forge.outcome(row + 1, 0, 4)))
        body = forge.snapshot(row + 1, derive("state", b""), 0)
        book.land(forge.Draft(kinds.SNAPSHOT, book.ledger, body))
        said = {**said, kinds.ACTORS: forge.actors("", "judge")}
        aside = book.decide(agent, "a", parts=said, reasons=[7])
        book.review(aside)
        cls.segment = book.segment()
        cls.checkpoint = book.checkpoint()

    def test_intact(self) -> None:
        """It is intact, and its rows keep the rules."""
        report = self.judge(self.segment, self.checkpoint)
        self.assertEqual(report.findings, [])
        self.assertEqual(report.gaps, [])
        self.assertEqual(report.verdict, "intact")


class Curve(unittest.TestCase):
    """Ed25519 by the strict rule."""

    secret = 0x1234567890ABCDEF
    public = curve.encode(curve.multiply(secret, BASE))
    torsion = curve.decode(
        bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a")
    )

    def sign(self, commitment: bytes, nonce: int, message: bytes) -> bytes:
        """A signature with an R of the caller's choice."""
        digest = hashlib.sha512(commitment + self.public + message).digest()
        challenge = int.from_bytes(digest, "little") % curve.L
        return commitment + ((nonce + challenge * self.secret) % curve.L).to_bytes(32, "little")

    def test_signatures(self) -> None:
        """A good one holds; another message, a large S or an R with torsion do not."""
        commitment = curve.multiply(77, BASE)
        good = self.sign(curve.encode(commitment), 77, b"message")
        self.assertTrue(curve.verify(self.public, b"message", good))
        self.assertFalse(curve.verify(self.public, b"massage", good))
        self.assertFalse(curve.verify(self.public, b"message", good[:63]))
        large = int.from_bytes(good[32:], "little") + curve.L
        self.assertFalse(
            curve.verify(self.public, b"message", good[:32] + large.to_bytes(32, "little"))
        )
        assert self.torsion is not None
        crafted = curve.encode(curve.add(commitment, self.torsion))
        self.assertFalse(curve.verify(self.public, b"message", self.sign(crafted, 77, b"message")))

    def test_r_of_small_order(self) -> None:
        """An R of small order is refused, although its equation holds."""
        crafted = self.sign(curve.encode(curve.IDENTITY), 0, b"message")
        Ed25519PublicKey.from_public_bytes(self.public).verify(crafted, b"message")
        self.assertFalse(curve.verify(self.public, b"message", crafted))

    def test_enrolment(self) -> None:
        """Keys that are no points, of small order, or with torsion may not be enrolled."""
        self.assertIsNone(curve.refusal(self.public))
        for point in curve.SMALL_ORDER:
            self.assertEqual(curve.refusal(point), "a point of small order")
        assert self.torsion is not None
        mixed = curve.encode(curve.add(curve.multiply(self.secret, BASE), self.torsion))
        self.assertEqual(curve.refusal(mixed), "not torsion-free")
        no_points = [
            (curve.P + 1).to_bytes(32, "little"),  # y = 1, not canonical
            (1 | 1 << 255).to_bytes(32, "little"),  # x = 0 with a sign
            (2).to_bytes(32, "little"),  # no x for this y
        ]
        for data in no_points:
            self.assertEqual(curve.refusal(data), "not the canonical encoding of a point")


class Encoding(unittest.TestCase):
    """The compact encoding, where a second spelling would be possible."""

    def test_varints(self) -> None:
        """The examples of the text, and what must be refused."""
        for text, number in (("00", 0), ("7f", 127), ("8001", 128), ("ac02", 300)):
            self.assertEqual(encoding.Reader(bytes.fromhex(text)).varint(16), number)
        self.assertEqual(encoding.Reader(b"\xff" * 9 + b"\x01").varint(64), 2**64 - 1)
        for text in ("8000", "80", "80808000", "ffff07", "80808001"):
            with self.assertRaises(encoding.Malformed):
                encoding.Reader(bytes.fromhex(text)).varint(16)

    def test_zigzag(self) -> None:
        """0, -1, 1, -2 are 0, 1, 2, 3."""
        numbers = [encoding.Reader(bytes([byte])).signed(64) for byte in range(4)]
        self.assertEqual(numbers, [0, -1, 1, -2])
        self.assertEqual(encoding.Reader(b"\xff" * 9 + b"\x01").signed(64), -(2**63))

    def test_values(self) -> None:
        """Values that are canonical, and near misses."""
        for text in ("00", "0101", "0203", "038c1f02", "0700", "06010600", "07020000016101" + "01"):
            value.read_value(bytes.fromhex(text))
        value.read_value(b"\x06\x01" * 31 + b"\x00")
        refused = (
            "", "08", "0102", "03020" + "0", "038c1f27", "0000", "0401ff", "0403eda080",
            "070201610001" + "6100", "07020162000161" + "00", "0602" + "00",
            "0601" * 32 + "00",
        )  # fmt: skip
        for text in refused:
            with self.subTest(text), self.assertRaises(encoding.Malformed):
                value.read_value(bytes.fromhex(text))


class Rows(unittest.TestCase):
    """What rows may say."""

    def test_reversibility(self) -> None:
        """All five classes are read."""
        for text in ("00", "01", "0209", "03", "04"):
            landing = bytes.fromhex("0303000000" + text + "0000" + "0001" + "00")
            self.assertEqual(row.read_landing(landing).seq, 3)
        with self.assertRaises(encoding.Malformed):
            row.read_landing(bytes.fromhex("0303000000" + "05" + "0000" + "0001" + "00"))

    def test_versions(self) -> None:
        """Another version inside a segment of version 3 is malformed."""
        for text in ("02", "04"):
            with self.subTest(text), self.assertRaisesRegex(encoding.Malformed, "version"):
                row.read_landing(bytes.fromhex(text))

    def test_reasons(self) -> None:
        """There are twenty reasons, and they ascend."""
        for text, holds in (("0113", True), ("0114", False), ("020102", True), ("020201", False)):
            landing = bytes.fromhex("03030000" + text + "00" + "0000" + "0001" + "00")
            if holds:
                self.assertEqual(len(row.read_landing(landing).reasons), landing[4])
                continue
            with self.subTest(text), self.assertRaises(encoding.Malformed):
                row.read_landing(landing)

    def test_names(self) -> None:
        """Names are short and hold no control characters."""
        self.assertEqual(encoding.Reader(b"\x02\xc2\x80").name(1, "name"), "\x80")
        for text in ("", "\n", "a\x7f", "x" * 129):
            data = bytes([len(text) & 0x7F | (0x80 if len(text) > 127 else 0)])
            data += b"\x01" if len(text) > 127 else b""
            with self.subTest(text), self.assertRaises(encoding.Malformed):
                encoding.Reader(data + text.encode()).name(1, "name")


class Hashes(unittest.TestCase):
    """Checksum and tree."""

    def test_crc32c(self) -> None:
        """The check value of the text."""
        self.assertEqual(crc32c(b"123456789"), 0xE3069283)

    def test_tree(self) -> None:
        """The compact range gives the roots of the recursive definition."""

        def root(leaves: list[bytes]) -> bytes:
            if len(leaves) == 1:
                return tree.leaf(leaves[0])
            half = 1 << (len(leaves) - 1).bit_length() - 1
            return tree.node(root(leaves[:half]), root(leaves[half:]))

        self.assertEqual(tree.root_of([]), hashlib.sha256().digest())
        entries = [bytes([number]) for number in range(70)]
        for size in range(1, len(entries) + 1):
            self.assertEqual(tree.root_of(entries[:size]), root(entries[:size]))


if __name__ == "__main__":
    unittest.main()
