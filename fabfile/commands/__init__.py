"""How to say it in shell. Data in, text out: nothing here does I/O but read its own scripts."""
