"""``twinlock prices``: what a price feed signs with, and the signed list (docs/prices.md).

The feed may run on another machine, as another user, without the keyring: of the settings only
``TWINLOCK_PROFILE`` says something here, which assets are without a price.
"""

import sys
from pathlib import Path
from typing import Annotated

import typer

from twinlock.bootstrap.prices import PRICE_DOCUMENT_BYTES_MOST, make_price_key, sign_price_list
from twinlock.bootstrap.rulebook import RuleBook, rule_book
from twinlock.bootstrap.world import settings_from_environment
from twinlock.cli.console import result, say
from twinlock.domain.money import Prices

app = typer.Typer(help="The signed price list.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
STDIN = Path("-")


@app.command("keygen")
def keygen(
    private_file: Annotated[Path, typer.Argument(help="Where the private key is put, mode 0600.")],
    *,
    as_json: Json = False,
) -> None:
    """Make the key of a price feed and print its public half; nothing is ever overwritten."""
    key = make_price_key(private_file)
    say("keep the private key with the feed; on the service's machine, run once:")
    say(f"  twinlock keys trust-prices {key}")
    result(
        {"file": str(private_file), "key_id": key.key_id, "public_key": str(key)},
        as_json=as_json,
        text=str(key),
    )


@app.command("sign")
def sign(
    prices: Annotated[Path, typer.Argument(help="The list, JSON; - reads it from stdin.")],
    *,
    key: Annotated[Path, typer.Option(help="The feed's private key.")],
    out: Annotated[Path, typer.Option(help="Where the signed list is put, all at once.")],
    as_json: Json = False,
) -> None:
    """Sign a list such as {"cents": {"USDT": 100}}: US cents for one whole unit of each asset."""
    book = rule_book(settings_from_environment().profile)  # Before anything is written.
    signed = sign_price_list(_read(prices), key_file=key, out=out)
    _tell_gaps(signed, book)
    result(
        {"as_of": signed.as_of, "assets": sorted(signed.cents), "file": str(out)},
        as_json=as_json,
        text=f"{len(signed.cents)} prices of {signed.as_of:%Y-%m-%d %H:%M:%S} UTC are in {out}",
    )


def _read(path: Path) -> bytes:
    most = PRICE_DOCUMENT_BYTES_MOST + 1  # One more is refused as too many.
    if path == STDIN:
        return sys.stdin.buffer.read(most)
    with path.open("rb") as file:
        return file.read(most)


def _tell_gaps(signed: Prices, book: RuleBook) -> None:
    """Say which asset of the policy has no price: its value is unknown, and counts as the most."""
    named = {asset.symbol for asset in book.policy.assets}
    if missing := sorted(named - set(signed.cents)):
        say(f"without a price, so that any amount counts as the highest: {', '.join(missing)}")
    if strange := sorted(set(signed.cents) - named):
        say(f"priced, and named by no policy: {', '.join(strange)}")
