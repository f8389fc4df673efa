"""The bridge to diffusers: tiny random pipelines of the real classes, from folders and through the loopback Hub.

What is expected is what diffusers itself gives, called with the same images, words and generators.
"""

import importlib
import json
import shutil
from functools import partial

import diffusers
import numpy as np
import pytest
import torch
from diffusers.utils import BaseOutput
from hub_server import connected
from i2izoo_diffusion.pipelines.options import Options
from PIL import Image
from tiny_pipelines import write

import i2izoo
from i2izoo.cli.main import main
from i2izoo.contracts.registry import registry
from i2izoo.errors import ConfigError, HubError, ImageError, OptionTypeError, StorageError, TrainingError
from i2izoo.files.formats import foreign_index, needed_files
from i2izoo.nn.random import derive_seed
from i2izoo.testing import methods as rules
from i2izoo.testing.subject import NotApplicable, Subject

pytestmark = [
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore:Use 'content=<...>' to upload:DeprecationWarning"),
]
RANDOM = np.random.default_rng(0)
IMAGE = RANDOM.integers(0, 256, (32, 48, 3), dtype=np.uint8)
ODD = RANDOM.integers(0, 256, (30, 33, 3), dtype=np.uint8)
MASK = np.zeros((32, 48), np.uint8)
MASK[8:20, 10:30] = 255
PROMPT = "a photo of a cat"


@pytest.fixture(scope="module")
def folder_of(tmp_path_factory):
    """Kind of pipeline -> its folder, written once."""
    root, written = tmp_path_factory.mktemp("pipelines"), {}

    def folder(kind):
        if kind not in written:
            written[kind] = write(kind, root / kind)
        return written[kind]

    return folder


@pytest.fixture(scope="module")
def model_of(folder_of):
    """Kind of pipeline -> the translator, loaded once."""
    loaded = {}

    def model(kind):
        if kind not in loaded:
            loaded[kind] = i2izoo.load(folder_of(kind))
        return loaded[kind]

    return model


def generator(seed=0, index=0, sample=0):
    """What the translator gives a row of a call."""
    return torch.Generator().manual_seed(derive_seed(seed, index, sample))


def directly(kind, folder, **arguments):
    """One image of the pipeline itself, H x W x C in 8 bits."""
    pipeline = getattr(diffusers, kind).from_pretrained(folder)
    pipeline.set_progress_bar_config(disable=True)
    image = pipeline(output_type="np", **{"generator": generator(), **arguments}).images[0]
    return np.rint(image * 255)


def same(found, expected):
    """To one level: what diffusers rounds half to even may be rounded up here."""
    assert found.shape == expected.shape
    assert found.dtype == np.uint8
    assert np.abs(found.astype(float) - expected).max() <= 1
    assert expected.std() > 1  # a flat image would prove nothing
    return True


# ------------------------------------------------------------------------------------------- as diffusers itself gives


@pytest.mark.parametrize(
    ("kind", "pipeline", "options", "arguments"),
    [
        (
            "text-to-image",
            "StableDiffusionImg2ImgPipeline",
            {"strength": 0.6, "guidance": 3.0, "negative_prompt": "a red house"},
            {"strength": 0.6, "guidance_scale": 3.0, "negative_prompt": "a red house"},
        ),
        ("sdxl", "StableDiffusionXLImg2ImgPipeline", {"strength": 0.6}, {"strength": 0.6}),
        ("sd3", "StableDiffusion3Img2ImgPipeline", {"strength": 0.6}, {"strength": 0.6, "height": 32, "width": 48}),
        ("lcm", "LatentConsistencyModelImg2ImgPipeline", {"strength": 0.9}, {"strength": 0.9}),
        (
            "instruct",
            "StableDiffusionInstructPix2PixPipeline",
            {"image_guidance_scale": 2.0},
            {"image_guidance_scale": 2.0},
        ),
        ("controlnet", "StableDiffusionControlNetPipeline", {"num_inference_steps": 4, "steps": None}, {}),
    ],
)
def test_pipelines_with_a_prompt(model_of, folder_of, kind, pipeline, options, arguments):
    found = model_of(kind)(IMAGE, **{"prompt": PROMPT, "steps": 4, **options})
    expected = directly(
        pipeline, folder_of(kind), prompt=PROMPT, image=Image.fromarray(IMAGE), num_inference_steps=4, **arguments
    )
    assert model_of(kind).method.name == pipeline
    assert same(found, expected)


