"""Campaign files that ship with gen2dft."""
