"""The tab for models whose images are changed by points: press where something is, then where it should be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import gradio as gr
from PIL import Image, ImageDraw

from i2izoo.app.controls import Control, chosen, control
from i2izoo.app.offers import Offers
from i2izoo.app.sessions import Sessions, sentence
from i2izoo.app.widgets import QUIET, buttons, component, status, working
from i2izoo.app.work import Done, Progress, StoppedError, Work
from i2izoo.contracts.describe import arguments
from i2izoo.contracts.editor import Edited, Editor, Point
from i2izoo.contracts.method import Method
from i2izoo.contracts.registry import registry
from i2izoo.errors import ConfigError, I2IZooError, PluginError
from i2izoo.images.writing import to_pil

SIDE = 480
"""To which small images are enlarged, so that their points can be met."""

HINT = "Press on a point of the image, and then on where it should go; as many as you like."


class PointsTab:
    """Args: see `Page`."""

    def __init__(self, offers: Offers, sessions: Sessions) -> None:
        self.offers, self.sessions = offers, sessions

    def build(self, model: Any, loaded: Any) -> None:
        """Its components and what they do."""
        points = gr.State([])
        gr.Markdown(HINT)
        with gr.Row(equal_height=False):
            with gr.Column():
                image = gr.Image(
                    type="pil", interactive=False, format="png", label="Image", elem_id="pointed", buttons=[],
                )  # fmt: skip
                with gr.Row():
                    seed = gr.Number(0, label="Seed of the image", precision=0, min_width=100, elem_id="points-seed")
                    clear = gr.Button("Clear the points", min_width=120)

                @gr.render(inputs=[model, loaded], triggers=[loaded.change], show_progress="hidden")  # type: ignore[untyped-decorator]
                def asking(label: str, _: int) -> None:
                    if (editor := self.editor(label)) is None:
                        return
                    run = gr.Button("Move", variant="primary", elem_id="move")
                    stop = gr.Button("Stop", visible=False, elem_id="stop-moving")
                    with gr.Accordion("Options", open=False), gr.Row():
                        parts = [component(one) for one in asked(editor)]
                    run.click(self.move, [model, seed, points, *parts], [said, result, run, stop], **working(said))
                    stop.click(self.stop, queue=False, **QUIET)

            with gr.Column():
                said = gr.HTML("", elem_id="points-status", padding=False)
                result = gr.Image(
                    type="pil", interactive=False, format="png", label="Moved", elem_id="moved",
                    buttons=["download", "fullscreen"],
                )  # fmt: skip
        image.select(self.press, [model, seed, points], [image, points], **QUIET)
        gr.on([clear.click, seed.change, loaded.change], self.show, [model, seed], [image, points], **QUIET)

    def editor(self, label: str) -> Editor | None:
        """What changes the images of a model; None: nothing does."""
        return editor_of(self.offers.load(label).method) if self.offers[label].here else None

    def show(self, label: str, seed: Any) -> tuple[Any, list[Point]]:
        """The image of a seed, without points."""
        editor = self.editor(label)
        if editor is None:
            return None, []
        return marked(to_pil(editor.image(self.offers.load(label), int(seed or 0))[0]), []), []

    def press(self, event: gr.SelectData, label: str, seed: Any, points: list[Point]) -> tuple[Any, list[Point]]:
        """One point more: by turns one of the image, and where it is to go."""
        editor = self.editor(label)
        if editor is None:
            return None, []
        image = to_pil(editor.image(self.offers.load(label), int(seed or 0))[0])
        x, y = event.index
        points = [*points, (x / scale(image), y / scale(image))]
        return marked(image, points), points

    def stop(self, request: gr.Request) -> None:
        """Stop what this visitor waits for."""
        self.sessions.cancel(request.session_hash)

    def move(self, request: gr.Request, *given: Any) -> Iterator[list[Any]]:
        """Move the points, and show each step."""
        label, seed, points, *values = given
        try:
            editor = self.editor(label)
            if editor is None or len(points) < 2 or len(points) % 2:
                raise ConfigError("press on a point of the image, and then on where it should go.")
            options = chosen(asked(editor), values)
            model = self.offers.load(label)
        except I2IZooError as error:
            yield [status(sentence(error), failed=True), gr.update(), *buttons(busy=False)]
            return
        steps: list[Edited] = []

        def work(work: Work) -> bool:
            moving = editor.steps(model, int(seed or 0), points=points[::2], targets=points[1::2], **options)
            for now in moving:
                steps.append(now)
                work.tell(now.said, now.share)
            return True

        for now in self.sessions.follow(request.session_hash, work):
            shown = _after(steps[-1], points[1::2]) if steps else gr.update()
            if isinstance(now, Progress):
                yield [status(now), shown, *buttons(busy=True)]
            elif isinstance(now, Done) and (now.error is None or (steps and isinstance(now.error, StoppedError))):
                yield [status(steps[-1].said if steps else "Done."), shown, *buttons(busy=False)]
            else:
                yield [status(sentence(now.error), failed=True), shown, *buttons(busy=False)]


def editor_of(method: Method) -> Editor | None:
    """The first editor of the registry that changes a method's images; one that cannot be imported is passed over."""
    for name in registry("editors").names():
        try:
            kind = registry("editors").get(name)
        except PluginError:
            continue
        if kind.edits(method):
            return kind()
    return None


def asked(editor: Editor) -> list[Control]:
    """The controls of an editor's options."""
    about = arguments(editor.steps.__doc__)
    return [control(name, option, about.get(name, "")) for name, option in editor.options().items()]


def scale(image: Image.Image) -> int:
    """By how much an image is enlarged.

    >>> scale(Image.new("L", (64, 32))), scale(Image.new("L", (1024, 1024)))
    (7, 1)
    """
    return max(1, SIDE // max(image.size))


def marked(image: Image.Image, points: Sequence[Point]) -> Image.Image:
    """The image, enlarged, with its points (white) and where they go (orange), and lines between them."""
    by = scale(image)
    shown = image.convert("RGB").resize((image.width * by, image.height * by), Image.Resampling.NEAREST)
    draw, radius = ImageDraw.Draw(shown), max(4, max(shown.size) // 80)
    places = [((x + 0.5) * by, (y + 0.5) * by) for x, y in points] if by > 1 else [*points]
    for start, end in zip(places[::2], places[1::2], strict=False):
        draw.line([start, end], fill="white", width=max(2, radius // 2))
    for number, (x, y) in enumerate(places):
        colour = "#ff6a3d" if number % 2 else "white"
        draw.ellipse([x - radius, y - radius, x + radius, y + radius], fill=colour, outline="#14193a", width=2)
    return shown


def _after(now: Edited, targets: Sequence[Point]) -> Image.Image:
    """The image as it is now, with the points where they are and where they go."""
    pairs = [place for both in zip(now.points, targets, strict=True) for place in both]
    return marked(to_pil(now.image[0]), pairs)