@pytest.mark.parametrize("kind", ["inpainting", "text-to-image"])
def test_a_mask_says_what_is_filled(model_of, folder_of, kind):
    """By the inpainting pipeline of the repository, or the one that its components can become."""
    found = model_of(kind)(IMAGE, prompt=PROMPT, mask=MASK, steps=4)
    expected = directly(
        "StableDiffusionInpaintPipeline", folder_of(kind), prompt=PROMPT, image=Image.fromarray(IMAGE),
        mask_image=Image.fromarray(MASK), height=32, width=48, num_inference_steps=4,
    )  # fmt: skip
    assert same(found, expected)


def test_super_resolution_gives_a_larger_image(model_of, folder_of):
    small = RANDOM.integers(0, 256, (32, 64, 3), dtype=np.uint8)
    found = model_of("super-resolution")(small, steps=3)
    expected = directly(
        "LDMSuperResolutionPipeline", folder_of("super-resolution"), image=Image.fromarray(small), num_inference_steps=3
    )
    assert found.shape == (128, 256, 3)
    assert same(found, expected)
    assert model_of("super-resolution")(small[:30, :33], steps=1).shape == (120, 132, 3)


def test_a_whole_number_serves_where_a_pipeline_wants_a_float(model_of):
    """diffusers itself refuses 2 as this one."""
    two, exactly = (
        model_of("controlnet")(IMAGE, prompt="", steps=2, controlnet_conditioning_scale=s) for s in (2, 2.0)
    )
    assert (two == exactly).all()


def test_embeddings_are_no_texts():
    """One is declared as text in diffusers."""
    options = Options.of(diffusers.Flux2KleinPipeline)
    assert "negative_prompt_embeds" in options.arguments
    assert "negative_prompt_embeds" not in options.parameters()


def test_kontext_edits_at_the_size_of_the_input(model_of, folder_of):
    options = {"prompt": PROMPT, "_auto_resize": False, "max_area": 32 * 48}
    found = model_of("kontext")(IMAGE, steps=2, **options)
    expected = directly(
        "FluxKontextPipeline", folder_of("kontext"), image=Image.fromarray(IMAGE), num_inference_steps=2, height=32,
        width=48, **options,
    )  # fmt: skip
    assert same(found, expected)
    # whatever size the pipeline prefers, the result has that of the input
    assert model_of("kontext")(ODD, steps=1, **{**options, "max_area": 64 * 64}).shape == ODD.shape


@pytest.fixture
def small_qwen(monkeypatch):
    """2048 pixels in place of the megapixel that Qwen's pipelines edit at."""
    for name in ("edit", "edit_plus", "edit_inpaint"):
        module = importlib.import_module(f"diffusers.pipelines.qwenimage.pipeline_qwenimage_{name}")
        of = module.calculate_dimensions
        monkeypatch.setattr(module, "calculate_dimensions", lambda area, ratio, of=of: of(64 * 32, ratio))


@pytest.mark.parametrize(
    ("kind", "pipeline"),
    [("qwen-edit", "QwenImageEditPipeline"), ("qwen-edit-plus", "QwenImageEditPlusPipeline")],
)
def test_qwen_edits_at_its_own_size(small_qwen, model_of, folder_of, kind, pipeline):
    wide = RANDOM.integers(0, 256, (32, 64, 3), dtype=np.uint8)
    options = {"prompt": PROMPT, "negative_prompt": "a red house", "true_cfg_scale": 3.0}
    found = model_of(kind)(wide, steps=2, **options)
    assert same(
        found, directly(pipeline, folder_of(kind), image=Image.fromarray(wide), num_inference_steps=2, **options)
    )
    for other in ({"prompt": "a dog"}, {"true_cfg_scale": 1.0}):
        assert np.abs(found - model_of(kind)(wide, steps=2, **{**options, **other}).astype(float)).max() > 1
    # an image of another size is edited at the size that the pipeline prefers, and scaled back
    double = wide.repeat(2, 0).repeat(2, 1)
    expected = directly(pipeline, folder_of(kind), image=Image.fromarray(double), num_inference_steps=2, **options)
    found = model_of(kind)(double, steps=2, **options)
    assert expected.shape == (32, 64, 3)
    assert found.shape == double.shape
    assert np.abs(found.reshape(32, 2, 64, 2, 3).mean((1, 3)) - expected).mean() < 0.2 * expected.std()
    assert model_of(kind)(ODD, steps=1, prompt="").shape == ODD.shape


