"""Container engines.

In: the engine's API, ``/proc``, the cgroup file system. Out: images, containers, events. Never: knows policy.
"""
