"""Doing it: reach a pod, run scripts on it, follow jobs. Knows no catalog."""
