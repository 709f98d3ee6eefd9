"""podfab: pods into vLLM servers. The namespace of all tasks, for inv, fab, podfab and others."""

from invoke import Collection

from . import models, pods, prompt, setup

ns = Collection("podfab")
ns.add_task(setup.setup)
ns.add_collection(Collection.from_module(pods))
ns.collections["pods"].add_task(setup.setup)
ns.add_collection(Collection.from_module(models))
ns.add_collection(Collection.from_module(prompt))
