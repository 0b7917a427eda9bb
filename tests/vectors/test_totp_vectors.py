"""RFC 4226, appendix D, and RFC 6238, appendix B (with the seeds of its reference code)."""

from datetime import UTC, datetime

import pytest

from twinlock.proofs import totp

SEED_SHA1 = b"12345678901234567890"
SEED_SHA256 = b"12345678901234567890123456789012"
SEED_SHA512 = b"1234567890123456789012345678901234567890123456789012345678901234"


@pytest.mark.parametrize(
    ("counter", "code"),
    list(
        enumerate(
            [
                "755224",
                "287082",
                "359152",
                "969429",
                "338314",
                "254676",
                "287922",
                "162583",
                "399871",
                "520489",
            ]
        )
    ),
)
def test_rfc_4226_appendix_d(counter: int, code: str) -> None:
    assert totp.hotp(SEED_SHA1, counter) == code


# Seconds since 1970, the step that the RFC prints, and the codes of SHA-1, SHA-256 and SHA-512.
APPENDIX_B = [
    (59, 0x1, "94287082", "46119246", "90693936"),
    (1111111109, 0x23523EC, "07081804", "68084774", "25091201"),
    (1111111111, 0x23523ED, "14050471", "67062674", "99943326"),
    (1234567890, 0x273EF07, "89005924", "91819424", "93441116"),
    (2000000000, 0x3F940AA, "69279037", "90698825", "38618901"),
    (20000000000, 0x27BC86AA, "65353130", "77737706", "47863826"),
]


@pytest.mark.parametrize(("seconds", "step", "sha1", "sha256", "sha512"), APPENDIX_B)
def test_rfc_6238_appendix_b(seconds: int, step: int, sha1: str, sha256: str, sha512: str) -> None:
    assert totp.step_at(datetime.fromtimestamp(seconds, UTC)) == step
    assert totp.hotp(SEED_SHA1, step, digits=8, digest="sha1") == sha1
    assert totp.hotp(SEED_SHA256, step, digits=8, digest="sha256") == sha256
    assert totp.hotp(SEED_SHA512, step, digits=8, digest="sha512") == sha512


@pytest.mark.parametrize(("seconds", "step", "sha1", "sha256", "sha512"), APPENDIX_B)
def test_the_last_six_of_those_digits_are_what_we_accept(
    seconds: int, step: int, sha1: str, sha256: str, sha512: str
) -> None:
    now = datetime.fromtimestamp(seconds, UTC)

    assert totp.verify(SEED_SHA1, sha1[-6:], now=now, last_step=0) == step
