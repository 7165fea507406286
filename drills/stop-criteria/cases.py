"""Cases, equivalents and peer of the kata stop-criteria; its wrong kernels stand in slips.yaml."""

from __future__ import annotations

import re

from llmdrills.grading.authoring import Call, Draw, Inputs, call, case, domain, equivalent, peer

END = 2  # the usual end-of-text token


def stream(*pieces: str, ids: tuple[int, ...] = ()) -> list[tuple[int, str]]:
    """A stream of these texts; the ids are 10, 11, … unless given."""
    return [(ids[i] if i < len(ids) else 10 + i, piece) for i, piece in enumerate(pieces)]


# Cases ------------------------------------------------------------------------------------------------------------


@case(
    why="“User:” in three tokens, in the first of two streams", clauses=("streams", "each", "string", "cut", "result")
)
def base(make: Inputs) -> Call:
    streams = [stream("Hello", " there.\n", "Us", "er", ":", " Hi"), stream("Fine", ", thanks")]
    return call(streams, ["\nUser:"], [END], 20)


@case(why="the stop string is one token", clauses=("string", "cut"))
def one_token(make: Inputs) -> Call:
    return call([stream("a", "b", "STOP", "c")], ["STOP"], [END], 20)


@case(why="it begins and ends in the middle of tokens: what follows it in the last one goes too", clauses=("cut",))
def inside_tokens(make: Inputs) -> Call:
    return call([stream("one tw", "o thr", "ee four", " five")], ["two three"], [END], 20)


@case(why="it ends in the middle of a token, and the text does not end with it", clauses=("string", "cut"))
def text_goes_on(make: Inputs) -> Call:
    return call([stream("yes", " stop!", " more")], ["stop"], [], 20)


@case(why="two stop strings in one token: the one that begins first cuts, not the first of the list", clauses=("cut",))
def first_to_begin(make: Inputs) -> Call:
    return call([stream("a ", "x##y@@z")], ["@@", "##"], [END], 20)


@case(why="the longer begins before the shorter, which it contains", clauses=("cut",))
def one_in_another(make: Inputs) -> Call:
    return call([stream("say <", "<end>> now")], ["end", "<<end>>"], [], 20)


@case(why="a shorter one is complete before the longer, which began first", clauses=("string", "cut"))
def shorter_is_first(make: Inputs) -> Call:
    return call([stream("<<e", "nd", ">> now")], ["<<end>>", "nd"], [], 20)


@case(why="it stands twice in one token: the first place cuts", clauses=("cut",))
def twice(make: Inputs) -> Call:
    return call([stream("a;b;c"), stream("x", ";", ";")], [";"], [END], 20)


@case(why="it is the very first text: nothing is shown", clauses=("cut", "result"))
def at_once(make: Inputs) -> Call:
    return call([stream("###", " title")], ["###"], [END], 20)


@case(why="a stop token ends the stream, and its text is not shown", clauses=("token",))
def stop_token(make: Inputs) -> Call:
    return call([stream("good", " bye", "</s>", "more", ids=(7, 8, END, 9))], ["\n\n"], [END, 5], 20)


@case(why="a stop token's text would complete the stop string: it does not count", clauses=("token", "string"))
def token_completes_a_string(make: Inputs) -> Call:
    return call([stream("abc EN", "D", ids=(7, END))], ["END"], [END], 20)


@case(why="a stop token comes after the beginning of a stop string: nothing is held back", clauses=("token", "held"))
def token_after_a_beginning(make: Inputs) -> Call:
    return call([stream("ab\n", "Us", "", ids=(7, 8, END))], ["\nUser:"], [END], 20)


@case(why="token 0 stops, too", clauses=("token",))
def token_zero(make: Inputs) -> Call:
    return call([stream("a", "b", "c", ids=(5, 0, 6))], [], [0], 20)


