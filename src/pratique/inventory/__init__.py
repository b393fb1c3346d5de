"""The graph of what runs where, what it carries and who depends on it.

In: values. Out: a blast radius. Never: does I/O, acts.
"""
