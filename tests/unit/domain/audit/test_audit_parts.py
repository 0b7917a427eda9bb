"""What the workers checked is added up."""

from twinlock.domain.audit.parts import COUNTS, Checked, counted


def test_counts_of_all_parts_are_added_each_by_its_name() -> None:
    first = Checked(
        accounts=1, documents=2, entries=3, key_uses=4, leaves=5, letters=6, spends=7, tiles=8
    )
    second = Checked(
        accounts=10,
        documents=20,
        entries=30,
        key_uses=40,
        leaves=50,
        letters=60,
        spends=70,
        tiles=80,
    )

    assert counted((first, second)) == {
        name: 11 * number for number, name in enumerate(COUNTS, start=1)
    }
    assert counted(()) == dict.fromkeys(COUNTS, 0)
