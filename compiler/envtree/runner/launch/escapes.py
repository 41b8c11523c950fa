"""A text as programs escape it: in URLs, JSON and its relatives, HTML, and the quotes of shells and languages."""

import html
import json
import re
import shlex
from collections.abc import Iterator
from itertools import product
from urllib.parse import quote

# What is left as it is beside letters, digits and `-._~`: by RFC 3986, in a path, by `encodeURIComponent`, by
# `encodeURI`, by Go in passwords and paths, and by browsers and Node there, in queries and behind `#`.
_URL_SAFE_SETS = (
    *("", "/", "!'()*", "!'()*;,/?:@&=+$#", "$&+,;=", "$&+=:@", "$&+,/:;=@"),
    *("!$%&'()*+,", "!$%&'()*+,/:;=@[]^|", "!$%&()*+,/:;=?@[]\\^`{}|", "!$%&'()*+,/:;=?@[]\\^{}|#"),
)
_PERCENT = re.compile("%[0-9A-F]{2}")

# What encoders of JSON also write by its number: those of Go and Rails, Gson, and .NET's, which has capital digits.
_JSON_NUMERIC_ESCAPES = (("<>&", False), ("<>&='", False), ("<>&'+`", True))
_JSON_NUMBER = re.compile(r"(?<!\\)((?:\\\\)*\\u)([0-9a-f]{4})")

_QUOTE_IN_HTML = ('"', "&quot;", "&#34;")
_APOSTROPHE_IN_HTML = ("'", "&#x27;", "&#39;", "&#039;", "&apos;")

# What bash leaves as it is within a word; the others it escapes, and these two where they would be expanded.
_BASH_ESCAPES = re.compile(r"""([ !"$&'()*,;<>?\[\\\]^`{|}])""")
_BASH_EXPANDS = re.compile(r"(^#|(?:^|(?<=[:=]))~)")


def escape_variants(text: str) -> Iterator[str]:
    """The text in every way, as it is among them; some are the same."""
    yield text
    yield from _url_escapes(text)
    yield from _json_escapes(text)
    yield from _html_escapes(text)
    yield from _shell_escapes(text)
    yield from _literal_escapes(text)


def _url_escapes(text: str) -> Iterator[str]:
    plain = [quote(text, safe=safe, errors="surrogatepass") for safe in _URL_SAFE_SETS]
    # As forms are sent: by Python, by browsers and Java, and with the blank as `%20`.
    spaced = [plain[0].replace("%20", "+"), quote(text, safe="*", errors="surrogatepass").replace("~", "%7E")]
    for form in (*plain, *spaced, spaced[1].replace("%20", "+")):
        yield form
        yield _PERCENT.sub(lambda found: found[0].lower(), form)


def _json_escapes(text: str) -> Iterator[str]:
    for ascii_only in (True, False):
        once = json.dumps(text, ensure_ascii=ascii_only)[1:-1]
        yield from _json_variants(once)
        yield once.replace("/", "\\/")
        for special, capitals in _JSON_NUMERIC_ESCAPES:
            yield from _json_variants(_escape_by_number(once, special, capitals=capitals))


def _json_variants(encoded: str) -> Iterator[str]:
    """A form, in capitals too, and in the text of another one."""
    for form in (encoded, _JSON_NUMBER.sub(lambda found: found[1] + found[2].upper(), encoded)):
        yield form
        yield json.dumps(form, ensure_ascii=False)[1:-1]


def _escape_by_number(encoded: str, special: str, *, capitals: bool) -> str:
    text = encoded.replace('\\"', "\\u0022") if capitals else encoded
    for one in special:
        text = text.replace(one, f"\\u{ord(one):04X}" if capitals else f"\\u{ord(one):04x}")
    return text


def _html_escapes(text: str) -> Iterator[str]:
    plain = html.escape(text, quote=False)
    for double, single in product(_QUOTE_IN_HTML, _APOSTROPHE_IN_HTML):
        yield plain.replace('"', double).replace("'", single)
    # mustache's, and that of Go's templates.
    full = plain.replace('"', "&quot;").replace("'", "&#39;")
    yield full.replace("/", "&#x2F;").replace("`", "&#x60;").replace("=", "&#x3D;")
    yield plain.replace('"', "&#34;").replace("'", "&#39;").replace("+", "&#43;")


def _shell_escapes(text: str) -> Iterator[str]:
    """Between single quotes, between double quotes, in `$'…'`, and escaped by `printf %q`."""
    yield shlex.quote(text).removeprefix("'").removesuffix("'")
    yield text.replace("'", "'\\''")
    doubled = _backslash(text, '\\"$`')
    yield doubled
    yield _escape_control(doubled)
    yield _escape_control(_backslash(text, "\\'"))
    yield _escape_control(_octal_escape(_backslash(text, "\\'")))
    yield _escape_control(_octal_escape(_backslash(text, '\\"')))
    yield "".join(one if one.isalnum() or one in "%+-./:=@_" else f"\\{one}" for one in text)
    # What stands before the text decides on its first character.
    word = _BASH_ESCAPES.sub(r"\\\1", text)
    yield word
    yield _BASH_EXPANDS.sub(r"\\\1", word)
    yield re.sub("(?<=[:=])~", r"\\~", word)


def _literal_escapes(text: str) -> Iterator[str]:
    """Python's forms of texts and bytes in either quotes, YAML's, and quotes that are doubled, as in SQL and CSV."""
    yield text.encode("unicode_escape").decode()
    raw = text.encode("utf-8", "surrogatepass")
    # With both quotes in it, it is written between single ones.
    for form in (repr(text + "\"'"), ascii(text + "\"'"), repr(raw + b"\"'")[1:]):
        single = form[1:-4]
        for one in (single, single.replace("\\'", "'")):
            yield one
            yield one.replace('"', '\\"')
    yield _yaml_escape(text)
    yield text.replace("'", "''")
    yield text.replace('"', '""')


def _yaml_escape(text: str) -> str:
    """As PyYAML writes it between double quotes."""
    return _escape_control(
        "".join(one if " " <= one <= "~" or one in "\r\n\t" else _hex_escape(one) for one in _backslash(text, '\\"'))
    )


def _hex_escape(character: str) -> str:
    code = ord(character)
    return f"\\x{code:02X}" if code < 0x100 else f"\\u{code:04X}" if code < 0x10000 else f"\\U{code:08X}"


def _backslash(text: str, special: str) -> str:
    for one in special:
        text = text.replace(one, f"\\{one}")
    return text


def _escape_control(text: str) -> str:
    return text.replace("\r", "\\r").replace("\n", "\\n").replace("\t", "\\t")


def _octal_escape(text: str) -> str:
    """What is not ASCII byte by byte, as bash does in the C locale, and git in names."""
    return "".join(
        one if one.isascii() else "".join(f"\\{byte:03o}" for byte in one.encode("utf-8", "surrogatepass"))
        for one in text
    )
