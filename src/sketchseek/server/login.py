"""Middleware and routes for users: who sends a request, the login form, and logging out.

Programs send ``Authorization: Bearer`` and a token. Browsers log in with a form and then have a cookie, which scripts
cannot read and other sites cannot send.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from anyio import to_thread
from jinja2 import Environment, PackageLoader
from starlette._utils import get_route_path
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from sketchseek.server import API_PREFIX
from sketchseek.server.access import EVERYBODY, NOBODY, Access, required_scope
from sketchseek.server.errors import ApiError, error_response
from sketchseek.server.users import MAX_PASSWORD

if TYPE_CHECKING:
    from sketchseek.server.audit_log import AuditLog
    from sketchseek.server.metrics import Metrics
    from sketchseek.server.sessions import AttemptLimit, Sessions
    from sketchseek.server.users import Users

COOKIE = "sketchseek-session"
LOGIN = "/login"
LOGOUT = "/logout"

_PUBLIC = frozenset({LOGIN, LOGOUT, "/login.css", "/icon.svg", "/favicon.ico"})
_POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


class AccessCheck:
    """Middleware that finds out who sends a request, and rejects what they may not do.

    Args:
        app: The application to protect.
        users: The users; without them, everybody may do everything.
        sessions: The sessions of logged-in browsers.
    """

    def __init__(self, app: ASGIApp, users: Users | None, sessions: Sessions) -> None:
        self.app = app
        self.users = users
        self.sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        try:
            access = self._access(scope)
            scope["sketchseek.access"] = access
            path = get_route_path(scope)
            if path.startswith(f"{API_PREFIX}/"):
                _check_scope(access, required_scope(scope["method"], path.removeprefix(f"{API_PREFIX}/")))
            elif access is NOBODY and path not in _PUBLIC:
                if path != "/":
                    raise _login_required()
                await RedirectResponse(scope.get("root_path", "") + LOGIN, 303)(scope, receive, send)
                return
        except ApiError as error:
            await error_response(error)(scope, receive, send)
            return
        await self.app(scope, receive, send)

    def _access(self, scope: Scope) -> Access:
        if self.users is None:
            return EVERYBODY
        kind, _, token = Headers(scope=scope).get("authorization", "").partition(" ")
        if kind.lower() == "bearer":
            user = self.users.by_token(token.strip())
            if user is None:
                raise ApiError(
                    401, "TokenUnknown", "The bearer token is unknown.", headers={"WWW-Authenticate": "Bearer"}
                )
            return user.access
        name = self.sessions.user(Request(scope).cookies.get(COOKIE, ""))
        user = self.users.get(name) if name else None
        return NOBODY if user is None else user.access


def _check_scope(access: Access, needed: str | None) -> None:
    if needed is None or needed in access.scopes:
        return
    if access is NOBODY:
        raise _login_required()
    raise ApiError(
        403, "ScopeMissing", f"{access.user} may not do this: it needs the scope {needed!r}.", "Log in as another user."
    )


def _login_required() -> ApiError:
    return ApiError(
        401,
        "LoginRequired",
        "This server is for its users only.",
        "Log in on its page, or send a bearer token.",
        {"WWW-Authenticate": "Bearer"},
    )


class LoginPage:
    """The login form, and the end of a session.

    Args:
        users: The users.
        sessions: The sessions.
        attempts: Limits attempts.
        audit: Records logins.
        metrics: Counts logins.
    """

    def __init__(
        self, users: Users, sessions: Sessions, attempts: AttemptLimit, audit: AuditLog, metrics: Metrics
    ) -> None:
        self._users = users
        self._sessions = sessions
        self._attempts = attempts
        self._audit = audit
        self._metrics = metrics
        self._template = Environment(
            loader=PackageLoader("sketchseek.server"), autoescape=True, trim_blocks=True, lstrip_blocks=True
        ).get_template("login.html")

    async def show(self, request: Request) -> Response:
        """Show the form, or who is logged in."""
        return self._form(request)

    async def log_in(self, request: Request) -> Response:
        """Check name and password, and start a session."""
        fields = parse_qs((await request.body()).decode("utf-8", "replace"), max_num_fields=10)
        name, password = (fields.get(field, [""])[0] for field in ("name", "password"))
        client = request.client.host if request.client else ""
        if (seconds := self._attempts.wait(client)) > 0:
            self._record("limited", request, name)
            text = f"Too many attempts. Try again in {seconds:.0f} seconds."
            return self._form(request, text, 429, {"Retry-After": f"{seconds:.0f}"})
        user = None
        if name and 0 < len(password) <= MAX_PASSWORD:
            user = await to_thread.run_sync(self._users.by_password, name, password)
        if user is None:
            self._record("failed", request, name)
            return self._form(request, "The name or the password is wrong.", 401)
        self._attempts.give_back(client)
        self._record("succeeded", request, user.name)
        response = RedirectResponse(request.scope.get("root_path", "") + "/", 303)
        response.set_cookie(
            COOKIE,
            self._sessions.start(user.name),
            path=request.scope.get("root_path", "") or "/",
            secure=request.url.scheme == "https",
            httponly=True,
            samesite="strict",
        )
        return response

    async def log_out(self, request: Request) -> Response:
        """End the session."""
        self._sessions.end(request.cookies.get(COOKIE, ""))
        response = RedirectResponse(request.scope.get("root_path", "") + LOGIN, 303)
        response.delete_cookie(COOKIE, path=request.scope.get("root_path", "") or "/")
        return response

    def _form(
        self, request: Request, error: str = "", status: int = 200, headers: dict[str, str] | None = None
    ) -> Response:
        access: Access = request.scope.get("sketchseek.access", NOBODY)
        text = self._template.render(error=error, user=access.user, root=request.scope.get("root_path", ""))
        own = {
            "Content-Security-Policy": _POLICY,
            # With "no-referrer", browsers would send "Origin: null" with the form.
            "Referrer-Policy": "same-origin",
            "Cache-Control": "no-store",
        }
        return HTMLResponse(text, status, {**own, **(headers or {})})

    def _record(self, outcome: str, request: Request, name: str) -> None:
        self._metrics.logins.labels(outcome).inc()
        self._audit.record("login", request.scope, user=name[:64], outcome=outcome)
