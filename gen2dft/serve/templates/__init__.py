"""Templates of the web page."""
