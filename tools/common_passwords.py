"""Write the list of common passwords that Twinlock ships, from two lists that others keep.

usage: python tools/common_passwords.py DJANGO.whl ZXCVBN.whl

Both wheels come from the package registry (``pip download --no-deps``). Entries shorter than any
password that may be set are left out, and so are those that another rule refuses anyway; the rest
stands in the form in which passwords are looked up. The same wheels give the same bytes.
"""

import ast
import gzip
import sys
import zipfile
from pathlib import Path

from twinlock.domain.authenticators.passwords import looked_up
from twinlock.domain.bounds import PASSWORD_LEAST

OUT = Path(__file__).resolve().parent.parent / "src/twinlock/adapters/common_passwords/list.txt.gz"


def main() -> None:
    """Write the list."""
    django, zxcvbn = map(Path, sys.argv[1:])
    entries = [*of_django(django), *of_zxcvbn(zxcvbn)]
    kept = sorted({found for one in entries if len(found := looked_up(one)) >= PASSWORD_LEAST})
    text = "".join(f"{one}\n" for one in kept)
    OUT.write_bytes(gzip.compress(text.encode("utf-8"), mtime=0))
    print(f"{len(kept)} passwords, {OUT.stat().st_size} bytes")


def of_django(wheel: Path) -> list[str]:
    """Return the 20,000 passwords of ``django.contrib.auth``."""
    with zipfile.ZipFile(wheel) as archive:
        packed = archive.read("django/contrib/auth/common-passwords.txt.gz")
    return gzip.decompress(packed).decode("utf-8").split()


def of_zxcvbn(wheel: Path) -> list[str]:
    """Return the 30,000 passwords of ``zxcvbn``."""
    with zipfile.ZipFile(wheel) as archive:
        source = archive.read("zxcvbn/frequency_lists.py").decode("utf-8")
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Dict(keys=[ast.Constant("passwords"), *_], values=[ast.Call() as made, *_]):
                # The value is written as "…".split(",").
                listed = made.func.value if isinstance(made.func, ast.Attribute) else made
                return str(ast.literal_eval(listed)).split(",")
            case _:
                continue
    raise SystemExit("the wheel of zxcvbn holds no lists where they are known to stand")


if __name__ == "__main__":
    main()
