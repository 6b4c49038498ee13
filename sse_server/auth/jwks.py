"""The keys of the issuer (RFC 7517), fetched from the one address that the settings name, and kept while it is away.

An address in a token is an address of whoever made the token: nothing is ever fetched from there.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import aiohttp
import jwt
import msgspec
from msgspec import Struct

from sse_server.errors import Unavailable

MAX_BYTES: Final = 256 * 1024
MAX_KEYS: Final = 100
TIMEOUT: Final = 5.0
"""Seconds that the issuer has for its answer."""
REST: Final = 10.0
"""Seconds between two tries: unknown key ids are free to make up, and must not become a load on the issuer."""
FRESH: Final = 600.0
"""Seconds after which the keys are fetched anew, while the old ones stay good."""

ALGORITHMS: Final = {("RSA", None): "RS256", ("EC", "P-256"): "ES256", ("OKP", "Ed25519"): "EdDSA"}
"""The one algorithm that a kind of key (`kty`, `crv`) is used by."""

KeyId = tuple[str | None, str]
"""A key's `kid`, where it has one, and its algorithm."""

logger = logging.getLogger(__name__)


class KeySet(Struct, frozen=True):
    """A JWK Set; the server looks at each key by itself, since an issuer may have kinds that we don't know."""

    keys: list[dict[str, Any]]


class Keys:
    """The public keys behind one address. `on_change` is called when they became others; `clock` is monotonic."""

    def __init__(
        self, url: str, *, on_change: Callable[[], object], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._url = url
        self._on_change = on_change
        self._clock = clock
        self._keys: Mapping[KeyId, jwt.PyJWK] = {}
        self._seen: bytes | None = None
        self._stale_at = self._rest_until = -1.0
        self._fetching: asyncio.Task[None] | None = None

    async def find(self, kid: str | None, algorithm: object) -> jwt.PyJWK | None:
        """The key that a token names; an unknown one is looked for at the issuer, if that was not just asked.

        Raises `Unavailable` as long as no key was ever seen.
        """
        if algorithm not in ALGORITHMS.values():
            return None
        key = self._known(kid, str(algorithm))
        if key is None and self._refresh() and self._fetching:
            await asyncio.shield(self._fetching)  # others wait for it too: one that gives up must not take it along
            key = self._known(kid, str(algorithm))
        if not self._keys:
            raise Unavailable("tokens can't be checked now: their issuer does not answer", retry_after=REST)
        return key

    def freshen(self) -> None:
        """Fetch the keys again when it is time, without waiting for them."""
        if self._clock() >= self._stale_at:
            self._refresh()

    async def close(self) -> None:
        """Stop a fetch that is under way."""
        if self._fetching:
            self._fetching.cancel()
            await asyncio.wait([self._fetching])

    def _known(self, kid: str | None, algorithm: str) -> jwt.PyJWK | None:
        if kid is None:  # RFC 7515, section 4.1.4: optional, which is no puzzle where there is but one key
            only = [key for (_, its), key in self._keys.items() if its == algorithm]
            return only[0] if len(only) == 1 else None
        return self._keys.get((kid, algorithm))

    def _refresh(self) -> bool:
        """Begin a fetch, unless one is under way or was just now; whether there is one to wait for."""
        if self._fetching and not self._fetching.done():
            return True
        if self._clock() < self._rest_until:
            return False
        self._rest_until = self._clock() + REST
        self._fetching = asyncio.create_task(self._fetch())
        return True

    async def _fetch(self) -> None:
        try:
            async with asyncio.timeout(TIMEOUT):
                raw = await _download(self._url)
            keys = usable_keys(raw) if raw != self._seen else self._keys
        except (aiohttp.ClientError, OSError, ValueError, RecursionError) as error:
            kept = "the keys of before stay good" if self._keys else "no token can be checked"
            logger.warning("the issuer's keys could not be fetched (%s): %s", _kind(error), kept)
            return
        self._stale_at = self._clock() + FRESH
        if raw != self._seen:
            self._seen, self._keys = raw, keys
            self._on_change()
            logger.info("the issuer has %d keys", len(keys))


def usable_keys(raw: bytes) -> dict[KeyId, jwt.PyJWK]:
    """The keys of a JWK Set that can verify a token; others are passed over. Raises ValueError when none is left."""
    written = msgspec.json.decode(raw, type=KeySet).keys[:MAX_KEYS]
    keys = {key_id: key for jwk in written if (key_id := _id(jwk)) and (key := _key(jwk, key_id[1]))}
    if not keys:
        raise ValueError("no usable key")
    return keys


def _id(jwk: Mapping[str, Any]) -> KeyId | None:
    """The id of a public key for signatures by an algorithm of ours."""
    kty, crv, kid = jwk.get("kty"), jwk.get("crv"), jwk.get("kid")
    if not all(isinstance(word, str | None) for word in (kty, crv, kid)):
        return None
    algorithm = ALGORITHMS.get((kty, crv))  # type: ignore[arg-type]
    for_us = jwk.get("use", "sig") == "sig" and jwk.get("alg", algorithm) == algorithm
    return (kid, algorithm) if algorithm and for_us and "d" not in jwk else None


def _key(jwk: dict[str, Any], algorithm: str) -> jwt.PyJWK | None:
    try:
        key = jwt.PyJWK(jwk, algorithm)
    except Exception:  # noqa: BLE001  (two libraries have a say in what is no key; it never costs the other keys)
        return None
    return None if key.Algorithm.check_key_length(key.key) else key


async def _download(url: str) -> bytes:
    """The answer, plain and from that very address. Raises ValueError when it is too long or not the set."""
    asked = {"Accept": "application/json", "Accept-Encoding": "identity"}
    async with (
        aiohttp.ClientSession(auto_decompress=False, cookie_jar=aiohttp.DummyCookieJar()) as session,
        session.get(url, headers=asked, allow_redirects=False) as answer,
    ):
        if answer.status != 200:
            raise ValueError(f"status {answer.status}")
        read = bytearray()
        async for piece in answer.content.iter_any():
            read += piece
            if len(read) > MAX_BYTES:
                raise ValueError("too long")
        return bytes(read)


def _kind(error: Exception) -> str:
    """What went wrong, without what the answer held."""
    return str(error) if type(error) is ValueError else type(error).__name__
