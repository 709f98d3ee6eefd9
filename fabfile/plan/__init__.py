"""What to do: decided from facts and wishes. Pure: no I/O at all."""
