"""The pass over a ledger that makes every check of integrity (FORMAT.md, section 30)."""

from __future__ import annotations

from pathlib import Path

import bodies
import curve
import frames
import kinds
import note
import row as rows
import tree
from authors import Authors
from digest import ZERO, crc32c
from encoding import Malformed, Newer
from entry import Entry
from governance import Standing
from keyring import Keyring
from meaning import Meaning
from policy import Policy
from report import CHECKS, Place, Report


class Unreadable(Exception):
    """A ledger that cannot be checked at all."""


def _refuse_newer(file: Path) -> None:
    """Refuses a segment of another version, whose header is intact."""
    try:
        with file.open("rb") as segment:
            frames.read_segment_header(segment.read(frames.SEGMENT_HEADER))
    except Malformed:
        pass
    except Newer as error:
        raise Unreadable(f"{file}: {error}") from error


class Ledger:
    """A ledger in the course of being checked."""

    def __init__(self, report: Report, meaning: Meaning | None = None) -> None:
        self.report = report
        self.meaning = meaning
        self.next = 0
        self.previous: bytes | None = ZERO
        self.landed_at: int | None = None
        self.tree: tree.Range | None = tree.Range()
        self.keys = Keyring()
        self.standing = Standing()
        self.genesis_row: rows.Row | None = None
        self.genesis: bodies.Genesis | None = None
        self.ledger_id: bytes | None = None
        self.header_id: bytes | None = None
        #: The root of the tree of the first so many rows.
        self.roots: dict[int, bytes] = {}
        #: The first applied key row whose body is closed.
        self.closed: int | None = None

    def read(self, path: Path) -> None:
        """Checks every segment."""
        files = sorted((path / "log").glob("*.seg"))
        if not files:
            raise Unreadable(f"{path}: no segments")
        for file in files:
            _refuse_newer(file)
        for file in files:
            self._file(file, file is files[0], file is files[-1])
        if self.next == 0:
            self.report.fail("V01", "no row could be read")
        if self.meaning is not None:
            self.meaning.finish()
        report = self.report
        report.ledger_id = self.ledger_id or self.header_id
        report.head, report.size = self.previous, self.next
        report.root = self.tree.root() if self.tree else None

    # Segments and groups

    def _file(self, file: Path, first: bool, last: bool) -> None:
        place = Place(None, file.name, 0)
        size = file.stat().st_size
        if not self.report.judge("V01", size <= frames.MAX_SEGMENT, "above 4 GiB", place):
            self._lose()
            return
        if not last or first:
            self.report.judge("V01", size > frames.SEGMENT_HEADER, "no group in it", place)
        self._segment(file.name, file.read_bytes())

    def _segment(self, name: str, data: bytes) -> None:
        place = Place(None, name, 0)
        try:
            header = frames.read_segment_header(data)
        except Malformed as error:
            self.report.fail("V01", str(error), place)
        else:
            self._segment_header(header, name, place)
        # The checksums of the groups tell whether this is their salt.
        salt = data[24:40]
        at = frames.SEGMENT_HEADER
        while at < len(data):
            at = self._group(name, data, at, salt)

    def _segment_header(self, header: frames.SegmentHeader, name: str, place: Place) -> None:
        judge = self.report.judge
        first = header.first_seq
        judge("V01", name == f"{first:020}.seg", f"not named after row {first}", place)
        message = f"segment: first row {first}, row {self.next} was to come"
        judge("V01", first == self.next, message, place)
        if self.previous is not None:
            message = "segment: another row hash before its first row"
            judge("V07", header.previous == self.previous, message, place)
        self.previous = header.previous
        known = self.ledger_id or self.header_id
        if known is not None:
            judge("V01", header.ledger_id == known, "the id of another ledger", place)
        self.header_id = self.header_id or header.ledger_id

    def _group(self, name: str, data: bytes, at: int, salt: bytes) -> int:
        """Checks the group at an offset; gives the offset of the next one."""
        place = Place(None, name, at)
        end = at + frames.GROUP_HEADER
        try:
            header = frames.read_group_header(data, at, salt)
            end += header.body_bytes
            if end > len(data):
                raise Malformed("group: cut short")
        except Malformed as error:
            self.report.fail("V01", str(error), place)
            found = frames.find_group(data, at + 8, salt)
            return len(data) if found is None else found
        upto = header.durable_upto
        self.report.judge("V01", upto <= at, f"durable_upto {upto} lies behind it", place)
        content = data[at + frames.GROUP_HEADER : end]
        sound = crc32c(salt + content) == header.body_crc
        self.report.judge("V01", sound, "group body: checksum", place)
        self._group_header(header, content, place)
        try:
            body = frames.read_body(header, content)
        except Malformed as error:
            self.report.fail("V02", str(error), place)
            self._pass_over(header.rows, place)
            return end
        self._group_body(body, name, at + frames.GROUP_HEADER)
        return end

    def _group_header(self, header: frames.GroupHeader, content: bytes, place: Place) -> None:
        judge = self.report.judge
        if self.previous is not None:
            judge("V07", header.previous == self.previous, "group: another row hash before", place)
        self.previous = header.previous
        message = f"group: first row {header.first_seq}, row {self.next} was to come"
        if judge("V03", header.first_seq == self.next, message, place):
            return
        # Rows are counted; the header is believed only where its first row says the same.
        countable = self.next + header.rows < 2**64
        record = content[4 : 4 + int.from_bytes(content[:4], "little")]
        if rows.first_number(record) == header.first_seq or not countable:
            self._lose()
            self.tree = None
            self.next = header.first_seq

    def _group_body(self, body: frames.Body, name: str, base: int) -> None:
        entries = [
            self._row(rows.read_row(record), Place(self.next, name, base + offset))
            for offset, record in body.records
        ]
        at = 0
        for submission in body.submissions:
            self._submission(submission, entries[at : at + submission.count])
            at += submission.count
        self._seal(body, Place(self.next - 1, name, base))

    def _pass_over(self, count: int, place: Place) -> None:
        """Counts rows that cannot be told apart."""
        for check in CHECKS[2:10]:
            self.report.skip(check, "the rows of a group cannot be told apart", place)
        self._lose()
        self.next += count
        self.previous = None
        self.tree = None

    def _lose(self) -> None:
        """From here on nothing that rows may have changed is known for certain."""
        self.keys.doubt(self.next)
        self.standing = self.standing.lost()
        if self.meaning is not None:
            self.meaning.lost()

    # Rows

    def _row(self, row: rows.Row, place: Place) -> Entry:
        report, number = self.report, self.next
        report.rows += 1
        report.ran.update(("V02", "V05"))
        for check, message in row.problems:
            report.fail(check, message, place)
        if row.landing is not None:
            self._landing(row.landing, place)
        expected = None if self.previous is None else row.hash_behind(self.previous)
        if expected is None:
            report.skip("V07", "the row hash cannot be computed", place)
        else:
            report.judge("V07", expected == row.stored_hash, "row hash", place)
        self.previous = row.stored_hash
        if self.tree is not None and row.stored_hash is not None:
            self.tree.push(b"\x01" + row.stored_hash)
            self.roots[number + 1] = self.tree.root()
        else:
            self.tree = None
        entry = Entry(number, place, row, self.standing)
        if row.head is not None:
            author = self.keys.get(row.head.author)
            entry.writer = None if author is None else author.name
            entry.by_operator = None if author is None else bool(author.roles & kinds.OPERATOR)
            entry.keys_in_doubt = self.keys.may_miss(number)
        if row.head is None or row.landing is None:
            self._lose()
        else:
            is_genesis = row.head.kind == kinds.GENESIS
            message = "row 0, and only row 0, is the genesis"
            report.judge("V09", is_genesis == (number == 0), message, place)
        if number == 0 and self.genesis_row is None:
            self.genesis_row = row
            self._genesis(row, place)
        else:
            judged = row.head is None or row.head.kind != kinds.GENESIS
            report.judge("V09", judged, "a second genesis", place)
            entry.through = self._change(row, place)
            self._set_policy(row)
        if self.meaning is not None and row.head is not None and row.landing is not None:
            self.meaning.see(entry)
        self.next += 1
        return entry

    def _landing(self, landing: rows.Landing, place: Place) -> None:
        self.report.judge("V03", landing.seq == self.next, f"it says row {landing.seq}", place)
        if self.landed_at is not None:
            message = "it landed before the row in front of it"
            self.report.judge("V04", landing.landed_at >= self.landed_at, message, place)
        self.report.ran.add("V04")
        self.landed_at = landing.landed_at

    def _genesis(self, row: rows.Row, place: Place) -> None:
        self.ledger_id = row.intent
        if self.header_id is not None and row.intent is not None:
            message = "the segment names another ledger's id than that of row 0"
            self.report.judge("V01", self.header_id == row.intent, message, place)
        if row.head is not None and row.landing is not None and row.head.kind == kinds.GENESIS:
            landing = row.landing
            alone = landing.count == 1 and landing.outcome == rows.APPLIED and not landing.reasons
            message = "genesis is not live, applied without reasons, exact, and alone"
            exact = landing.reversibility.rank == rows.EXACT
            self.report.judge("V09", alone and exact and row.head.live, message, place)
        if not isinstance(row.body, bodies.Genesis):
            self.keys.doubt(self.next)
            return
        self.standing = self.standing.followed_by(row.body.policy, self.next)
        refusal = self.keys.found(row.body)
        self.report.judge("V09", refusal is None, f"genesis: {refusal}", place)
        if refusal is None:
            self.genesis = row.body
        else:
            # No keys are known then.
            self.keys = Keyring()
            self.keys.doubt(self.next)

    def _change(self, row: rows.Row, place: Place) -> bool | None:
        """Carries out what a row changes about the keys, and looks at who gets the kill switch.

        Gives whether that goes through, as far as the keys tell; None where they do not.
        """
        if row.head is None or row.landing is None:
            return None
        if row.head.kind not in (kinds.KEY, kinds.KILL_SWITCH):
            return True
        applied = row.landing.outcome == rows.APPLIED
        if not isinstance(row.body, bodies.KeyChange | bodies.KillSwitch):
            self.report.skip("V09", "a change is closed", place)
            if row.head.kind == kinds.KEY and applied:
                self.keys.doubt(self.next)
                if self.closed is None:
                    self.closed = self.next
            return None
        if self.genesis is None:
            return None
        policy = self.standing.policy
        separation = None if policy is None else policy.separation
        refusal = self.keys.refusal(row.body, self.next, separation)
        if refusal is None:
            if applied and isinstance(row.body, bodies.KeyChange):
                self.keys.apply(row.body, self.next)
            return None if self.keys.may_have_ended(self.next) else True
        if refusal.on_policy or (refusal.on_keys and self.keys.blind is not None):
            self.report.skip("V09", f"change: {refusal.why}, as far as is known", place)
            if applied and isinstance(row.body, bodies.KeyChange):
                self.keys.doubt(self.next)
            return None
        self.report.judge("V09", False, f"change: {refusal.why}", place)
        return False

    def _set_policy(self, row: rows.Row) -> None:
        """Puts the policy of a policy row in force."""
        if row.head is None or row.landing is None or row.head.kind != kinds.POLICY:
            return
        if row.landing.outcome == rows.APPLIED:
            policy = row.body if isinstance(row.body, Policy) else None
            self.standing = self.standing.followed_by(policy, self.next)

    # Signatures

    def _submission(self, submission: frames.Submission, entries: list[Entry]) -> None:
        report, place = self.report, entries[0].place
        for index, entry in enumerate(entries):
            landing = entry.row.landing
            if landing is not None:
                fits = (landing.index, landing.count) == (index, submission.count)
                message = f"it says {landing.index} of {landing.count} in its submission"
                report.judge("V03", fits, message, entry.place)
        intents = [entry.row.intent for entry in entries]
        if all(intent is not None for intent in intents):
            root = tree.root_of(intent for intent in intents if intent is not None)
            report.judge("V06", root == submission.root, "submission root", place)
        else:
            report.skip("V06", "an intent hash cannot be computed", place)
        authors = {entry.row.head.author for entry in entries if entry.row.head is not None}
        if not authors:
            report.skip("V09", "the author cannot be read", place)
        elif self.genesis is None:
            report.skip("V09", "no keys are known without row 0", place)
        elif report.judge("V09", len(authors) == 1, "a submission of more than one author", place):
            judge = Authors(report, self.keys, self.ledger_id or self.header_id)
            judge.submission(authors.pop(), submission, entries)

    def _seal(self, body: frames.Body, place: Place) -> None:
        report, size = self.report, self.next
        root = self.tree.root() if self.tree is not None else None
        if root is None:
            report.skip("V08", "the root cannot be computed", place)
        else:
            report.judge("V08", root == body.seal_root, "the seal's root", place)
        key = self.keys.ledger_key(size)
        public = key.public if key is not None else None
        certain = self.keys.blind is None
        if self.genesis is None or (public is None and not certain):
            report.skip("V10", "origin or ledger key is not known", place)
            return
        text = note.checkpoint_text(self.genesis.origin, size, body.seal_root).encode()
        holds = public is not None and curve.verify(public, text, body.seal_signature)
        if certain:
            report.judge("V10", holds, "the seal is not by the ledger key in force", place)
        else:
            report.skip("V10", "whether the ledger key is still in force is not known", place)
