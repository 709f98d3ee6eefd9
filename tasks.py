"""Lets plain `inv` find fabfile/: it looks for tasks before it reads invoke.yaml."""

from fabfile import ns  # noqa: F401
