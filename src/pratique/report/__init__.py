"""Renders a report document.

In: reports. Out: text. Never: knows how a finding was found.
"""
