"""A package, so that it comes before packages called `tests` that wheels bring along (optimade's
does).
"""
