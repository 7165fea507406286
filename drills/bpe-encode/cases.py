"""Cases, right kernels and peer of the kata bpe-encode."""

from __future__ import annotations

import math

from llmdrills.grading.authoring import Call, Draw, Inputs, call, case, domain, equivalent, peer

# Cases ------------------------------------------------------------------------------------------------------------


@case(why="b·c ‹ a·b ‹ ab·c on “abc”: leftmost and longest both go astray", clauses=("lowest-rank", "always"))
def rank_decides(make: Inputs) -> Call:
    return call("abc", [("b", "c"), ("a", "b"), ("ab", "c")])


@case(why="“aaa” with a·a: two overlapping places, one merge, from the left", clauses=("lowest-rank", "all-places"))
def overlap(make: Inputs) -> Call:
    return call("aaa", [("a", "a")])


@case(why="“aaaaa” with a·a and aa·aa: merged tokens merge again, and one a is left", clauses=("again",))
def again(make: Inputs) -> Call:
    return call("aaaaa", [("a", "a"), ("aa", "aa")])


@case(why="a real-looking word: several ranks, several rounds", clauses=("lowest-rank", "merges"))
def lowest(make: Inputs) -> Call:
    merges = [("e", "s"), ("es", "t"), ("l", "o"), ("lo", "w"), ("n", "e"), ("ne", "w"), ("low", "est")]
    return call("lowestnew", merges)


@case(why="a merge makes a pair of lower rank than its own: look at all pairs again", clauses=("again",))
def earlier_rank_appears_later(make: Inputs) -> Call:
    return call("xabcx", [("ab", "c"), ("a", "b"), ("c", "x")])


@case(why="(a, bc) is in the table, (ab, c) is not: the pair counts, not what it spells", clauses=("pairs",))
def pair_not_spelling(make: Inputs) -> Call:
    return call("abcd", [("a", "b"), ("b", "c"), ("a", "bc"), ("bc", "d")])


@case(why="the same pair in three places, with another pair between", clauses=("all-places",))
def repeated(make: Inputs) -> Call:
    return call("banananab", [("a", "n"), ("an", "an"), ("b", "an"), ("n", "a")])


@case(why="the frequent pair has the higher rank number: frequency ended with training", clauses=("lowest-rank",))
def frequency_is_for_training(make: Inputs) -> Call:
    return call("zxyxyxw", [("y", "x"), ("z", "x"), ("x", "y")])


@case(why="“ab c” holds the letters b, c but not the pair: borders of tokens count", clauses=("pairs",))
def borders(make: Inputs) -> Call:
    return call("abcbc", [("a", "b"), ("b", "c")])


@case(why="nothing in the table fits", clauses=("pairs", "result"))
def no_merge(make: Inputs) -> Call:
    return call("cab", [("b", "c"), ("x", "y")])


@case(why="an empty table leaves the characters", clauses=("merges",))
def empty_table(make: Inputs) -> Call:
    return call("abca", [])


@case(why="the empty word has no tokens", clauses=("word", "result"))
def empty_word(make: Inputs) -> Call:
    return call("", [("a", "b")])


@case(why="one character has no pair", clauses=("word", "result"))
def one_character(make: Inputs) -> Call:
    return call("é", [("a", "b")])


@case(why="characters beyond ASCII are characters like others", clauses=("word",))
def unicode(make: Inputs) -> Call:
    return call("语言模型语言", [("语", "言"), ("模", "型"), ("语言", "模型"), ("é", "e")])


@case(why="capitals are other characters", clauses=("word",))
def capitals(make: Inputs) -> Call:
    return call("AbaB", [("a", "b"), ("A", "b"), ("b", "a")])


@case(why="“abc” again, the table in another order: no answer is kept by its word", clauses=("always", "merges"))
def same_word_other_table(make: Inputs) -> Call:
    return call("abc", [("a", "b"), ("ab", "c"), ("b", "c")])


@case(why="the first pair of the table has rank 0, which is a rank like any other", clauses=("merges", "lowest-rank"))
def only_the_first_pair(make: Inputs) -> Call:
    return call("abab", [("a", "b"), ("ab", "ab")])


@case(why="blanks, tabs and line breaks are characters, and merge", clauses=("word",))
def white_space(make: Inputs) -> Call:
    return call(" a\tb  c\n\nd\r ", [(" ", "a"), (" ", " "), ("\n", "\n"), ("\n\n", "d"), ("\t", "b"), ("\u3000", "x")])


@case(why="characters with a meaning in regular expressions, beside those that they would match", clauses=("word",))
def regex_characters(make: Inputs) -> Call:
    return call(
        r"a.bxb(c)+c*|^$[d]{2}?", [(".", "b"), ("x", "b"), ("(", "c"), (")", "+"), ("*", "|"), ("^", "$"), ("[", "d")]
    )


