"""Cases, wrong kernels, equivalents and peer of the kata bpe-encode."""

from __future__ import annotations

import math

from llmdrills.grading.authoring import Call, Inputs, call, case, equivalent, misconception, peer

# Cases ------------------------------------------------------------------------------------------------------------


@case(why="b·c ‹ a·b ‹ ab·c on “abc”: leftmost and longest both go astray")
def rank_decides(make: Inputs) -> Call:
    return call("abc", [("b", "c"), ("a", "b"), ("ab", "c")])


@case(why="“aaa” with a·a: two overlapping places, one merge, from the left")
def overlap(make: Inputs) -> Call:
    return call("aaa", [("a", "a")])


@case(why="“aaaaa” with a·a and aa·aa: merged tokens merge again, and one a is left")
def again(make: Inputs) -> Call:
    return call("aaaaa", [("a", "a"), ("aa", "aa")])


@case(why="a real-looking word: several ranks, several rounds")
def lowest(make: Inputs) -> Call:
    merges = [("e", "s"), ("es", "t"), ("l", "o"), ("lo", "w"), ("n", "e"), ("ne", "w"), ("low", "est")]
    return call("lowestnew", merges)


@case(why="a merge makes a pair of lower rank than its own: look at all pairs again")
def earlier_rank_appears_later(make: Inputs) -> Call:
    return call("xabcx", [("ab", "c"), ("a", "b"), ("c", "x")])


@case(why="(a, bc) is in the table, (ab, c) is not: the pair counts, not what it spells")
def pair_not_spelling(make: Inputs) -> Call:
    return call("abcd", [("a", "b"), ("b", "c"), ("a", "bc"), ("bc", "d")])


@case(why="the same pair in three places, with another pair between")
def repeated(make: Inputs) -> Call:
    return call("banananab", [("a", "n"), ("an", "an"), ("b", "an"), ("n", "a")])


@case(why="the frequent pair has the higher rank number: frequency ended with training")
def frequency_is_for_training(make: Inputs) -> Call:
    return call("zxyxyxw", [("y", "x"), ("z", "x"), ("x", "y")])


@case(why="“ab c” holds the letters b, c but not the pair: borders of tokens count")
def borders(make: Inputs) -> Call:
    return call("abcbc", [("a", "b"), ("b", "c")])


@case(why="nothing in the table fits")
def no_merge(make: Inputs) -> Call:
    return call("cab", [("b", "c"), ("x", "y")])


@case(why="an empty table leaves the characters")
def empty_table(make: Inputs) -> Call:
    return call("abca", [])


@case(why="the empty word has no tokens")
def empty_word(make: Inputs) -> Call:
    return call("", [("a", "b")])


@case(why="one character has no pair")
def one_character(make: Inputs) -> Call:
    return call("é", [("a", "b")])


@case(why="characters beyond ASCII are characters like others")
def unicode(make: Inputs) -> Call:
    return call("语言模型语言", [("语", "言"), ("模", "型"), ("语言", "模型"), ("é", "e")])


@case(why="capitals are other characters")
def capitals(make: Inputs) -> Call:
    return call("AbaB", [("a", "b"), ("A", "b"), ("b", "a")])


@case(why="a random table over three letters, as training could have learned it, and a long word", fresh=True)
def fresh(make: Inputs) -> Call:
    tokens, merges = ["a", "b", "c"], []
    while len(merges) < 20:
        pair = (make.random.choice(tokens), make.random.choice(tokens))
        # A token that two pairs spell could meet an earlier rank: then merging all places at once would differ.
        if pair[0] + pair[1] not in tokens and len(pair[0] + pair[1]) < 7:
            merges.append(pair)
            tokens.append(pair[0] + pair[1])
    return call("".join(make.random.choice("abc") for _ in range(make.size(40, 60))), merges)


# Wrong kernels ----------------------------------------------------------------------------------------------------


@misconception(
    "leftmost",
    en="You merge the first pair that is in the table. Look at all pairs and take the one of lowest rank.",
    zh="你合并的是最左边能合并的一对。应当看完所有相邻对，取 rank 最小的。",
    seen="encoders that scan from the left and restart after each merge",
    fix="i = min(places, key=lambda i: ranks[tokens[i], tokens[i + 1]])",
)
def leftmost(word, merges):
    ranks = {pair: rank for rank, pair in enumerate(merges)}
    tokens = list(word)
    for _ in word:
        places = [i for i in range(len(tokens) - 1) if (tokens[i], tokens[i + 1]) in ranks]
        if not places:
            break
        i = places[0]
        tokens[i : i + 2] = [tokens[i] + tokens[i + 1]]
    return tokens


