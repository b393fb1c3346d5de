"""One file a promise: the only place where neighbours meet.

In: everything below. Out: the promise. Never: holds logic of its own.
"""