@case(why="backslashes, digits and quotes, as source code has them", clauses=("word",))
def backslashes_and_digits(make: Inputs) -> Call:
    return call(
        r"\1\\n2024\g<0>'\"",
        [("\\", "1"), ("\\", "\\"), ("2", "0"), ("2", "4"), ("20", "24"), ("\\", "g"), ("'", "\\")],
    )


@case(why="an accent as a character of its own, beside the composed é: nothing is normalised", clauses=("word",))
def combining_marks(make: Inputs) -> Call:
    return call("e\u0301t\u00e9e\u0301", [("e", "\u0301"), ("t", "\u00e9"), ("t", "e\u0301")])


@case(why="ligatures, circled numbers and wide letters stay what they are", clauses=("word",))
def compatibility_characters(make: Inputs) -> Call:
    return call("\ufb01n\u2460\uff21fin1A", [("\ufb01", "n"), ("f", "i"), ("\u2460", "\uff21"), ("1", "A")])


@case(why="emoji lie beyond 16 bits; skin tones and joiners are characters of their own", clauses=("word",))
def emoji(make: Inputs) -> Call:
    return call(
        "\U0001f44d\U0001f3fd\U0001f468\u200d\U0001f467", [("\U0001f44d", "\U0001f3fd"), ("\u200d", "\U0001f467")]
    )


@case(why="marks of other tokenizers are plain characters here", clauses=("word",))
def marks(make: Inputs) -> Call:
    return call(
        "<w>\u0120a\u2581b</w>##c", [("<", "w"), ("\u0120", "a"), ("\u2581", "b"), ("</", "w"), ("<", "/"), ("#", "#")]
    )


@case(why="300 characters and a table of four: more merges than the table is long", clauses=("again", "all-places"))
def long_word(make: Inputs) -> Call:
    return call("abcabd" * 50, [("a", "b"), ("ab", "c"), ("ab", "d"), ("abc", "abd")])


@case(
    why="a random table over three letters, as training could have learned it, and a long word",
    fresh=True,
    clauses=("lowest-rank", "again", "merges"),
)
def fresh(make: Inputs) -> Call:
    tokens, merges = ["a", "b", "c"], []
    while len(merges) < 20:
        pair = (make.random.choice(tokens), make.random.choice(tokens))
        # A token that two pairs spell could meet an earlier rank: then merging all places at once would differ.
        if pair[0] + pair[1] not in tokens and len(pair[0] + pair[1]) < 7:
            merges.append(pair)
            tokens.append(pair[0] + pair[1])
    return call("".join(make.random.choice("abc") for _ in range(make.size(40, 60))), merges)


# Domain -----------------------------------------------------------------------------------------------------------

CHARACTERS = {
    "one letter": "a",
    "letters": "abc",
    "capitals": "aAbB",
    "digits": "0122",
    "white space": " \t\n\r\u00a0\u3000a",
    "controls": "\x00\x01\x1f\x85\u2028b",
    "regular expressions": ".*+?^$()[]{}|a",
    "backslashes": "\\1ng<>'\"",
    "combining marks": "e\u0301\u00e9\u0302",
    "compatibility": "\ufb01fi\u24601\uff21A",
    "changed by case": "\u00dfS\u0130\u0131\u017fs\u03c2",
    "emoji": "\U0001f44d\U0001f3fd\U0001f468\u200d\ufe0f",
    "ideographs": "\u8bed\u8a00\u6a21\u578b\U00020000",
    "marks": "<w/>#\u0120\u2581@_",
}


@domain()
def any_word(draw: Draw) -> Call:
    name = draw.pick(*CHARACTERS)
    letters = CHARACTERS[name] + (CHARACTERS[draw.pick(*CHARACTERS)] if draw.chance(0.3) else "")
    few = letters[: draw.pick(2, 3, 99)]  # few of them: pairs come again
    length, size = draw.pick(0, 1, 2, 3, 4, 6, 8, 12, 20, 30), draw.pick(0, 1, 2, 3, 5, 8, 12)
    if draw.chance(0.4):  # one word in all calls, so that only the table tells them apart
        word = "".join(draw.pick(*few) for _ in range(length))
    else:
        word = "".join(draw.random.choice(few) for _ in range(length))
    draw.mark("characters", name)
    return call(word, table(draw, word, few, size))


