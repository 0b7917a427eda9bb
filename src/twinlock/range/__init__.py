"""The range: attack stories and their benign twins, played with real devices in software.

Each story says how well it is proved: a weakness that became public is not told as a theft.
"""
