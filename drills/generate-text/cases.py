"""Text generation: tiny models with designed probabilities, and right kernels that are written differently.

Each model is a GPT-2 without layers: the logits of the next token depend on the last token alone, by a table. It and
its byte-level tokenizer are written to the attempt's folder, so nothing is downloaded.
"""

from __future__ import annotations

import json

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig, pipeline

from llmdrills.grading.authoring import Inputs, call, case, equivalent, peer

# Models

END, WAIT, START, PAD = "<|endoftext|>", "<|wait|>", "<|start|>", "<|pad|>"
UNSEEN = tuple(f"<|unseen-{i}|>" for i in range(10))
SPECIAL = (END, WAIT, START, PAD, *UNSEEN)  # none of them shows in the text
NEVER = -10000.0  # the logit of what the table does not name
VOCABULARY = (*SPECIAL, *"abcdefghijklmnop", "Ġ", "ab", "cd")  # Ġ is the byte-level space


def model(make: Inputs, table, *, start=False, pad=False, end=END):
    """A model folder: `table[last][next]` are logits. `start` puts a special token in front of every prompt; `end` is
    the model's own end-of-text, the tokenizer's is always END."""
    folder = make.folder / f"model-{len(list(make.folder.glob('model-*')))}"
    folder.mkdir(parents=True)
    _write_weights(folder, table, end)
    _write_tokenizer(folder, start, pad)
    return str(folder)


def _write_weights(folder, table, end):
    V, place = len(VOCABULARY), VOCABULARY.index
    embedding = torch.eye(V) * 3
    high, low = F.layer_norm(embedding, (V,))[0, :2].tolist()
    logits = torch.full((V, V), NEVER)  # (next, last)
    for last, following in table.items():
        for token, logit in following.items():
            logits[place(token), place(last)] = logit
    weights = {
        "transformer.wte.weight": embedding,
        "transformer.wpe.weight": torch.zeros(128, V),
        # The last norm is undone, so that what reaches the head is one-hot again.
        "transformer.ln_f.weight": torch.full((V,), 1 / (high - low)),
        "transformer.ln_f.bias": torch.full((V,), -low / (high - low)),
        "lm_head.weight": logits,
    }
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    sizes = {"vocab_size": V, "n_positions": 128, "n_embd": V, "n_layer": 0, "n_head": 1}
    ids = {"bos_token_id": place(END), "eos_token_id": place(end), "tie_word_embeddings": False}
    kind = {"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"]}
    _write_json(folder / "config.json", kind | sizes | ids)


def _write_tokenizer(folder, start, pad):
    special = [
        {
            "id": i,
            "content": token,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
            "special": True,
        }
        for i, token in enumerate(SPECIAL)
    ]
    front = {
        "type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": START, "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
        "special_tokens": {START: {"id": START, "ids": [VOCABULARY.index(START)], "tokens": [START]}},
    }
    bytes_ = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    merges = {"vocab": {token: i for i, token in enumerate(VOCABULARY)}, "merges": ["a b", "c d"]}
    parts = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": special,
        "normalizer": None,
        "pre_tokenizer": bytes_,
        "post_processor": front if start else None,
        "decoder": bytes_,
        "model": {"type": "BPE", "dropout": None, "unk_token": None, **merges},
    }
    _write_json(folder / "tokenizer.json", parts)
    named = {"eos_token": END} | ({"pad_token": PAD} if pad else {})
    _write_json(
        folder / "tokenizer_config.json",
        {"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": False, **named},
    )


def _write_json(file, content):
    file.write_text(json.dumps(content), encoding="utf-8")


def cycle(tokens, likely=1.0, others=()):
    """A table in which each token is most likely followed by the next, round and round; `others` follow too."""
    tokens = list(tokens)
    table = {last: {other: 0.0 for other in others if other != last} for last in tokens}
    for last, following in zip(tokens, tokens[1:] + tokens[:1], strict=True):
        table[last][following] = likely
    return table


# Cases


@case(
    why="top_k=1 is argmax, though every token is nearly as likely; max_length counts the prompt's two tokens, ab and c",
    clauses=("sampling", "length"),
)
def top_k_of_one(make: Inputs):
    table = {**cycle("cdefgh", 0.5, others="cdefgh"), "ab": {"c": 1.0}}
    return call("abc", model_name=model(make, table), max_length=14, temperature=1.5, top_k=1, top_p=1)


@case(why="a tiny p is argmax too", clauses=("sampling",))
def tiny_p(make: Inputs):
    name = model(make, cycle("abcdefg", 0.4, others="abcdefg"))
    return call("b", model_name=name, max_length=15, temperature=1.3, top_k=20, top_p=1e-6)


