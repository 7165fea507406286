"""Whether a figure is a picture and nothing else: its elements and attributes stand on a list of those that draw.

A figure is shown as an image, so a script in it would not run; a request to another server would reveal the learner,
and not every program that shows a card is so careful. What is not covered: that it looks right.
"""

from __future__ import annotations

import re
from xml.parsers import expat

__all__ = ["svg_fault"]

_SVG, _XLINK, _XML = (
    "http://www.w3.org/2000/svg",
    "http://www.w3.org/1999/xlink",
    "http://www.w3.org/XML/1998/namespace",
)


def _words(text: str) -> frozenset[str]:
    return frozenset(re.findall(r"\S+", text))


_ELEMENTS = _words("""
    svg g defs symbol use title desc style switch path rect circle ellipse line polyline polygon text tspan textPath
    image marker linearGradient radialGradient stop clipPath mask pattern filter feBlend feColorMatrix
    feComponentTransfer feComposite feConvolveMatrix feDiffuseLighting feDisplacementMap feDistantLight feDropShadow
    feFlood feFuncA feFuncB feFuncG feFuncR feGaussianBlur feMerge feMergeNode feMorphology feOffset fePointLight
    feSpecularLighting feSpotLight feTile feTurbulence
""")
_ATTRIBUTES = _words("""
    id class style lang role version baseProfile width height viewBox preserveAspectRatio x y x1 y1 x2 y2 cx cy r rx
    ry fx fy fr dx dy d points pathLength transform transform-origin rotate textLength lengthAdjust startOffset
    method spacing side refX refY markerWidth markerHeight markerUnits orient offset gradientUnits gradientTransform
    spreadMethod clipPathUnits maskUnits maskContentUnits patternUnits patternContentUnits patternTransform
    filterUnits primitiveUnits in in2 result stdDeviation edgeMode mode type values operator k1 k2 k3 k4 order
    kernelMatrix divisor bias targetX targetY preserveAlpha surfaceScale diffuseConstant specularConstant
    specularExponent limitingConeAngle azimuth elevation z pointsAtX pointsAtY pointsAtZ scale xChannelSelector
    yChannelSelector radius baseFrequency numOctaves seed stitchTiles tableValues slope intercept amplitude exponent
    alignment-baseline baseline-shift clip clip-path clip-rule color color-interpolation color-interpolation-filters
    color-rendering cursor direction display dominant-baseline enable-background fill fill-opacity fill-rule filter
    flood-color flood-opacity font font-family font-feature-settings font-kerning font-size font-size-adjust
    font-stretch font-style font-variant font-weight glyph-orientation-horizontal glyph-orientation-vertical
    image-rendering isolation kerning letter-spacing lighting-color line-height marker marker-end marker-mid
    marker-start mask mask-type mix-blend-mode opacity overflow paint-order pointer-events shape-rendering
    stop-color stop-opacity stroke stroke-dasharray stroke-dashoffset stroke-linecap stroke-linejoin
    stroke-miterlimit stroke-opacity stroke-width tabindex text-align text-anchor text-decoration text-rendering
    text-transform unicode-bidi vector-effect visibility white-space word-spacing writing-mode
""")
_HARMLESS = {_XML: ("space", "lang"), _XLINK: ("type", "title", "role", "show", "actuate")}
_URL = re.compile(r"url\s*\(\s*[\"']?(?!\s*[\"']?#)", re.IGNORECASE)
_CSS = re.compile(r"@|\\|image-set|image\s*\(|expression|-moz-binding|behavior\s*:|src\s*\(", re.IGNORECASE)
_INLINE = re.compile(r"data:image/(?:png|jpe?g|gif|webp);base64,[A-Za-z0-9+/=\s]*")


class _SvgError(Exception):
    """What is wrong, in a few words."""


def svg_fault(data: bytes) -> str:
    """What a figure holds that no figure needs, in a few words; empty where there is nothing."""
    parser = expat.ParserCreate(namespace_separator=" ")
    reader = _Reader()
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    parser.StartDoctypeDeclHandler = _no_doctype
    parser.ProcessingInstructionHandler = _no_instruction
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        return f"it is no XML (line {error.lineno}: {expat.ErrorString(error.code)})"
    except _SvgError as fault:
        return f"line {parser.CurrentLineNumber}: {fault}"
    return "" if reader.drew else "it draws nothing"


def _no_doctype(name: str, *_: object) -> None:
    raise _SvgError(f"a DOCTYPE (`{name}`), which can hold entities: delete it")


def _no_instruction(target: str, _data: str) -> None:
    raise _SvgError(f"the instruction `<?{target}`")


class _Reader:
    """Looks at every element on its way; `drew` once there was one beside the outermost."""

    def __init__(self) -> None:
        self.drew = False
        self._open: list[str] = []

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """One element begins."""
        space, _, local = name.rpartition(" ")
        if space != _SVG or local not in _ELEMENTS:
            where = "" if space == _SVG else f" of {space or 'no namespace'}"
            raise _SvgError(f"the element `{local}`{where}, which is not among those that draw")
        if not self._open and local != "svg":
            raise _SvgError(f"the outermost element is `{local}`, not `svg`")
        self.drew = self.drew or local not in ("svg", "title", "desc", "defs", "style", "g")
        self._open.append(local)
        for key, value in attributes.items():
            self._attribute(local, key, value)

    def end(self, _name: str) -> None:
        """It ends."""
        self._open.pop()

    def text(self, text: str) -> None:
        """What stands in an element."""
        if self._open and self._open[-1] == "style":
            _check_css(text)

    def _attribute(self, element: str, key: str, value: str) -> None:
        space, _, local = key.rpartition(" ")
        if local == "href" and space in ("", _XLINK):
            inline = element == "image" and _INLINE.fullmatch(value.strip())
            if not (value.strip().startswith("#") or inline):
                where = value.strip()[:40]
                raise _SvgError(f"`{local}` leads to `{where}`: only `#…`, or a picture as data, may stand there")
        elif local in _HARMLESS.get(space, ()):
            return
        elif space or not (local in _ATTRIBUTES or re.fullmatch(r"(?:aria|data)-[\w-]+", local)):
            raise _SvgError(f"the attribute `{local}` of `{element}`, which is not among those that draw")
        else:
            _check_css(value)


def _check_css(text: str) -> None:
    if found := _URL.search(text) or _CSS.search(text):
        raise _SvgError(f"`{found[0]}` in a style, which could load something")
