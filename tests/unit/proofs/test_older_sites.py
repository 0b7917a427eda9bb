"""Assertions of passkeys that an older system bound: each on the origins of its own RP ID."""

import pytest

from twinlock.domain.authenticators.faults import ProofFault, ProofRefusedError
from twinlock.domain.errors import InvariantError
from twinlock.proofs.passkeys import KnownPasskey, OlderSite, check_on_sites, read_assertion
from twinlock.range.authenticator import Ceremony, SoftwareAuthenticator

DEVICE = SoftwareAuthenticator(b"old".ljust(32))
CHALLENGE = bytes(range(32))
SITES = (
    OlderSite(rp_id="old.example", origin="https://old.example"),
    OlderSite(rp_id="old.example", origin="https://www.old.example:8443"),
)
KNOWN = KnownPasskey(
    credential_id=DEVICE.credential_id,
    public_key=DEVICE.public_key,
    backup_eligible=False,
    sign_count=0,
)


def fault(origin: str, *, rp_id: str = "old.example", sites: tuple[OlderSite, ...] = SITES) -> str:
    ceremony = Ceremony(challenge=CHALLENGE, rp_id=rp_id, origin=origin)
    assertion = read_assertion(DEVICE.get(ceremony))
    try:
        check_on_sites(assertion, challenge=CHALLENGE, sites=sites, passkey=KNOWN)
    except ProofRefusedError as refused:
        return refused.fault
    return ""


@pytest.mark.parametrize("site", SITES, ids=lambda site: site.origin)
def test_it_holds_on_each_origin_of_its_site(site: OlderSite) -> None:
    assert fault(site.origin) == ""


@pytest.mark.parametrize("origin", ["https://confirm.example", "https://evil.old.example", "null"])
def test_it_holds_on_no_other_origin(origin: str) -> None:
    assert fault(origin) == ProofFault.WRONG_ORIGIN


def test_it_holds_for_no_other_rp_id() -> None:
    assert fault("https://old.example", rp_id="else.example") == ProofFault.WRONG_RP


def test_where_no_site_is_known_it_holds_nowhere() -> None:
    assert fault("https://old.example", sites=()) == ProofFault.WRONG_ORIGIN


@pytest.mark.parametrize(
    ("rp_id", "origin"),
    [
        ("old.example", "http://old.example"),
        ("old.example", "https://notold.example"),
        ("www.old.example", "https://old.example"),
    ],
)
def test_a_site_is_https_and_below_its_rp_id(rp_id: str, origin: str) -> None:
    with pytest.raises(InvariantError):
        OlderSite(rp_id=rp_id, origin=origin)
