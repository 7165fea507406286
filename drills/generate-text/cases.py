"""Text generation: tiny models with designed probabilities, wrong kernels, and other right ones.

Each model is a GPT-2 without layers: the logits of the next token depend on the last token alone, by a table. It and
its byte-level tokenizer are written to the attempt's folder, so nothing is downloaded.
"""

from __future__ import annotations

import json

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig

from llmdrills.grading.authoring import Inputs, call, case, equivalent, misconception, peer

# Models

END, WAIT, START, PAD = "<|endoftext|>", "<|wait|>", "<|start|>", "<|pad|>"
NEVER = -10000.0  # the logit of what the table does not name
VOCABULARY = (END, WAIT, START, PAD, *"abcdefghijklmnop", "Ġ", "ab", "cd")  # Ġ is the byte-level space


def model(make: Inputs, table, *, start=False, pad=False):
    """A model folder: `table[last][next]` are logits. `start` puts a special token in front of every prompt."""
    folder = make.folder / f"model-{len(list(make.folder.glob('model-*')))}"
    folder.mkdir(parents=True)
    _write_weights(folder, table)
    _write_tokenizer(folder, start, pad)
    return str(folder)


def _write_weights(folder, table):
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
    ids = {"bos_token_id": place(END), "eos_token_id": place(END), "tie_word_embeddings": False}
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
        for i, token in enumerate(VOCABULARY[:4])
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
    why="top_k=1 is argmax, though every token is nearly as likely; max_length counts the prompt's two tokens, ab and c"
)
def top_k_of_one(make: Inputs):
    table = {**cycle("cdefgh", 0.5, others="cdefgh"), "ab": {"c": 1.0}}
    return call("abc", model_name=model(make, table), max_length=14, temperature=1.5, top_k=1, top_p=1.0)


@case(why="a tiny p is argmax too")
def tiny_p(make: Inputs):
    name = model(make, cycle("abcdefg", 0.4, others="abcdefg"))
    return call("b", model_name=name, max_length=15, temperature=1.3, top_k=20, top_p=1e-6)


@case(why="hot: two tokens are even, one waits unseen, the other goes on; greedy waits for ever, sampling gets through")
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


@case(why="cold: a share of .12 becomes .87, and p=.8 leaves one token; at temperature 1 there are a dozen")
def one_token_at_low_temperature(make: Inputs):
    letters = "abcdefghijklmnop"
    name = model(make, cycle(letters, 0.68, others=letters))
    return call("c", model_name=name, max_length=24, temperature=0.15, top_k=20, top_p=0.8)


@case(why="an early end-of-text: generation stops, and the token itself does not show")
def early_end(make: Inputs):
    table = {"a": {"b": 9.0}, "b": {"c": 9.0}, "c": {END: 9.0}, END: {"d": 9.0}, "d": {"e": 9.0}, "e": {"d": 9.0}}
    return call("a", model_name=model(make, table), max_length=12, top_k=1)


@case(why="the defaults: .85 becomes .92 at 0.7, which alone reaches 0.9; at temperature 1 it would not")
def defaults(make: Inputs):
    table = {last: {following: 1.735, "p": 0.0} for last, following in zip("abcdefgh", "bcdefghi", strict=True)}
    table |= {"i": {END: 9.0}, "p": {"p": 1.0, "a": 1.0}}
    return call("a", model_name=model(make, table))


@case(why="merged tokens: max_length counts tokens, not characters; spaces are text like any other, at the ends too")
def tokens_are_not_characters(make: Inputs):
    name = model(make, cycle(["ab", "Ġ", "cd", "e"], 9.0))
    return call(" ab cd", model_name=name, max_length=7, top_k=1)


@case(why="the tokenizer puts a special token in front: it counts towards max_length and does not show")
def start_token(make: Inputs):
    name = model(make, cycle("abcdef", 9.0), start=True)
    return call("bc", model_name=name, max_length=8, top_k=1)


@case(why="a special token in the prompt is removed from the text; the tokenizer has a padding token of its own")
def special_token_in_the_prompt(make: Inputs):
    name = model(make, cycle("hgfed", 9.0), pad=True)
    return call(f"g{END}h", model_name=name, max_length=9, top_k=1)


