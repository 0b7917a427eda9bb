"""Characters that nobody sees, and whose category does not say so.

Source: Unicode 15.1, Default_Ignorable_Code_Point; UTS 39, 5.4.
"""

MARKS_MOST = 4  # On one letter (UTS 39, 5.4): no language has more, and more cover what is beside.
# Letters and marks of no width or no ink; those of category C are not named here.
UNSEEN = frozenset(
    map(
        chr,
        (
            *(0x034F, 0x115F, 0x1160, 0x17B4, 0x17B5, 0x2800, 0x3164, 0xFFA0),
            *range(0x180B, 0x1810),
            *range(0xFE00, 0xFE10),
            *range(0xE0100, 0xE01F0),
        ),
    )
)
