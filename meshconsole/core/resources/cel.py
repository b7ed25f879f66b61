"""
Is this a CEL expression that Envoy will take? Its syntax, its attributes and its functions, so that a slip is found at the door and not in every
proxy. Grammar: the CEL specification (cel-spec, "Syntax"); attributes: Envoy's list for CEL.
"""

import re
from typing import NamedTuple

ROOTS = frozenset(
    ("request", "response", "source", "destination", "connection", "upstream", "metadata", "filter_state", "upstream_filter_state", "xds")
)
_FUNCTIONS = frozenset(
    [
        "size",
        "string",
        "int",
        "uint",
        "double",
        "bytes",
        "bool",
        "duration",
        "timestamp",
        "type",
        "dyn",
        "has",
        "startsWith",
        "endsWith",
        "contains",
        "matches",
        "all",
        "exists",
        "exists_one",
        "map",
        "filter",
        "getFullYear",
        "getMonth",
        "getDate",
        "getDayOfMonth",
        "getDayOfWeek",
        "getDayOfYear",
        "getHours",
        "getMinutes",
        "getSeconds",
        "getMilliseconds",
        "lowerAscii",
        "upperAscii",
        "replace",
        "split",
        "substring",
        "trim",
        "indexOf",
        "lastIndexOf",
        "join",
    ]
)
_MACROS = frozenset(("all", "exists", "exists_one", "map", "filter"))
_TOKEN = re.compile(
    r"""\s*(?:(?P<string>[rRbB]{0,2}(?:"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'))|(?P<number>0x[0-9a-fA-F]+u?|\d+\.\d+(?:[eE][+-]?\d+)?|\d+u?)"""
    r"""|(?P<name>[A-Za-z_]\w*)|(?P<sign>&&|\|\||[<>=!]=|[-+*/%<>!?:.,()\[\]{}]))"""
)
_BINARY = ({"||"}, {"&&"}, {"<", "<=", ">", ">=", "==", "!=", "in"}, {"+", "-"}, {"*", "/", "%"})
MOST = 2048
"""Characters."""
DEEPEST = 50


class _Wrong(ValueError):
    pass


class _Token(NamedTuple):
    kind: str
    text: str
    at: int


def fault(expression: str) -> str:
    """'' where it may be used; else what is wrong."""
    if not expression.strip():
        return "is empty"
    if len(expression) > MOST:
        return f"is longer than {MOST} characters"
    try:
        _Reader(_tokens(expression)).whole()
    except _Wrong as error:
        return str(error)
    return ""


def _tokens(text: str) -> list[_Token]:
    found, at = [], 0
    text = text.rstrip()
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None or match.end() == at:
            raise _Wrong(f"{text[at:].strip()[:10]!r} at column {at + 1} is not understood")
        kind = match.lastgroup or ""
        found.append(_Token(kind, match[kind], match.start(kind) + 1))
        at = match.end()
    return [*found, _Token("end", "", len(text) + 1)]


class _Reader:
    def __init__(self, tokens: list[_Token]) -> None:
        self.tokens, self.place, self.depth = tokens, 0, 0
        self.local: list[str] = []
        """Variables of macros around."""

    @property
    def now(self) -> _Token:
        return self.tokens[self.place]

    def take(self, text: str = "") -> _Token:
        token = self.now
        if text and token.text != text:
            raise _Wrong(f"{text!r} is missing at column {token.at}")
        self.place += 1
        return token

    def whole(self) -> None:
        self.expression()
        if self.now.kind != "end":
            raise _Wrong(f"{self.now.text!r} at column {self.now.at} is one too many")

    def expression(self) -> None:
        self.depth += 1
        if self.depth > DEEPEST:
            raise _Wrong("is nested too deeply")
        self.binary(0)
        if self.now.text == "?":
            self.take()
            self.binary(0)
            self.take(":")
            self.expression()
        self.depth -= 1

    def binary(self, level: int) -> None:
        if level == len(_BINARY):
            return self.unary()
        self.binary(level + 1)
        while self.now.kind in ("sign", "name") and self.now.text in _BINARY[level]:
            self.take()
            self.binary(level + 1)
        return None

    def unary(self) -> None:
        while self.now.text in ("!", "-"):
            self.take()
        self.primary()
        while self.now.text in (".", "["):
            if self.take().text == "[":
                self.expression()
                self.take("]")
                continue
            name = self.take()
            if name.kind != "name":
                raise _Wrong(f"a name is missing at column {name.at}")
            if self.now.text == "(":
                self.call(name)

    def primary(self) -> None:
        token = self.take()
        if token.kind in ("string", "number"):
            return
        if token.text == "(":
            self.expression()
            self.take(")")
        elif token.text == "[":
            self.several("]")
        elif token.text == "{":
            while self.now.text != "}":
                self.expression()
                self.take(":")
                self.expression()
                if self.now.text != "}":
                    self.take(",")
            self.take("}")
        elif token.kind == "name":
            if self.now.text == "(":
                self.call(token)
            elif token.text not in ROOTS and token.text not in self.local and token.text not in ("true", "false", "null"):
                raise _Wrong(f"there is no attribute {token.text!r}: they begin with {', '.join(sorted(ROOTS))}")
        else:
            raise _Wrong(
                f"an expression is missing at column {token.at}"
                if token.kind == "end"
                else f"{token.text!r} at column {token.at} is out of place"
            )

    def call(self, name: _Token) -> None:
        if name.text not in _FUNCTIONS:
            raise _Wrong(f"there is no function {name.text!r}")
        self.take("(")
        if name.text == "has":
            begin = self.place
            self.unary()
            if self.place - begin < 3 or self.tokens[self.place - 2].text != ".":
                raise _Wrong("has() asks for a field, `has(request.headers)`; for a header write `'name' in request.headers`")
            self.take(")")
            return
        if name.text in _MACROS:
            self.local.append(self.take().text)
            self.take(",")
            self.several(")")
            self.local.pop()
            return
        self.several(")")

    def several(self, end: str) -> None:
        while self.now.text != end:
            self.expression()
            if self.now.text != end:
                self.take(",")
        self.take(end)
