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
_LEFT_IN_URLS = (
    *("", "/", "!'()*", "!'()*;,/?:@&=+$#", "$&+,;=", "$&+=:@", "$&+,/:;=@"),
    *("!$%&'()*+,", "!$%&'()*+,/:;=@[]^|", "!$%&()*+,/:;=?@[]\\^`{}|", "!$%&'()*+,/:;=?@[]\\^{}|#"),
)
_PERCENT = re.compile("%[0-9A-F]{2}")

# What encoders of JSON also write by its number: those of Go and Rails, Gson, and .NET's, which has capital digits.
_NUMBERED_IN_JSON = (("<>&", False), ("<>&='", False), ("<>&'+`", True))
_JSON_NUMBER = re.compile(r"(?<!\\)((?:\\\\)*\\u)([0-9a-f]{4})")

_QUOTE_IN_HTML = ('"', "&quot;", "&#34;")
_APOSTROPHE_IN_HTML = ("'", "&#x27;", "&#39;", "&#039;", "&apos;")

# What bash leaves as it is within a word; the others it escapes, and these two where they would be expanded.
_BASH_ESCAPES = re.compile(r"""([ !"$&'()*,;<>?\[\\\]^`{|}])""")
_BASH_EXPANDS = re.compile(r"(^#|(?:^|(?<=[:=]))~)")


def escaped(text: str) -> Iterator[str]:
    """The text in every way, as it is among them; some are the same."""
    yield text
    yield from _url(text)
    yield from _json(text)
    yield from _html(text)
    yield from _shell(text)
    yield from _languages(text)


def _url(text: str) -> Iterator[str]:
    plain = [quote(text, safe=safe, errors="surrogatepass") for safe in _LEFT_IN_URLS]
    # As forms are sent: by Python, by browsers and Java, and with the blank as `%20`.
    spaced = [plain[0].replace("%20", "+"), quote(text, safe="*", errors="surrogatepass").replace("~", "%7E")]
    for form in (*plain, *spaced, spaced[1].replace("%20", "+")):
        yield form
        yield _PERCENT.sub(lambda found: found[0].lower(), form)


def _json(text: str) -> Iterator[str]:
    for ascii_only in (True, False):
        once = json.dumps(text, ensure_ascii=ascii_only)[1:-1]
        yield from _json_again(once)
        yield once.replace("/", "\\/")
        for special, capitals in _NUMBERED_IN_JSON:
            yield from _json_again(_numbered(once, special, capitals=capitals))


def _json_again(once: str) -> Iterator[str]:
    """A form, in capitals too, and in the text of another one."""
    for form in (once, _JSON_NUMBER.sub(lambda found: found[1] + found[2].upper(), once)):
        yield form
        yield json.dumps(form, ensure_ascii=False)[1:-1]


def _numbered(once: str, special: str, *, capitals: bool) -> str:
    text = once.replace('\\"', "\\u0022") if capitals else once
    for one in special:
        text = text.replace(one, f"\\u{ord(one):04X}" if capitals else f"\\u{ord(one):04x}")
    return text


def _html(text: str) -> Iterator[str]:
    plain = html.escape(text, quote=False)
    for double, single in product(_QUOTE_IN_HTML, _APOSTROPHE_IN_HTML):
        yield plain.replace('"', double).replace("'", single)
    # mustache's, and that of Go's templates.
    full = plain.replace('"', "&quot;").replace("'", "&#39;")
    yield full.replace("/", "&#x2F;").replace("`", "&#x60;").replace("=", "&#x3D;")
    yield plain.replace('"', "&#34;").replace("'", "&#39;").replace("+", "&#43;")


def _shell(text: str) -> Iterator[str]:
    """Between single quotes, between double quotes, in `$'…'`, and escaped by `printf %q`."""
    yield shlex.quote(text).removeprefix("'").removesuffix("'")
    yield text.replace("'", "'\\''")
    doubled = _backslashed(text, '\\"$`')
    yield doubled
    yield _control(doubled)
    yield _control(_backslashed(text, "\\'"))
    yield _control(_octal(_backslashed(text, "\\'")))
    yield _control(_octal(_backslashed(text, '\\"')))
    yield "".join(one if one.isalnum() or one in "%+-./:=@_" else f"\\{one}" for one in text)
    # What stands before the text decides on its first character.
    word = _BASH_ESCAPES.sub(r"\\\1", text)
    yield word
    yield _BASH_EXPANDS.sub(r"\\\1", word)
    yield re.sub("(?<=[:=])~", r"\\~", word)


def _languages(text: str) -> Iterator[str]:
    """Python's forms of texts and bytes in either quotes, YAML's, and quotes that are doubled, as in SQL and CSV."""
    yield text.encode("unicode_escape").decode()
    raw = text.encode("utf-8", "surrogatepass")
    # With both quotes in it, it is written between single ones.
    for form in (repr(text + "\"'"), ascii(text + "\"'"), repr(raw + b"\"'")[1:]):
        single = form[1:-4]
        for one in (single, single.replace("\\'", "'")):
            yield one
            yield one.replace('"', '\\"')
    yield _in_yaml(text)
    yield text.replace("'", "''")
    yield text.replace('"', '""')


def _in_yaml(text: str) -> str:
    """As PyYAML writes it between double quotes."""
    return _control(
        "".join(one if " " <= one <= "~" or one in "\r\n\t" else _hex(one) for one in _backslashed(text, '\\"'))
    )


def _hex(one: str) -> str:
    code = ord(one)
    return f"\\x{code:02X}" if code < 0x100 else f"\\u{code:04X}" if code < 0x10000 else f"\\U{code:08X}"


def _backslashed(text: str, special: str) -> str:
    for one in special:
        text = text.replace(one, f"\\{one}")
    return text


def _control(text: str) -> str:
    return text.replace("\r", "\\r").replace("\n", "\\n").replace("\t", "\\t")


def _octal(text: str) -> str:
    """What is not ASCII byte by byte, as bash does in the C locale, and git in names."""
    return "".join(
        one if one.isascii() else "".join(f"\\{byte:03o}" for byte in one.encode("utf-8", "surrogatepass"))
        for one in text
    )
