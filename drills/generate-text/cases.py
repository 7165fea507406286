"""Text generation: tiny models with designed probabilities, and right kernels that are written differently.

Each model is a GPT-2 without layers: the logits of the next token depend on the last token alone, by a table. It and
its byte-level tokenizer are written to the attempt's folder, so nothing is downloaded.

Texts are random, so each call carries its law, computed in float64 from the table: every text that may come, with its
probability. The tables are such that few texts may come: mostly one, while a token that must come leads out of a loop
that does not show, and one that may not come leads to another letter.
"""

from __future__ import annotations

import json
import math
import zlib
from collections import defaultdict
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig, pipeline

from llmdrills.grading.authoring import Call, Draw, Inputs, by_law, call, case, domain, equivalent, peer

# Models

END, WAIT, START, PAD = "<|endoftext|>", "<|wait|>", "<|start|>", "<|pad|>"
UNSEEN = tuple(f"<|unseen-{i}|>" for i in range(10))
SPECIAL = (END, WAIT, START, PAD, *UNSEEN)  # none of them shows in the text
NEVER = -10000.0  # the logit of what the table does not name
VOCABULARY = (*SPECIAL, *"abcdefghijklmnop", "Ġ", "ab", "cd")  # Ġ is the byte-level space


def model(make: Inputs, table, *, start=False, pad=False, end=END):
    """A model folder: `table[last][next]` are logits. `start` puts a special token in front of every prompt; `end` is
    the model's own end-of-text, the tokenizer's is always END."""
    folder = make.folder / f"model-{zlib.crc32(repr((table, start, pad, end)).encode()):08x}"
    folder.mkdir(parents=True, exist_ok=True)
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
    no = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    special = [{"id": i, "content": token, "special": True, **no} for i, token in enumerate(SPECIAL)]
    front, text, pair = ({kind: {"id": id_, "type_id": n}} for kind, id_, n in (
        ("SpecialToken", START, 0), ("Sequence", "A", 0), ("Sequence", "B", 1)
    ))  # fmt: skip
    only = {START: {"id": START, "ids": [VOCABULARY.index(START)], "tokens": [START]}}
    template = {"type": "TemplateProcessing", "single": [front, text], "pair": [text, pair], "special_tokens": only}
    bytes_ = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    merges = {"vocab": {token: i for i, token in enumerate(VOCABULARY)}, "merges": ["a b", "c d"]}
    parts = dict.fromkeys(("truncation", "padding", "normalizer")) | {"version": "1.0", "added_tokens": special}
    parts |= {"pre_tokenizer": bytes_, "post_processor": template if start else None, "decoder": bytes_}
    parts |= {"model": {"type": "BPE", "dropout": None, "unk_token": None, **merges}}
    _write_json(folder / "tokenizer.json", parts)
    kind = {"tokenizer_class": "PreTrainedTokenizerFast", "clean_up_tokenization_spaces": False, "eos_token": END}
    _write_json(folder / "tokenizer_config.json", kind | ({"pad_token": PAD} if pad else {}))


def _write_json(file, content):
    file.write_text(json.dumps(content), encoding="utf-8")


def cycle(tokens, likely=1.0, others=(), least=0.0):
    """A table in which each token is most likely followed by the next, round and round; `others` follow too."""
    tokens = list(tokens)
    table = {last: {other: least for other in others if other != last} for last in tokens}
    for last, following in zip(tokens, tokens[1:] + tokens[:1], strict=True):
        table[last][following] = least + likely
    return table


def on_cards(make: Inputs):
    """The models that the cards name."""
    waits = {"b": 0.0, WAIT: math.log(1.5)}
    return {
        "letters": model(make, cycle("bcd")),  # b, c, d, b, …
        "stops": model(make, {"a": {"b": 0.0}, "b": {END: 0.0}}),
        "waits": model(make, {"a": waits, WAIT: waits, "b": {END: 0.0}}),  # b is 2 to 3 against what does not show
    }


# Laws

PRUNED = 1e-12  # texts that are rarer are left out of a law


def read(model_name):
    """A model's tokenizer, its table as (last, next) in float64, and its end-of-text: no model is needed."""
    folder = Path(model_name)
    table = load_file(folder / "model.safetensors")["lm_head.weight"].T.double()
    end = json.loads((folder / "config.json").read_text(encoding="utf-8"))["eos_token_id"]
    return Tokenizer.from_file(str(folder / "tokenizer.json")), table, end


