"""What each page and each endpoint of the API tells: one module a subject, functions from a question to an answer.

In: the desk and what is asked. Out: frozen structs. Never: sees a request or renders anything.
"""
