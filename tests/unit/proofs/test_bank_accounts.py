"""Bank accounts where there is no IBAN: one form for each country, and its check digits."""

import pytest

from twinlock.domain.addresses import AddressError, AddressForm
from twinlock.proofs.addresses.names import normal_bank_account
from twinlock.proofs.addresses.normal import normal_address

CLABE = "MX/032180/000118359719"  # Banxico's own example


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("US/021000021/1234", "US/021000021/1234"),
        ("us/011401533/00012345678901234", "US/011401533/00012345678901234"),
        ("CA/000212345/1234567", "CA/000212345/1234567"),
        ("AU/062000/12345", "AU/062000/12345"),
        ("AU/062000/123456789", "AU/062000/123456789"),
        ("NZ/021242/001234500", "NZ/021242/0012345000"),
        ("NZ/021242/0012345000", "NZ/021242/0012345000"),
        ("IN/HDFC0000001/123456789", "IN/HDFC0000001/123456789"),
        ("in/hdfc0b00001/123456789012345678", "IN/HDFC0B00001/123456789012345678"),
        ("JP/0001001/1234567", "JP/0001001/1234567"),
        (CLABE, CLABE),
        ("SG/DBSSSGSG/0012345678", "SG/DBSSSGSGXXX/0012345678"),
        ("SG/DBSSSGSGXXX/0012345678", "SG/DBSSSGSGXXX/0012345678"),
        ("HK/HSBCHKHH123/1", "HK/HSBCHKHH123/1"),
        ("CN/BKCHCNBJ/" + "6" * 34, "CN/BKCHCNBJXXX/" + "6" * 34),
    ],
)
def test_an_account_has_one_form(text: str, normal: str) -> None:
    assert normal_bank_account(text) == normal
    assert normal_address(AddressForm.BANK, normal, "rent") == (normal, "rent")


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("US/021000022/1234", "address_checksum"),
        ("US/000000000/1234", "address_checksum"),
        ("US/201000021/1234", "address_checksum"),
        ("US/021000021/123", "address_refused"),
        ("US/021000021/123456789012345678", "address_refused"),
        ("US/02100002/1234", "address_refused"),
        ("US/021000021/12A4", "address_refused"),
        ("US/021000021", "address_refused"),
        ("US/021000021/1234/5", "address_refused"),
        ("US//1234", "address_refused"),
        ("US/021000021/", "address_refused"),
        ("/021000021/1234", "address_refused"),
        ("CA/100212345/1234567", "address_refused"),
        ("CA/000212345/123456", "address_refused"),
        ("AU/06200/12345", "address_refused"),
        ("AU/062000/1234", "address_refused"),
        ("AU/062000/1234567890", "address_refused"),
        ("NZ/021242/00123450", "address_refused"),
        ("NZ/021242/00123450000", "address_refused"),
        ("IN/HDFC1000001/123456789", "address_refused"),
        ("IN/HDFC0000001/12345678", "address_refused"),
        ("JP/0001001/123456", "address_refused"),
        ("MX/032180/000118359718", "address_checksum"),
        ("MX/032181/000118359719", "address_checksum"),
        ("MX/03218/000118359719", "address_refused"),
        ("GB/200000/12345678", "address_refused"),
        ("DE/COBADEFF/123", "address_refused"),
        ("SG/DBSSHKSG/1", "address_refused"),
        ("SG/DBSSSGS/1", "address_refused"),
        ("SG/DBSSSGSGXX/1", "address_refused"),
        ("SG/DBSSSGSG/" + "1" * 35, "address_refused"),
        ("US/021000021/12 34", "address_characters"),
        ("US/021000021/12\u200b34", "address_characters"),
        ("U\u0405/021000021/1234", "address_characters"),
    ],
)
def test_what_is_no_account_is_refused(text: str, code: str) -> None:
    with pytest.raises(AddressError) as refused:
        normal_bank_account(text)

    assert refused.value.code == code


def test_a_country_with_ibans_says_so() -> None:
    """Prevents: one account under two names, with two budgets."""
    with pytest.raises(AddressError, match="GB is named by its IBAN"):
        normal_bank_account("GB/200000/12345678")


@pytest.mark.parametrize(
    ("text", "home"),
    [
        ("JE/ABCDJEXX/12345678", "GB"),
        ("uk/abcduk22/12345678", "GB"),
        ("RE/BNPAREPP/12345678901", "FR"),
        ("AX/ABCDAXHH/123456", "FI"),
        ("PR/BPPRPRSX/123456", "US"),
        ("NF/ABCDNF2S/123456", "AU"),
    ],
)
def test_a_territory_with_anothers_numbers_says_so(text: str, home: str) -> None:
    """Prevents: one account under two names, by the BIC of a bank that is there."""
    with pytest.raises(AddressError, match=f"named as one in {home}"):
        normal_bank_account(text)


@pytest.mark.parametrize("place", range(9))
def test_a_routing_number_with_one_wrong_digit_is_found(place: int) -> None:
    right = "021000021"
    for digit in set("0123456789") - {right[place]}:
        wrong = f"{right[:place]}{digit}{right[place + 1 :]}"
        with pytest.raises(AddressError, match="check digit"):
            normal_bank_account(f"US/{wrong}/1234")
