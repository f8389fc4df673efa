"""The page: a model, a direction, and tabs for one image, for files, and for what the model is."""

from __future__ import annotations

from typing import Any

import gradio as gr

from i2izoo.app.files_tab import FilesTab
from i2izoo.app.image_tab import ImageTab
from i2izoo.app.jobs import Limits
from i2izoo.app.offers import Offers
from i2izoo.app.points_tab import PointsTab, editor_of
from i2izoo.app.sessions import Sessions, sentence
from i2izoo.app.widgets import QUIET
from i2izoo.errors import I2IZooError
from i2izoo.models.translator import Translator

HEAD = '<div class="i2-head"><h1>{title}</h1><p>{about}</p></div>'


class Page:
    """The page of an app.

    Args:
        offers: models.
        sessions: of visitors.
        limits: of what they may ask.
        title: of the page.
    """

    def __init__(self, offers: Offers, sessions: Sessions, limits: Limits, title: str = "i2izoo") -> None:
        self.offers, self.sessions, self.limits, self.title = offers, sessions, limits, title

    def build(self) -> gr.Blocks:
        """The page as gradio has it."""
        labels = self.offers.labels
        with gr.Blocks(title=self.title, analytics_enabled=False, delete_cache=(3600, 3600)) as page:
            gr.HTML(HEAD.format(title=self.title, about="Models that turn images into images."), padding=False)
            with gr.Row():
                model = gr.Dropdown(
                    labels, value=labels[0], label="Model", filterable=True, elem_id="model", min_width=280
                )
                to = gr.Radio([], label="Direction", interactive=True, elem_id="direction")
            line = gr.Markdown(elem_id="about")
            fetch = gr.Button("Fetch the model", visible=False)
            loaded = gr.State(0)  # how often a model was chosen
            with gr.Tabs():
                with gr.Tab("Image"):
                    ImageTab(self.offers, self.sessions, self.limits).build(model, to, loaded)
                with gr.Tab("Files") as files:
                    FilesTab(self.offers, self.sessions, self.limits).build(model, to, loaded)
                with gr.Tab("Points", visible=False) as points:
                    PointsTab(self.offers, self.sessions).build(model, loaded)
                with gr.Tab("About the model"):
                    card = gr.Markdown("", elem_id="card")
            outputs = [to, line, fetch, card, files, points, loaded]
            page.load(self.choose, [model, loaded], outputs, **QUIET)
            model.change(self.choose, [model, loaded], outputs, **QUIET)
            fetch.click(self.fetch, [model, loaded], outputs, api_visibility="private", show_progress_on=line)
            page.unload(self.leave)
        return page

    def choose(self, label: str, loaded: int) -> tuple[Any, ...]:
        """What a model offers: directions, a line about it, its card."""
        offer, none, hidden = self.offers[label], gr.update(choices=[], value=None), gr.update(visible=False)
        if not offer.here:
            return none, offer.about, gr.update(visible=True), "", hidden, hidden, loaded + 1
        try:
            model = self.offers.load(label)
        except I2IZooError as error:
            return none, sentence(error), hidden, "", hidden, hidden, loaded + 1
        ways = [(f"{source or 'nothing'} → {target}", target) for target, source in model.directions.items()]
        first = gr.update(choices=ways, value=ways[0][1])
        files = gr.update(visible=any(model.directions.values()))
        points = gr.update(visible=editor_of(model.method) is not None)
        return first, about(model, offer.about), hidden, offer.card, files, points, loaded + 1

    def fetch(self, label: str, loaded: int) -> tuple[Any, ...]:
        """Load what is not here yet."""
        try:
            self.offers.load(label)
        except I2IZooError as error:
            return gr.update(), sentence(error), gr.update(), "", gr.update(), gr.update(), loaded
        return self.choose(label, loaded)

    def leave(self, request: gr.Request) -> None:
        """A visitor has gone, and waits for nothing."""
        self.sessions.cancel(request.session_hash)


def about(model: Translator, line: str) -> str:
    """A line about a model: what it is, where it is best, its licence."""
    facts = model.config.get("provenance")
    licence = facts.get("licence") if isinstance(facts, dict) else None
    size = model.native_size
    said = [
        line,
        f"Learned at {size[1]} x {size[0]} pixels." if size else "",
        f"Licence: {licence}." if licence else "",
    ]
    return " ".join(filter(None, said))
