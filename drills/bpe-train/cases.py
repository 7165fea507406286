"""Cases, right kernels and peer of the kata bpe-train; its wrong kernels stand in slips.yaml."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from itertools import pairwise

from llmdrills.grading.authoring import Call, Draw, Inputs, call, case, domain, equivalent, peer

WORDS = r"\S+"

# Cases ------------------------------------------------------------------------------------------------------------


@case(
    why="low, lower, newest: frequent pairs first, and the blank belongs to the word after it",
    clauses=("pairs", "counts", "merge", "always"),
)
def base(make: Inputs) -> Call:
    return call("low low low lower lower newest newest newest widest", 8)


@case(why="every pair stands there once: only the tie decides", clauses=("ties", "merge"))
def all_tied(make: Inputs) -> Call:
    return call("cab dbe", 3, WORDS)


@case(
    why="a merged token ties with a character, and one spelled “ab” sorts before “c”, but was learned later",
    clauses=("ties",),
)
def merged_token_ties(make: Inputs) -> Call:
    return call("abx abx cy cy", 3, WORDS)


@case(why="(abc, x) and (de, x) tie: abc is longer, and was learned before de", clauses=("ties",))
def longer_learned_first(make: Inputs) -> Call:
    return call("abc abc abc abc abc abc abcx abcx de de de de dex dex", 4, WORDS)


@case(why="two characters tie: by its code point an emoji stands behind a full-width letter", clauses=("ties",))
def code_points(make: Inputs) -> Call:
    return call("\U0001f44da \uff21a \uff21a \U0001f44da", 2, WORDS)


@case(why="the ties of the left token are decided by the right one", clauses=("ties",))
def right_decides(make: Inputs) -> Call:
    return call("ac ab ad", 3, WORDS)


@case(why="(ab, a) and (a, bz) tie: the pair is compared, not what it spells", clauses=("ties",))
def pair_not_spelling(make: Inputs) -> Call:
    return call("bz bz bz bz bz bz bz ab ab ab ab abz abz aba aba", 4, WORDS)


@case(why="aaaa holds a·a three times, b·c stands there twice: overlapping places count", clauses=("counts",))
def overlapping(make: Inputs) -> Call:
    return call("aaaa bc bc", 2, WORDS)


@case(why="aaaaa merges to aa, aa, a: from the left, and without overlap", clauses=("merge", "counts"))
def run_of_one_letter(make: Inputs) -> Call:
    return call("aaaaa aaaaa baaa", 4, WORDS)


@case(why="the same pre-token three times counts three times", clauses=("counts",))
def repeated_word(make: Inputs) -> Call:
    return call("ab ab ab xyxy", 1, WORDS)


@case(
    why="ab ab ab: after one merge no pre-token has two tokens, and nothing reaches across", clauses=("pairs", "result")
)
def borders(make: Inputs) -> Call:
    return call("ab ab ab", 3, WORDS)


@case(why="more merges asked for than there are: fewer come back", clauses=("result",))
def runs_out(make: Inputs) -> Call:
    return call("abc", 99)


@case(why="pairs that stand there once are learned too", clauses=("merge",))
def count_of_one(make: Inputs) -> Call:
    return call("ab ab cdef", 5, WORDS)


@case(why="no merges asked for", clauses=("text", "result"))
def no_merges(make: Inputs) -> Call:
    return call("abab", 0)


@case(why="one merge", clauses=("merge",))
def one_merge(make: Inputs) -> Call:
    return call("banana bandana", 1)


@case(why="the empty text has no pair", clauses=("text", "result"))
def empty_text(make: Inputs) -> Call:
    return call("", 5)


@case(why="a text that the pattern never matches", clauses=("pattern", "result"))
def nothing_matches(make: Inputs) -> Call:
    return call("... ---", 3, r"[a-z]+")


@case(
    why="letters alone match: digits and punctuation are left out, and the letters around them do not meet",
    clauses=("pattern", "pairs"),
)
def left_out(make: Inputs) -> Call:
    return call("ab1ab2ab--ba!ba?ba.b a", 3, r"[a-z]+")


@case(
    why="the default pattern: a blank goes with the word after it, more of them are a pre-token of their own",
    clauses=("pattern", "pairs"),
)
def default_pattern(make: Inputs) -> Call:
    return call("a  b a  b\n\n\nc a  b a b a b", 6)


@case(why="the whole text as one pre-token: blanks and line breaks merge like letters", clauses=("pattern", "text"))
def whole_text(make: Inputs) -> Call:
    return call("a b a b\na b", 4, r"(?s).+")


@case(why="carriage returns are characters too: nothing turns them into line feeds", clauses=("text",))
def carriage_returns(make: Inputs) -> Call:
    return call("a\r\nb\r\na\r\n", 3, r"(?s).+")


@case(
    why="the pattern as it is: ^ is the beginning of the text, é is a letter, and X is no x",
    clauses=("pattern",),
)
def no_flags(make: Inputs) -> Call:
    return call("a\u00e9\nab ab XY xyxy", 9, r"^\w+|[x-z]+")


@case(why="single characters as pre-tokens: there is no pair", clauses=("pattern", "pairs", "result"))
def single_characters(make: Inputs) -> Call:
    return call("abab", 3, r"\S")


@case(why="capitals are other characters, and come before the others", clauses=("text", "ties"))
def capitals(make: Inputs) -> Call:
    return call("aB Ab ab AB aB", 4, WORDS)


@case(why="characters beyond ASCII are characters like others", clauses=("text", "pairs"))
def unicode(make: Inputs) -> Call:
    return call("语言模型 语言 模型 é e\u0301 é \U0001f44d\U0001f3fd \U0001f44d\U0001f3fd", 5, WORDS)


@case(why="characters with a meaning in regular expressions", clauses=("text", "merge"))
def regex_characters(make: Inputs) -> Call:
    return call(r"a.b axb (c) (c) [d]+ [d]+ \1 \1 $^ $^", 7, WORDS)


@case(why="the pair b·c inside of ab·c is no place of it: borders of tokens count", clauses=("pairs", "merge"))
def borders_of_tokens(make: Inputs) -> Call:
    return call("ab ab ab ab abc abc bc bc bc", 3, WORDS)


@case(why="ab, ba, aba, caba: words inside of words, and nine merges", clauses=("ties", "merge"))
def words_inside_of_words(make: Inputs) -> Call:
    return call("ab ab ab ab aba aba ba ba ba caba caba xabay xabay dbaz abab", 9, WORDS)


@case(why="a count falls by the merge of a neighbour: it is counted anew", clauses=("merge", "counts"))
def counted_anew(make: Inputs) -> Call:
    return call("abc abc abc abc bcd bcd bcd ab", 3, WORDS)


@case(why="texts of the same length in a row: nothing is kept", clauses=("always",))
def in_a_row(make: Inputs) -> tuple[Call, ...]:
    return call("abab cd", 2, WORDS), call("cdcd ab", 2, WORDS), call("abab cd", 1, WORDS)


@case(why="a random text over three letters", fresh=True, clauses=("counts", "ties", "merge"))
def fresh(make: Inputs) -> Call:
    words = ["".join(make.random.choice("abc") for _ in range(make.size(1, 6))) for _ in range(make.size(6, 9))]
    return call(" ".join(make.random.choice(words) for _ in range(14)), make.size(5, 9))


# Right kernels, written differently -------------------------------------------------------------------------------


def replaced(tokens, pair):
    """The tokens with the pair merged, from the left."""
    found, i = [], 0
    while i < len(tokens):
        if tuple(tokens[i : i + 2]) == pair:
            found.append("".join(pair))
            i += 2
        else:
            found.append(tokens[i])
            i += 1
    return tuple(found)


@equivalent("by-frequency", why="distinct pre-tokens with their frequencies", variants=("greater",))
def by_frequency(text, num_merges, pattern=r" ?\S+|\s+"):
    words = {tuple(word): n for word, n in Counter(match.group() for match in re.finditer(pattern, text)).items()}
    merges = []
    for _ in range(num_merges):
        counts = defaultdict(int)
        for tokens, n in words.items():
            for i in range(len(tokens) - 1):
                counts[tokens[i], tokens[i + 1]] += n
        if not counts:
            break
        top = max(counts.values())
        best = max(pair for pair, n in counts.items() if n == top)
        merges.append(best)
        words = {replaced(tokens, best): n for tokens, n in words.items()}
    return merges


@equivalent("sorted", why="sorts the pairs twice, and rebuilds every list", variants=("greater",))
def by_sorting(text, num_merges, pattern=r" ?\S+|\s+"):
    words = list(map(tuple, re.findall(pattern, text)))
    merges = []
    while len(merges) != num_merges:
        places = [pair for tokens in words for pair in pairwise(tokens)]
        ranked = sorted(set(places), reverse=True)
        ranked.sort(key=places.count, reverse=True)
        if not ranked:
            return merges
        merges += ranked[:1]
        words = [replaced(tokens, ranked[0]) for tokens in words]
    return merges


@equivalent("incremental", why="takes the pairs of a changed word out and puts its new ones in", variants=("greater",))
def incremental(text, num_merges, pattern=r" ?\S+|\s+"):
    words = [tuple(word) for word in re.findall(pattern, text)]
    counts = Counter()
    for tokens in words:
        counts.update(pairwise(tokens))
    merges = []
    for _ in range(num_merges):
        counts = +counts
        if not counts:
            break
        best = max(counts.items(), key=lambda item: (item[1], item[0]))[0]
        merges.append(best)
        for at, tokens in enumerate(words):
            new = replaced(tokens, best)
            if new != tokens:
                counts.subtract(pairwise(tokens))
                counts.update(pairwise(new))
                words[at] = new
    return merges


@equivalent("whole-numbers", why="works on ids alone, and spells the pairs at the end", variants=("lowest-ids",))
def whole_numbers(text, num_merges, pattern=r" ?\S+|\s+"):
    words = Counter(re.findall(pattern, text))
    spelled = sorted(set("".join(words)))
    words = {tuple(spelled.index(c) for c in word): n for word, n in words.items()}
    merges = []
    for _ in range(num_merges):
        counts = defaultdict(int)
        for ids, n in words.items():
            for pair in pairwise(ids):
                counts[pair] += n
        if not counts:
            break
        left, right = min(counts, key=lambda pair: (-counts[pair], pair))
        token = spelled[left] + spelled[right]
        merges.append((spelled[left], spelled[right]))
        if token not in spelled:
            spelled.append(token)
        new, changed = spelled.index(token), {}
        for ids, n in words.items():
            found = []
            for i in ids:
                if found and found[-1] == left and i == right:
                    found[-1] = ~new  # merged: takes no further part
                else:
                    found.append(i)
            key = tuple(i if i >= 0 else ~i for i in found)
            changed[key] = changed.get(key, 0) + n
        words = changed
    return merges


@equivalent("order-kept", why="keeps the tokens in a list, whose order is that of the ids", variants=("lowest-ids",))
def order_kept(text, num_merges, pattern=r" ?\S+|\s+"):
    words = [tuple(match.group(0)) for match in re.finditer(pattern, text)]
    order = sorted(set().union(*words))
    merges = []
    while len(merges) < num_merges:
        places = [pair for tokens in words for pair in pairwise(tokens)]
        if not places:
            break
        counts = Counter(places)
        top = max(counts.values())
        tied = [pair for pair in counts if counts[pair] == top]
        best = min(tied, key=lambda pair: (order.index(pair[0]), order.index(pair[1])))
        merges.append(best)
        if "".join(best) not in order:
            order.append("".join(best))
        words = [replaced(tokens, best) for tokens in words]
    return merges


@equivalent("recursive", why="learns one pair and calls itself", variants=("lowest-ids",))
def recursive(text, num_merges, pattern=r" ?\S+|\s+"):
    def learn(words, ids, left):
        counts = Counter()
        for tokens in words:
            counts.update(pairwise(tokens))
        if left == 0 or not counts:
            return []
        best = min(counts, key=lambda pair: (-counts[pair], *map(ids.get, pair)))
        ids = {**ids, "".join(best): ids.get("".join(best), len(ids))}
        return [best, *learn([replaced(tokens, best) for tokens in words], ids, left - 1)]

    words = [tuple(word) for word in re.findall(pattern, text)]
    characters = sorted({c for word in words for c in word}, key=ord)
    return learn(words, {c: i for i, c in enumerate(characters)}, num_merges)


# Domain -----------------------------------------------------------------------------------------------------------

LETTERS = {
    "one letter": "a",
    "letters": "abc",
    "many letters": "abcdefgh",
    "capitals": "aAbBZ",
    "digits": "0129a",
    "regular expressions": ".*+?^$()[]{}|\\a",
    "combining marks": "e\u0301\u00e9\u0302",
    "changed by case": "\u00dfS\u0130\u0131s",
    "emoji": "\U0001f44d\U0001f3fd\u200da",
    "ideographs": "\u8bed\u8a00\u6a21\u578b\U00020000\uff21",
}


@domain()
def any_text(draw: Draw) -> Call:
    name = draw.pick(*LETTERS)
    draw.mark("characters", name)
    letters = LETTERS[name][: draw.pick(2, 3, 99)]
    distinct, length = draw.pick(1, 2, 3, 5), draw.pick(1, 2, 3, 4, 6, 9)
    pool = [
        "".join(draw.random.choice(letters) for _ in range(draw.random.randint(1, length))) for _ in range(distinct)
    ]
    blanks = draw.pick((" ",), (" ",), (" ", "  "), (" ", "\n", "\t"), ("", " "), ("-", " ", "."))
    text = "".join(draw.random.choice(pool) + draw.random.choice(blanks) for _ in range(draw.pick(0, 1, 2, 4, 8, 12)))
    if draw.chance(0.5):
        text = text.rstrip()
    num_merges = draw.option(0, 1, 2, 3, 4, 6, 9, 30)
    kind = draw.option("default", "default", "words", "words", "letters", "whole", "characters")
    draw.mark("pattern", kind)
    patterns = {"words": WORDS, "letters": r"[a-z]+|\S", "whole": r"(?s).+", "characters": r"\w{1,2}"}
    if kind == "default":
        return call(text, num_merges) if draw.given(0.8) else call(text, num_merges, r" ?\S+|\s+")
    return call(text, num_merges, patterns[kind]) if draw.given(0.5) else call(text, num_merges, pattern=patterns[kind])


# Peers ------------------------------------------------------------------------------------------------------------


@peer("tokenizers", variants=("lowest-ids",))
def tokenizers_trainer(text, num_merges, pattern=r" ?\S+|\s+"):
    import json

    from tokenizers import Tokenizer
    from tokenizers.models import BPE
    from tokenizers.trainers import BpeTrainer

    words = re.findall(pattern, text)
    tokenizer = Tokenizer(BPE())
    size = len(set("".join(words))) + num_merges
    tokenizer.train_from_iterator(words, BpeTrainer(vocab_size=size, min_frequency=0, show_progress=False))
    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    return [tuple(pair) for pair in merges][:num_merges]


@peer("text", variants=("greater",))
def spaced_text(text, num_merges, pattern=r" ?\S+|\s+"):
    """The 2016 paper's way: one string a word, its tokens apart, merged by a guarded regular expression."""
    bar = "\ue000"
    words = [bar + bar.join(word) + bar for word in re.findall(pattern, text)]
    merges = []
    for _ in range(num_merges):
        pairs = [pair for word in words for pair in pairwise(word.split(bar)[1:-1])]
        if not pairs:
            break
        best = max(set(pairs), key=lambda pair: (pairs.count(pair), pair))
        merges.append(best)
        place = re.compile(f"(?<={bar})" + re.escape(bar.join(best)) + f"(?={bar})")
        words = [place.sub(lambda found: found.group().replace(bar, ""), word) for word in words]
    return merges