@case(fresh=True, why="a random cycle, prompt and length that nobody could have hard-coded")
def fresh(make: Inputs):
    letters = ["efghijklmnop"[i] for i in make.permutation(12).tolist()]
    prompt = "".join(letters[make.size(0, 11)] for _ in range(make.size(1, 4)))
    name = model(make, cycle(letters, 0.7, others=letters))
    return call(prompt, model_name=name, max_length=make.size(10, 14), temperature=1.2, top_k=1, top_p=0.95)


# Misconceptions


@misconception(
    "greedy",
    en="Nothing is sampled: generate is greedy unless you say do_sample=True, and ignores temperature, top_k and top_p.",
    zh="没有在采样：不写 do_sample=True，generate 就是贪心解码，temperature、top_k、top_p 全被忽略。",
    seen="passing sampling parameters alone; newer releases of transformers warn about it",
    fix="settings = {'do_sample': True, 'temperature': temperature, 'top_k': top_k, 'top_p': top_p}",
)
def greedy(prompt, model_name="gpt2", max_length=100, temperature=0.7, top_k=50, top_p=0.9):
    tokenizer = AutoTokenizer.from_pretrained(model_name)
    model = AutoModelForCausalLM.from_pretrained(model_name)
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    inputs = tokenizer(prompt, return_tensors="pt")
    settings = {"do_sample": False}
    ids = model.generate(**inputs, max_length=max_length, pad_token_id=tokenizer.pad_token_id, **settings)
    return tokenizer.decode(ids[0], skip_special_tokens=True)


@misconception(
    "temperature-ignored",
    en="temperature is never passed to generate.",
    zh="temperature 没有传给 generate。",
    seen="a parameter added to the signature and not to the call",
)
def temperature_ignored(prompt, model_name="gpt2", max_length=100, temperature=0.7, top_k=50, top_p=0.9):
    tokenizer = AutoTokenizer.from_pretrained(model_name)
    model = AutoModelForCausalLM.from_pretrained(model_name)
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    inputs = tokenizer(prompt, return_tensors="pt")
    settings = {"do_sample": True, "top_k": top_k, "top_p": top_p}
    ids = model.generate(**inputs, max_length=max_length, pad_token_id=tokenizer.pad_token_id, **settings)
    return tokenizer.decode(ids[0], skip_special_tokens=True)


@misconception(
    "top-k-ignored",
    en="top_k is never passed to generate, which then uses its own default.",
    zh="top_k 没有传给 generate，于是用了它自己的默认值。",
    seen="top_p taken for the only filter one needs",
)
def top_k_ignored(prompt, model_name="gpt2", max_length=100, temperature=0.7, top_k=50, top_p=0.9):
    tokenizer = AutoTokenizer.from_pretrained(model_name)
    model = AutoModelForCausalLM.from_pretrained(model_name)
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    inputs = tokenizer(prompt, return_tensors="pt")
    settings = {"do_sample": True, "temperature": temperature, "top_p": top_p}
    ids = model.generate(**inputs, max_length=max_length, pad_token_id=tokenizer.pad_token_id, **settings)
    return tokenizer.decode(ids[0], skip_special_tokens=True)


@misconception(
    "top-p-ignored",
    en="top_p is never passed to generate.",
    zh="top_p 没有传给 generate。",
    seen="a parameter added to the signature and not to the call",
)
def top_p_ignored(prompt, model_name="gpt2", max_length=100, temperature=0.7, top_k=50, top_p=0.9):
    tokenizer = AutoTokenizer.from_pretrained(model_name)
    model = AutoModelForCausalLM.from_pretrained(model_name)
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    inputs = tokenizer(prompt, return_tensors="pt")
    settings = {"do_sample": True, "temperature": temperature, "top_k": top_k}
    ids = model.generate(**inputs, max_length=max_length, pad_token_id=tokenizer.pad_token_id, **settings)
    return tokenizer.decode(ids[0], skip_special_tokens=True)


@misconception(
    "top-k-and-top-p-swapped",
    en="top_k and top_p are swapped: top_k counts tokens, top_p is a share of the mass.",
    zh="top_k 和 top_p 写反了：top_k 是 token 个数，top_p 是概率的份额。",
    seen="arguments passed in the wrong order to a helper",
)
def top_k_and_top_p_swapped(prompt, model_name="gpt2", max_length=100, temperature=0.7, top_k=50, top_p=0.9):
    tokenizer = AutoTokenizer.from_pretrained(model_name)
    model = AutoModelForCausalLM.from_pretrained(model_name)
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    inputs = tokenizer(prompt, return_tensors="pt")
    settings = {"do_sample": True, "temperature": temperature, "top_k": top_p, "top_p": top_k}
    ids = model.generate(**inputs, max_length=max_length, pad_token_id=tokenizer.pad_token_id, **settings)
    return tokenizer.decode(ids[0], skip_special_tokens=True)


