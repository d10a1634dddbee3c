"""The HTTP connection to an endpoint, and the only place that holds its key: no text that leaves it has the key in it.

Requests go out through httpx2 itself. The official client would read the variables ``OPENAI_*`` and send what they hold
to whichever endpoint is asked.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import ssl
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any, Self
from urllib.parse import unquote, urlsplit

import httpx2

from edgebias.backends.endpoint.address import PATH
from edgebias.backends.endpoint.secret import Secret
from edgebias.core.errors import InputError

MOST_BYTES = 16 * 2**20
"""Longest response that is read: a chat completion of a study has some kilobytes."""

OF_OPENAI = {"OPENAI_ORG_ID": "OpenAI-Organization", "OPENAI_PROJECT_ID": "OpenAI-Project"}
"""Variables that the official client sends as headers: here to OpenAI's own host alone."""

_LIBRARIES = frozenset({"httpx2", "httpcore2"})

SHORTEST = 4
"""Characters of a proxy's password that is hidden where it stands alone."""

_UNSENT = (
    httpx2.ConnectTimeout,
    httpx2.PoolTimeout,
    httpx2.ConnectError,
    httpx2.ProxyError,
    httpx2.UnsupportedProtocol,
    httpx2.LocalProtocolError,
)
"""Faults before the request has left."""


@dataclass(frozen=True)
class Reply:
    """A whole response: its status, its headers by their names in lower case, its body as text."""

    status: int
    headers: Mapping[str, str]
    text: str


class WireError(Exception):
    """A request that brought no whole response.

    Attributes:
        reason: what happened, in one line.
        way_out: what to do about it.
        sent: whether the request may have reached the endpoint.
        transient: whether another try makes sense.
    """

    def __init__(self, reason: str, way_out: str, *, sent: bool = True, transient: bool = True) -> None:
        super().__init__(reason)
        self.reason, self.way_out, self.sent, self.transient = reason, way_out, sent, transient