def table(draw: Draw, word: str, letters: str, size: int) -> list[tuple[str, str]]:
    """Pairs without repeats: as training on the word would find them, or any, in that order or in another."""
    kind = draw.option("from the word", "from the word", "any", "two ways to spell", "shuffled", "shuffled any")
    tokens, known, merges = list(word), [*dict.fromkeys(letters)], []
    while len(merges) < size and (kind in ("any", "two ways to spell", "shuffled any") or len(tokens) > 1):
        if kind in ("from the word", "shuffled"):
            at = draw.option(*range(len(tokens) - 1))
            pair = tokens[at], tokens[at + 1]
            tokens = merged(tokens, pair)
        else:
            pair = draw.option(*known), draw.option(*known)
            size -= 1 if pair in merges else 0  # so that few letters come to an end
        spelled = pair[0] + pair[1]
        if pair not in merges and (spelled not in known or kind == "two ways to spell"):
            merges.append(pair)
        known += [spelled] if spelled not in known and len(spelled) < 5 else []
    if kind in ("shuffled", "shuffled any"):
        merges.sort(key=lambda _: draw.option(*range(99)))
    return merges


def merged(tokens: list[str], pair: tuple[str, str]) -> list[str]:
    """The tokens with the pair merged in all places, from the left."""
    found: list[str] = []
    for token in tokens:
        if found and (found[-1], token) == pair:
            found[-1] += token
            found.append("")  # a border: what is merged merges no more
        else:
            found.append(token)
    return [token for token in found if token]


# Right kernels, written differently -------------------------------------------------------------------------------


@equivalent("one-place", why="collects the places that may merge, and takes the first of lowest rank")
def one_place(word, merges):
    ranks = {pair: rank for rank, pair in enumerate(merges)}
    tokens = list(word)
    for _ in word:
        places = [i for i in range(len(tokens) - 1) if (tokens[i], tokens[i + 1]) in ranks]
        if not places:
            break
        i = min(places, key=lambda i: ranks[tokens[i], tokens[i + 1]])
        tokens[i : i + 2] = [tokens[i] + tokens[i + 1]]
    return tokens


@equivalent("by-starts", why="rebuilds the tokens around the place where the best pair starts")
def by_starts(word, merges):
    ranks = {pair: rank for rank, pair in enumerate(merges)}
    tokens = list(word)
    for _ in word:
        pairs = [(tokens[i], tokens[i + 1]) for i in range(len(tokens) - 1)]
        best = min(pairs, key=lambda pair: ranks.get(pair, math.inf), default=None)
        if best not in ranks:
            break
        starts = {pairs.index(best)}
        kept = [i for i in range(len(tokens)) if i in starts or i - 1 not in starts]
        tokens = ["".join(tokens[i : i + 2]) if i in starts else tokens[i] for i in kept]
    return tokens


@equivalent("all-occurrences", why="merges all occurrences of the best pair in one go, as GPT-2's encoder does")
def all_occurrences(word, merges):
    ranks, tokens = {pair: rank for rank, pair in enumerate(merges)}, list(word)
    while True:
        pairs = {(tokens[i], tokens[i + 1]) for i in range(len(tokens) - 1)} & ranks.keys()
        if not pairs:
            return tokens
        best, merged = min(pairs, key=ranks.__getitem__), []
        while tokens:
            size = 2 if tuple(tokens[:2]) == best else 1
            merged.append("".join(tokens[:size]))
            tokens = tokens[size:]
        tokens = merged


@equivalent("heap", why="a heap of candidate pairs over a linked list, O(n log n)")
def heap(word, merges):
    import heapq

    ranks = {pair: rank for rank, pair in enumerate(merges)}
    tokens, after = list(word), list(range(1, len(word) + 1))
    before = list(range(-1, len(word) - 1))
    queue = []

    def push(i):
        j = after[i] if 0 <= i < len(tokens) else len(tokens)
        if j < len(tokens) and (tokens[i], tokens[j]) in ranks:
            heapq.heappush(queue, (ranks[tokens[i], tokens[j]], i, tokens[i], tokens[j]))

    for i in range(len(tokens)):
        push(i)
    while queue:
        _, i, left, right = heapq.heappop(queue)
        j = after[i]
        if tokens[i] != left or j >= len(tokens) or tokens[j] != right:
            continue  # one of the two has merged with another since
        tokens[i], tokens[j], after[i] = left + right, "", after[j]
        if after[j] < len(tokens):
            before[after[j]] = i
        push(before[i])
        push(i)
    return [token for token in tokens if token]


@equivalent("recursive", why="merges once and calls itself, scanning the table instead of the word")
def recursive(word, merges):
    def merge(tokens):
        neighbours = [(tokens[i], tokens[i + 1]) for i in range(len(tokens) - 1)]
        for pair in merges:
            if pair in neighbours:
                i = neighbours.index(pair)
                return merge([*tokens[:i], pair[0] + pair[1], *tokens[i + 2 :]])
        return tokens

    return merge(list(word))


# Peer -------------------------------------------------------------------------------------------------------------


@peer("tokenizers")
def tokenizers_bpe(word, merges):
    from tokenizers.models import BPE

    tokens = dict.fromkeys([*word, *(part for pair in merges for part in (*pair, "".join(pair)))])
    model = BPE(vocab={token: index for index, token in enumerate(tokens)}, merges=list(merges))
    return [token.value for token in model.tokenize(word)]