def test_qwen_fills_a_mask(small_qwen, model_of, folder_of):
    wide = RANDOM.integers(0, 256, (32, 64, 3), dtype=np.uint8)
    mask = np.pad(MASK, ((0, 0), (0, 16)))
    found = model_of("qwen-edit")(wide, prompt=PROMPT, mask=mask, steps=4, strength=0.8)
    expected = directly(
        "QwenImageEditInpaintPipeline", folder_of("qwen-edit"), prompt=PROMPT, image=Image.fromarray(wide),
        mask_image=Image.fromarray(mask), num_inference_steps=4, strength=0.8,
    )  # fmt: skip
    assert same(found, expected)
    with pytest.raises(ConfigError, match="QwenImageEditPipeline has no option 'strength'"):  # but without a mask
        model_of("qwen-edit")(wide, prompt=PROMPT, strength=0.8)


def test_repaint_fills_what_is_white_as_others_do(model_of, folder_of):
    square = IMAGE[:, :32]
    jumps = {"jump_length": 2, "jump_n_sample": 2}
    found = model_of("repaint")(square, mask=MASK[:, :32], steps=6, **jumps)
    expected = directly(
        "RePaintPipeline", folder_of("repaint"), image=Image.fromarray(square), num_inference_steps=6, **jumps,
        mask_image=Image.fromarray(255 - MASK[:, :32]),
    )  # fmt: skip
    assert same(found, expected)
    assert model_of("repaint")(ODD, mask=MASK[:30, :33], steps=2, **jumps).shape == ODD.shape


def test_a_model_of_images_alone_generates_at_its_own_size_and_others(model_of, folder_of):
    """DDIM with eta 0 draws its first noise and no other; the noise is derived anew from the clipped image."""
    noise = torch.Generator().manual_seed(derive_seed(derive_seed(0, 0, 0), "noise"))
    assert model_of("ddim").directions == {"image": None}
    (found,) = model_of("ddim").generate(steps=5, output="array")
    expected = directly(
        "DDIMPipeline", folder_of("ddim"), num_inference_steps=5, generator=noise, use_clipped_model_output=True
    )
    assert same(found, expected)
    assert model_of("ddpm").generate(size=ODD.shape[:2], steps=3, output="array").shape == (1, *ODD.shape)


def test_strength_starts_a_model_of_images_from_one(model_of):
    near, far = (
        model_of("ddpm").generate(start=IMAGE, steps=50, strength=s, output="array")[0].astype(float)
        for s in (0.02, 1.0)
    )
    assert np.abs(near - IMAGE).mean() < 0.3 * np.abs(far - IMAGE).mean()


# ------------------------------------------------------------------------------------------------- images and seeds


def test_rows_have_their_own_generator_prompt_and_mask(model_of):
    model = model_of("text-to-image")
    prompts, masks = ["a red cat", "a blue dog"], [MASK, 255 - MASK]
    together = model([IMAGE, IMAGE], prompt=prompts, mask=masks, steps=3, seed=5)
    one_by_one = model([IMAGE, IMAGE], prompt=prompts, mask=masks, steps=3, seed=5, batch_size=1)
    for a, b in zip(together, one_by_one, strict=True):
        assert np.abs(a.astype(float) - b).max() <= 1
    assert (together[0] != together[1]).any()
    with pytest.raises(ConfigError, match="option 'prompt' has 1 value for 2 images"):
        model([IMAGE, IMAGE], prompt=["a cat"], steps=1)


@pytest.mark.parametrize("kind", ["controlnet", "qwen-edit", "ddpm"])
def test_samples_differ_and_repeat(small_qwen, model_of, kind):
    model = model_of(kind)

    def two():
        if kind == "ddpm":
            return model.generate(2, size=IMAGE.shape[:2], steps=2, seed=1, output="array")
        return model(IMAGE, samples=2, steps=2, seed=1, prompt=PROMPT)

    first, second = two()
    assert (first != second).any()
    assert (two()[1] == second).all()


