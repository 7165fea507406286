"""The model's weights in one file of safetensors: read and written here, without the library. Imports torch.

The file is as a checkpoint of Meta's program: bfloat16, the rotated pairs of a head as neighbours, norms stored as
w − 1. Whoever runs it converts it first, with a kernel of the kata checkpoint-conversion.
"""

from __future__ import annotations

import json
from pathlib import Path

import torch

from llmdrills.files import write_atomically
from llmdrills.grading.play.digest import WEIGHTS

__all__ = ["Checkpoint", "read_weights", "write_weights"]

Checkpoint = dict[str, torch.Tensor]


def write_weights(path: Path, weights: Checkpoint, metadata: dict[str, str]) -> None:
    """Write tensors as bfloat16, whole or not at all."""
    header: dict[str, object] = {"__metadata__": metadata}
    parts: list[bytes] = []
    place = 0
    for name in sorted(weights):
        raw = weights[name].detach().to(torch.bfloat16).contiguous().view(torch.uint8).numpy().tobytes()
        header[name] = {"dtype": "BF16", "shape": list(weights[name].shape), "data_offsets": [place, place + len(raw)]}
        parts.append(raw)
        place += len(raw)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    write_atomically(path, len(text).to_bytes(8, "little") + text + b"".join(parts))


def read_weights(path: Path = WEIGHTS) -> tuple[Checkpoint, dict[str, str]]:
    """The tensors, in bfloat16, and the metadata. Raises OSError, or ValueError for what is no such file."""
    data = path.read_bytes()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    metadata = header.pop("__metadata__", {})
    found: Checkpoint = {}
    for name, entry in header.items():
        first, last = entry["data_offsets"]
        raw = bytearray(data[8 + size + first : 8 + size + last])
        found[name] = torch.frombuffer(raw, dtype=torch.bfloat16).reshape(entry["shape"])
    return found, metadata
