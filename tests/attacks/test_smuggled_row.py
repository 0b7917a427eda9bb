"""A nickname with a second line, written by a customer of the older system before it moves.

Mallory has an account of her own there, and may call herself what she likes. She calls herself two
lines, the second of which reads as the row of a rich customer: that customer's number, with her own
password and mailbox. The platform writes its customers to a file, quotes the nickname as CSV asks
for, leaves that column out with a map, and moves in. She wants to be that customer. She is stopped
by what a line within a quoted cell is worth: nothing. She leaves behind her own row, refused and
told, and the customer's, taken as it was.
"""

import csv
import io

from support.cast import NOON
from support.imports import BCRYPT, SOURCE, TERMS

from twinlock.adapters.system import SystemEntropy
from twinlock.domain.importing.faults import RowFault
from twinlock.services.importing.checking import Checked, Checks, checked
from twinlock.services.importing.reading import Format, Layout

VICTIMS = "victim@example.com"
CHECKS = Checks(terms=TERMS, log_origin="id.example.com/log", source=SOURCE)


def moved_in(nickname: str) -> dict[int, Checked]:
    """Return what becomes of each line of a file that a careful platform wrote."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(("reference", "email", "password_hash", "nickname"))
    writer.writerow(("mallory", "mallory@example.com", BCRYPT, nickname))
    writer.writerow(("rich-customer", VICTIMS, BCRYPT, "Vic"))
    header, *rest = out.getvalue().encode().splitlines(keepends=True)
    layout = Layout(form=Format.CSV, renames={"nickname": ""}, header=header)
    lines = list(enumerate(rest, start=2))
    found = checked(lines, layout.reader(), CHECKS, entropy=SystemEntropy(), now=NOON)
    return {one.line: one for one in found}


def addresses(one: Checked) -> list[str]:
    return [] if one.arrival is None else [c.address for c in one.arrival.account.channels]


def test_the_second_line_of_a_nickname_is_nobodys_row() -> None:
    found = moved_in(f"x\nrich-customer,mallory@example.com,{BCRYPT},y")

    assert [found[at].fault for at in (2, 3)] == [RowFault.CSV_BROKEN] * 2
    assert addresses(found[4]) == [VICTIMS]


def test_nor_is_one_of_many_with_quotes_of_its_own_and_bytes_that_nobody_reads() -> None:
    smuggled = f'rich-customer,mallory@example.com,{BCRYPT},"y"'
    found = moved_in(f"x\0\n{smuggled}\n\n{smuggled},\r\n{smuggled}\n" + "z" * 70_000)

    first, *within, last = found.values()
    assert first.fault is RowFault.TEXT_UNREADABLE
    assert {one.fault for one in within} == {RowFault.CSV_BROKEN}
    assert addresses(last) == [VICTIMS]
