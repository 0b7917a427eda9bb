"""Nesting: how deep a text of Cedar goes, told before any parser that recurses is given it.

Cedar's parser recurses, and so does whatever reads its JSON. A thousand brackets in two kilobytes
once ended the process, which no ``except`` catches. Strings and comments are skipped as Cedar skips
them; what is not surely one of them is counted, so no text is deeper than is said here. A text of
any length is looked through once.
"""

import re
from typing import Final

from twinlock.domain.policy.annotations import PolicyFault, refuse

# A stack of 2 MB holds some 300 brackets, and thousands of operators; our deepest rule has 2 of the
# ones and 10 of the others. Conditions joined as far as they may be, of two facts each, have 400.
BRACKETS_MOST: Final = 64
OPERATORS_MOST: Final = 512  # In one rule: each may go one deeper, and no bracket shows it.
_OPENED: Final = {")": "(", "]": "[", "}": "{"}
_TOKEN: Final = re.compile(
    r'//[^\n\r]*|"(?:\\.|[^"\\])*(?P<end>"?)|(?P<bracket>[(\[{)\]}])|(?P<operator>&&|\|\||[-+*!.<]|\b(?:if|has|when|unless)\b)|;'
)


def check_nesting(text: str) -> None:
    """Check that no parser goes too deep in ``text``: rules, or a schema.

    Raises:
        PolicyRefusedError: it has more brackets open, or more operators in a rule, than may be; or
            a string that never ends, which Cedar refuses as well.
    """
    opened: list[str] = []
    operators = 0
    for token in _TOKEN.finditer(text):
        found = token.group()
        if found == ";":
            operators = 0
        elif token["operator"]:
            operators += 1
        elif token["bracket"] and found not in _OPENED:
            opened.append(found)
        elif opened and opened[-1] == _OPENED.get(found):
            opened.pop()
        elif token["end"] == "":  # Prevents: each quote in it read to the end of the text.
            line = text[: token.start()].count("\n") + 1
            refuse(PolicyFault.UNREADABLE, "a string that begins here never ends", line=line)
        if len(opened) > BRACKETS_MOST:
            refuse(PolicyFault.TOO_LARGE, f"it nests deeper than {BRACKETS_MOST} brackets")
        if operators > OPERATORS_MOST:
            refuse(PolicyFault.TOO_LARGE, f"a rule has more than {OPERATORS_MOST} operators")
