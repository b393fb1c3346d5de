"""Tells the world outside: metrics, messages, logs.

In: alerts, decisions and counters. Out: Prometheus text, syslog, messages of every kind. Never: decides what is worth telling.
"""