def odds(logits, temperature, top_k, top_p):
    """What may come next and how likely it is, the likeliest first: two tensors. Neither cut may fall on rounding."""
    values, order = (logits / temperature).sort(descending=True, stable=True)
    share = values[:top_k].softmax(-1)
    near = top_p < 1 and (share.cumsum(-1) - top_p).abs().min() < 5e-4
    if near or (top_k < len(values) and share[-1] > PRUNED and values[top_k - 1] - values[top_k] < 5e-4):
        raise ValueError("top_k or top_p cuts where rounding decides")
    share = share[: int((share.cumsum(-1) < top_p).sum()) + 1]
    share = share[share > 0]
    return order[: len(share)], share / share.sum()


def law(prompt, model_name, max_length=100, temperature=0.7, top_k=50, top_p=0.9):
    """Every text that may come, with its probability."""
    tokenizer, table, end = read(model_name)
    ids = tokenizer.encode(prompt).ids
    ended, going, following = defaultdict(float), {(tuple(ids), ids[-1]): 1.0}, {}
    for _ in range(max_length - len(ids)):
        reached = defaultdict(float)
        for (shown, last), chance in going.items():
            if last not in following:
                tokens, shares = odds(table[last], temperature, top_k, top_p)
                following[last] = list(zip(tokens.tolist(), shares.tolist(), strict=True))
            for token, share in following[last]:
                longer = (*shown, token) if token >= len(SPECIAL) else shown
                if token == end:
                    ended[longer, end] += chance * share
                elif chance * share > PRUNED:
                    reached[longer, token] += chance * share
        going = reached
    found = defaultdict(float)  # two ways may lead to one text
    for (shown, _), chance in (*ended.items(), *going.items()):
        found[tokenizer.decode(list(shown), skip_special_tokens=True)] += chance
    if sum(found.values()) < 1 - 1e-10:
        raise ValueError("too much is pruned: let fewer texts come")
    return dict(found)


def judged(prompt, draws=0, **options):
    """A call with its law."""
    return by_law(call(prompt, **options), law(prompt, **options), draws)


# Cases


@case(
    why="top_k=1 is argmax, though every token is nearly as likely; max_length counts the prompt's two tokens, ab and c",
    clauses=("sampling", "length"),
)
def top_k_of_one(make: Inputs):
    table = {**cycle("cdefgh", 0.5, others="cdefgh"), "ab": {"c": 1.0}}
    return judged("abc", model_name=model(make, table), max_length=14, temperature=1.5, top_k=1, top_p=1)


@case(why="a tiny p is argmax too", clauses=("sampling",))
def tiny_p(make: Inputs):
    name = model(make, cycle("abcdefg", 0.4, others="abcdefg"))
    return judged("b", model_name=name, max_length=15, temperature=1.3, top_k=20, top_p=1e-6)


@case(why="hot: two tokens are even; greedy waits unseen for ever, sampling gets through", clauses=("sampling",))
def two_tokens_at_high_temperature(make: Inputs):
    waits = {WAIT: 20.0, "b": 0.0}
    table = {"a": waits, WAIT: waits, "b": {"c": 9.0}, "c": {END: 9.0}, END: {"e": 9.0}}
    # At 1, p=.9 leaves only the waiting; at 50 it is .6 against .4, and 58 times the wrong one in a row do not happen.
    return judged("a", model_name=model(make, table), max_length=60, temperature=50.0, top_k=2, top_p=0.9)


@case(why="cold: a share of .12 becomes .87, and p=.8 leaves one token; at 1 there are a dozen", clauses=("sampling",))
def one_token_at_low_temperature(make: Inputs):
    letters = "abcdefghijklmnop"
    name = model(make, cycle(letters, 0.68, others=letters))
    return judged("c", model_name=name, max_length=24, temperature=0.15, top_k=20, top_p=0.8)


@case(why="an early end-of-text: generation stops, and the token itself does not show", clauses=("end", "result"))
def early_end(make: Inputs):
    table = {"a": {"b": 9.0}, "b": {"c": 9.0}, "c": {END: 9.0}, END: {"d": 9.0}, "d": {"e": 9.0}, "e": {"d": 9.0}}
    return judged("a", model_name=model(make, table), max_length=12, top_k=1)


@case(
    why="the defaults: .85 becomes .92 at 0.7, which alone reaches 0.9; at temperature 1 it would not",
    clauses=("sampling", "padding", "model"),
)
def defaults(make: Inputs):
    table = {last: {following: 1.735, "p": 0.0} for last, following in zip("abcdefgh", "bcdefghi", strict=True)}
    table |= {"i": {END: 9.0}, "p": {"p": 1.0, "a": 1.0}}
    return judged("a", model_name=model(make, table))


