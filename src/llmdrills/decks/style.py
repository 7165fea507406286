"""The style of every card: light and night, narrow and wide, code in colour. No external request, no script.

Anki puts `card` on the body, and `nightMode` beside it at night. Colours are variables, so that each mode is one table;
every pair of them that can meet is at least 4.5:1 (tests/decks/test_style.py computes it).
"""

from __future__ import annotations

__all__ = ["CODE_COLOURS", "CSS", "LIGHT", "NIGHT"]

LIGHT: dict[str, str] = {
    "page": "#ffffff",
    "text": "#1b1f24",
    "muted": "#57606a",
    "link": "#0b57d0",
    "cloze": "#0b57d0",
    "line": "#d0d7de",
    "code-page": "#f3f5f8",
    "code-text": "#1b1f24",
    "code-word": "#b3202c",
    "code-name": "#6a3fc0",
    "code-string": "#0a3069",
    "code-number": "#0550ae",
    "code-builtin": "#8a3300",
    "code-comment": "#57606a",
    "good-page": "#c8f0d2",
    "bad-page": "#ffd3d0",
    "missed-page": "#e3e6ea",
    "typed-text": "#1b1f24",
}
NIGHT: dict[str, str] = {
    "page": "#1f2328",
    "text": "#e6edf3",
    "muted": "#a7b0ba",
    "link": "#8ab4f8",
    "cloze": "#8ab4f8",
    "line": "#444c56",
    "code-page": "#14181d",
    "code-text": "#e6edf3",
    "code-word": "#ff8f87",
    "code-name": "#d2a8ff",
    "code-string": "#a5d6ff",
    "code-number": "#79c0ff",
    "code-builtin": "#ffa657",
    "code-comment": "#a7b0ba",
    "good-page": "#1e4a2b",
    "bad-page": "#5c2322",
    "missed-page": "#3a4149",
    "typed-text": "#e6edf3",
}

# Pygments' short class names, by the colour that they take; a class not listed keeps the colour of the text.
CODE_COLOURS: dict[str, str] = {
    "code-word": ".k,.kc,.kd,.kn,.kp,.kr,.kt,.ow,.err",
    "code-name": ".nf,.nc,.nd,.fm,.ne",
    "code-string": ".s,.s1,.s2,.sa,.sb,.sc,.sd,.se,.sh,.si,.sr,.ss,.sx,.dl",
    "code-number": ".m,.mb,.mf,.mh,.mi,.mo,.il",
    "code-builtin": ".nb,.bp,.vm,.no,.nt,.na",
    "code-comment": ".c,.c1,.ch,.cm,.cp,.cpf,.cs",
}

_FONTS = (
    '-apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, "PingFang SC", "Hiragino Sans GB", "Microsoft YaHei", '
    '"Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", sans-serif'
)
_MONO = (
    'ui-monospace, SFMono-Regular, Menlo, Consolas, "Roboto Mono", "DejaVu Sans Mono", "Noto Sans Mono CJK SC", '
    '"PingFang SC", "Microsoft YaHei", monospace'
)


# Code to be read line by line: as large as lets `llmdrills.content.cardtext.WIDTH` columns of 0.6 em stand beside each
# other; on a phone that would make it too small, what is longer goes on in the next line.
_PER_COLUMNS = 36.2
_LEAST = 10  # pixels


def _variables(colours: dict[str, str]) -> str:
    return " ".join(f"--{name}: {value};" for name, value in colours.items())


def _code_rules() -> str:
    rules = []
    for colour, classes in CODE_COLOURS.items():
        chosen = ", ".join(f"pre {name}" for name in classes.split(","))
        rules.append(f"{chosen} {{ color: var(--{colour}); }}")
    return "\n".join(rules)


