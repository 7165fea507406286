"""Triton is imported for its interpreter, whichever test comes first in this process."""

import os

os.environ["TRITON_INTERPRET"] = "1"

import pytest
import torch

from llmdrills.grading.engines import triton as engine


@pytest.fixture(scope="session", autouse=True)
def prepared() -> None:
    """As the server does it, once."""
    if not engine.available():
        pytest.skip("needs triton >= 3.6 (Linux)")
    torch.set_num_threads(1)
    engine.prepare()
