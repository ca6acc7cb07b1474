"""What health reports: whether the store answers, and whether predictions are ready."""

import asyncio
import logging

from grpc_health.v1 import health, health_pb2

from weaklabel_protocol.v1 import labels_pb2
from weaklabel_server.app.routes import SERVICES
from weaklabel_server.errors import ServiceError
from weaklabel_server.jobs.predict import Predictor
from weaklabel_server.store.database import Database

_WARMED_SERVICES = ("", labels_pb2.DESCRIPTOR.services_by_name["LabelService"].full_name)
# A store that is gone is noticed, and reported, within a second.
_WATCH_SECONDS = 0.4
_WARM_UP_SECONDS = 1.0

log = logging.getLogger(__name__)


class ServingStatus:
    """Health of each service, and of the server as a whole (the empty name).

    The label model's libraries take seconds to load: LabelService and the server as a whole are SERVING only when they
    are loaded and the newest models are warm, unless that is left to the first call. Nothing is where the store does
    not answer.
    """

    def __init__(self) -> None:
        self.servicer = health.aio.HealthServicer()
        self.store_answers = True
        self._warm = False

    async def report(self) -> None:
        """Says how each service is."""
        answer = health_pb2.HealthCheckResponse
        for service in ("", *SERVICES):
            serving = self.store_answers and (self._warm or service not in _WARMED_SERVICES)
            await self.servicer.set(service, answer.SERVING if serving else answer.NOT_SERVING)

    async def watch_store(self, database: Database) -> None:
        """Looks after the store for as long as the server runs: without it, nothing is served."""
        while True:
            await asyncio.sleep(_WATCH_SECONDS)
            fault = await database.check()
            if (fault is None) != self.store_answers:
                self.store_answers = fault is None
                log.warning("the store is back" if fault is None else fault.message)
                await self.report()

    async def serve_cold(self) -> None:
        """Says that predictions are served, the first of which loads what it needs."""
        self._warm = True
        await self.report()

    async def warm_up(self, predictor: Predictor) -> bool:
        """Loads the label model and the newest models, and says so; whether that was possible."""
        while True:
            try:
                await predictor.run(predictor.warm_up)
                break
            except ServiceError as error:
                log.warning("predictions are made ready later: %s", error)
                await asyncio.sleep(_WARM_UP_SECONDS)
            except Exception:
                log.exception("predictions are not possible")
                return False
        await self.serve_cold()
        return True
