"""FireWorks side of gen2dft: convert, submit, advance, recover. No science in here."""