@pytest.mark.parametrize("kind", ["text-to-image", "sd3", "instruct", "controlnet", "inpainting"])
def test_any_size_comes_back_at_its_size(model_of, kind):
    mask = {"mask": MASK[:30, :33]} if kind == "inpainting" else {}
    assert model_of(kind)(ODD, prompt=PROMPT, steps=2, **mask).shape == ODD.shape
    pixel = {"mask": MASK[:1, :1]} if kind == "inpainting" else {}
    assert model_of(kind)(ODD[:1, :1], prompt=PROMPT, steps=2, **pixel).shape == (1, 1, 3)


def test_dtype_and_device_are_those_of_load(folder_of):
    model = i2izoo.load(folder_of("ddim"), dtype=torch.bfloat16, device="cpu")
    assert {p.dtype for p in model.method.parameters()} == {torch.bfloat16}
    assert model.generate(steps=1, output="array").dtype == np.uint8
    with pytest.raises(ConfigError, match="dtype"):
        i2izoo.load(folder_of("ddim"), dtype=torch.int32)


# ------------------------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("kind", "options", "error", "words"),
    [
        ("text-to-image", {}, ConfigError, r'Img2ImgPipeline wants a prompt: give prompt="\.\.\."'),
        ("inpainting", {"prompt": PROMPT}, ConfigError, "InpaintPipeline wants a mask: give mask="),
        ("qwen-edit", {}, ConfigError, r'QwenImageEditPipeline wants a prompt: give prompt="\.\.\."'),
        ("text-to-image", {"promt": "x"}, ConfigError, "no option 'promt'; did you mean 'prompt'"),
        ("instruct", {"prompt": PROMPT, "mask": MASK}, ConfigError, "no option 'mask'.* Allowed: .*image_guidance"),
        ("instruct", {"prompt": PROMPT, "latents": 1}, ConfigError, "no option 'latents'"),
        ("text-to-image", {"prompt": 3}, OptionTypeError, "'prompt' wants a text"),
        ("text-to-image", {"prompt": "", "strength": "much"}, OptionTypeError, "'strength'.* wants float"),
        ("text-to-image", {"prompt": "", "strength": 1.5}, ConfigError, "refuses: .*strength"),
        ("text-to-image", {"prompt": "", "steps": 3, "num_inference_steps": 2}, ConfigError, "are one option"),
        ("text-to-image", {"prompt": "", "mask": MASK[:9]}, ConfigError, "mask is 9 x 48 pixels .* image 32 x 48"),
        ("text-to-image", {"prompt": "", "mask": "no.png"}, ImageError, "no.png"),
        ("ddpm", {"prompt": "x"}, ConfigError, "no option 'prompt'"),
        ("ddpm", {"start": IMAGE, "strength": 0.0}, ConfigError, "strength is above 0"),
        ("ddpm", {"strength": 0.5}, ConfigError, "give both of them"),
        ("ddpm", {"start": IMAGE}, ConfigError, "give both of them"),
    ],
)
def test_mistakes_in_a_call(model_of, kind, options, error, words):
    call = model_of(kind).generate if kind == "ddpm" else partial(model_of(kind), IMAGE)
    with pytest.raises(error, match=words) as caught:
        call(**options)
    assert "\n" not in str(caught.value)


def changed(folder, place, **index):
    """A copy with another model_index.json."""
    shutil.copytree(folder, place)
    content = json.loads((place / "model_index.json").read_text())
    (place / "model_index.json").write_text(json.dumps(content | index))
    return place


@pytest.mark.parametrize(
    ("index", "words"),
    [
        ({"_class_name": ["my_pipeline", "MyPipeline"]}, "asks for code .*pipeline: my_pipeline.MyPipeline"),
        ({"_class_name": "NoSuchPipeline"}, "asks for code .*NoSuchPipeline.* upgrade diffusers"),
        ({"unet": ["my_unet", "MyUNet"]}, "asks for code .*unet: my_unet.MyUNet"),
        ({"unet": ["os", "system"]}, "asks for code .*os.system"),
    ],
)
def test_custom_code_is_refused(folder_of, tmp_path, index, words):
    place = changed(folder_of("ddim"), tmp_path / "custom", **index)
    for name in ("my_pipeline.py", "unet/my_unet.py"):
        (place / name).write_text("raise SystemExit('code of the repository ran')")
    with pytest.raises(StorageError, match=words):
        i2izoo.load(place)


