"""The tab for files: images, large ones and rasters to files, or to a zip of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from i2izoo.app.asking import asked, model_of
from i2izoo.app.batches import Batch, translate_files
from i2izoo.app.controls import chosen
from i2izoo.app.jobs import Job, Limits, side
from i2izoo.app.offers import Offers
from i2izoo.app.sessions import Sessions, sentence
from i2izoo.app.widgets import QUIET, buttons, component, status, working
from i2izoo.app.work import Done
from i2izoo.errors import I2IZooError

FORMATS = [".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff", ".jp2", ".npy"]


class FilesTab:
    """Args: see `Page`."""

    def __init__(self, offers: Offers, sessions: Sessions, limits: Limits) -> None:
        self.offers, self.sessions, self.limits = offers, sessions, limits

    def build(self, model: Any, to: Any, loaded: Any) -> None:
        """Its components and what they do."""
        with gr.Row(equal_height=False):
            with gr.Column():
                files = gr.File(
                    label="Images, also large ones and rasters", file_count="multiple", file_types=FORMATS,
                    elem_id="files",
                )  # fmt: skip
                with gr.Row():
                    seed = gr.Number(0, label="Seed", precision=0, min_width=90)
                    size = gr.Textbox(label="Size in pixels", placeholder="as they are", max_lines=1, min_width=120)

                @gr.render(inputs=[model, to, loaded], triggers=[to.input, loaded.change], show_progress="hidden")  # type: ignore[untyped-decorator]
                def asking(label: str, target: str | None, _: int) -> None:
                    if not model_of(self.offers, label, target):
                        return
                    run = gr.Button("Translate all", variant="primary", elem_id="run-files")
                    stop = gr.Button("Stop", visible=False)
                    options = asked(self.offers, label, target, images=False)
                    more = gr.Accordion("Options of the method", open=False, visible=bool(options))
                    with more, gr.Row():
                        parts = [component(one) for one in options]
                    results = [said, result, failed, run, stop]
                    run.click(self.translate, [model, to, files, seed, size, *parts], results, **working(said))
                    stop.click(self.stop, queue=False, **QUIET)

            with gr.Column():
                said = gr.HTML("", elem_id="files-status", padding=False)
                result = gr.File(label="Results", interactive=False, visible=False, elem_id="files-result")
                failed = gr.Markdown(elem_id="files-failed")

    def stop(self, request: gr.Request) -> None:
        """Stop what this visitor waits for."""
        self.sessions.cancel(request.session_hash)

    def translate(self, request: gr.Request, *given: Any) -> Iterator[list[Any]]:
        """Translate every file."""
        label, target, files, seed, size, *values = given
        paths = [Path(one) for one in files or []]
        try:
            model = self.offers.load(label)
            options = chosen(asked(self.offers, label, target, images=False), values)
            job = Job(model.target(target), int(seed or 0), None, side(size), options)
        except I2IZooError as error:
            yield [status(sentence(error), failed=True), gr.update(), "", *buttons(busy=False)]
            return
        folder = self.sessions.new_folder()
        for now in self.sessions.follow(
            request.session_hash, lambda work: translate_files(model, paths, folder, job, self.limits, work)
        ):
            if not isinstance(now, Done):
                yield [status(now), gr.update(), "", *buttons(busy=True)]
            elif now.result is None:
                yield [status(sentence(now.error), failed=True), gr.update(), "", *buttons(busy=False)]
            else:
                yield [*_shown(now.result, len(paths)), *buttons(busy=False)]


def _shown(batch: Batch, count: int) -> list[Any]:
    said = status(f"{batch.done} of {count} translated.", failed=not batch.done)
    file = gr.update(value=str(batch.file), visible=True) if batch.file else gr.update(visible=False)
    return [said, file, "\n".join(f"- {one}" for one in batch.failed)]