@misconception(
    "longest-match",
    en="You cut off the longest known token from the left, as WordPiece does. BPE replays merges, in the order of their ranks.",
    zh="你从左边切下最长的已知 token，那是 WordPiece 的做法。BPE 是按 rank 的次序重放合并。",
    seen="tokenisers rebuilt from a vocabulary file alone",
)
def longest_match(word, merges):
    known, tokens = {left + right for left, right in merges}, []
    while word:
        size = next((n for n in range(len(word), 1, -1) if word[:n] in known), 1)
        tokens.append(word[:size])
        word = word[size:]
    return tokens


@misconception(
    "longest-merge",
    en="You prefer the pair that makes the longest token. The rank decides, not the length.",
    zh="你优先合并能得到最长 token 的一对。决定次序的是 rank，不是长度。",
    seen="a guess that longer tokens are better",
)
def longest_merge(word, merges):
    ranks = {pair: rank for rank, pair in enumerate(merges)}
    tokens = list(word)
    for _ in word:
        places = [i for i in range(len(tokens) - 1) if (tokens[i], tokens[i + 1]) in ranks]
        if not places:
            break
        i = max(places, key=lambda i: (len(tokens[i] + tokens[i + 1]), -ranks[tokens[i], tokens[i + 1]]))
        tokens[i : i + 2] = [tokens[i] + tokens[i + 1]]
    return tokens


@misconception(
    "overlap",
    en="Your merges overlap: in “aaa” the middle a went into two tokens. Each token takes part in one merge.",
    zh="你的合并重叠了：“aaa” 中间的 a 进了两个 token。每个 token 只能参与一次合并。",
    seen="comprehensions that merge all occurrences at once",
    fix="starts = {pairs.index(best)}",
)
def overlap_twice(word, merges):
    ranks = {pair: rank for rank, pair in enumerate(merges)}
    tokens = list(word)
    for _ in word:
        pairs = [(tokens[i], tokens[i + 1]) for i in range(len(tokens) - 1)]
        best = min(pairs, key=lambda pair: ranks.get(pair, math.inf), default=None)
        if best not in ranks:
            break
        starts = {i for i, pair in enumerate(pairs) if pair == best}
        kept = [i for i in range(len(tokens)) if i in starts or i - 1 not in starts]
        tokens = ["".join(tokens[i : i + 2]) if i in starts else tokens[i] for i in kept]
    return tokens


@misconception(
    "from-the-right",
    en="Of equal pairs you merge the rightmost: “aaa” gives a, aa. The leftmost comes first.",
    zh="相同的对里你合并了最右边的：“aaa” 得到 a、aa。应当先合并最左边的。",
    seen="`<=` in place of `<` in a search for the minimum",
)
def from_the_right(word, merges):
    ranks = {pair: rank for rank, pair in enumerate(merges)}
    tokens = list(word)
    for _ in word:
        places = [i for i in range(len(tokens) - 1) if (tokens[i], tokens[i + 1]) in ranks]
        if not places:
            break
        i = min(reversed(places), key=lambda i: ranks[tokens[i], tokens[i + 1]])
        tokens[i : i + 2] = [tokens[i] + tokens[i + 1]]
    return tokens


@misconception(
    "one-sweep",
    en="One sweep over the table is not enough: a merge can make a pair whose rank you have passed. Start again after each merge.",
    zh="只扫一遍合并表是不够的：合并可能产生 rank 更靠前、已经扫过的对。每次合并后都要从头再看。",
    seen="“apply each rule in order”, which holds for tables straight from training and fails for edited ones",
)
def one_sweep(word, merges):
    tokens = list(word)
    for pair in merges:
        i = 0
        while i < len(tokens) - 1:
            if (tokens[i], tokens[i + 1]) == pair:
                tokens[i : i + 2] = [tokens[i] + tokens[i + 1]]
            i += 1
    return tokens


@misconception(
    "highest-rank-first",
    en="You start with the last merge of the table: the first one learned has the highest priority.",
    zh="你从表的最后一条开始合并：最早学到的那一条优先级才最高。",
    seen="a rank read as a score, the larger the better",
)
def highest_rank_first(word, merges):
    ranks = {pair: rank for rank, pair in enumerate(merges)}
    tokens = list(word)
    for _ in word:
        places = [i for i in range(len(tokens) - 1) if (tokens[i], tokens[i + 1]) in ranks]
        if not places:
            break
        i = max(places, key=lambda i: ranks[tokens[i], tokens[i + 1]])
        tokens[i : i + 2] = [tokens[i] + tokens[i + 1]]
    return tokens


