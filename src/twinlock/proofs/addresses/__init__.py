"""Addresses, checked and put in their one form, network by network.

Always true (tests/property/test_address_properties.py, tests/vectors/test_address_vectors.py):

* every spelling of one destination has one normal form, and the form of a form is itself;
* one character more, less or other is refused, or is another destination's own spelling.

What can be computed is: checksums, lengths, versions. Whether anybody has the keys of an address
is not known to anyone but its owner, except where nobody can have them.
"""
