"""Findings: each is counted, and of each kind the first are kept."""

from twinlock.domain.audit.findings import MOST_OF_A_CODE, Fault, Findings


def test_a_flood_of_one_kind_hides_no_other() -> None:
    findings = Findings()
    for number in range(1_000):
        findings.add(Fault.ENTRY_BROKEN, f"entry {number}", "says")
    findings.add(Fault.HEAD_WRONG, "head", "says")

    assert findings.total == 1_001
    assert len(findings.kept) == MOST_OF_A_CODE + 1
    assert findings.kept[0].code is Fault.HEAD_WRONG, "in the order of the codes"
    assert findings.counts == {Fault.ENTRY_BROKEN: 1_000, Fault.HEAD_WRONG: 1}


def test_the_findings_of_several_are_joined() -> None:
    parts = []
    for number in range(3):
        findings = Findings()
        for at in range(20):
            findings.add(Fault.TILE_WRONG, f"tile {number}/{at}", "says")
        parts.append(findings.found())

    whole = Findings.joined(parts)

    assert whole.total == 60
    assert [one.where for one in whole.kept] == [
        f"tile {number // 20}/{number % 20}" for number in range(MOST_OF_A_CODE)
    ]
    assert Findings.joined([]).found() == Findings().found()
