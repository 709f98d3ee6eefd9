"""What each layer of a model keeps per token or per sequence, from its config.json.

The fields are those of the transformers library's configuration classes; what vLLM makes of them
stands in vllm/model_executor/models and vllm/v1/kv_cache_interface.py.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from ..records.entries import Layers

Text = Mapping[str, Any]
_ENCODERS = ("bert", "roberta", "modernbert", "nomic", "gte")
_KINDS = {
    "full_attention": "full", "attention": "full", "*": "full", "full": "full",
    "sliding_attention": "window", "chunked_attention": "window", "swa": "window",
    "linear_attention": "linear", "mamba": "linear", "M": "linear", "conv": "linear",
    "kda": "linear",
}  # fmt: skip
_INDEXER_SCALE = 4  # bytes beside the 8-bit keys of a sparse attention's indexer


def layers(text: Text) -> list[Layers]:
    """Return the groups of layers that keep a cache; an encoder keeps none."""
    if any(name in str(text.get("model_type", "")) for name in _ENCODERS):
        return []
    if text.get("compress_ratios"):
        return _compressed(text)
    found = Counter(_kinds(text))
    if not _window(text):
        found["full"] += found.pop("window", 0)
    return [
        make(text, count)
        for kind, make in (("full", _full), ("window", _windowed), ("linear", _linear))
        if (count := found[kind])
    ]


def _kinds(text: Text) -> list[str]:
    """Return the kind of each layer; those without attention are left out."""
    count = text["num_hidden_layers"]
    listed = text.get("layer_types") or text.get("layers_block_type")
    listed = listed or text.get("hybrid_override_pattern")
    if listed:
        # The last layers of some small models use the cache of earlier ones.
        kept = len(listed) - (text.get("num_kv_shared_layers") or 0)
        return [_KINDS.get(str(kind), "") for kind in listed[:kept]]
    if isinstance(pattern := text.get("hybrid_layer_pattern"), list):
        return ["window" if windowed else "full" for windowed in pattern]
    if isinstance(linear := text.get("linear_attn_config"), Mapping):
        full = len(linear.get("full_attn_layers") or [])
        return ["full"] * full + ["linear"] * (count - full)
    if interval := text.get("full_attention_interval"):
        return ["full" if (i + 1) % interval == 0 else "linear" for i in range(count)]
    if _window(text) and text.get("use_sliding_window") is not False:
        pattern = text.get("sliding_window_pattern")
        return ["full" if pattern and (i + 1) % pattern == 0 else "window" for i in range(count)]
    return ["full"] * count


def _full(text: Text, count: int) -> Layers:
    indexer = text.get("index_head_dim")
    extra = indexer + _INDEXER_SCALE if indexer else 0
    if text.get("kv_lora_rank"):
        latent = text["kv_lora_rank"] + text.get("qk_rope_head_dim", 0)
        return Layers(layers=count, latent=latent, extra_bytes=extra)
    dim = text.get("global_head_dim") or _head_dim(text)
    heads = text.get("num_global_key_value_heads") or _kv_heads(text)
    return Layers(
        layers=count,
        kv_heads=heads,
        head_dim=dim,
        value_dim=_other(text.get("v_head_dim"), dim),
        extra_bytes=extra,
    )


def _windowed(text: Text, count: int) -> Layers:
    dim = text.get("swa_head_dim") or _head_dim(text)
    return Layers(
        layers=count,
        kv_heads=text.get("swa_num_key_value_heads") or _kv_heads(text),
        head_dim=dim,
        value_dim=_other(text.get("swa_v_head_dim"), dim),
        window=_window(text),
    )


def _linear(text: Text, count: int) -> Layers:
    """Return layers with a state: the last inputs of a convolution, and a matrix per head."""
    if "mamba_num_heads" in text or "mamba_n_heads" in text:
        heads = text.get("mamba_num_heads") or text["mamba_n_heads"]
        dim = text.get("mamba_head_dim") or text["mamba_d_head"]
        state = text.get("ssm_state_size") or text["mamba_d_state"]
        groups = text.get("n_groups") or text.get("mamba_n_groups") or 1
        taps = text.get("conv_kernel") or text.get("mamba_d_conv") or 4
        width, matrix = heads * dim + 2 * groups * state, heads * dim * state
    elif isinstance(delta := text.get("linear_attn_config"), Mapping):
        heads, dim = delta["num_heads"], delta["head_dim"]
        taps = delta.get("short_conv_kernel_size", 4)
        width, matrix = 3 * heads * dim, heads * dim * dim
    elif "linear_num_value_heads" in text:
        keys = text["linear_num_key_heads"] * text["linear_key_head_dim"]
        values = text["linear_num_value_heads"] * text["linear_value_head_dim"]
        taps = text.get("linear_conv_kernel_dim", 4)
        width, matrix = 2 * keys + values, values * text["linear_key_head_dim"]
    else:  # a convolution alone
        taps, width, matrix = text.get("conv_L_cache", 4), text["hidden_size"], 0
    return Layers(layers=count, state_kib=round(((taps - 1) * width * 2 + matrix * 4) / 1024, 1))


def _compressed(text: Text) -> list[Layers]:
    """Return the layers of DeepSeek V4: a short window, and a vector per so many tokens.

    vllm/models/deepseek_v4 of 0.33.0; on layers that pick what they look at, an indexer besides.
    """
    count, dim = text["num_hidden_layers"], text["head_dim"]
    found = [Layers(layers=count, latent=dim, window=text["sliding_window"])]
    for ratio, times in sorted(Counter(text["compress_ratios"][:count]).items()):
        if ratio:
            indexer = (text["index_head_dim"] + _INDEXER_SCALE) // ratio if ratio == 4 else 0
            found.append(Layers(layers=times, latent=dim // ratio, extra_bytes=indexer))
    return found


def _head_dim(text: Text) -> int:
    return int(text.get("head_dim") or text["hidden_size"] // text["num_attention_heads"])


def _kv_heads(text: Text) -> int:
    heads = text.get("num_key_value_heads") or text.get("num_attention_groups")
    return int(heads or text["num_attention_heads"])


def _window(text: Text) -> int | None:
    """Return how far back the layers look that do not look at all; None when that is everything."""
    window = text.get("sliding_window") or text.get("attention_chunk_size")
    longest = text.get("max_position_embeddings")
    return window if window and (not longest or window < longest) else None


def _other(value_dim: int | None, dim: int) -> int | None:
    return value_dim if value_dim and value_dim != dim else None
