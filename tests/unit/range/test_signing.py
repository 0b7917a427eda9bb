import pytest

from twinlock.range.signing import MemoryState


def test_what_was_put_stays() -> None:
    state = MemoryState()

    with state.open() as pages:
        pages.put("a", b"1")

    with state.open() as pages:
        assert (pages.get("a"), pages.get("b")) == (b"1", None)


def test_after_a_failure_nothing_was_put() -> None:
    state = MemoryState()

    def put_and_fail() -> None:
        with state.open() as pages:
            pages.put("a", b"1")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        put_and_fail()
    assert state.get("a") is None
