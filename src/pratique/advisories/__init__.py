"""The vulnerability database: import, query, version order.

In: OSV documents, packages. Out: findings. Never: opens images.
"""
