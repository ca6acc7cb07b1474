"""The composition root: everything that the server consists of is put together here, started, and drained."""

from weaklabel_server.app.opening import StartError
from weaklabel_server.app.routes import SERVICES
from weaklabel_server.app.server import App, serve

__all__ = ["SERVICES", "App", "StartError", "serve"]
