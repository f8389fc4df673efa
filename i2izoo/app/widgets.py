"""Controls as components of gradio."""

from __future__ import annotations

import html
from typing import Any

import gradio as gr

from i2izoo.app.controls import USUAL, Control
from i2izoo.app.work import Progress

QUIET: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden"}
"""Of events that are done at once."""


def working(said: Any) -> dict[str, Any]:
    """Of events that have a network work: one after another for all visitors, since each takes all cores."""
    return {
        "api_visibility": "private", "concurrency_id": "model", "concurrency_limit": 1, "show_progress_on": said,
        "show_progress": "minimal",
    }  # fmt: skip


def buttons(*, busy: bool) -> list[Any]:
    """That which starts and that which stops; one of them is there."""
    return [gr.update(visible=not busy), gr.update(visible=busy)]


def image_file(**options: Any) -> gr.Image:
    """An image as it was uploaded: i2izoo reads it, and says what is wrong with it.

    Not a class of its own, for which gradio would write a file beside this one.
    """
    image = gr.Image(type="filepath", sources=["upload", "clipboard"], buttons=["fullscreen"], **options)
    image.preprocess = lambda payload: None if payload is None else payload.path  # type: ignore[method-assign]
    return image


def canvas(**options: Any) -> gr.ImageEditor:
    """An image to paint on, whose own opacity stays."""
    editor = gr.ImageEditor(
        type="pil", sources=["upload", "clipboard"], image_mode="RGBA", layers=False, transforms=(),
        brush=gr.Brush(default_size=12, colors=["#ff6a3d"], color_mode="fixed"), buttons=["fullscreen"], **options,
    )  # fmt: skip
    read = editor.convert_and_format_image
    editor.convert_and_format_image = lambda file, **_: read(file)  # type: ignore[method-assign]  # laid on white
    return editor


def component(control: Control) -> Any:
    """What asks for an option."""
    about: dict[str, Any] = {"label": control.label, "interactive": True, "min_width": 180}
    if control.kind not in ("image", "mask"):
        about["info"] = control.about or None
    if control.kind == "slider":
        return gr.Slider(control.low or 0, control.high or 0, value=control.default, step=control.step, **about)
    if control.kind == "number" and control.default is not None:  # of an empty one gradio says that it is 0
        return gr.Number(control.default, step=control.step or 0.01, **about)  # `Control.value` knows its ends
    if control.kind == "check":
        return gr.Checkbox(bool(control.default), **about)
    if control.kind == "choice":
        default = USUAL if control.default is None else control.default
        return gr.Dropdown([(words, USUAL if v is None else v) for words, v in control.choices], value=default, **about)
    if control.kind in ("image", "mask"):
        return image_file(height=180, **about)
    given = "" if control.default in (None, ()) else str(control.default)
    usual = "usual" if control.default is None else None
    return gr.Textbox(given, lines=2 if control.kind == "text" else 1, placeholder=usual, **about)


def status(now: Progress | str = "", *, failed: bool = False) -> str:
    """A line that says how far it is, or what went wrong."""
    said = now.said if isinstance(now, Progress) else now
    bar = ""
    if isinstance(now, Progress):
        value = "" if now.share is None else f' value="{now.share:.3f}"'
        bar = f'<progress{value} aria-label="progress"></progress>'
    kind, role = ("failed", "alert") if failed else ("said", "status")
    return f'<div class="i2-status {kind}" role="{role}">{bar}<span>{html.escape(said)}</span></div>' if said else ""
