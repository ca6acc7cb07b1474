"""Around every call: who makes it, whether it may, how much of it there is, and what it changed."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc
from google.protobuf.message import Message

from weaklabel_server import caller as callers
from weaklabel_server.access import rules
from weaklabel_server.access.authenticator import Authenticator, Principal
from weaklabel_server.access.revocation import UntilRevoked
from weaklabel_server.access.rules import Rule
from weaklabel_server.caller import Caller, Scope
from weaklabel_server.errors import Reason, ServiceError, invalid
from weaklabel_server.grpc_types import Context, Handler
from weaklabel_server.store.access import audit
from weaklabel_server.store.database import Database
from weaklabel_server.store.projects import not_found

log = logging.getLogger(__name__)

_CONTRACT = "/weaklabel."
_WAIT = "/weaklabel.v1.OperationService/WaitOperation"


class AccessInterceptor(grpc.aio.ServerInterceptor):
    """Stands within the interceptor that parses messages and turns ServiceError into statuses."""

    def __init__(self, database: Database, authenticator: Authenticator) -> None:
        self._database = database
        self._authenticator = authenticator

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        """Wraps the handler of a method, or refuses the call before its message is read."""
        method = handler_call_details.method
        handler = await continuation(handler_call_details)
        rule = rules.RULES.get(method)
        if handler is None or (rule is not None and rule.scope is None):
            return handler
        try:
            metadata: Any = handler_call_details.invocation_metadata or ()
            principal = await self._authenticator.authenticate(metadata)
            if rule is None:
                rule = _no_rule(method, principal)
        except Exception as error:
            return _refusal(handler, error)
        if not method.startswith(_CONTRACT):  # reflection: all who have a token
            return handler
        call = _Call(handler, method, rule, principal, self._database, self._authenticator)
        return _same_kind(handler, call.unary, call.stream, handler.request_deserializer)


class _Call:
    """One call of a method."""

    def __init__(
        self,
        handler: Handler,
        method: str,
        rule: Rule,
        principal: Principal | None,
        database: Database,
        authenticator: Authenticator,
    ) -> None:
        # One of its four behaviors is set; their stubs describe the synchronous server.
        self._handler: Any = handler
        self._rule = rule
        self._principal = principal
        self._database = database
        self._authenticator = authenticator
        self._changes = rule.scope is not Scope.READ
        self._caller = Caller(method=method.removeprefix("/"))
        if principal is not None:
            self._caller.token_id = principal.token.token_id
            self._caller.token_name = principal.name
            self._caller.rights = principal.rights
        self._lasts = handler.request_streaming or handler.response_streaming or method == _WAIT

    async def unary(self, request: Any, context: Context) -> Any:
        handler = self._handler
        behavior = handler.stream_unary if handler.request_streaming else handler.unary_unary
        self._begin()
        try:
            async with UntilRevoked(self._authenticator, self._principal if self._lasts else None):
                response = await behavior(self._admitted(request), context)
        except Exception as error:
            await self._note_failure(error)
            raise
        if self._principal is not None:
            self._principal.rates.owe(response.ByteSize())
        if self._changes and not self._caller.recorded:
            await self._note("OK")
        return response

    async def stream(self, request: Any, context: Context) -> AsyncIterator[Any]:
        handler = self._handler
        behavior = handler.stream_stream if handler.request_streaming else handler.unary_stream
        self._begin()
        try:
            async with UntilRevoked(self._authenticator, self._principal) as watched:
                async for response in behavior(self._admitted(request), context):
                    if self._principal is not None:
                        await self._principal.rates.pace(response.ByteSize())
                    held = [response]
                    del response
                    with watched.away():
                        yield held.pop()  # a reader may stand still for long, and nothing of it is held here
        except Exception as error:
            await self._note_failure(error)
            raise

    def _begin(self) -> None:
        self._caller.peer = callers.peer.get()
        callers.set_current(self._caller)

    def _admitted(self, request: Any) -> Any:
        if self._handler.request_streaming:
            return self._admit_each(request)
        if self._principal is not None:
            self._principal.rates.admit(request.ByteSize())
        self._admit(request)
        return request

    async def _admit_each(self, requests: AsyncIterator[Message]) -> AsyncIterator[Message]:
        async for request in requests:
            if self._principal is not None:
                await self._principal.rates.pace(request.ByteSize())
            self._admit(request)
            yield request

    def _admit(self, request: Message) -> None:
        """Refuses what the token does not allow, before anything is looked up: what is there makes no difference.

        Raises:
            ServiceError: PERMISSION_DENIED; PROJECT_NOT_FOUND where the token must not know of the project.
        """
        if not self._rule.field:
            return
        name = rules.named(self._rule, request)
        if not name:
            return  # the service refuses it, or an earlier message of the stream has named the project
        self._caller.resource = f"projects/{name}" if self._rule.field == "project_id" else name
        self._caller.request_id = getattr(request, "request_id", "")
        rights = self._caller.rights
        project_id = rules.project_of(self._caller.resource)
        if project_id is None:
            if rights.everywhere:
                return  # the service says what is wrong with it
            raise invalid(self._rule.field, f'"{name}" is not in a project: its form is "projects/{{project}}"')
        held = rights.on(project_id)
        if held is not None and self._rule.scope is not None and held >= self._rule.scope:
            return
        # A project that is to be created cannot be said not to be there.
        if held is None and self._caller.method != rules.CREATE_PROJECT.removeprefix("/"):
            raise not_found(project_id)
        raise _denied(self._rule, project_id, held)

    async def _note_failure(self, error: Exception) -> None:
        """Notes an attempt of a token's; those of nobody would let anybody fill the store."""
        if self._changes and self._principal is not None and not isinstance(error, grpc.aio.AbortError):
            if isinstance(error, ServiceError) and error.reason == Reason.QUOTA_EXCEEDED:
                return  # of which there may be thousands a second
            await self._note(error.code.name if isinstance(error, ServiceError) else "INTERNAL")

    async def _note(self, code: str) -> None:
        try:
            await self._database.run_write(audit.write, self._caller, code)
        except Exception:
            # The call has ended as it has, whatever becomes of the note.
            log.exception("no note in the audit trail of %s by %s", self._caller.method, self._caller.token_id)


