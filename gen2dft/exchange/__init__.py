"""Campaigns on their way from one database to another: one archive, written, checked and read
back.
"""
