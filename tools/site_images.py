"""Images on pages of the site."""

from __future__ import annotations

import html

from stored import DOCS


def pairs(base: str, name: str) -> str:
    """The pairs of `docs/assets/home/NAME` side by side: `1-label-in.webp` beside `1-photo-out.webp` and so on."""
    folder = DOCS / "assets" / "home" / name
    shown = []
    for source in sorted(folder.glob("*-in.webp")):
        number, domain = source.stem.removesuffix("-in").split("-", 1)
        for result in sorted(folder.glob(f"{number}-*-out.webp")):
            target = result.stem.removesuffix("-out").split("-", 1)[1]
            pair = "".join(
                f'<img src="{base}assets/home/{name}/{path.name}" alt="{html.escape(text)}" width="256" height="256">'
                for path, text in ((source, f"input: {domain}"), (result, f"output: {target}"))
            )
            shown.append(f'<figure class="pair">{pair}<figcaption>{domain} → {target}</figcaption></figure>')
    return f'<div class="pairs">{"".join(shown)}</div>' if shown else ""


def samples(base: str, name: str) -> str:
    """The grid `docs/assets/gallery/NAME/samples.webp`: input, several samples, truth."""
    return grid(f"{base}assets/gallery/{name}/samples.webp", f"{name}: samples")


def grid(address: str, about: str) -> str:
    """A sheet of images."""
    image = f'<img src="{address}" loading="lazy" alt="{html.escape(about)}">'
    return f'<figure class="grid-of-samples">{image}</figure>'