@case(why="no stop string, no stop token: the limit alone", clauses=("limit", "string", "token"))
def limit_alone(make: Inputs) -> Call:
    return call([stream("a", "b", "c", "d"), stream("e", "f"), stream("g", "h", "i")], [], [], 3)


@case(why="a limit of one", clauses=("limit",))
def limit_of_one(make: Inputs) -> Call:
    streams = [stream("a", "b"), stream("", "b"), stream("x", ids=(END,)), stream("q."), []]
    return call(streams, ["."], [END], 1)


@case(why="the last token allowed completes a stop string: it has stopped", clauses=("limit", "string"))
def string_at_the_limit(make: Inputs) -> Call:
    return call([stream("a", "b.", "c"), stream("a", "b", ".")], ["."], [END], 2)


@case(why="the last token allowed is a stop token", clauses=("limit", "token"))
def token_at_the_limit(make: Inputs) -> Call:
    return call([stream("a", "b", "c", ids=(7, END, 8))], [], [END], 2)


@case(why="the limit is reached behind the beginning of a stop string: all is shown", clauses=("limit", "held"))
def beginning_at_the_limit(make: Inputs) -> Call:
    return call([stream("a", "b\nUs", "er:")], ["\nUser:"], [END], 2)


@case(why="the text ends with the beginning of a stop string: it may not be sent yet", clauses=("held",))
def beginning_held(make: Inputs) -> Call:
    return call([stream("ab", "c\nUs"), stream("ab", "c\nUs", "e"), stream("\n")], ["\nUser:"], [END], 20)


@case(why="what is no beginning is sent at once, however long the stop strings are", clauses=("held",))
def nothing_held(make: Inputs) -> Call:
    return call([stream("The", " user", ": ser")], ["\nUser:", "<|im_end|>"], [END], 20)


@case(why="beginnings of two stop strings: the longer is held back", clauses=("held",))
def longest_beginning(make: Inputs) -> Call:
    return call([stream("xab", "ab")], ["abc", "ababd", "bc"], [END], 20)


@case(why="a beginning that went astray is sent, and the new one within it is held", clauses=("held",))
def begins_anew(make: Inputs) -> Call:
    return call([stream("aa", "aa", "b"), stream("--", "-")], ["aaaab!", "aab!", "--->"], [END], 20)


@case(why="a beginning was held, and other text has followed: it is not a stop", clauses=("held", "string"))
def beginning_refuted(make: Inputs) -> Call:
    return call([stream("a\nU", "sing", " it")], ["\nUser:"], [END], 20)


@case(why="tokens without text, as parts of a character are: they count as tokens", clauses=("streams", "limit"))
def empty_texts(make: Inputs) -> Call:
    return call([stream("", "", "é", "", "x"), stream("", "")], ["éx"], [END], 4)


@case(
    why="capitals, blanks and signs with a meaning in regular expressions are compared as they are", clauses=("string",)
)
def as_they_are(make: Inputs) -> Call:
    streams = [stream("a stop", "Stop"), stream("aXb", "a.", "b"), stream("a ", " ", "b"), stream("(", "x)*")]
    return call(streams, ["Stop", "a.b", "  ", "(x)*"], [END], 20)


@case(why="a stop string of blanks at the end of the text", clauses=("string", "held"))
def line_breaks(make: Inputs) -> Call:
    return call([stream("one\n", "\ntwo"), stream("one\n"), stream("one\n ", "\n")], ["\n\n"], [END], 20)


@case(why="characters beyond ASCII", clauses=("string", "held"))
def unicode(make: Inputs) -> Call:
    return call(
        [stream("好的", "。结", "束了"), stream("好的。", "结"), stream("👍", "🏽")], ["结束", "🏽!"], [END], 20
    )


@case(
    why="e and its accent are two characters, é is one; and the sign of a broken character is text like any other",
    clauses=("string", "held"),
)
def not_normalised(make: Inputs) -> Call:
    return call([stream("e\u0301", "x"), stream("e", "\u0301x"), stream("a\ufffd")], ["\u00e9x", "\u00e9"], [END], 20)