def test_auto_map_is_refused(folder_of, tmp_path):
    place = changed(folder_of("ddim"), tmp_path / "auto")
    config = json.loads((place / "unet/config.json").read_text())
    (place / "unet/config.json").write_text(json.dumps(config | {"auto_map": {"AutoModel": "x.Y"}}))
    with pytest.raises(StorageError, match=r"asks for code .*unet: auto_map in config\.json"):
        i2izoo.load(place)


def test_pickles_are_refused(folder_of, tmp_path):
    place = changed(folder_of("ddim"), tmp_path / "pickled")
    weights = place / "unet/diffusion_pytorch_model.safetensors"
    weights.rename(weights.with_suffix(".bin"))
    with pytest.raises(StorageError, match=r"unet as a pickle only \(unet/diffusion_pytorch_model.bin\)"):
        i2izoo.load(place)


def test_folders_that_are_not_whole(folder_of, tmp_path):
    place = changed(folder_of("ddim"), tmp_path / "part")
    (place / "unet/diffusion_pytorch_model.safetensors").unlink()
    with pytest.raises(StorageError, match="cannot be loaded as DDIMPipeline: "):
        i2izoo.load(place)
    (place / "model_index.json").write_text("{")
    with pytest.raises(StorageError, match="cannot be read"):
        i2izoo.load(place)


def test_a_pipeline_that_takes_no_image_is_refused(folder_of, tmp_path):
    place = changed(folder_of("ddim"), tmp_path / "none", _class_name="ConsistencyModelPipeline")
    with pytest.raises(ConfigError, match="ConsistencyModelPipeline, which takes no image"):
        i2izoo.load(place)


@pytest.mark.parametrize(
    ("name", "what"), [("StableVideoDiffusionPipeline", "frames"), ("MarigoldDepthPipeline", "prediction")]
)
def test_a_pipeline_that_gives_no_image_is_refused(folder_of, tmp_path, name, what):
    place = changed(folder_of("ddim"), tmp_path / "none", _class_name=name)
    with pytest.raises(ConfigError, match=f"{name}, which gives no images, but .*{what}"):
        i2izoo.load(place)


def test_what_a_pipeline_gives_is_found_by_its_name_and_shape(folder_of, monkeypatch):
    """One of Kandinsky 5 calls its images `image`, Qwen 2.1 gives them with alpha, and another one in layers."""
    kind = diffusers.StableDiffusionInstructPix2PixPipeline
    model, call = i2izoo.load(folder_of("instruct")), kind.__call__

    def found(name, change):
        given = lambda *args, **arguments: BaseOutput({name: change(call(*args, **arguments).images)})  # noqa: E731
        monkeypatch.setattr(kind, "__call__", given)
        return model(IMAGE, prompt=PROMPT, steps=2)

    expected = found("images", lambda images: images)
    assert (found("image", lambda images: images) == expected).all()
    half = found("images", lambda images: np.pad(images, [(0, 0)] * 3 + [(0, 1)], constant_values=0.5))
    assert same(half, (expected + 255.0) / 2)  # over white
    with pytest.raises(ConfigError, match="gives 2 x 32 x 48 x 3 numbers where an image of 3 channels is wanted"):
        found("images", lambda images: [np.stack([image, image]) for image in images])
    with pytest.raises(ConfigError, match="gives no images, but texts"):
        found("texts", lambda images: ["a cat"])


def test_a_library_that_is_not_installed_is_named(folder_of, monkeypatch):
    from diffusers.utils import DummyObject

    class Missing(metaclass=DummyObject):
        _backends = ("torch", "transformers")

    monkeypatch.setattr(diffusers, "StableDiffusionPipeline", Missing)
    with pytest.raises(StorageError, match=r"StableDiffusionPipeline needs torch, transformers: .*pip install"):
        i2izoo.load(folder_of("text-to-image"))


def test_a_controlnet_that_changes_a_image_wants_both(model_of, folder_of, tmp_path):
    name = "StableDiffusionControlNetImg2ImgPipeline"
    model = i2izoo.load(changed(folder_of("controlnet"), tmp_path / "both", _class_name=name))
    assert model.directions == {"image": "image"}
    assert model_of("controlnet").directions == {"image": "control"}
    found = model(IMAGE, prompt=PROMPT, control_image=IMAGE[::-1], steps=4)
    expected = directly(
        name, tmp_path / "both", prompt=PROMPT, image=Image.fromarray(IMAGE), num_inference_steps=4,
        control_image=Image.fromarray(IMAGE[::-1]),
    )  # fmt: skip
    assert same(found, expected)
    with pytest.raises(ConfigError, match="give control_image="):
        model(IMAGE, prompt=PROMPT)


