"""Text generation with the transformers library, as one writes it every day.

What is not covered: several prompts at once, chat templates, streaming, quantised models, devices.
"""

from __future__ import annotations

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer


def generate_text(prompt, model_name="gpt2", max_length=100, temperature=0.7, top_k=50, top_p=0.9):
    """Continue a prompt by sampling.

    `max_length` counts tokens, the prompt's included. Returns the prompt and its continuation as one str, without
    special tokens.
    """
    tokenizer = AutoTokenizer.from_pretrained(model_name)
    model = AutoModelForCausalLM.from_pretrained(model_name)  # in eval mode: dropout is off
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token  # GPT-2 has none
    inputs = tokenizer(prompt, return_tensors="pt")  # input_ids and attention_mask, (1, P) each
    with torch.no_grad():
        ids = model.generate(  # (1, at most max_length)
            **inputs,
            max_length=max_length,
            do_sample=True,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            pad_token_id=tokenizer.pad_token_id,
        )
    return tokenizer.decode(ids[0], skip_special_tokens=True)
