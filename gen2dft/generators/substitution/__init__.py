"""Exchange of elements in known crystals: data-mined for ions, by chemical nearness otherwise."""
