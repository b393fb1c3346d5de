"""What an image is made of, compared with what others are made of.

In: sets of files above a base, and recipes. Out: kin, with the share and the reason. Never: does I/O, condemns.
"""
