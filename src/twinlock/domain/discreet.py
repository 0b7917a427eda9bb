"""Structs that hold a secret, and do not show it when somebody prints them.

Prevents: a seed or a password in a log line, a traceback with values, or a failed assertion.
"""

from typing import ClassVar

import msgspec


class Discreet(msgspec.Struct, frozen=True):
    """A struct whose ``repr`` leaves out the values of the fields in ``HIDDEN``."""

    HIDDEN: ClassVar[frozenset[str]] = frozenset()

    def __repr__(self) -> str:
        shown = (
            f"{name}={'<hidden>' if name in self.HIDDEN else repr(getattr(self, name))}"
            for name in self.__struct_fields__
        )
        return f"{type(self).__name__}({', '.join(shown)})"
