"""Every safeguard of money and stock, and the proof that its tests fail when it is gone.

`in_source` and `in_schema` list them; `make mutation` takes each out in turn, in a copy of the
tree, and runs the tests that must go red.
"""
