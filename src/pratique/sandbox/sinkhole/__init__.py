"""Plays the internet for one container, in a network namespace without a way out, and writes down what it is told.

In: packets of the container. Out: conversations. Never: sends anything but answers.
"""
