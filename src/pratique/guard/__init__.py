"""Answers the engine's question whether an API request may go on.

In: the authorization plugin's calls. Out: yes, or no with a reason. Never: imports the scanner.
"""
