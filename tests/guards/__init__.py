"""Every guard of money and stock, and the proof that its tests notice when it is gone.

`in_code` and `in_database` list them; `make guards` takes each out in turn, in a copy of the tree,
and runs the tests that must go red.
"""
