"""What a page looks like in a browser: what is clipped, and how well text stands out."""

from __future__ import annotations

from typing import Any

CLIPPED = """() => {
  const page = document.documentElement, wide = [];
  for (const one of document.querySelectorAll('body *')) {
    if (one.closest('svg')) continue;
    const box = one.getBoundingClientRect(), style = getComputedStyle(one);
    if (box.right > page.clientWidth + 1 || box.left < -1) wide.push(one.outerHTML.slice(0, 80));
    if (style.display !== 'inline' && one.clientWidth && one.scrollWidth > one.clientWidth + 1) {
      wide.push(one.outerHTML.slice(0, 80));
    }
  }
  for (const text of document.querySelectorAll('svg text')) {
    const box = text.getBoundingClientRect(), plot = text.ownerSVGElement.getBoundingClientRect();
    if (box.left < plot.left - 1 || box.right > plot.right + 1 || box.bottom > plot.bottom + 2) {
      wide.push(text.outerHTML);
    }
  }
  return wide }"""


def contrast(page: Any, selector: str) -> float:
    """WCAG contrast of an element's text against the page."""
    return page.evaluate(
        """selector => {
          const parse = c => c.match(/[\\d.]+/g).slice(0, 3).map(v => { v /= 255;
            return v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4 });
          const light = c => { const [r, g, b] = parse(c); return .2126 * r + .7152 * g + .0722 * b };
          const style = getComputedStyle(document.querySelector(selector));
          const a = light(selector.startsWith('svg') ? style.fill : style.color);
          const b = light(getComputedStyle(document.body).backgroundColor);
          return (Math.max(a, b) + .05) / (Math.min(a, b) + .05) }""",
        selector,
    )