@case(
    why="hot: two tokens are even, one waits unseen, the other goes on; greedy waits for ever, sampling gets through",
    clauses=("sampling",),
)
def two_tokens_at_high_temperature(make: Inputs):
    table = {
        "a": {WAIT: 20.0, "b": 0.0},
        WAIT: {WAIT: 20.0, "b": 0.0},
        "b": {"c": 9.0},
        "c": {END: 9.0},
        END: {"e": 9.0},
    }
    # At 1, p=.9 leaves only the waiting; at 50 it is .6 against .4, and 58 times the wrong one in a row do not happen.
    return call("a", model_name=model(make, table), max_length=60, temperature=50.0, top_k=2, top_p=0.9)


@case(
    why="cold: a share of .12 becomes .87, and p=.8 leaves one token; at temperature 1 there are a dozen",
    clauses=("sampling",),
)
def one_token_at_low_temperature(make: Inputs):
    letters = "abcdefghijklmnop"
    name = model(make, cycle(letters, 0.68, others=letters))
    return call("c", model_name=name, max_length=24, temperature=0.15, top_k=20, top_p=0.8)


@case(why="an early end-of-text: generation stops, and the token itself does not show", clauses=("end", "result"))
def early_end(make: Inputs):
    table = {"a": {"b": 9.0}, "b": {"c": 9.0}, "c": {END: 9.0}, END: {"d": 9.0}, "d": {"e": 9.0}, "e": {"d": 9.0}}
    return call("a", model_name=model(make, table), max_length=12, top_k=1)


@case(
    why="the defaults: .85 becomes .92 at 0.7, which alone reaches 0.9; at temperature 1 it would not",
    clauses=("sampling", "padding", "model"),
)
def defaults(make: Inputs):
    table = {last: {following: 1.735, "p": 0.0} for last, following in zip("abcdefgh", "bcdefghi", strict=True)}
    table |= {"i": {END: 9.0}, "p": {"p": 1.0, "a": 1.0}}
    return call("a", model_name=model(make, table))


@case(
    why="merged tokens: max_length counts tokens, not characters; spaces are text like any other, at the ends too",
    clauses=("length", "result"),
)
def tokens_are_not_characters(make: Inputs):
    name = model(make, cycle(["ab", "Ġ", "cd", "e"], 9.0))
    return call(" ab cd", model_name=name, max_length=7, top_k=1)


@case(
    why="the tokenizer puts a special token in front: it counts towards max_length and does not show",
    clauses=("prompt", "length"),
)
def start_token(make: Inputs):
    name = model(make, cycle("abcdef", 9.0), start=True)
    return call("bc", model_name=name, max_length=8, top_k=1)


@case(why="the tokenizer has a padding token of its own", clauses=("padding", "always"))
def padding_token_of_its_own(make: Inputs):
    return call("gh", model_name=model(make, cycle("hgfed", 9.0), pad=True), max_length=9, top_k=1)


@case(why="the first token that comes is the end: the prompt is returned as it was", clauses=("end", "result"))
def end_at_once(make: Inputs):
    return call("ab", model_name=model(make, {"ab": {END: 9.0}, END: {"d": 9.0}, "d": {"d": 9.0}}), max_length=9)


@case(why="the model's end-of-text is another token than the tokenizer's: the model's decides", clauses=("end",))
def end_of_the_model(make: Inputs):
    table = {"a": {"b": 9.0}, "b": {WAIT: 9.0}, WAIT: {"c": 9.0}, "c": {"d": 9.0}, "d": {"c": 9.0}}
    return call("a", model_name=model(make, table, end=WAIT), max_length=12, top_k=1)


@case(
    why="step by step the likeliest token leads to b, but the likeliest whole text begins with c", clauses=("sampling",)
)
def likelier_as_a_whole(make: Inputs):
    table = {"a": {"b": 0.5, "c": 0.0}, "c": {"d": 9.0}, "d": {END: 9.0}}
    table |= {"b": {"e": 0.2, **dict.fromkeys("fghijklm", 0.0)}, "e": {END: 9.0}}
    return call("a", model_name=model(make, table), max_length=10, top_k=1)


@case(
    why="tokens that came before come again: high logits that lie close together bear no penalty", clauses=("sampling",)
)
def again_and_again(make: Inputs):
    table = {
        last: dict.fromkeys("abcdef", 9.8) | {following: 10.0} for last, following in zip("abc", "bca", strict=True)
    }
    return call("ab", model_name=model(make, {**table, "ab": {"c": 9.0}}), max_length=12, top_k=1)