@case(
    why="merged tokens: max_length counts tokens, not characters; spaces are text like any other, at the ends too",
    clauses=("length", "result"),
)
def tokens_are_not_characters(make: Inputs):
    name = model(make, cycle(["ab", "Ġ", "cd", "e"], 9.0))
    return judged(" ab cd", model_name=name, max_length=7, top_k=1)


@case(
    why="the tokenizer puts a special token in front: it counts towards max_length and does not show",
    clauses=("prompt", "length"),
)
def start_token(make: Inputs):
    name = model(make, cycle("abcdef", 9.0), start=True)
    return judged("bc", model_name=name, max_length=8, top_k=1)


@case(why="the tokenizer has a padding token of its own", clauses=("padding", "always"))
def padding_token_of_its_own(make: Inputs):
    return judged("gh", model_name=model(make, cycle("hgfed", 9.0), pad=True), max_length=9, top_k=1)


@case(why="the first token that comes is the end: the prompt is returned as it was", clauses=("end", "result"))
def end_at_once(make: Inputs):
    return judged("ab", model_name=model(make, {"ab": {END: 9.0}, END: {"d": 9.0}, "d": {"d": 9.0}}), max_length=9)


@case(why="the model's end-of-text is another token than the tokenizer's: the model's decides", clauses=("end",))
def end_of_the_model(make: Inputs):
    table = {"a": {"b": 9.0}, "b": {WAIT: 9.0}, WAIT: {"c": 9.0}, "c": {"d": 9.0}, "d": {"c": 9.0}}
    return judged("a", model_name=model(make, table, end=WAIT), max_length=12, top_k=1)


@case(why="step by step the likeliest token is b, but the likeliest whole text begins with c", clauses=("sampling",))
def likelier_as_a_whole(make: Inputs):
    table = {"a": {"b": 0.5, "c": 0.0}, "c": {"d": 9.0}, "d": {END: 9.0}}
    table |= {"b": {"e": 0.2, **dict.fromkeys("fghijklm", 0.0)}, "e": {END: 9.0}}
    return judged("a", model_name=model(make, table), max_length=10, top_k=1)


@case(why="tokens that came before come again: high logits, close together, bear no penalty", clauses=("sampling",))
def again_and_again(make: Inputs):
    table = {
        last: dict.fromkeys("abcdef", 9.8) | {following: 10.0} for last, following in zip("abc", "bca", strict=True)
    }
    return judged("ab", model_name=model(make, {**table, "ab": {"c": 9.0}}), max_length=12, top_k=1)


@case(why="temperature 2 leaves .8 on one token, which reaches p; applied twice it leaves less", clauses=("sampling",))
def temperature_once(make: Inputs):
    name = model(make, cycle("abcdefghi", 6.93, others="abcdefghi"))
    return judged("a", model_name=name, max_length=40, temperature=2.0, top_k=30, top_p=0.7)


@case(why="ten unseen tokens of .023 each beside one of .77: each may come, and soon one does", clauses=("sampling",))
def rare_tokens_come_too(make: Inputs):
    waits = {WAIT: 3.5} | dict.fromkeys(UNSEEN, 0.0)
    table = {"a": waits, WAIT: waits, **{token: {"b": 9.0} for token in UNSEEN}, "b": {END: 9.0}}
    return judged("a", model_name=model(make, table), max_length=120, temperature=1.0, top_k=20, top_p=1.0)


@case(
    why="two tokens of thirty are allowed: one waits unseen, the other goes on, the rest lie just below",
    clauses=("sampling", "padding"),
)
def two_of_many(make: Inputs):
    waits = dict.fromkeys(VOCABULARY, -1.001) | {WAIT: 0.0, "b": -1.0}
    table = {"a": waits, WAIT: waits, "b": {"c": 9.0}, "c": {END: 9.0}}
    return judged("a", model_name=model(make, table), max_length=120, temperature=1.0, top_k=2, top_p=1.0)


@case(
    why="256 texts are even: five calls do not give one text, for nothing fixes the random numbers",
    clauses=("sampling", "always"),
)
def five_texts(make: Inputs):
    letters = "abcdefghijklmnop"
    name = model(make, dict.fromkeys(letters, dict.fromkeys(letters, 0.0)))
    return judged("e", draws=5, model_name=name, max_length=3, top_p=1.0)


