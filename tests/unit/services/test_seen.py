"""Values seen before: none is forgotten, and no two are mistaken, while the set grows."""

from hypothesis import given
from hypothesis import strategies as st

from twinlock.services.importing.seen import Seen

KEY = bytes(16)


@given(st.lists(st.tuples(st.sampled_from("ab"), st.text(max_size=3))))
def test_it_says_what_a_set_would_say(values: list[tuple[str, str]]) -> None:
    seen, known = Seen(key=KEY), set[tuple[str, str]]()
    for kind, value in values:
        assert seen.add(kind, value) is ((kind, value) in known)
        known.add((kind, value))


def test_it_grows_and_forgets_nothing() -> None:
    seen = Seen(key=KEY)
    count = 5_000  # It begins with a thousand places, and grows three times.

    assert [seen.add("x", str(number)) for number in range(count)] == [False] * count
    assert [seen.add("x", str(number)) for number in range(count)] == [True] * count
    assert not seen.add("y", "0")
