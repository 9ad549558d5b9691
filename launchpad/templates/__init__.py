"""FireWorks' configuration files as `gen2dft init` writes them; `$name` stands for a value."""