@misconception(
    "most-frequent-pair",
    en="You merge the pair that is most frequent in this word. Counting is how the table was trained; encoding only follows the ranks.",
    zh="你合并的是这个词里出现最多的一对。统计频次是训练时的事，编码只按 rank 来。",
    seen="the training loop reused as the encoder",
)
def most_frequent_pair(word, merges):
    ranks = {pair: rank for rank, pair in enumerate(merges)}
    tokens = list(word)
    for _ in word:
        pairs = [(tokens[i], tokens[i + 1]) for i in range(len(tokens) - 1)]
        places = [(pairs.count(pair), -i) for i, pair in enumerate(pairs) if pair in ranks]
        if not places:
            break
        i = -max(places)[1]
        tokens[i : i + 2] = [tokens[i] + tokens[i + 1]]
    return tokens


@misconception(
    "looked-up-by-spelling",
    en="You merge whatever spells a token of the table. tiktoken ranks by spelling; here the table is of pairs, and (ab, c) is not (a, bc).",
    zh="只要拼起来在表里，你就合并。tiktoken 按拼写查 rank；这里的表以符号对为键，(ab, c) 不是 (a, bc)。",
    seen="code moved from a table of ranks by token (tiktoken) to a table of pairs (merges.txt of GPT-2)",
)
def looked_up_by_spelling(word, merges):
    ranks = {}
    for rank, (left, right) in enumerate(merges):
        ranks.setdefault(left + right, rank)
    tokens = list(word)
    for _ in word:
        places = [i for i in range(len(tokens) - 1) if tokens[i] + tokens[i + 1] in ranks]
        if not places:
            break
        i = min(places, key=lambda i: ranks[tokens[i] + tokens[i + 1]])
        tokens[i : i + 2] = [tokens[i] + tokens[i + 1]]
    return tokens


@misconception(
    "replaced-in-a-string",
    en="A plain replace doesn't stop at token borders: in “ab c” it finds the pair (b, c). Compare whole tokens.",
    zh="字符串替换不认 token 边界：在 “ab c” 里也会找到 (b, c)。要按整个 token 比较。",
    seen="the 2016 paper's code without the guards in its regular expression",
)
def replaced_in_a_string(word, merges):
    ranks = {pair: rank for rank, pair in enumerate(merges)}
    spaced = " ".join(word)
    for _ in word:
        tokens = spaced.split(" ")
        pairs = [(tokens[i], tokens[i + 1]) for i in range(len(tokens) - 1)]
        best = min(pairs, key=lambda pair: ranks.get(pair, math.inf), default=None)
        if best not in ranks:
            break
        spaced = spaced.replace(" ".join(best), "".join(best))
    return spaced.split()


@misconception(
    "one-round",
    en="You merge pairs of characters only: merged tokens must be able to merge again.",
    zh="你只合并了单个字符：合并出来的 token 还应当能继续合并。",
    seen="a single pass that replaces pairs of characters",
)
def one_round(word, merges):
    ranks = {pair: rank for rank, pair in enumerate(merges)}
    tokens = list(word)
    for _ in word:
        places = [
            i
            for i in range(len(tokens) - 1)
            if (tokens[i], tokens[i + 1]) in ranks and len(tokens[i] + tokens[i + 1]) == 2
        ]
        if not places:
            break
        i = min(places, key=lambda i: ranks[tokens[i], tokens[i + 1]])
        tokens[i : i + 2] = [tokens[i] + tokens[i + 1]]
    return tokens


@misconception(
    "lower-cased",
    en="You lower-case the word first: the model's table tells A from a.",
    zh="你先把词转成了小写：模型的表区分 A 和 a。",
    seen="habits from uncased BERT",
)
def lower_cased(word, merges):
    ranks = {pair: rank for rank, pair in enumerate(merges)}
    tokens = list(word.lower())
    for _ in word:
        places = [i for i in range(len(tokens) - 1) if (tokens[i], tokens[i + 1]) in ranks]
        if not places:
            break
        i = min(places, key=lambda i: ranks[tokens[i], tokens[i + 1]])
        tokens[i : i + 2] = [tokens[i] + tokens[i + 1]]
    return tokens


@misconception(
    "end-of-word-mark",
    en="You append </w>: the 2016 paper marks the end of each word so, and this contract adds nothing.",
    zh="你加了 </w>：2016 年的论文用它标记词尾，而本题约定什么标记都不加。",
    seen="the code of the 2016 paper",
)
def end_of_word_mark(word, merges):
    ranks = {pair: rank for rank, pair in enumerate(merges)}
    tokens = [*word[:-1], word[-1:] + "</w>"]
    for _ in word:
        places = [i for i in range(len(tokens) - 1) if (tokens[i], tokens[i + 1]) in ranks]
        if not places:
            break
        i = min(places, key=lambda i: ranks[tokens[i], tokens[i + 1]])
        tokens[i : i + 2] = [tokens[i] + tokens[i + 1]]
    return tokens


# Right kernels, written differently -------------------------------------------------------------------------------


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
