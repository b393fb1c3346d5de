"""From an image's files to facts: packages, malware, secrets, configuration.

In: a merged tree. Out: packages and findings. Never: reads a path that it did not ask for.
"""
