"""Programs that build the data that ship; nothing of the library imports them."""
