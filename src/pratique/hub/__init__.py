"""The console and its API: what happens on this host, in a browser.

In: the store, the policy file. Out: pages, JSON, events. Never: touches a kernel or an engine.
"""
