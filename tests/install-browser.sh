#!/bin/sh
# The card and page tests drive Debian's chromium, with a CJK font. Where it is missing and this user may install
# packages, install it; elsewhere say so: those tests are then skipped, with this reason.
set -eu
if command -v chromium >/dev/null 2>&1 && fc-list :lang=zh 2>/dev/null | grep -q .; then
    exit 0
fi
if command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium fontconfig fonts-noto-cjk >/dev/null
else
    echo "chromium or a CJK font is missing: install the packages chromium, fontconfig and fonts-noto-cjk;" \
         "until then the tests that render cards are skipped." >&2
fi