@case(why="streams end at different tokens and for different reasons: none decides for another", clauses=("each",))
def own_ends(make: Inputs) -> Call:
    streams = [
        stream("a.", "b", "c", "d"),
        stream("a", "b", "c", "d"),
        stream("a", "b", ids=(7, END)),
        stream("a", "b", "c."),
        [],
        stream("a", "b"),
    ]
    return call(streams, ["."], [END], 3)


@case(why="streams that differ in their last token only: nothing is kept from one to the next", clauses=("each",))
def alike(make: Inputs) -> Call:
    return call([stream("a", "\n"), stream("\n", "b"), stream("a", "\n")], ["\n\n"], [END], 20)


@case(why="no stream", clauses=("streams", "result"))
def no_streams(make: Inputs) -> Call:
    return call([], ["."], [END], 3)


@case(why="a stream without tokens goes on", clauses=("streams", "held", "result"))
def no_tokens(make: Inputs) -> Call:
    return call([[]], ["."], [END], 3)


@case(why="the streams grow by a token a call: each call begins anew", clauses=("always",))
def three_calls(make: Inputs) -> tuple[Call, ...]:
    whole = stream("ab", "c\n", "Us", "er: no")
    return tuple(call([whole[:n], whole[: n - 1]], ["\nUser:"], [END], 20) for n in (2, 3, 4))


@case(why="random pieces over few letters", fresh=True, clauses=("string", "cut", "held"))
def fresh(make: Inputs) -> Call:
    streams = [stream(*(some(make, make.size(0, 3)) for _ in range(make.size(2, 9)))) for _ in range(5)]
    return call(streams, [some(make, size) for size in (3, 4, 5)], [END], 8)


def some(make: Inputs, size: int, letters: str = "ab") -> str:
    return "".join(make.random.choice(letters) for _ in range(size))


# Domain -----------------------------------------------------------------------------------------------------------


@domain()
def any_streams(draw: Draw) -> Call:
    letters = draw.pick("ab", "ab", "ab", "a", "abc", "a\n ", "aA.*", "é好👍")
    longest = draw.pick(1, 2, 2, 3, 4)
    stops = [some(draw, draw.pick(*range(1, longest + 2)), letters) for _ in range(draw.pick(0, 1, 1, 2, 3))]
    if stops and draw.chance(0.3):
        stops.append(stops[0] + some(draw, 2, letters))  # begins alike
    if stops and draw.chance(0.2):
        stops.append(stops[-1][1:] or "b")  # ends alike
    ends = draw.option([], [END], [10], [0], [31], [END, 0, 31], [END, 12, 0])
    streams = []
    for _ in range(draw.pick(0, 1, 2, 2, 3)):
        made = []
        for _ in range(draw.pick(0, 1, 2, 3, 5, 8)):
            token = draw.random.choice([10, 11, 12, 13, 14, 15, 31, END, 0] if draw.chance(0.5) else [10, 11, 12])
            piece = some(draw, draw.pick(0, 1, 1, 2, 3), letters)
            made.append((token, "z" + piece if draw.chance(0.3) else piece))
        streams.append(made)
    limit = draw.option(1, 2, 3, 4, 8, 8, 100)
    draw.mark("stop strings", len(stops))
    draw.mark("stop tokens", len(ends))
    if draw.given(0.2):
        return call(streams, stop_strings=stops, stop_token_ids=ends, max_tokens=limit)
    return call(streams, stops, ends, limit)


# Right kernels, written differently -------------------------------------------------------------------------------


