"""What must last, in SQLite.

In: model values. Out: the same, later. Never: judges.
"""
