"""Compiles the kernels of Triton solutions to machine code, without a GPU: run as a program, in a process of its own.

    python -m tests.helpers.compile_solutions drills/triton-softmax … < calls.json

The other tests import triton for its interpreter, which replaces the compiler for the whole process. Each line that is
printed is the JSON of one kernel for one kind of GPU: its size, and whether its instructions round to TF32.
"""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource
from triton.runtime.jit import JITFunction, mangle_type

A100, H100 = 80, 90
TYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16, "uint8": torch.uint8}
TYPES["int64"] = torch.int64


def loaded(file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(file.parent.name.replace("-", "_"), file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def argument(value: Any) -> Any:
    """A tensor of zeros from [dtype, sizes]; anything else as it is."""
    return torch.zeros(value[1], dtype=TYPES[value[0]]) if isinstance(value, list) else value


def launched(module: ModuleType, entry: str, arguments: list[Any]) -> list[tuple[JITFunction, dict[str, Any]]]:
    """The kernels that one call of the entry launches, with their parameters; nothing runs."""
    found: list[tuple[JITFunction, dict[str, Any]]] = []

    def recorded(kernel: JITFunction) -> Any:
        def run(*args: Any, grid: Any, warmup: bool, **named: Any) -> None:
            del grid, warmup
            found.append((kernel, {**dict(zip(kernel.arg_names, args, strict=False)), **named}))

        return run

    for kernel in vars(module).values():
        if isinstance(kernel, JITFunction):
            kernel.run = recorded(kernel)
    getattr(module, entry)(*map(argument, arguments))
    return found


def compiled(kernel: JITFunction, bound: dict[str, Any], capability: int) -> dict[str, Any]:
    """Down to the machine code of one GPU, specialised as a launch with these arguments is."""
    signature, constants = {}, {}
    for parameter in kernel.params:
        value = bound[parameter.name]
        if parameter.is_constexpr or (type(value) is int and value == 1):
            signature[parameter.name], constants[parameter.name] = "constexpr", value
        else:
            signature[parameter.name] = mangle_type(value)
    source = ASTSource(fn=kernel, signature=signature, constexprs=constants)
    made = triton.compile(source, target=GPUTarget("cuda", capability, 32))
    return {
        "kernel": kernel.__name__,
        "capability": capability,
        "machine_code": len(made.asm["cubin"]),
        "tf32": "tf32" in made.asm["ptx"],
        "tensor_cores": any(name in made.asm["ptx"] for name in ("mma.sync", "wgmma")),
        "shared": made.metadata.shared,
    }


def main() -> None:
    calls = json.load(sys.stdin)
    for folder in map(Path, sys.argv[1:]):
        module = loaded(folder / "solution.py")
        for entry, arguments in calls[folder.name]:
            for kernel, bound in launched(module, entry, arguments):
                for capability in (A100, H100):
                    print(json.dumps({"kata": folder.name, **compiled(kernel, bound, capability)}))


if __name__ == "__main__":
    main()