def test_several_controlnets_take_a_image_each_or_one(model_of, folder_of):
    kind, name = "two-controlnets", "StableDiffusionControlNetPipeline"
    model = model_of(kind)
    other, scales = IMAGE[::-1].copy(), {"controlnet_conditioning_scale": [0.5, 2.0]}
    for further, second in (({"control_image_2": other}, other), ({}, IMAGE)):
        found = model(IMAGE, prompt=PROMPT, steps=4, **scales, **further)
        expected = directly(
            name, folder_of(kind), prompt=PROMPT, image=[Image.fromarray(p) for p in (IMAGE, second)],
            num_inference_steps=4, **scales,
        )  # fmt: skip
        assert same(found, expected)
    assert model.directions == {"image": "control"}
    words = {"prompt": PROMPT, "steps": 2, "seed": 1}
    rows = model([IMAGE, other], control_image_2=[other, IMAGE], **words)
    assert (rows[0] == model(IMAGE, control_image_2=other, **words)).all()
    assert (rows[0] != rows[1]).any()
    with pytest.raises(ConfigError, match="no option 'control_image_3'; did you mean 'control_image_2'"):
        model(IMAGE, prompt=PROMPT, control_image_3=other)


def test_several_controlnets_that_change_a_image(folder_of, tmp_path):
    name = "StableDiffusionControlNetImg2ImgPipeline"
    model = i2izoo.load(changed(folder_of("two-controlnets"), tmp_path / "both", _class_name=name))
    first, second = IMAGE[::-1].copy(), IMAGE[:, ::-1].copy()
    found = model(IMAGE, prompt=PROMPT, control_image=first, control_image_2=second, steps=4)
    expected = directly(
        name, tmp_path / "both", prompt=PROMPT, image=Image.fromarray(IMAGE), num_inference_steps=4,
        control_image=[Image.fromarray(first), Image.fromarray(second)],
    )  # fmt: skip
    assert same(found, expected)
    together = model([first, IMAGE], prompt=PROMPT, control_image=first, control_image_2=second, steps=4)
    assert together[1].shape == IMAGE.shape
    with pytest.raises(ConfigError, match="give control_image="):
        model(IMAGE, prompt=PROMPT, control_image_2=second)


def test_a_union_controlnet_takes_the_rows_of_a_batch_one_by_one(model_of, folder_of):
    """A list would be drawings of several kinds for one image."""
    model, images = model_of("union-controlnet"), [IMAGE, IMAGE[::-1].copy()]
    words = {"prompt": PROMPT, "control_mode": 3}
    for index, found in enumerate(model(images, steps=2, **words)):
        expected = directly(
            "StableDiffusionXLControlNetUnionPipeline", folder_of("union-controlnet"), num_inference_steps=2, **words,
            control_image=Image.fromarray(images[index]), generator=generator(index=index),
        )  # fmt: skip
        assert same(found, expected)


def test_it_does_not_train(model_of):
    for attempt in (model_of("ddim").method.optimizers, lambda: next(model_of("ddim").method.training_step(None))):
        with pytest.raises(TrainingError, match="only translates"):
            attempt()


# ---------------------------------------------------------------------------------------------------------- the files


def test_which_files_are_needed():
    index = {"_class_name": "X", "unet": ["diffusers", "U"], "text": ["transformers", "T"], "safety": [None, None]}
    both = ["unet/diffusion_pytorch_model.safetensors", "unet/diffusion_pytorch_model.fp16.safetensors"]
    sharded = [f"text/model.fp16-0000{i}-of-00002.safetensors" for i in (1, 2)]
    texts = ["unet/config.json", "text/config.json"]
    others = ["unet/diffusion_pytorch_model.bin", "text/model.onnx", "safety/config.json", "other/config.json", "x.py"]
    lora = ["unet/pytorch_lora_weights.safetensors", "whole-model.safetensors"]
    assert set(needed_files(index, [*both, *sharded, *texts, *others, *lora], "it")) == {both[0], *sharded, *texts}
    first, second, other = (f"{place}/config.json" for place in ("net", "net_1", "unet_1"))
    index = {"unet": ["diffusers", "U"], "net": ["pipelines.controlnet.multicontrolnet", "MultiControlNetModel"]}
    assert set(needed_files(index, [first, second, other], "it")) == {first, second}
    assert foreign_index([*texts, "model_index.json", "config.json", "model.safetensors"]) is None  # is ours


