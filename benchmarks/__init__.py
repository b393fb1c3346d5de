"""Benchmarks: each compares with a peer or with the same work without Pratique, in one run, and prints the ratio."""