@misconception(
    "temperature-and-top-p-swapped",
    en="temperature and top_p are swapped.",
    zh="temperature 和 top_p 写反了。",
    seen="two floats around 0.8 whose mix-up no type checker sees",
)
def temperature_and_top_p_swapped(prompt, model_name="gpt2", max_length=100, temperature=0.7, top_k=50, top_p=0.9):
    tokenizer = AutoTokenizer.from_pretrained(model_name)
    model = AutoModelForCausalLM.from_pretrained(model_name)
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    inputs = tokenizer(prompt, return_tensors="pt")
    settings = {"do_sample": True, "temperature": top_p, "top_k": top_k, "top_p": temperature}
    ids = model.generate(**inputs, max_length=max_length, pad_token_id=tokenizer.pad_token_id, **settings)
    return tokenizer.decode(ids[0], skip_special_tokens=True)


@misconception(
    "new-tokens-counted",
    en="max_length counts the prompt; max_new_tokens does not.",
    zh="max_length 把提示词算在内；max_new_tokens 不算。",
    seen="max_new_tokens, which the documentation recommends, filled with a max_length",
    fix="ids = model.generate(**inputs, max_length=max_length, pad_token_id=tokenizer.pad_token_id, **settings)",
)
def new_tokens_counted(prompt, model_name="gpt2", max_length=100, temperature=0.7, top_k=50, top_p=0.9):
    tokenizer = AutoTokenizer.from_pretrained(model_name)
    model = AutoModelForCausalLM.from_pretrained(model_name)
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    inputs = tokenizer(prompt, return_tensors="pt")
    settings = {"do_sample": True, "temperature": temperature, "top_k": top_k, "top_p": top_p}
    ids = model.generate(**inputs, max_new_tokens=max_length, pad_token_id=tokenizer.pad_token_id, **settings)
    return tokenizer.decode(ids[0], skip_special_tokens=True)


@misconception(
    "characters-counted",
    en="max_length counts tokens: the prompt's length in characters is another number.",
    zh="max_length 按 token 数：提示词的字符数是另一回事。",
    seen="max_new_tokens = max_length − len(prompt), with the text instead of the ids",
)
def characters_counted(prompt, model_name="gpt2", max_length=100, temperature=0.7, top_k=50, top_p=0.9):
    tokenizer = AutoTokenizer.from_pretrained(model_name)
    model = AutoModelForCausalLM.from_pretrained(model_name)
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    inputs = tokenizer(prompt, return_tensors="pt")
    settings = {"do_sample": True, "temperature": temperature, "top_k": top_k, "top_p": top_p}
    room = max_length - len(prompt)
    ids = model.generate(**inputs, max_new_tokens=room, pad_token_id=tokenizer.pad_token_id, **settings)
    return tokenizer.decode(ids[0], skip_special_tokens=True)


@misconception(
    "max-length-ignored",
    en="max_length is never passed on: the length is the library's default.",
    zh="max_length 没有传下去：长度用的是库的默认值。",
    seen="generate's own default of 20 tokens, met by everyone once",
)
def max_length_ignored(prompt, model_name="gpt2", max_length=100, temperature=0.7, top_k=50, top_p=0.9):
    tokenizer = AutoTokenizer.from_pretrained(model_name)
    model = AutoModelForCausalLM.from_pretrained(model_name)
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    inputs = tokenizer(prompt, return_tensors="pt")
    settings = {"do_sample": True, "temperature": temperature, "top_k": top_k, "top_p": top_p}
    ids = model.generate(**inputs, pad_token_id=tokenizer.pad_token_id, **settings)
    return tokenizer.decode(ids[0], skip_special_tokens=True)


