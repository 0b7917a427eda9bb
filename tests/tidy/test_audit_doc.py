"""The page on the audit says what each of its findings means."""

import re

from tidy.repository import ROOT

from twinlock.domain.audit.findings import Fault


def test_every_finding_is_explained_and_no_other() -> None:
    page = (ROOT / "docs" / "audit.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`[a-z_`, ]+`) \|", page, re.MULTILINE)
    told = [code for row in rows for code in re.findall(r"`([a-z_]+)`", row)]

    assert sorted(told) == sorted(Fault)
