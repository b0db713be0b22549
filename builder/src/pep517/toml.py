"""Reads TOML as far as `[build-system]` needs, for interpreters without tomllib.

The whole file is scanned so that nothing inside another value is taken for a
table; numbers, dates and booleans are kept as their text.
"""
import re

BARE = re.compile(r"[A-Za-z0-9_-]+")
SPACE = re.compile(r"[ \t]*")
BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
SCALAR = re.compile(r"[^\s,\]}#=\"']+(?: \d\d:\d\d[^\s,\]}#]*)?")
END = re.compile(r"[ \t]*(?:#[^\n]*)?(?:\r?\n|$)")
ESCAPES = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", "e": "\x1b", '"': '"', "\\": "\\"}


class Reader:
    def __init__(self, text):
        self.text = text
        self.at = 0

    def fail(self, what):
        line = self.text.count("\n", 0, self.at) + 1
        raise ValueError("{} (line {})".format(what, line))

    def skip(self, pattern):
        self.at = pattern.match(self.text, self.at).end()

    def looks_at(self, text):
        return self.text.startswith(text, self.at)

    def eat(self, text):
        if not self.looks_at(text):
            self.fail("expected `{}`".format(text))
        self.at += len(text)

    def document(self):
        root = table = {}
        self.skip(BLANK)
        while self.at < len(self.text):
            if self.looks_at("[["):
                self.at += 2
                table = self.header(root, "]]", True)
            elif self.looks_at("["):
                self.at += 1
                table = self.header(root, "]", False)
            else:
                self.pair(table)
            match = END.match(self.text, self.at)
            if match is None:
                self.fail("expected the end of the line")
            self.at = match.end()
            self.skip(BLANK)
        return root

    def header(self, root, close, many):
        keys = self.keys()
        self.eat(close)
        table = self.descend(root, keys[:-1])
        if many:
            rows = table.setdefault(keys[-1], [])
            if not isinstance(rows, list):
                self.fail("`{}` is not an array of tables".format(keys[-1]))
            rows.append({})
            return rows[-1]
        return self.descend(table, keys[-1:])

    def descend(self, table, keys):
        for key in keys:
            table = table.setdefault(key, {})
            if isinstance(table, list) and table:
                table = table[-1]
            if not isinstance(table, dict):
                self.fail("`{}` is not a table".format(key))
        return table

    def keys(self):
        keys = []
        while True:
            self.skip(SPACE)
            if self.looks_at('"') or self.looks_at("'"):
                keys.append(self.string())
            else:
                match = BARE.match(self.text, self.at)
                if match is None:
                    self.fail("expected a key")
                keys.append(match.group())
                self.at = match.end()
            self.skip(SPACE)
            if not self.looks_at("."):
                return keys
            self.at += 1

    def pair(self, table):
        keys = self.keys()
        self.eat("=")
        table = self.descend(table, keys[:-1])
        if keys[-1] in table:
            self.fail("`{}` is there twice".format(keys[-1]))
        table[keys[-1]] = self.value()

    def value(self):
        self.skip(SPACE)
        if self.looks_at('"') or self.looks_at("'"):
            return self.string()
        if self.looks_at("["):
            return self.array()
        if self.looks_at("{"):
            return self.inline()
        match = SCALAR.match(self.text, self.at)
        if match is None:
            self.fail("expected a value")
        self.at = match.end()
        return match.group()

    def array(self):
        self.at += 1
        items = []
        while True:
            self.skip(BLANK)
            if self.looks_at("]"):
                self.at += 1
                return items
            items.append(self.value())
            self.skip(BLANK)
            if not self.looks_at("]"):
                self.eat(",")

    def inline(self):
        self.at += 1
        table = {}
        while True:
            self.skip(BLANK)
            if self.looks_at("}"):
                self.at += 1
                return table
            self.pair(table)
            self.skip(BLANK)
            if not self.looks_at("}"):
                self.eat(",")

    def string(self):
        quote = self.text[self.at]
        long = self.looks_at(quote * 3)
        self.at += 3 if long else 1
        if long:
            self.at = re.compile(r"\r?\n?").match(self.text, self.at).end()
        close = quote * 3 if long else quote
        out = []
        while not self.looks_at(close):
            if self.at >= len(self.text) or (not long and self.text[self.at] in "\r\n"):
                self.fail("a string does not end")
            if self.text[self.at] == "\\" and quote == '"':
                out.append(self.escape(long))
            else:
                out.append(self.text[self.at])
                self.at += 1
        self.at += len(close)
        # Up to two quotes may stand right before the closing three.
        while long and self.looks_at(quote):
            out.append(quote)
            self.at += 1
        return "".join(out)

    def escape(self, long):
        self.at += 1
        char = self.text[self.at : self.at + 1]
        if char in ("u", "U", "x"):
            width = {"x": 2, "u": 4, "U": 8}[char]
            digits = self.text[self.at + 1 : self.at + 1 + width]
            self.at += 1 + width
            try:
                return chr(int(digits, 16))
            except (ValueError, OverflowError):
                self.fail("`{}` is not a character".format(digits))
        if long and char in (" ", "\t", "\r", "\n"):
            self.at = re.compile(r"[ \t\r\n]*").match(self.text, self.at).end()
            return ""
        if char not in ESCAPES or not char:
            self.fail("`\\{}` is not an escape".format(char))
        self.at += 1
        return ESCAPES[char]


def loads(text):
    """The document as dicts, lists and strings; a ValueError names the line."""
    return Reader(text.replace("\r\n", "\n")).document()