class Wire:
    """A connection to ``{endpoint}/chat/completions``, for several threads at once; use it as a context manager.

    Args:
        endpoint: the base URL, checked.
        secret: the key.
        timeout_s: most seconds of one request, and of each silence in it.
        connections: most requests at once.

    Raises:
        InputError: a proxy, a certificate or one of `OF_OPENAI` in the environment cannot be used.
    """

    def __init__(self, endpoint: str, secret: Secret, *, timeout_s: float, connections: int) -> None:
        self._url = endpoint.rstrip("/") + PATH
        self._secret = secret
        self._of_proxies = _secrets_of_proxies()
        self._timeout_s = timeout_s
        headers = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "edgebias"}
        headers |= {"Authorization": secret.authorization()} | _of_openai(endpoint)
        self._stack = ExitStack()
        self._client = self._stack.enter_context(_client(endpoint, headers, timeout_s, connections))
        for name in list(logging.root.manager.loggerDict):
            if name.partition(".")[0] in _LIBRARIES:
                self._stack.enter_context(_Redacted(logging.getLogger(name), self._hidden))

    def post(self, body: Mapping[str, Any]) -> Reply:
        """Send ``body`` as JSON and return the whole response, of whatever status; a redirect is not followed.

        Raises:
            WireError: there is none, or it is damaged, too late or too long.
        """
        try:
            return self._post(json.dumps(body).encode())
        except WireError:
            raise
        except Exception as error:  # whatever the library raises over bytes that a server sends
            fault = self._fault(error)
        # Raised out here: exceptions of the library hold the request with the key, and would be in its context.
        raise fault

    def _post(self, content: bytes) -> Reply:
        deadline = time.monotonic() + self._timeout_s
        whole = bytearray()
        with self._client.stream("POST", self._url, content=content) as response:
            for part in response.iter_bytes():
                whole += part
                if time.monotonic() > deadline:
                    raise WireError("no whole answer in time", "raise timeout_s")
                if len(whole) > MOST_BYTES:
                    raise WireError(f"answered with more than {MOST_BYTES} bytes", "check endpoint", transient=False)
        try:
            text = whole.decode("utf-8-sig", "strict" if response.is_success else "replace")
        except UnicodeDecodeError:
            raise WireError("answered with something else than UTF-8", "check endpoint") from None
        # In an answer a proxy's password may be an everyday word.
        hide = self._secret.hide if response.is_success else self._hidden
        headers = {name.lower(): self._hidden(value) for name, value in response.headers.items()}
        return Reply(response.status_code, headers, hide(text))

    def _hidden(self, text: str) -> str:
        """Return ``text`` without the key and the passwords of proxies."""
        for secret in (self._secret, *self._of_proxies):
            text = secret.hide(text)
        return text

    def _fault(self, error: Exception) -> WireError:
        cause: BaseException = error
        while (deeper := cause.__cause__ or cause.__context__) is not None:
            cause = deeper
        reason, way_out = _explained(error, cause, self._url)
        return WireError(
            self._hidden(reason),
            way_out,
            sent=not isinstance(error, _UNSENT),
            transient=not isinstance(cause, ssl.SSLCertVerificationError),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._stack.close()


class _Redacted(logging.Filter):
    """Keeps secrets out of what one logger of the library writes, until the block ends."""

    def __init__(self, logger: logging.Logger, hidden: Callable[[str], str]) -> None:
        super().__init__()
        self._logger, self._hidden = logger, hidden

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        if record.exc_info is not None:
            text += "\n" + "".join(traceback.format_exception(record.exc_info[1]))
        record.msg, record.args, record.exc_info, record.exc_text = self._hidden(text), None, None, None
        return True

    def __enter__(self) -> Self:
        self._logger.addFilter(self)
        return self

    def __exit__(self, *exception: object) -> None:
        self._logger.removeFilter(self)


def _client(endpoint: str, headers: Mapping[str, str], timeout_s: float, connections: int) -> httpx2.Client:
    secure = endpoint.startswith("https:")
    try:
        return httpx2.Client(
            headers=dict(headers),
            timeout=timeout_s,
            limits=httpx2.Limits(max_connections=connections, max_keepalive_connections=connections),
            verify=_certificates() if secure else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
            # A proxy of the machine cannot reach the machine's own loopback address.
            trust_env=not is_this_machine(urlsplit(endpoint).hostname or ""),
        )
    except ImportError:
        fault = "needs the package socksio for a SOCKS proxy; run `pip install socksio`"
    except (ValueError, httpx2.InvalidURL):
        fault = "names no HTTP or SOCKS proxy; mend it"
    # Without the library's own words: the address of a proxy may hold a password.
    raise InputError(f"{_proxies()}: {fault}, unset it, or put the endpoint's host in NO_PROXY")


def _certificates() -> ssl.SSLContext:
    try:
        return httpx2.create_ssl_context()
    except OSError as error:  # those of ssl are OSErrors, too
        log = os.environ.get("SSLKEYLOGFILE", "")
        if log and not _can_be_written(log):
            reason = "cannot be written, and TLS logs its own keys there; unset it, or name a file in a folder of yours"
            raise InputError(f"SSLKEYLOGFILE: {log} {reason}") from error
        name = "SSL_CERT_FILE" if os.environ.get("SSL_CERT_FILE") else "SSL_CERT_DIR"
        absent = isinstance(error, FileNotFoundError)
        reason = "there is no such file" if absent else f"holds no certificate in PEM form ({error.strerror or error})"
        path = os.environ.get(name, "")
        raise InputError(f"{name}: {path} {reason}; name a file of certificates, or unset {name}") from error


def _can_be_written(path: str) -> bool:
    try:
        with open(path, "ab"):
            return True
    except OSError:
        return False


def _proxies() -> str:
    """Return the names of the variables that name proxies."""
    return ", ".join(sorted(_addresses_of_proxies())) or "proxy settings of the system"


def _addresses_of_proxies() -> dict[str, str]:
    known = {"ALL_PROXY", "HTTP_PROXY", "HTTPS_PROXY"}
    return {name: address for name, address in os.environ.items() if name.upper() in known and address}


def _secrets_of_proxies() -> tuple[Secret, ...]:
    """Return the passwords in the addresses of proxies, alone and with their users, as a header carries them."""
    found = list[str]()
    for address in _addresses_of_proxies().values():
        user, colon, password = unquote(address.rpartition("@")[0].rpartition("/")[2]).partition(":")
        if password:
            found += [f"{user}{colon}{password}", *([password] if len(password) >= SHORTEST else [])]
    return tuple(Secret(text) for text in dict.fromkeys(found))


def is_this_machine(host: str) -> bool:
    """Tell whether ``host`` is a loopback address or a name of one."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.rstrip(".").lower() == "localhost" or host.lower().endswith(".localhost")


def _of_openai(endpoint: str) -> dict[str, str]:
    """Return the headers of `OF_OPENAI` where ``endpoint`` is OpenAI's own.

    Raises:
        InputError: one of them cannot stand in a header.
    """
    url = urlsplit(endpoint)
    host = (url.hostname or "").lower()
    if url.scheme != "https" or not (host == "api.openai.com" or host.endswith(".api.openai.com")):
        return {}
    found = {name: os.environ[name] for name in OF_OPENAI if os.environ.get(name)}
    for name, value in found.items():
        if not all("!" <= character <= "~" for character in value):
            raise InputError(f"{name}: holds a character that is no visible ASCII one; set it again, or unset it")
    return {OF_OPENAI[name]: value for name, value in found.items()}


def _explained(error: Exception, cause: BaseException, url: str) -> tuple[str, str]:
    """Return what a fault of the connection means, and what to do about it."""
    words = str(cause) or str(error) or type(cause).__name__
    through = not is_this_machine(urlsplit(url).hostname or "") and bool(_addresses_of_proxies())
    proxy = f", or the proxy in {_proxies()}" if through else ""
    if isinstance(cause, ssl.SSLCertVerificationError):
        return (
            f"cannot be reached: its certificate is not trusted ({cause.verify_message or words})",
            "set SSL_CERT_FILE to a PEM file with the certificate of who signed it",
        )
    if isinstance(cause, ssl.SSLError):
        return (
            f"cannot be reached over TLS ({words})",
            f"write http:// in endpoint where it speaks plain HTTP{proxy.replace('or', 'or check', 1)}",
        )
    if isinstance(cause, socket.gaierror):
        return (
            f"cannot be reached: its host is unknown ({words})",
            f"check the host in endpoint, and the network{proxy}",
        )
    if isinstance(error, httpx2.ProxyError):
        return f"cannot be reached: the proxy refuses ({words})", f"check {_proxies()}, or put the host in NO_PROXY"
    if isinstance(error, httpx2.ConnectTimeout | httpx2.PoolTimeout):
        return "cannot be reached in time", f"check endpoint and the network{proxy}, or raise timeout_s"
    if isinstance(error, httpx2.TimeoutException):
        return "no answer in time", "raise timeout_s"
    if isinstance(error, httpx2.ConnectError):
        return f"cannot be reached ({words})", f"start it or mend endpoint{proxy}"
    if isinstance(error, httpx2.DecodingError):
        return f"answered with a damaged body ({words})", "check what stands between: a proxy, a gateway"
    if isinstance(error, httpx2.RemoteProtocolError) and "illegal" in words:
        other = "https" if url.startswith("http:") else "http"
        return f"answered with something else than HTTP ({words})", f"check endpoint; should it begin with {other}://?"
    if isinstance(error, httpx2.TransportError):
        secure = ", and whether endpoint should begin with https://" if url.startswith("http:") else ""
        return f"cannot be reached, or broke off its answer ({words})", f"check that it still runs{secure}"
    return f"cannot be asked ({type(error).__name__}: {words})", "check endpoint"