@equivalent("one-function", why="one function, and what is held back by a search from the left")
def one_function(streams, stop_strings, stop_token_ids, max_tokens):
    results = []
    for stream in streams:
        text, count, why = "", 0, None
        while why is None and count < len(stream):
            token, piece = stream[count]
            count += 1
            if token in stop_token_ids:
                why = "stop"
                break
            text += piece
            at = [text.find(s) for s in stop_strings if s in text]
            if at:
                text, why = text[: min(at)], "stop"
            elif count == max_tokens:
                why = "length"
        for n in range(len(text)) if why is None else ():
            if any(s.startswith(text[n:]) for s in stop_strings):
                text = text[:n]
                break
        results.append((text, count, why))
    return results


@equivalent("by-character", why="feeds the characters one by one, and keeps for each stop string how far it has come")
def by_character(streams, stop_strings, stop_token_ids, max_tokens):
    return [_states(stream, stop_strings, set(stop_token_ids), max_tokens) for stream in streams]


def _states(stream, stops, ends, limit):
    text, open_at = "", [[] for _ in stops]  # for each stop string the places at which it may have begun
    for number, (token, piece) in enumerate(stream):
        if token in ends:
            return text, number + 1, "stop"
        found = []
        for character in piece:
            for stop, places in zip(stops, open_at, strict=True):
                places.append(len(text))
                places[:] = [at for at in places if stop[len(text) - at] == character]
                done = [at for at in places if len(text) - at == len(stop) - 1]
                found += done
                places[:] = [at for at in places if at not in done]
            text += character
        if found:
            return text[: min(found)], number + 1, "stop"
        if number + 1 == limit:
            return text, limit, "length"
    first = min((at for places in open_at for at in places), default=len(text))
    return text[:first], len(stream), None


@equivalent("window", why="searches the new text and as much before it as a stop string is long")
def window(streams, stop_strings, stop_token_ids, max_tokens):
    longest = max(map(len, stop_strings), default=0)
    results = []
    for stream in streams:
        text, reason, used = "", None, 0
        while used < len(stream) and reason is None:
            token, piece = stream[used]
            used += 1
            if token in stop_token_ids:
                reason = "stop"
                continue
            begin = max(0, len(text) - longest + 1)
            text = "".join((text, piece))
            hits = [i for i in range(begin, len(text)) if any(text.startswith(s, i) for s in stop_strings)]
            if hits:
                text, reason = text[: hits[0]], "stop"
            elif used >= max_tokens:
                reason = "length"
        if reason is None:
            for i in range(max(0, len(text) - longest + 1), len(text)):
                if any(s.startswith(text[i:]) for s in stop_strings):
                    text = text[:i]
                    break
        results.append((text, used, reason))
    return results


# Peer -------------------------------------------------------------------------------------------------------------


@peer("re")
def by_regular_expression(streams, stop_strings, stop_token_ids, max_tokens):
    """Python's regular expressions on every prefix of the stream."""
    stop = re.compile("|".join(map(re.escape, stop_strings)) or "(?!)")
    parts = [f"(?:{'|'.join(re.escape(s[:n]) for n in range(len(s), 0, -1))})" for s in stop_strings]
    begun = re.compile(f"(?:{'|'.join(parts)})\\Z" if parts else "(?!)")
    results = []
    for stream in streams:
        ends = [n for n, (token, _) in enumerate(stream, 1) if token in stop_token_ids]
        upto = ends[0] - 1 if ends else len(stream)
        texts = ["".join(piece for _, piece in stream[:n]) for n in range(upto + 1)]
        hits = [(n, stop.search(text)) for n, text in enumerate(texts)]
        hit = next(((n, found.start()) for n, found in hits if found and n), None)
        if hit and hit[0] <= max_tokens:
            results.append((texts[hit[0]][: hit[1]], hit[0], "stop"))
        elif ends and ends[0] <= max_tokens:
            results.append((texts[-1], ends[0], "stop"))
        elif len(stream) >= max_tokens:
            results.append((texts[max_tokens], max_tokens, "length"))
        else:
            first = begun.search(texts[-1])
            results.append((texts[-1][: first.start()] if first else texts[-1], len(stream), None))
    return results
