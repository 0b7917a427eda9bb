"""Where no endpoints are kept, as in a world in memory, nobody hears of duress."""

from twinlock.services.proving.taking import no_desk


async def test_without_endpoints_there_is_no_desk() -> None:
    """Prevents: an owner who names an authenticator for duress, and rings for nobody."""
    assert await no_desk() is False
