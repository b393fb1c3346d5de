"""Loads the BPF programs, puts policies in, gets events out.

In: kernel policies, container ids. Out: sensor events and flow counters. Never: knows why a rule exists.
"""
