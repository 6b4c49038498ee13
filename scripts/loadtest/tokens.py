"""The tokens that the readers show: one that was given, or minted ones, renewed before they expire."""

from __future__ import annotations

from time import time

from loadtest.plan import Plan

HOUR = 3600.0


class Tokens:
    """With `--jwt-secret` every stream is a user of its own, or one of `--users`."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._minted: dict[str, tuple[str, float]] = {}
        self.headers(0)  # what minting needs is imported before anything is timed

    def headers(self, number: int) -> dict[str, str]:
        """What shows who the reader of this stream is; a minted token has at least half of its life before it."""
        token = self._mint(number) if self._plan.jwt_secret else self._plan.token
        return {"Authorization": f"Bearer {token}"} if token else {}

    def _mint(self, number: int) -> str:
        user = f"load-{number % self._plan.users if self._plan.users else number}"
        token, renew_at = self._minted.get(user, ("", 0.0))
        if renew_at <= time():
            from sse_server.auth import development_token  # noqa: PLC0415  (only this needs the server's package)
            from sse_server.config import Auth  # noqa: PLC0415

            ttl = self._plan.token_ttl or HOUR
            token = development_token(Auth(jwt_secret=self._plan.jwt_secret), user, now=time(), ttl=ttl)
            expires = int(time() + ttl)  # in whole seconds, as JSON Web Tokens have it
            self._minted[user] = token, (time() + expires) / 2
        return token
