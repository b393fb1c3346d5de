"""Runs an image sealed off and writes down what it does.

In: an opened image. Out: a recording. Never: lets a packet out, judges what it saw.
"""