def test_half_precision_copies_serve_where_there_are_no_others(folder_of, tmp_path):
    pipeline = diffusers.DDIMPipeline.from_pretrained(folder_of("ddim"))
    pipeline.save_pretrained(tmp_path / "fp16", variant="fp16")
    assert (tmp_path / "fp16/unet/diffusion_pytorch_model.fp16.safetensors").is_file()
    assert i2izoo.load(tmp_path / "fp16").generate(size=IMAGE.shape[:2], steps=1)[0].size == IMAGE.shape[1::-1]


@pytest.mark.parametrize("kind", ["text-to-image", "two-controlnets", "qwen-edit"])
def test_what_is_saved_opens_here_and_in_diffusers(small_qwen, model_of, tmp_path, kind):
    model = model_of(kind)
    expected = model(IMAGE, prompt=PROMPT, steps=2)
    place = model.save_pretrained(tmp_path / "saved")
    again = i2izoo.load(place)
    assert (again(IMAGE, prompt=PROMPT, steps=2) == expected).all()
    pipeline = diffusers.DiffusionPipeline.from_pretrained(place)
    assert type(pipeline).__name__ == model.method.name
    assert not list(place.rglob("*.bin"))
    assert 'prompt="' in (place / "README.md").read_text()
    again.save_pretrained(place, dtype=torch.float16)  # onto itself, which it was read from
    state = i2izoo.load(place).method.state_dict()
    for name, value in model.method.state_dict().items():
        assert torch.equal(value.half().float() if value.is_floating_point() else value, state[name])


def test_a_copy_keeps_the_licence(folder_of, tmp_path):
    place = changed(folder_of("ddim"), tmp_path / "licensed")
    (place / "README.md").write_text("---\nlicense: other\nlicense_name: some-licence\n---\n# It\n")
    i2izoo.load(place).save_pretrained(tmp_path / "copy")
    assert "license_name: some-licence" in (tmp_path / "copy/README.md").read_text()


# ----------------------------------------------------------------------------------------------------- through the Hub


@pytest.fixture
def hub(monkeypatch):
    with connected(monkeypatch) as server:
        monkeypatch.setenv("HF_TOKEN", "hf_alice")
        yield server


def contents(folder):
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_repository_of_diffusers(hub, folder_of, model_of, tmp_path):
    """Fetched once, what is needed only; then from the cache."""
    extra = ["unet/diffusion_pytorch_model.bin", "unet/diffusion_pytorch_model.fp16.safetensors", "whole.safetensors"]
    extra += ["pipeline.py", "onnx/model.onnx", "onnx/config.json"]
    hub.add("alice/sd", contents(folder_of("text-to-image")) | dict.fromkeys(extra, b"bad"))
    options = {"cache_dir": tmp_path}
    model = i2izoo.load("hf-hub:alice/sd", **options)
    expected = model_of("text-to-image")(IMAGE, prompt=PROMPT, steps=2)
    assert (model(IMAGE, prompt=PROMPT, steps=2) == expected).all()
    assert not [path for _, path in hub.requests if any(path.endswith(name) for name in extra)]
    hub.requests.clear()
    i2izoo.load("alice/sd", local_files_only=True, **options)
    assert hub.requests == []


def test_several_controlnets_are_fetched_together(hub, folder_of, model_of, tmp_path):
    hub.add("alice/nets", contents(folder_of("two-controlnets")))
    model = i2izoo.load("hf-hub:alice/nets", cache_dir=tmp_path)
    expected = model_of("two-controlnets")(IMAGE, prompt=PROMPT, steps=2)
    assert (model(IMAGE, prompt=PROMPT, steps=2) == expected).all()


def test_a_fetch_that_breaks_off_is_no_model(hub, folder_of, tmp_path):
    from hub_server import Cut

    hub.add("alice/ddim", contents(folder_of("ddim")))
    hub.faults["unet/diffusion_pytorch_model.safetensors"] = Cut(after=1000)
    with pytest.raises(HubError, match="was cut"):
        i2izoo.load("alice/ddim", cache_dir=tmp_path)
    with pytest.raises(HubError, match="not in the cache"):
        i2izoo.load("alice/ddim", cache_dir=tmp_path, local_files_only=True)
    hub.faults.clear()
    assert i2izoo.load("alice/ddim", cache_dir=tmp_path).name == "diffusers"


