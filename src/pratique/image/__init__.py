"""Opens an image and merges its layers into one tree.

In: an engine, a docker-archive, an OCI layout. Out: an identity and readable files. Never: interprets files.
"""