@case(why="temperature 2 leaves .8 on one token, which reaches p; applied twice it leaves less", clauses=("sampling",))
def temperature_once(make: Inputs):
    name = model(make, cycle("abcdefghi", 6.93, others="abcdefghi"))
    return call("a", model_name=name, max_length=40, temperature=2.0, top_k=30, top_p=0.7)


@case(why="ten unseen tokens of .023 each beside one of .77: each may come, and soon one does", clauses=("sampling",))
def rare_tokens_come_too(make: Inputs):
    waits = {WAIT: 3.5} | dict.fromkeys(UNSEEN, 0.0)
    table = {"a": waits, WAIT: waits, **{token: {"b": 9.0} for token in UNSEEN}, "b": {END: 9.0}}
    return call("a", model_name=model(make, table), max_length=120, temperature=1.0, top_k=20, top_p=1.0)


@case(
    why="two tokens of thirty are allowed: one waits unseen, the other goes on, the rest lie just below",
    clauses=("sampling", "padding"),
)
def two_of_many(make: Inputs):
    waits = dict.fromkeys(VOCABULARY, -1.001) | {WAIT: 0.0, "b": -1.0}
    table = {"a": waits, WAIT: waits, "b": {"c": 9.0}, "c": {END: 9.0}}
    return call("a", model_name=model(make, table), max_length=120, temperature=1.0, top_k=2, top_p=1.0)


@case(
    draws=16,
    why="two continuations are even: in 16 calls both come, for nothing fixes the random numbers",
    clauses=("sampling", "always"),
)
def two_texts(make: Inputs):
    table = {"a": {"b": 0.0, "c": 0.0}, "b": {END: 9.0}, "c": {END: 9.0}}
    return call("a", model_name=model(make, table), max_length=5)


@case(
    fresh=True, why="a random cycle, prompt and length that nobody could have hard-coded", clauses=("model", "length")
)
def fresh(make: Inputs):
    letters = ["efghijklmnop"[i] for i in make.permutation(12).tolist()]
    prompt = "".join(letters[make.size(0, 11)] for _ in range(make.size(1, 4)))
    name = model(make, cycle(letters, 0.7, others=letters))
    return call(prompt, model_name=name, max_length=make.size(10, 14), temperature=1.2, top_k=1, top_p=0.95)


# Equivalents


@equivalent("in-steps", why="the settings in a dict, which generate takes apart")
def in_steps(prompt, model_name="gpt2", max_length=100, temperature=0.7, top_k=50, top_p=0.9):
    tokenizer = AutoTokenizer.from_pretrained(model_name)
    model = AutoModelForCausalLM.from_pretrained(model_name)
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    inputs = tokenizer(prompt, return_tensors="pt")
    settings = {"do_sample": True, "temperature": temperature, "top_k": top_k, "top_p": top_p}
    ids = model.generate(**inputs, max_length=max_length, pad_token_id=tokenizer.pad_token_id, **settings)
    return tokenizer.decode(ids[0], skip_special_tokens=True)


@equivalent("prompt-and-new-tokens", why="the prompt as it was given, and the new tokens decoded behind it")
def prompt_and_new_tokens(prompt, model_name="gpt2", max_length=100, temperature=0.7, top_k=50, top_p=0.9):
    tokenizer = AutoTokenizer.from_pretrained(model_name)
    model = AutoModelForCausalLM.from_pretrained(model_name)
    inputs = tokenizer(prompt, return_tensors="pt")
    settings = {"do_sample": True, "temperature": temperature, "top_k": top_k, "top_p": top_p}
    ids = model.generate(**inputs, max_length=max_length, pad_token_id=tokenizer.eos_token_id, **settings)
    return prompt + tokenizer.decode(ids[0, inputs.input_ids.size(1) :], skip_special_tokens=True)


@equivalent("pipeline", why="the library's pipeline, which puts the prompt in front")
def by_pipeline(prompt, model_name="gpt2", max_length=100, temperature=0.7, top_k=50, top_p=0.9):
    generator = pipeline("text-generation", model=model_name)
    room = max_length - len(generator.tokenizer(prompt).input_ids)
    settings = {"do_sample": True, "temperature": temperature, "top_k": top_k, "top_p": top_p}
    return generator(prompt, max_new_tokens=room, **settings)[0]["generated_text"]