@misconception(
    "prompt-cut-off",
    en="Return the prompt too, with its continuation behind it.",
    zh="返回值也要包含提示词，续写接在后面。",
    seen="chat code, which decodes only the new tokens",
    fix="return tokenizer.decode(ids[0], skip_special_tokens=True)",
)
def prompt_cut_off(prompt, model_name="gpt2", max_length=100, temperature=0.7, top_k=50, top_p=0.9):
    tokenizer = AutoTokenizer.from_pretrained(model_name)
    model = AutoModelForCausalLM.from_pretrained(model_name)
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    inputs = tokenizer(prompt, return_tensors="pt")
    settings = {"do_sample": True, "temperature": temperature, "top_k": top_k, "top_p": top_p}
    ids = model.generate(**inputs, max_length=max_length, pad_token_id=tokenizer.pad_token_id, **settings)
    return tokenizer.decode(ids[0, inputs["input_ids"].size(1) :], skip_special_tokens=True)


@misconception(
    "special-tokens-left",
    en="Special tokens are still in the text: decode with skip_special_tokens=True.",
    zh="文本里还有特殊 token：解码时要加 skip_special_tokens=True。",
    seen="`<|endoftext|>` at the end of a chat bot's answers",
    fix="return tokenizer.decode(ids[0], skip_special_tokens=True)",
)
def special_tokens_left(prompt, model_name="gpt2", max_length=100, temperature=0.7, top_k=50, top_p=0.9):
    tokenizer = AutoTokenizer.from_pretrained(model_name)
    model = AutoModelForCausalLM.from_pretrained(model_name)
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    inputs = tokenizer(prompt, return_tensors="pt")
    settings = {"do_sample": True, "temperature": temperature, "top_k": top_k, "top_p": top_p}
    ids = model.generate(**inputs, max_length=max_length, pad_token_id=tokenizer.pad_token_id, **settings)
    return tokenizer.decode(ids[0])


@misconception(
    "model-name-hard-coded",
    en="The model's name is hard-coded: load what model_name says.",
    zh="模型名写死了：要加载 model_name 指定的模型。",
    seen="a script turned into a function, its first lines left as they were",
)
def model_name_hard_coded(prompt, model_name="gpt2", max_length=100, temperature=0.7, top_k=50, top_p=0.9):
    tokenizer = AutoTokenizer.from_pretrained("gpt2", local_files_only=True)
    model = AutoModelForCausalLM.from_pretrained("gpt2", local_files_only=True)
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    inputs = tokenizer(prompt, return_tensors="pt")
    settings = {"do_sample": True, "temperature": temperature, "top_k": top_k, "top_p": top_p}
    ids = model.generate(**inputs, max_length=max_length, pad_token_id=tokenizer.pad_token_id, **settings)
    return tokenizer.decode(ids[0], skip_special_tokens=True)


@misconception(
    "ids-returned",
    en="You return token ids: decode them to a str.",
    zh="返回的是 token id：要解码成 str。",
    seen="the output of generate handed on",
)
def ids_returned(prompt, model_name="gpt2", max_length=100, temperature=0.7, top_k=50, top_p=0.9):
    tokenizer = AutoTokenizer.from_pretrained(model_name)
    model = AutoModelForCausalLM.from_pretrained(model_name)
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    inputs = tokenizer(prompt, return_tensors="pt")
    settings = {"do_sample": True, "temperature": temperature, "top_k": top_k, "top_p": top_p}
    return model.generate(**inputs, max_length=max_length, pad_token_id=tokenizer.pad_token_id, **settings)


@misconception(
    "list-returned",
    en="You return a list of texts: there is one prompt, so return its text.",
    zh="返回的是文本列表：提示词只有一个，应返回它的文本。",
    seen="batch_decode without the [0]",
)
def list_returned(prompt, model_name="gpt2", max_length=100, temperature=0.7, top_k=50, top_p=0.9):
    tokenizer = AutoTokenizer.from_pretrained(model_name)
    model = AutoModelForCausalLM.from_pretrained(model_name)
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    inputs = tokenizer(prompt, return_tensors="pt")
    settings = {"do_sample": True, "temperature": temperature, "top_k": top_k, "top_p": top_p}
    ids = model.generate(**inputs, max_length=max_length, pad_token_id=tokenizer.pad_token_id, **settings)
    return tokenizer.batch_decode(ids, skip_special_tokens=True)


