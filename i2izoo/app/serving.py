"""The app behind its guard, on a port."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from i2izoo.app.guard import Guard
from i2izoo.app.jobs import Limits
from i2izoo.app.offers import Offers
from i2izoo.errors import ConfigError

FONTS = ("system-ui", "-apple-system", "Segoe UI", "Liberation Sans", "sans-serif")
MONO = ("ui-monospace", "Menlo", "Consolas", "DejaVu Sans Mono", "monospace")


def need_gradio() -> None:
    """Refuse to go on without gradio.

    Raises:
        ConfigError: says how to get it.
    """
    if find_spec("gradio") is None:
        raise ConfigError("the app needs gradio: pip install 'i2izoo[app]'.")


@contextmanager
def application(
    names: Sequence[str] = (),
    *,
    all_entries: bool = True,
    device: str | None = None,
    hosts: Collection[str] = (),
    limits: Limits | None = None,
    title: str = "i2izoo",
    frames: str = "'none'",
) -> Iterator[Guard]:
    """The app as an ASGI application; its files are removed at the end.

    Args:
        names: of models that come first.
        all_entries: offer every pretrained entry of the registry.
        device: where models run; None: the CPU.
        hosts: names beyond loopback by which it may be asked for.
        limits: of what visitors may ask.
        title: of the page.
        frames: pages that may show it inside, as Content-Security-Policy has them.

    Raises:
        ConfigError: gradio is missing, or nothing is offered.
        UnknownNameError: a name is none.
    """
    need_gradio()
    limits = limits or Limits()
    offers = Offers(names, all_entries=all_entries, device=device)
    folder = Path(tempfile.mkdtemp(prefix="i2izoo-app-"))
    os.environ |= {"GRADIO_ANALYTICS_ENABLED": "False", "GRADIO_TEMP_DIR": str(folder)}
    try:
        yield Guard(_mounted(offers, folder, limits, title), hosts, limits.file_bytes, frames)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _mounted(offers: Offers, folder: Path, limits: Limits, title: str) -> Any:
    import gradio as gr
    from fastapi import FastAPI

    from i2izoo.app.page import Page
    from i2izoo.app.sessions import Sessions

    page = Page(offers, Sessions(folder, limits.seconds), limits, title).build()
    page.queue(max_size=limits.waiting, default_concurrency_limit=4, api_open=False)
    theme = gr.themes.Default(primary_hue="orange", neutral_hue="slate", font=[*FONTS], font_mono=[*MONO])
    return gr.mount_gradio_app(
        FastAPI(docs_url=None, redoc_url=None, openapi_url=None), page, path="/", theme=theme, footer_links=[],
        css_paths=Path(__file__).with_name("app.css"), max_file_size=limits.file_bytes, show_error=False,
        ssr_mode=False, enable_monitoring=False, pwa=False, mcp_server=False, run_history=False,
    )  # fmt: skip


def serve(app: Guard, host: str, port: int, ready: Callable[[str], None] = lambda address: None) -> None:
    """Answer until the process is interrupted.

    Args:
        app: see `application`.
        host: address to listen at.
        port: 0: any that is free.
        ready: is told the address as soon as it answers.

    Raises:
        ConfigError: the port is taken, or the address is not this machine's.
    """
    import uvicorn

    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
    except (OSError, OverflowError) as error:
        listener.close()
        raise ConfigError(f"cannot listen at {host}:{port}: {error}; choose another --port.") from error
    with listener:
        shown = f"[{host}]" if ":" in host else host
        server = uvicorn.Server(
            uvicorn.Config(app, log_level="warning", access_log=False, server_header=False, ws="none")
        )
        listener.listen()
        ready(f"http://{shown}:{listener.getsockname()[1]}/")
        server.run(sockets=[listener])