CSS = f"""\
.card {{ {_variables(LIGHT)} color-scheme: light; }}
.card.nightMode, .nightMode .card {{ {_variables(NIGHT)} color-scheme: dark;
  background: var(--page); color: var(--text); }}
.card {{ background: var(--page); color: var(--text); font-family: {_FONTS}; font-size: 18px; line-height: 1.55;
  text-align: left; margin: 0; padding: 12px; overflow-wrap: break-word; }}
.llm {{ max-width: 44rem; margin: 0 auto; }}
.llm .meta {{ color: var(--muted); font-size: 0.78em; margin-bottom: 0.7em; }}
.llm p {{ margin: 0.5em 0; }}
.llm ul, .llm ol {{ margin: 0.5em 0; padding-left: 1.5em; }}
.llm li {{ margin: 0.2em 0; }}
.llm hr {{ border: 0; border-top: 1px solid var(--line); margin: 1em 0; }}
.llm a {{ color: var(--link); }}
.llm .prompt {{ font-size: 1.06em; }}
.llm .asked, .llm .extra, .llm .foot {{ color: var(--muted); font-size: 0.86em; }}
.llm .asked {{ margin: 0.6em 0; }}
.llm .tolerance {{ margin-left: 0.6em; }}
.llm .foot {{ margin-top: 1.2em; font-size: 0.78em; }}
.llm .figure {{ margin: 1em 0; text-align: center; }}
.llm .figure img {{ max-width: 100%; height: auto; }}
.llm .figure .night {{ display: none; }}
.nightMode .llm .figure .night {{ display: inline; }}
.nightMode .llm .figure .paired {{ display: none; }}
.nightMode .llm .figure .alone {{ background: #ffffff; border-radius: 6px; padding: 6px; }}
.llm code {{ font-family: {_MONO}; font-size: 0.88em; background: var(--code-page); color: var(--code-text);
  border-radius: 4px; padding: 0.1em 0.3em; }}
.llm pre {{ background: var(--code-page); color: var(--code-text); border-radius: 6px; padding: 0.7em 0.9em;
  overflow-x: auto; line-height: 1.4; text-align: left; }}
.llm pre code {{ background: none; padding: 0; white-space: pre; overflow-wrap: normal; }}
.llm-bug pre {{ margin: 10px 0; line-height: 1.5;
  font-size: clamp({_LEAST}px, (100vw - 60px) / {_PER_COLUMNS}, 0.88em); }}
.llm-bug pre code {{ font-size: 1em; white-space: pre-wrap; overflow-wrap: anywhere; }}
{_code_rules()}
.llm table {{ display: block; max-width: 100%; overflow-x: auto; border-collapse: collapse; margin: 0.6em 0; }}
.llm th, .llm td {{ border: 1px solid var(--line); padding: 0.25em 0.6em; }}
.llm blockquote {{ border-left: 3px solid var(--line); margin: 0.6em 0; padding-left: 0.8em; color: var(--muted); }}
.llm mjx-container[display="true"] {{ display: block; max-width: 100%; overflow-x: auto; overflow-y: hidden; }}
.llm details {{ border: 1px solid var(--line); border-radius: 6px; margin: 0.4em 0; padding: 0.35em 0.7em; }}
.llm summary {{ color: var(--muted); cursor: pointer; }}
.llm .value {{ font-size: 1.2em; }}
.cloze {{ color: var(--cloze); font-weight: 600; }}
.cloze code, .cloze pre, .cloze span {{ color: inherit; }}
#typeans {{ font-family: {_MONO}; font-size: 1em; box-sizing: border-box; max-width: 100%; overflow-wrap: anywhere; }}
input#typeans {{ width: 100%; background: var(--code-page); color: var(--code-text);
  border: 1px solid var(--line); border-radius: 4px; padding: 0.3em 0.5em; }}
.typeGood {{ background: var(--good-page); color: var(--typed-text); }}
.typeBad {{ background: var(--bad-page); color: var(--typed-text); }}
.typeMissed {{ background: var(--missed-page); color: var(--typed-text); }}
@media (max-width: 480px) {{
  .card {{ font-size: 16px; padding: 8px; }}
  .llm pre {{ padding: 0.5em 0.6em; font-size: 0.92em; }}
  .llm-bug pre {{ padding: 6px 4px; font-size: clamp({_LEAST}px, (100vw - 25px) / {_PER_COLUMNS}, 0.88em); }}
}}
"""
