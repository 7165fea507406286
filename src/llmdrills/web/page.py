"""The HTML that is sent: the page, which is empty until its script fills it, the entrance, and a refusal."""

from __future__ import annotations

import secrets
from html import escape
from typing import TYPE_CHECKING

from llmdrills.practice import exam_page, report

if TYPE_CHECKING:
    from llmdrills.language import Language

__all__ = ["NOTHING", "entrance", "new_nonce", "policy", "refusal", "report_styles", "shell"]

NOTHING = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
"""The policy of what needs nothing: no script runs, and nothing is asked for."""

_PLAIN = (
    "body{font:1rem/1.5 system-ui,sans-serif;max-width:36rem;margin:20vh auto;padding:0 1rem;color-scheme:light dark}"
)


def new_nonce() -> str:
    """What allows the scripts of one page."""
    return secrets.token_urlsafe(16)


def policy(nonce: str) -> str:
    """What the page may do: run its own scripts, and ask this server. `style-src`: MathJax sets styles inline."""
    return (
        f"default-src 'none'; script-src 'nonce-{nonce}' 'strict-dynamic'; style-src 'self' 'unsafe-inline'; "
        "connect-src 'self'; font-src 'self'; img-src 'self' data:; media-src 'self'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    )


def shell(language: Language, nonce: str) -> bytes:
    """The page: its script draws everything."""
    lang = "zh-Hans" if language == "zh" else "en"
    return (
        f'<!doctype html>\n<html lang="{lang}"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<meta name="color-scheme" content="light dark"><link rel="icon" href="data:,"><title>llmdrills</title>'
        '<link rel="stylesheet" href="/assets/page.css"></head><body>'
        f'<script nonce="{nonce}" type="module" src="/assets/app.js"></script></body></html>\n'
    ).encode()


def entrance(words: str) -> bytes:
    """What a browser gets together with its cookie: it goes on to the page."""
    return (
        f'<!doctype html>\n<html><head><meta charset="utf-8"><meta http-equiv="refresh" content="0;url=/">'
        f"<title>llmdrills</title><style>{_PLAIN}</style></head>"
        f'<body><p><a href="/">{escape(words)}</a></p></body></html>\n'
    ).encode()


def refusal(why: str, language: Language) -> bytes:
    """Why nothing is shown."""
    parts = escape(why).split("`")
    text = "".join(f"<code>{part}</code>" if number % 2 else part for number, part in enumerate(parts))
    lang = "zh-Hans" if language == "zh" else "en"
    return (
        f'<!doctype html>\n<html lang="{lang}"><head><meta charset="utf-8"><title>llmdrills</title>'
        f"<style>{_PLAIN}</style></head><body><h1>llmdrills</h1><p>{text}</p></body></html>\n"
    ).encode()


def report_styles() -> bytes:
    """The styles of the figures, the checklist and the exam's report: for these alone, inside of the page."""
    return f"\n.report {{\n{report.PARTS}\n{exam_page.PARTS}}}\n".encode()
