"""Who the sender of a request is, and the token for changes."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from sketchseek.server.access import access_of
from sketchseek.server.dependencies import State
from sketchseek.server.schemas.errors import error_responses
from sketchseek.server.schemas.session import Session

router = APIRouter(tags=["library"], responses=error_responses(404, 422))


@router.get("/session")
async def get_session(state: State, request: Request, response: Response) -> Session:
    """Return who sends the request, what they may do, and the token for requests that change something."""
    access = access_of(request)
    response.headers["Cache-Control"] = "no-store"
    return Session.model_validate(
        {
            "user": access.user,
            "scopes": sorted(access.scopes),
            "login": state.has_users,
            "token": state.token if "manage" in access.scopes else "",
        }
    )
