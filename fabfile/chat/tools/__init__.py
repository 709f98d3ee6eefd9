"""The file tools that a model may use: they read, inside of given directories, and nothing else."""
