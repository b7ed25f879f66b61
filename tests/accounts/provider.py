"""A stand-in for an OpenID Connect provider that speaks the documented wire format: discovery, authorize, token with PKCE, JWKS, userinfo.

It is as strict as a real one: exact redirect URI, S256 challenges, codes used once, client authentication. `claims`, `sign` and the like let a test
make it a hostile one.
"""

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey


class Provider:
    def __init__(self, client_id="meshconsole", client_secret="s3cret", redirect_uri="http://testserver/login/sso/callback/"):
        self.client_id, self.client_secret, self.redirect_uri = client_id, client_secret, redirect_uri
        self.keys = [RSAKey.generate_key(2048, {"kid": "one"})]
        self.claims: dict = {
            "sub": "u-1",
            "preferred_username": "erika",
            "email": "erika@example.com",
            "name": "Erika Muster",
            "groups": ["staff"],
        }
        self.change: Callable[[dict], dict] = lambda claims: claims
        self.sign: Callable[[dict], str] = self._signed
        self.userinfo: dict | None = None
        self.advertised = ["RS256"]
        self.codes: dict[str, dict] = {}
        self.said: list[str] = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.issuer = f"http://127.0.0.1:{self.server.server_port}/realms/main"
        self.named = self.issuer
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def _signed(self, claims: dict) -> str:
        key = self.keys[-1]
        return jwt.encode({"alg": "RS256", "kid": key.kid}, claims, key)

    def rotate(self) -> None:
        self.keys = [RSAKey.generate_key(2048, {"kid": "two"})]

    def authorize(self, query: dict[str, str]) -> tuple[int, str]:
        for name, wanted in {
            "response_type": "code", "client_id": self.client_id, "redirect_uri": self.redirect_uri, "code_challenge_method": "S256",
        }.items():  # fmt: skip
            if query.get(name) != wanted:
                return 400, f"{name} is {query.get(name)!r}, not {wanted!r}"
        if not all(query.get(n) for n in ("state", "nonce", "code_challenge")) or "openid" not in query.get("scope", "").split():
            return 400, "state, nonce, code_challenge and the scope openid are needed"
        code = secrets.token_urlsafe(16)
        self.codes[code] = query
        return 302, f"{self.redirect_uri}?{urlencode({'code': code, 'state': query['state']})}"

    def token(self, form: dict[str, str], authorization: str) -> tuple[int, dict]:
        given = base64.b64encode(f"{self.client_id}:{self.client_secret}".encode()).decode()
        if authorization != f"Basic {given}":
            return 401, {"error": "invalid_client"}
        asked = self.codes.pop(form.get("code", ""), None)
        if asked is None or form.get("grant_type") != "authorization_code" or form.get("redirect_uri") != asked["redirect_uri"]:
            return 400, {"error": "invalid_grant"}
        challenge = base64.urlsafe_b64encode(hashlib.sha256(form.get("code_verifier", "").encode()).digest()).rstrip(b"=").decode()
        if challenge != asked["code_challenge"]:
            return 400, {"error": "invalid_grant", "error_description": "PKCE"}
        now = int(time.time())
        claims = {"iss": self.issuer, "aud": self.client_id, "iat": now, "exp": now + 300, "nonce": asked["nonce"], **self.claims}
        return 200, {"access_token": "at", "token_type": "Bearer", "expires_in": 300, "id_token": self.sign(self.change(claims))}

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        provider = self

        class Handler(BaseHTTPRequestHandler):
            def log_message(self, *_) -> None:
                provider.said.append(self.path.partition("?")[0].rpartition("/")[2])

            def answer(self, status: int, body: dict | str) -> None:
                text = json.dumps(body).encode() if isinstance(body, dict) else b"" if status == 302 else body.encode()
                self.send_response(status)
                if status == 302:
                    self.send_header("Location", str(body))
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def do_GET(self) -> None:
                path, query = urlsplit(self.path).path, {k: v[0] for k, v in parse_qs(urlsplit(self.path).query).items()}
                base = provider.issuer
                match path.removeprefix("/realms/main"):
                    case "/.well-known/openid-configuration":
                        more = {"userinfo_endpoint": f"{base}/userinfo"} if provider.userinfo is not None else {}
                        self.answer(200, {
                            "issuer": provider.named, "authorization_endpoint": f"{base}/authorize", "token_endpoint": f"{base}/token",
                            "jwks_uri": f"{base}/jwks", "response_types_supported": ["code"], "subject_types_supported": ["public"],
                            "id_token_signing_alg_values_supported": provider.advertised, "code_challenge_methods_supported": ["S256"], **more,
                        })  # fmt: skip
                    case "/authorize":
                        self.answer(*provider.authorize(query))
                    case "/jwks":
                        self.answer(200, {"keys": [k.as_dict(private=False) for k in provider.keys]})
                    case "/userinfo":
                        ok = self.headers.get("Authorization") == "Bearer at"
                        self.answer(200 if ok else 401, provider.userinfo or {})
                    case _:
                        self.answer(404, "")

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
                self.answer(*provider.token({k: v[0] for k, v in parse_qs(body).items()}, self.headers.get("Authorization", "")))

        return Handler