@case(
    fresh=True, why="a random cycle, prompt and length that nobody could have hard-coded", clauses=("model", "length")
)
def fresh(make: Inputs):
    letters = ["efghijklmnop"[i] for i in make.permutation(12).tolist()]
    prompt = "".join(letters[make.size(0, 11)] for _ in range(make.size(1, 4)))
    name = model(make, cycle(letters, 0.7, others=letters))
    return judged(prompt, model_name=name, max_length=make.size(10, 14), temperature=1.2, top_k=1, top_p=0.95)


# Domain

SHOWN = VOCABULARY[len(SPECIAL) :]


@domain()
def any_text(draw: Draw) -> Call:
    order = [SHOWN[i] for i in draw.permutation(len(SHOWN)).tolist()]
    start, pad, end = draw.chance(0.25), draw.chance(0.3), draw.pick(END, END, UNSEEN[-1])
    last = next(one for one in order if one not in ("b", "d"))  # it merges with none before it
    others = [token for token in order if token != last]
    prompt = [*others[: draw.pick(0, 0, 1, 4)], last]
    if start and draw.chance(0.3):
        prompt, last = [], START  # an empty text is a prompt too: the special token stands in front
    kind = draw.pick("certain", "certain", "narrowed", "narrowed", "narrowed", "waiting", "waiting", "waiting", "even")
    draw.mark("kind", kind)
    make = {"certain": certain, "narrowed": narrowed, "waiting": waiting, "even": even}[kind]
    table, room, options = make(draw, last, others, end)
    text = "".join(prompt).replace("Ġ", " ")
    name = model(draw, table, start=start, pad=pad, end=end)
    if room is not None:
        options["max_length"] = len(read(name)[0].encode(text).ids) + room
    return judged(text, draws=5 if kind == "even" else 0, model_name=name, **options)


def path(draw, last, others, end):
    """The tokens from the last on: those that show, and some that do not; the end is soon, late or never there."""
    tokens = [last, *others]
    if draw.chance(0.4):
        tokens.insert(draw.pick(1, 2), WAIT if end == END else END)  # the tokenizer's own end is not the model's
    if draw.chance(0.6):
        tokens.insert(draw.pick(1, 1, 2, 4), end)
    return tokens


def certain(draw, last, others, end):
    """One text, whatever the options are."""
    given = {"temperature": (0.1, 1.0, 1.7, 30.0), "top_k": (1, 2, 31, 50, 1000), "top_p": (1e-3, 0.5, 1.0)}
    options = {name: draw.option(*values) for name, values in given.items() if draw.given(0.6)}
    room = draw.option(1, 1, 2, 3, 7, 22, None)
    return cycle(path(draw, last, others, end), 9.0), room, options


def narrowed(draw, last, others, end):
    """All that shows may come, and one of top_k, top_p and temperature leaves the likeliest alone."""
    by, t = draw.pick("top_k", "top_p", "temperature", "temperature"), draw.option(0.2, 0.7, 1.0, 1.6, 3.0)
    draw.mark("narrowed by", by)
    gap, options = draw.pick(0.2, 1.0), {"temperature": t}
    if by == "top_k":
        options |= {"top_k": 1, "top_p": draw.option(0.4, 0.95, 1.0)}
    elif by == "top_p":
        options |= {"top_k": draw.option(20, 60), "top_p": draw.option(1e-6, 0.03)}
    else:  # at this temperature the likeliest has more than top_p; at another it may not
        options["top_p"] = draw.option(0.5, 0.7, 0.9)
        share = (1 + options["top_p"]) / 2
        gap = t * math.log(len(SHOWN) * share / (1 - share))
    tokens = path(draw, last, others[: draw.pick(2, 3, 18)], end)  # a short one comes round: what came, comes again
    return cycle(tokens, gap, SHOWN, draw.pick(0.0, 10.0)), draw.option(2, 5, 9), options


def waiting(draw, last, others, end):
    """Tokens that do not show follow each other; the rarest that may come leads on, those that may not, elsewhere."""
    hidden = [WAIT, *UNSEEN[: draw.pick(1, 1, 2, 3, 5)]]
    falls = draw.uniform(len(hidden), low=0.03, high=0.5).cumsum(0)
    t, count = draw.option(0.5, 0.8, 1.0, 2.0, 20.0), draw.option(*range(1, len(hidden) + 1), 2, 2)
    options = {"temperature": t, "top_k": draw.option(count, 40), "top_p": 1.0}
    share = (-falls.double() / t).softmax(-1)
    if options["top_k"] > count:  # top_p is then what cuts, in the middle of the last one's share
        options["top_p"] = float(share[:count].sum() - share[count - 1] / 2)
    elif draw.given(0.3) and (share[:count].cumsum(0) / share[:count].sum() - 0.9).abs().min() > 0.01:
        del options["top_p"]  # 0.9 cuts once more
    row = dict(zip(hidden, (-falls).tolist(), strict=True))
    may = len(odds(-falls.double(), t, options["top_k"], options.get("top_p", 0.9))[0])
    good, bad, past = others[:3]
    table = {last: row} | dict.fromkeys(hidden[: may - 1], row) | {hidden[may - 1]: {good: 9.0}}
    table |= {token: {bad: 9.0} for token in hidden[may:]} | {good: {end: 9.0}, bad: {end: 9.0}, end: {past: 9.0}}
    return table, 120, options


