#!/bin/sh
# The card and page tests drive Debian's chromium, with a CJK font, and the tests of the editor's pane drive tmux. Where
# one is missing and this user may install packages, install it; elsewhere say so: those tests are then skipped, with
# this reason.
set -eu
if command -v chromium >/dev/null 2>&1 && fc-list :lang=zh 2>/dev/null | grep -q . && command -v tmux >/dev/null 2>&1; then
    exit 0
fi
if command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium fontconfig fonts-noto-cjk tmux >/dev/null
else
    echo "chromium, a CJK font or tmux is missing: install the packages chromium, fontconfig, fonts-noto-cjk and tmux;" \
         "until then the tests that render cards, or open an editor in tmux, are skipped." >&2
fi
