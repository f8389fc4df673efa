"""The tab for one image: what goes in, what it is asked for, and what comes out, beside each other."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from i2izoo.app import jobs
from i2izoo.app.asking import asked, model_of
from i2izoo.app.controls import chosen
from i2izoo.app.jobs import Job, Limits, side
from i2izoo.app.offers import Offers
from i2izoo.app.painting import painted, paints
from i2izoo.app.sessions import Sessions, sentence
from i2izoo.app.widgets import QUIET, buttons, canvas, component, image_file, status, working
from i2izoo.app.work import Done, Work
from i2izoo.errors import I2IZooError, ImageError
from i2izoo.models.translator import Translator

SHOWN = 2048
"""Side of the largest image that is shown; the file has all of it."""


class ImageTab:
    """Args: see `Page`."""

    def __init__(self, offers: Offers, sessions: Sessions, limits: Limits) -> None:
        self.offers, self.sessions, self.limits = offers, sessions, limits

    def build(self, model: Any, to: Any, loaded: Any) -> None:
        """Its components and what they do."""
        with gr.Row(equal_height=False):
            with gr.Column():
                image = image_file(height=340, label="Image", elem_id="image", interactive=True)
                drawn = canvas(
                    label="Image: paint what is to be filled", interactive=True, height=440, visible=False,
                    elem_id="canvas",
                )  # fmt: skip
                examples = gr.Gallery(
                    label="Examples", columns=6, allow_preview=False, interactive=False, buttons=[], visible=False,
                    elem_id="examples", fit_columns=False, object_fit="contain", height="auto",
                )  # fmt: skip
                with gr.Row():
                    samples = gr.Slider(
                        1, self.limits.images, value=1, step=1, label="Samples", visible=False, min_width=200
                    )
                    seed = gr.Number(0, label="Seed", precision=0, min_width=100, elem_id="seed")
                    size = gr.Textbox(
                        label="Size in pixels", placeholder="as it is", max_lines=1, min_width=110, elem_id="size"
                    )

                @gr.render(inputs=[model, to, loaded], triggers=[to.input, loaded.change], show_progress="hidden")  # type: ignore[untyped-decorator]
                def asking(label: str, target: str | None, _: int) -> None:
                    if not (found := model_of(self.offers, label, target)):
                        return
                    nothing, options = found.directions[str(target)] is None, asked(self.offers, label, target)
                    with gr.Row():
                        words = "Generate" if nothing else "Translate"
                        run = gr.Button(words, variant="primary", elem_id="run", scale=3)
                        dice = gr.Button("New seed", min_width=130, elem_id="dice")
                    stop = gr.Button("Stop", visible=False, elem_id="stop")
                    more = gr.Accordion("Options of the method", open=False, elem_id="options", visible=bool(options))
                    with more, gr.Row():
                        parts = [component(one) for one in options]
                    inputs = [model, to, image, drawn, samples, seed, size, *parts]
                    run.click(self.translate, inputs, [*results, run, stop], **working(said))
                    stop.click(self.stop, queue=False, **QUIET)
                    dice.click(lambda: random.randrange(2**31), outputs=seed, **QUIET)

            with gr.Column():
                said = gr.HTML("", elem_id="status", padding=False)
                pair = gr.ImageSlider(
                    label="Before and after", interactive=False, visible=False, format="png", elem_id="pair"
                )
                sheet = gr.Gallery(
                    label="Results", visible=False, format="png", interactive=False, columns=2, elem_id="sheet",
                    height="auto", buttons=["download", "fullscreen"],
                )  # fmt: skip
                file = gr.File(label="The whole result", visible=False, interactive=False)
                code = gr.Code(
                    label="The same in Python", language="python", visible=False, interactive=False, elem_id="code"
                )
        results = [said, pair, sheet, file, code]
        examples.select(self.pick, [model, to], [image, drawn], **QUIET)
        shown = [image, drawn, examples, samples]
        gr.on([to.input, loaded.change], self.prepare, [model, to], shown, **QUIET)

    def prepare(self, label: str, target: str | None) -> list[Any]:
        """Show what goes in: an image, a canvas, or nothing."""
        hidden = gr.update(visible=False)
        if not (model := model_of(self.offers, label, target)):
            return [hidden] * 4
        source, painting = model.directions[str(target)], paints(model, str(target))
        nothing, found = source is None, self.offers[label].examples(source)
        return [
            gr.update(visible=not nothing and not painting, label=f"Image: {source}"),
            gr.update(visible=painting),
            gr.update(visible=bool(found) and not nothing, value=[str(path) for path in found]),
            gr.update(visible=nothing or model.method.samples, label="How many" if nothing else "Samples", value=1),
        ]

    def pick(self, event: gr.SelectData, label: str, target: str) -> tuple[Any, Any]:
        """Take an example."""
        model = self.offers.load(label)
        path = str(self.offers[label].examples(model.directions[target])[int(event.index)])
        if not paints(model, target):
            return path, gr.update()
        return gr.update(), {"background": path, "layers": [], "composite": path}

    def stop(self, request: gr.Request) -> None:
        """Stop what this visitor waits for."""
        self.sessions.cancel(request.session_hash)

    def translate(self, request: gr.Request, *given: Any) -> Iterator[list[Any]]:
        """Do what is asked, and show it."""
        label, target, path, drawn, samples, seed, size, *values = given
        still, ended = [gr.update()] * 4, buttons(busy=False)
        try:
            model = self.offers.load(label)
            nothing = model.directions[model.target(target)] is None
            options = chosen(asked(self.offers, label, target), values)
            image = None if nothing else _input(model, target, path, drawn, options)
            several = nothing or (model.method.samples and samples > 1)
            job = Job(target, int(seed or 0), int(samples) if several else None, side(size), options)
        except I2IZooError as error:
            yield [status(sentence(error), failed=True), *still, *ended]
            return

        def work(work: Work) -> list[Any]:
            if image is None:
                return jobs.generate(model, job, self.limits, work)
            return jobs.translate(model, image, job, self.limits, work)

        for now in self.sessions.follow(request.session_hash, work):
            if not isinstance(now, Done):
                yield [status(now), *still, *buttons(busy=True)]
            elif now.result is None:
                yield [status(sentence(now.error), failed=True), *still, *ended]
            else:
                code = gr.update(value=job.code(self.offers[label].shown, model), visible=True)
                yield [status("Done."), *self._shown(image, now.result), code, *ended]

    def _shown(self, image: Any, found: list[Any]) -> list[Any]:
        """Slider, sheet and file."""
        hidden = gr.update(visible=False)
        if len(found) > 1 or image is None:
            return [hidden, gr.update(value=found, visible=True, columns=min(4, max(2, len(found)))), hidden]
        (after,) = found
        whole = hidden
        if max(after.size) > SHOWN:
            place = self.sessions.new_folder() / "result.png"
            after.save(place)
            whole = gr.update(value=str(place), visible=True)
        before = jobs.viewable(image)
        return [gr.update(value=(_thumbnail(before), _thumbnail(after)), visible=True), hidden, whole]


def _input(model: Translator, target: str, path: str | None, drawn: Any, options: dict[str, Any]) -> Any:
    """The image that is meant, and what is painted on it as the option `mask`."""
    if not paints(model, target):
        if path is None:
            raise ImageError("choose an image first.")
        return Path(path)
    image, mask = painted(drawn)
    if mask is not None:
        options["mask"] = mask
    return image


def _thumbnail(image: Any) -> Any:
    if max(image.size) > SHOWN:
        image = image.copy()
        image.thumbnail((SHOWN, SHOWN))
    return image
