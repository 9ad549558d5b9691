"""Scripts and style sheets of the web page."""