def _denied(rule: Rule, project_id: str, held: Scope | None) -> ServiceError:
    assert rule.scope is not None
    needed = rule.scope.name.lower()
    has = "nothing" if held is None else held.name.lower()
    return ServiceError(
        Reason.PERMISSION_DENIED,
        f'this needs the scope {needed} on project "{project_id}", on which the token has {has}',
        metadata={"project": project_id, "scope": needed},
    )


def _no_rule(method: str, principal: Principal | None) -> Rule:
    if principal is None:
        return Rule(Scope.READ)
    raise ServiceError(Reason.PERMISSION_DENIED, f"{method} is open to no token")


def _refusal(handler: Handler, error: Exception) -> Handler:
    """A handler that raises an error, and parses nothing before."""

    async def unary(_: Any, __: Context) -> Any:
        raise error

    async def stream(_: Any, __: Context) -> AsyncIterator[Any]:
        nothing: tuple[bytes, ...] = ()
        for response in nothing:  # what makes it a generator, as the method is
            yield response
        raise error

    return _same_kind(handler, unary, stream, _unparsed)


def _unparsed(data: bytes) -> bytes:
    return data


def _same_kind(handler: Handler, unary: Any, stream: Any, request_deserializer: Any) -> Handler:
    kind = {
        (False, False): grpc.unary_unary_rpc_method_handler,
        (False, True): grpc.unary_stream_rpc_method_handler,
        (True, False): grpc.stream_unary_rpc_method_handler,
        (True, True): grpc.stream_stream_rpc_method_handler,
    }[handler.request_streaming, handler.response_streaming]
    behavior = stream if handler.response_streaming else unary
    return kind(behavior, request_deserializer, handler.response_serializer)
