"""Escape a text as programs do: for URLs, JSON and similar formats, HTML, and quoting in shells and languages."""

import html
import json
import re
import shlex
from collections.abc import Iterator
from itertools import product
from urllib.parse import quote

# The characters left unescaped besides letters, digits and `-._~`: by RFC 3986, in a path, by `encodeURIComponent`, by
# `encodeURI`, by Go in passwords and paths, and by browsers and Node there, in queries and after `#`.
_URL_SAFE_SETS = (
    *("", "/", "!'()*", "!'()*;,/?:@&=+$#", "$&+,;=", "$&+=:@", "$&+,/:;=@"),
    *("!$%&'()*+,", "!$%&'()*+,/:;=@[]^|", "!$%&()*+,/:;=?@[]\\^`{}|", "!$%&'()*+,/:;=?@[]\\^{}|#"),
)
_PERCENT = re.compile("%[0-9A-F]{2}")

# Characters that JSON encoders also escape by number: Go and Rails, Gson, and .NET, which uses uppercase digits.
_JSON_NUMERIC_ESCAPES = (("<>&", False), ("<>&='", False), ("<>&'+`", True))
_JSON_NUMBER = re.compile(r"(?<!\\)((?:\\\\)*\\u)([0-9a-f]{4})")

_QUOTE_IN_HTML = ('"', "&quot;", "&#34;")
_APOSTROPHE_IN_HTML = ("'", "&#x27;", "&#39;", "&#039;", "&apos;")

# The characters that bash escapes within a word, and the two that it escapes only where they would be expanded.
_BASH_ESCAPES = re.compile(r"""([ !"$&'()*,;<>?\[\\\]^`{|}])""")
_BASH_EXPANDS = re.compile(r"(^#|(?:^|(?<=[:=]))~)")


def escape_variants(text: str) -> Iterator[str]:
    """Yield the text itself and all its escaped forms, of which some are equal."""
    yield text
    yield from _url_escapes(text)
    yield from _json_escapes(text)
    yield from _html_escapes(text)
    yield from _shell_escapes(text)
    yield from _literal_escapes(text)


def _url_escapes(text: str) -> Iterator[str]:
    plain = [quote(text, safe=safe, errors="surrogatepass") for safe in _URL_SAFE_SETS]
    # Form encoding: of Python, of browsers and Java, and with the space as `%20`.
    spaced = [plain[0].replace("%20", "+"), quote(text, safe="*", errors="surrogatepass").replace("~", "%7E")]
    for form in (*plain, *spaced, spaced[1].replace("%20", "+")):
        yield form
        yield _PERCENT.sub(lambda match: match[0].lower(), form)


def _json_escapes(text: str) -> Iterator[str]:
    for ascii_only in (True, False):
        encoded = json.dumps(text, ensure_ascii=ascii_only)[1:-1]
        yield from _json_variants(encoded)
        yield encoded.replace("/", "\\/")
        for special, capitals in _JSON_NUMERIC_ESCAPES:
            yield from _json_variants(_escape_by_number(encoded, special, capitals=capitals))


def _json_variants(encoded: str) -> Iterator[str]:
    """Yield an encoded text, also with uppercase digits, and each of them nested in another JSON text."""
    for form in (encoded, _JSON_NUMBER.sub(lambda match: match[1] + match[2].upper(), encoded)):
        yield form
        yield json.dumps(form, ensure_ascii=False)[1:-1]


def _escape_by_number(encoded: str, special: str, *, capitals: bool) -> str:
    text = encoded.replace('\\"', "\\u0022") if capitals else encoded
    for character in special:
        text = text.replace(character, f"\\u{ord(character):04X}" if capitals else f"\\u{ord(character):04x}")
    return text


def _html_escapes(text: str) -> Iterator[str]:
    plain = html.escape(text, quote=False)
    for double, single in product(_QUOTE_IN_HTML, _APOSTROPHE_IN_HTML):
        yield plain.replace('"', double).replace("'", single)
    # The escapes of mustache, and of Go templates.
    full = plain.replace('"', "&quot;").replace("'", "&#39;")
    yield full.replace("/", "&#x2F;").replace("`", "&#x60;").replace("=", "&#x3D;")
    yield plain.replace('"', "&#34;").replace("'", "&#39;").replace("+", "&#43;")


def _shell_escapes(text: str) -> Iterator[str]:
    """Yield the text for single quotes, double quotes and `$'…'`, and as `printf %q` escapes it."""
    yield shlex.quote(text).removeprefix("'").removesuffix("'")
    yield text.replace("'", "'\\''")
    doubled = _backslash(text, '\\"$`')
    yield doubled
    yield _escape_control(doubled)
    yield _escape_control(_backslash(text, "\\'"))
    yield _escape_control(_octal_escape(_backslash(text, "\\'")))
    yield _escape_control(_octal_escape(_backslash(text, '\\"')))
    yield "".join(
        character if character.isalnum() or character in "%+-./:=@_" else f"\\{character}" for character in text
    )
    # The text before it decides whether bash escapes its first character.
    word = _BASH_ESCAPES.sub(r"\\\1", text)
    yield word
    yield _BASH_EXPANDS.sub(r"\\\1", word)
    yield re.sub("(?<=[:=])~", r"\\~", word)


def _literal_escapes(text: str) -> Iterator[str]:
    """Yield Python literals of text and bytes in both quotes, the YAML form, and doubled quotes as in SQL and CSV."""
    yield text.encode("unicode_escape").decode()
    raw = text.encode("utf-8", "surrogatepass")
    # With both kinds of quotes in it, Python writes a literal in single quotes.
    for quoted in (repr(text + "\"'"), ascii(text + "\"'"), repr(raw + b"\"'")[1:]):
        single = quoted[1:-4]
        for literal in (single, single.replace("\\'", "'")):
            yield literal
            yield literal.replace('"', '\\"')
    yield _yaml_escape(text)
    yield text.replace("'", "''")
    yield text.replace('"', '""')


def _yaml_escape(text: str) -> str:
    """Return the text as PyYAML writes it in double quotes."""
    return _escape_control(
        "".join(
            character if " " <= character <= "~" or character in "\r\n\t" else _hex_escape(character)
            for character in _backslash(text, '\\"')
        )
    )


def _hex_escape(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02X}" if code < 0x100 else f"\\u{code:04X}" if code < 0x10000 else f"\\U{code:08X}"


def _backslash(text: str, special: str) -> str:
    for character in special:
        text = text.replace(character, f"\\{character}")
    return text


def _escape_control(text: str) -> str:
    return text.replace("\r", "\\r").replace("\n", "\\n").replace("\t", "\\t")


def _octal_escape(text: str) -> str:
    """Escape non-ASCII characters byte by byte, as bash does in the C locale, and git in file names."""
    return "".join(
        character
        if character.isascii()
        else "".join(f"\\{byte:03o}" for byte in character.encode("utf-8", "surrogatepass"))
        for character in text
    )
