"""Acts on the host: notify, pause, kill.

In: alerts. Out: effects. Never: decides when.
"""