@equivalent("new-tokens-worked-out", why="max_new_tokens = max_length − the prompt's tokens, and inference mode")
def new_tokens_worked_out(prompt, model_name="gpt2", max_length=100, temperature=0.7, top_k=50, top_p=0.9):
    tokenizer = AutoTokenizer.from_pretrained(model_name)
    model = AutoModelForCausalLM.from_pretrained(model_name).eval()
    ids = tokenizer.encode(prompt, return_tensors="pt")
    with torch.inference_mode():
        output = model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=max_length - ids.shape[1],
            do_sample=True,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            pad_token_id=tokenizer.eos_token_id,
        )
    return tokenizer.batch_decode(output, skip_special_tokens=True)[0]


@equivalent("generation-config", why="the settings in a GenerationConfig, and a batch of one padded prompt")
def generation_config(prompt, model_name="gpt2", max_length=100, temperature=0.7, top_k=50, top_p=0.9):
    tokenizer = AutoTokenizer.from_pretrained(model_name)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    model = AutoModelForCausalLM.from_pretrained(model_name)
    config = GenerationConfig(
        max_length=max_length,
        do_sample=True,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        eos_token_id=model.config.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )
    inputs = tokenizer([prompt], return_tensors="pt", padding=True)
    output = model.generate(inputs.input_ids, attention_mask=inputs.attention_mask, generation_config=config)
    return tokenizer.decode(output.squeeze(0).tolist(), skip_special_tokens=True)


@equivalent("a-loop", why="a loop over the model's logits, the filters by hand, and multinomial")
def a_loop(prompt, model_name="gpt2", max_length=100, temperature=0.7, top_k=50, top_p=0.9):
    tokenizer = AutoTokenizer.from_pretrained(model_name)
    model = AutoModelForCausalLM.from_pretrained(model_name)
    ids = tokenizer(prompt, return_tensors="pt").input_ids
    with torch.no_grad():
        while ids.size(1) < max_length:
            logits = model(ids).logits[0, -1] / temperature
            values, order = logits.sort(descending=True)
            values[top_k:] = -torch.inf
            share = values.softmax(-1)
            values[share.cumsum(-1) - share >= top_p] = -torch.inf
            new = order[torch.multinomial(values.softmax(-1), 1)]
            ids = torch.cat((ids, new[None]), dim=1)
            if new.item() == model.config.eos_token_id:
                break
    return tokenizer.decode(ids[0], skip_special_tokens=True)


@equivalent(
    "gumbel-max", why="the maximum of logits and Gumbel noise instead of a draw, with the pieces kept in a list"
)
def gumbel_max(prompt, model_name="gpt2", max_length=100, temperature=0.7, top_k=50, top_p=0.9):
    tokenizer = AutoTokenizer.from_pretrained(model_name)
    model = AutoModelForCausalLM.from_pretrained(model_name)
    ids = tokenizer(prompt).input_ids
    for _ in range(max_length - len(ids)):
        with torch.no_grad():
            logits = model(torch.tensor([ids])).logits[0, -1].double() / temperature
        logits = logits.masked_fill(logits < logits.topk(min(top_k, len(logits))).values[-1], -torch.inf)
        ranked, order = logits.softmax(-1).sort(descending=True)
        before = torch.cat((torch.zeros(1, dtype=ranked.dtype), ranked.cumsum(-1)[:-1]))
        keep = order[before < top_p]
        noise = -torch.rand(len(keep), dtype=torch.float64).log().neg().log()
        ids.append(keep[(logits[keep] + noise).argmax()].item())
        if ids[-1] == model.config.eos_token_id:
            break
    return tokenizer.decode(ids, skip_special_tokens=True)


# The peer


@peer("tokenizers, safetensors and a table", skips={})
def by_the_table(prompt, model_name="gpt2", max_length=100, temperature=0.7, top_k=50, top_p=0.9):
    """Reads the model's files itself: the head's rows are the table, so no model is needed."""
    from pathlib import Path

    from safetensors.torch import load_file
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(Path(model_name) / "tokenizer.json"))
    table = load_file(Path(model_name) / "model.safetensors")["lm_head.weight"].T.double()  # (last, next)
    end = json.loads((Path(model_name) / "config.json").read_text(encoding="utf-8"))["eos_token_id"]
    ids = tokenizer.encode(prompt).ids
    while len(ids) < max_length and (not ids or ids[-1] != end or len(ids) == len(tokenizer.encode(prompt).ids)):
        odds = sorted(((logit / temperature, -i) for i, logit in enumerate(table[ids[-1]].tolist())), reverse=True)
        weights = torch.tensor([logit for logit, _ in odds[:top_k]], dtype=torch.float64).softmax(-1)
        stay = int((weights.cumsum(-1) < top_p).sum()) + 1
        ids.append(-odds[int(torch.multinomial(weights[:stay], 1))][1])
    return tokenizer.decode(ids, skip_special_tokens=True)
