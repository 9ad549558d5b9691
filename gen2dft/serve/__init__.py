"""A read-only web page over the store, and the hits as an OPTIMADE database."""
