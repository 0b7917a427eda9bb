"""Addresses of channels: one form each, and what has none is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from twinlock.domain.channels import ChannelKind
from twinlock.domain.contacts import ChannelAddressError, normal_address

EMAIL, SMS, DESKTOP = ChannelKind.EMAIL, ChannelKind.SMS, ChannelKind.DESKTOP
LABEL = "d" * 63
LONG_DOMAIN = f"{LABEL}.{LABEL}.{LABEL}.{'e' * 61}"


LONGEST = f"{'l' * 64}@{LABEL}.{LABEL}.{'e' * 61}"  # 254 bytes


@pytest.mark.requirement("N-B16")
@pytest.mark.parametrize(
    ("kind", "written", "form"),
    [
        (EMAIL, "alice@example.com", "alice@example.com"),
        (EMAIL, "Alice.B+bank@EXAMPLE.Com", "Alice.B+bank@example.com"),
        (EMAIL, "a@xn--bcher-kva.example", "a@xn--bcher-kva.example"),
        (EMAIL, f"{'l' * 64}@example.com", f"{'l' * 64}@example.com"),
        (EMAIL, f"a@{'x' * 63}.{'y' * 63}.com", f"a@{'x' * 63}.{'y' * 63}.com"),
        (EMAIL, "a@b.c4", "a@b.c4"),
        (EMAIL, LONGEST, LONGEST),
        (SMS, "+15550100", "+15550100"),
        (SMS, "+1 (555) 010-0199", "+15550100199"),
        (SMS, "+49.30.1234567", "+49301234567"),
        (SMS, "+1234567", "+1234567"),
        (SMS, "+123456789012345", "+123456789012345"),
        (DESKTOP, "alice-desktop", "alice-desktop"),
        (DESKTOP, "d" * 128, "d" * 128),
    ],
)
def test_an_address_has_one_form(kind: ChannelKind, written: str, form: str) -> None:
    assert normal_address(kind, written) == form
    assert normal_address(kind, form) == form


@pytest.mark.parametrize(
    ("kind", "written"),
    [
        (EMAIL, ""),
        (EMAIL, "alice"),
        (EMAIL, "@example.com"),
        (EMAIL, "alice@"),
        (EMAIL, "alice@example"),
        (EMAIL, "alice@example.123"),
        (EMAIL, "alice@[192.0.2.1]"),
        (EMAIL, '"a b"@example.com'),
        (EMAIL, "a b@example.com"),
        (EMAIL, ".a@example.com"),
        (EMAIL, "a..b@example.com"),
        (EMAIL, "a.@example.com"),
        (EMAIL, "a@b@example.com"),
        (EMAIL, "a@-example.com"),
        (EMAIL, "a@example-.com"),
        (EMAIL, "a@example..com"),
        (EMAIL, "a@.example.com"),
        (EMAIL, "a@example.com."),
        (EMAIL, "a@example.com\n"),
        (EMAIL, "a\n@example.com"),
        (EMAIL, "a@example.com\r\nBcc: b@example.com"),
        (EMAIL, "аlice@example.com"),
        (EMAIL, "alice@еxample.com"),
        (EMAIL, "alice@EXAMPLE.COM\u0130"),
        (EMAIL, "alice@ban\u212a.example"),  # A Kelvin sign, whose small letter is an ASCII k.
        (EMAIL, f"{'l' * 65}@example.com"),
        (EMAIL, f"a@{'x' * 64}.com"),
        (EMAIL, f"{'l' * 64}@{LONG_DOMAIN}"),
        (EMAIL, f"a@{LONG_DOMAIN}.toolong"),
        (EMAIL, f"{LONGEST}e"),
        (SMS, ""),
        (SMS, "15550100"),
        (SMS, "+05550100"),
        (SMS, "+123456"),
        (SMS, "+1234567890123456"),
        (SMS, "+1555O100"),
        (SMS, "+1555010;ext=5"),
        (SMS, "+1555\n0100"),
        (SMS, "+1555\u00a00100"),
        (SMS, "+١٥٥٥٠١٠٠"),
        (SMS, "++15550100"),
        (SMS, "+44 (0)20 7946 0958"),
        (SMS, "+39( 0 )612345678"),
        (DESKTOP, "ab"),
        (DESKTOP, "a b c"),
        (DESKTOP, "d" * 129),
        (DESKTOP, "désktop"),
        (DESKTOP, "desk\n"),
    ],
)
def test_what_has_no_settled_form_is_refused(kind: ChannelKind, written: str) -> None:
    """Prevents: a line that adds a recipient, and a name in letters that look like another's."""
    with pytest.raises(ChannelAddressError):
        normal_address(kind, written)


@given(st.sampled_from(ChannelKind), st.text(max_size=300))
def test_the_form_of_a_form_is_itself(kind: ChannelKind, written: str) -> None:
    try:
        form = normal_address(kind, written)
    except ChannelAddressError:
        return
    assert normal_address(kind, form) == form
    assert form.isascii()
    assert form.isprintable()
    assert " " not in form
    assert len(form) <= 254