def even(draw, last, others, end):
    """256 texts, each as likely: five calls do not give one of them again and again."""
    letters = [one for one in others if one not in ("ab", "cd", "Ġ")]
    row = dict.fromkeys(letters, 0.0)
    options = {"temperature": draw.option(0.4, 1.0, 3.0), "top_k": draw.option(len(letters), 50), "top_p": 1.0}
    return {last: row} | dict.fromkeys(letters, row), 2, options


# Equivalents


@equivalent("in-steps", why="the settings in a dict, which generate takes apart")
def in_steps(prompt, model_name="gpt2", max_length=100, temperature=0.7, top_k=50, top_p=0.9):
    tokenizer = AutoTokenizer.from_pretrained(model_name)
    model = AutoModelForCausalLM.from_pretrained(model_name)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    inputs = tokenizer(prompt, return_tensors="pt")
    settings = {"do_sample": True, "temperature": temperature, "top_k": top_k, "top_p": top_p}
    ids = model.generate(**inputs, max_length=max_length, pad_token_id=tokenizer.pad_token_id, **settings)
    return tokenizer.decode(ids[0], skip_special_tokens=True)


@equivalent(
    "prompt-and-new-tokens", why="max_new_tokens is worked out, and the new tokens are decoded behind the prompt"
)
def prompt_and_new_tokens(prompt, model_name="gpt2", max_length=100, temperature=0.7, top_k=50, top_p=0.9):
    tokenizer = AutoTokenizer.from_pretrained(model_name)
    model = AutoModelForCausalLM.from_pretrained(model_name).eval()
    ids = tokenizer.encode(prompt, return_tensors="pt")
    settings = {"do_sample": True, "temperature": temperature, "top_k": top_k, "top_p": top_p}
    room = {"max_new_tokens": max_length - ids.shape[1], "pad_token_id": tokenizer.eos_token_id}
    with torch.inference_mode():
        output = model.generate(ids, attention_mask=torch.ones_like(ids), **room, **settings)
    return prompt + tokenizer.batch_decode(output[:, ids.shape[1] :], skip_special_tokens=True)[0]


@equivalent("pipeline", why="the library's pipeline, which puts the prompt in front")
def by_pipeline(prompt, model_name="gpt2", max_length=100, temperature=0.7, top_k=50, top_p=0.9):
    generator = pipeline("text-generation", model=model_name)
    room = max_length - len(generator.tokenizer(prompt).input_ids)
    settings = {"do_sample": True, "temperature": temperature, "top_k": top_k, "top_p": top_p}
    return generator(prompt, max_new_tokens=room, **settings)[0]["generated_text"]


@equivalent("generation-config", why="the settings in a GenerationConfig, and a batch of one padded prompt")
def generation_config(prompt, model_name="gpt2", max_length=100, temperature=0.7, top_k=50, top_p=0.9):
    tokenizer = AutoTokenizer.from_pretrained(model_name)
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    model = AutoModelForCausalLM.from_pretrained(model_name)
    config = GenerationConfig(do_sample=True, temperature=temperature, top_k=top_k, top_p=top_p, max_length=max_length)
    config.update(eos_token_id=model.config.eos_token_id, pad_token_id=tokenizer.pad_token_id)
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


# The peer


@peer("tokenizers, safetensors and a table", skips={})
def by_the_table(prompt, model_name="gpt2", max_length=100, temperature=0.7, top_k=50, top_p=0.9):
    """Draws from the table itself."""
    tokenizer, table, end = read(model_name)
    ids = tokenizer.encode(prompt).ids
    for _ in range(max_length - len(ids)):
        tokens, shares = odds(table[ids[-1]], temperature, top_k, top_p)
        ids.append(int(tokens[torch.multinomial(shares, 1)]))
        if ids[-1] == end:
            break
    return tokenizer.decode(ids, skip_special_tokens=True)
