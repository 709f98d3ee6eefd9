"""What a file is that is not text, by its first bytes."""

from __future__ import annotations

_STARTS = {
    b"\x7fELF": "ELF program or library",
    b"\xcf\xfa\xed\xfe": "Mach-O program or library",
    b"\x89PNG": "PNG image",
    b"\xff\xd8\xff": "JPEG image",
    b"GIF8": "GIF image",
    b"%PDF": "PDF document",
    b"PK\x03\x04": "zip archive (also .whl, .docx, .pt)",
    b"\x1f\x8b": "gzip data",
    b"\x28\xb5\x2f\xfd": "zstd data",
    b"SQLite format 3": "SQLite database",
    b"GGUF": "GGUF model",
    b"\xff\xfe": "UTF-16 text, which rg can search",
    b"\xfe\xff": "UTF-16 text, which rg can search",
}


def kind(start: bytes) -> str:
    """Say what a file that starts so is; nothing for text, which holds no NUL."""
    if b"\0" not in start:
        return ""
    known = (what for first, what in _STARTS.items() if start.startswith(first))
    return next(known, "binary data")