@misconception(
    "past-the-end",
    en="Generation runs past the end-of-text token: stop there.",
    zh="生成越过了文本结束 token：应当在那里停止。",
    seen="a hand-written loop with a fixed number of steps, or eos_token_id=None",
)
def past_the_end(prompt, model_name="gpt2", max_length=100, temperature=0.7, top_k=50, top_p=0.9):
    tokenizer = AutoTokenizer.from_pretrained(model_name)
    model = AutoModelForCausalLM.from_pretrained(model_name)
    ids = tokenizer(prompt, return_tensors="pt")["input_ids"]
    model.generation_config.eos_token_id = None
    settings = {"do_sample": True, "temperature": temperature, "top_k": top_k, "top_p": top_p}
    ids = model.generate(ids, max_length=max_length, pad_token_id=0, **settings)
    return tokenizer.decode(ids[0], skip_special_tokens=True)


@misconception(
    "no-padding-token",
    en="The tokenizer has no padding token, so padding=True fails: set pad_token = eos_token where it is missing.",
    zh="分词器没有填充 token，padding=True 会报错：缺少时要设 pad_token = eos_token。",
    seen='"Asking to pad but the tokenizer does not have a padding token", GPT-2\'s best-known error',
)
def no_padding_token(prompt, model_name="gpt2", max_length=100, temperature=0.7, top_k=50, top_p=0.9):
    tokenizer = AutoTokenizer.from_pretrained(model_name)
    model = AutoModelForCausalLM.from_pretrained(model_name)
    inputs = tokenizer(prompt, return_tensors="pt", padding=True)
    settings = {"do_sample": True, "temperature": temperature, "top_k": top_k, "top_p": top_p}
    ids = model.generate(**inputs, max_length=max_length, pad_token_id=tokenizer.pad_token_id, **settings)
    return tokenizer.decode(ids[0], skip_special_tokens=True)


@misconception(
    "text-stripped",
    en="The text's own spaces belong to it: do not strip it.",
    zh="首尾的空格也是文本的一部分：不要 strip。",
    seen="`.strip()` added for looks",
)
def text_stripped(prompt, model_name="gpt2", max_length=100, temperature=0.7, top_k=50, top_p=0.9):
    tokenizer = AutoTokenizer.from_pretrained(model_name)
    model = AutoModelForCausalLM.from_pretrained(model_name)
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    inputs = tokenizer(prompt, return_tensors="pt")
    settings = {"do_sample": True, "temperature": temperature, "top_k": top_k, "top_p": top_p}
    ids = model.generate(**inputs, max_length=max_length, pad_token_id=tokenizer.pad_token_id, **settings)
    return tokenizer.decode(ids[0], skip_special_tokens=True).strip()


@misconception(
    "start-token-left-out",
    en="Encode the prompt with the tokenizer's defaults: the special token in front belongs to the model's input.",
    zh="提示词要按分词器的默认设置编码：前面的特殊 token 是模型输入的一部分。",
    seen="add_special_tokens=False, right for a text that a chat template already marked up",
)
def start_token_left_out(prompt, model_name="gpt2", max_length=100, temperature=0.7, top_k=50, top_p=0.9):
    tokenizer = AutoTokenizer.from_pretrained(model_name)
    model = AutoModelForCausalLM.from_pretrained(model_name)
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    inputs = tokenizer(prompt, return_tensors="pt", add_special_tokens=False)
    settings = {"do_sample": True, "temperature": temperature, "top_k": top_k, "top_p": top_p}
    ids = model.generate(**inputs, max_length=max_length, pad_token_id=tokenizer.pad_token_id, **settings)
    return tokenizer.decode(ids[0], skip_special_tokens=True)


# Equivalents


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
        if ids[-1] == tokenizer.eos_token_id:
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
    end = tokenizer.token_to_id(END)
    ids = tokenizer.encode(prompt).ids
    while len(ids) < max_length and (not ids or ids[-1] != end or len(ids) == len(tokenizer.encode(prompt).ids)):
        odds = sorted(((logit / temperature, -i) for i, logit in enumerate(table[ids[-1]].tolist())), reverse=True)
        weights = torch.tensor([logit for logit, _ in odds[:top_k]], dtype=torch.float64).softmax(-1)
        stay = int((weights.cumsum(-1) < top_p).sum()) + 1
        ids.append(-odds[int(torch.multinomial(weights[:stay], 1))][1])
    return tokenizer.decode(ids, skip_special_tokens=True)