def test_a_repository_of_pickles_is_refused_before_they_are_fetched(hub, folder_of, tmp_path):
    files = contents(folder_of("ddim"))
    files["unet/diffusion_pytorch_model.bin"] = files.pop("unet/diffusion_pytorch_model.safetensors")
    hub.add("alice/old", files)
    with pytest.raises(StorageError, match=r"alice/old.* has its unet as a pickle only"):
        i2izoo.load("alice/old", cache_dir=tmp_path)
    assert not [path for _, path in hub.requests if path.endswith(".bin")]


def test_push_and_load_again(hub, model_of, tmp_path):
    model_of("ddim").push_to_hub("alice/mine")
    tree = hub.repos["alice/mine"].commits[hub.repos["alice/mine"].refs["main"]]
    assert {"model_index.json", "README.md", "unet/diffusion_pytorch_model.safetensors"} <= tree.keys()
    again = i2izoo.load("alice/mine", cache_dir=tmp_path)
    made = (model.generate(size=16, steps=2, output="array") for model in (again, model_of("ddim")))
    assert (next(made) == next(made)).all()


# --------------------------------------------------------------------------------------------------- the command line


def test_commands(folder_of, tmp_path, capsys):
    place = str(folder_of("text-to-image"))
    assert main(["info", place]) == 0
    said = capsys.readouterr().out
    assert "method: diffusers" in said
    assert "MB" in said
    Image.fromarray(IMAGE).save(tmp_path / "in.png")
    out = tmp_path / "out.png"
    words = [f"prompt={PROMPT}, red", "strength=0.5", "steps=2"]
    assert main(["translate", place, str(tmp_path / "in.png"), *words, "-o", str(out)]) == 0
    options = {"prompt": f"{PROMPT}, red", "strength": 0.5, "steps": 2}
    ((_, expected),) = i2izoo.load(place).stream([IMAGE], names=["in.png"], **options)
    assert (np.array(Image.open(out)) == expected).all()
    capsys.readouterr()
    assert main(["translate", place, str(tmp_path / "in.png"), "-o", str(tmp_path / "x.png")]) == 2
    assert "wants a prompt" in capsys.readouterr().err


# -------------------------------------------------------------------------------------------------- the conformance kit


class Worded(torch.nn.Module):
    """A method that is always asked with the same words: the kit has none to say."""

    def __init__(self, method, **words):
        super().__init__()
        self.method, self.words = method, words

    def __getattr__(self, name):
        own = self.__dict__["_modules"]
        return own[name] if name in own else getattr(own["method"], name)

    def forward(self, image, *, to, seeds):
        words = {"prompt": [PROMPT] * len(image), "mask": torch.ones(len(image), 1, *image.shape[-2:])}
        given = {name: words[name] for name in self.words["rows"]} | {"steps": 2}
        return self.method(image, to=to, seeds=seeds, **given)

    def generate_at(self, size, *, to, seeds):
        return self.method.generate_at(size, to=to, seeds=seeds, steps=2)


class Loaded(Subject):
    """The method of a folder in place of one built from tiny options."""

    def build(self, **_):
        return self.__dict__["method"]


ROWS = {"inpainting": ["prompt", "mask"], "ddim": []}


@pytest.mark.parametrize("kind", ["text-to-image", "inpainting", "instruct", "controlnet", "lcm", "ddim"])
@pytest.mark.parametrize("rule", rules.RULES, ids=lambda rule: rule.__name__)
def test_rules_of_methods(model_of, kind, rule):
    method = model_of(kind).method
    subject = Loaded("methods", registry("methods").find("diffusers"))
    if rule is rules.saved_is_loaded:
        pytest.skip("config names the folder; test_what_is_saved_opens_here_and_in_diffusers")
    translates = rule not in (rules.describes_itself, rules.options_of_translate_have_defaults)
    subject.__dict__["method"] = Worded(method, rows=ROWS.get(kind, ["prompt"])) if translates else method
    try:
        rule(subject)
    except NotApplicable as reason:
        pytest.skip(str(reason))
