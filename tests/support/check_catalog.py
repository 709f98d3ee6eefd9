"""Check our models.yaml against a vLLM: `script/check-catalog WHEEL`."""

from __future__ import annotations

import sys
from pathlib import Path
from zipfile import BadZipFile

from fabfile.records import catalog
from fabfile.records.entries import Catalog
from fabfile.records.yamlfile import read_yaml

from .vllm_source import problems, read


def main(place: str) -> int:
    """Print what this vLLM does not accept; 1 when there is any."""
    try:
        accepts = read(Path(place))
    except (LookupError, OSError, BadZipFile) as error:
        print(f"that can not be checked: {error}; wheels of vLLM from 0.10 on can", file=sys.stderr)
        return 2
    shipped = Catalog.model_validate(read_yaml(catalog.SHIPPED))
    wrong, newer = problems(shipped, accepts)
    for line in wrong:
        print(line)
    checked = len(shipped.models) - len(newer)
    print(f"vLLM {accepts.version}: {checked} models checked, {len(wrong)} problems")
    if newer:
        print(f"{len(newer)} ask for a newer vLLM: {', '.join(newer)}")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
