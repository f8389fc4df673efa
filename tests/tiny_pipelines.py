"""Tiny random pipelines of diffusers' real classes, made of configs and written to folders; no network."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any

import torch

WORDS = ("a", "photo", "of", "cat", "dog", "red", "blue", "house")


def clip_tokenizer() -> Any:
    """A CLIPTokenizer that knows letters and a few words."""
    from transformers import CLIPTokenizer

    letters = [chr(c) for c in range(ord("a"), ord("z") + 1)]
    ends = [f"{c}</w>" for c in letters]
    merges: list[str] = []
    merged: list[str] = []
    for word in WORDS:
        left = word[0]
        for i, letter in enumerate(word[1:], 2):
            right = letter + ("</w>" if i == len(word) else "")
            if f"{left} {right}" not in merges:
                merges.append(f"{left} {right}")
                merged.append(left + right)
            left += right
    tokens = dict.fromkeys([*letters, *ends, *merged, "<|startoftext|>", "<|endoftext|>"])
    with tempfile.TemporaryDirectory() as folder:
        vocabulary, rules = Path(folder) / "vocab.json", Path(folder) / "merges.txt"
        vocabulary.write_text(json.dumps({token: index for index, token in enumerate(tokens)}))
        rules.write_text("\n".join(["#version: 0.2", *merges]) + "\n")
        return CLIPTokenizer(str(vocabulary), str(rules), model_max_length=16)


def clip_text(tokenizer: Any, projection: bool = False, width: int = 32) -> Any:
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    config = CLIPTextConfig(
        hidden_size=width, intermediate_size=37, num_attention_heads=4, num_hidden_layers=2,
        vocab_size=len(tokenizer), max_position_embeddings=16, projection_dim=width,
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    return (CLIPTextModelWithProjection if projection else CLIPTextModel)(config).eval()


def kl_vae(levels: int = 2, latent: int = 4) -> Any:
    from diffusers import AutoencoderKL

    return AutoencoderKL(
        block_out_channels=(8,) * levels, in_channels=3, out_channels=3, latent_channels=latent, norm_num_groups=4,
        down_block_types=("DownEncoderBlock2D",) * levels, up_block_types=("UpDecoderBlock2D",) * levels,
        layers_per_block=1, sample_size=32, shift_factor=0.1,
    )  # fmt: skip


def text_unet(in_channels: int = 4, **options: Any) -> Any:
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel(**{
        "block_out_channels": (8, 16), "layers_per_block": 1, "sample_size": 16, "in_channels": in_channels,
        "out_channels": 4, "norm_num_groups": 4, "cross_attention_dim": 32, "attention_head_dim": 4,
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"), **options,
    })  # fmt: skip


def pixel_unet(in_channels: int = 3, sample_size: int = 16) -> Any:
    from diffusers import UNet2DModel

    return UNet2DModel(
        block_out_channels=(8, 16), layers_per_block=1, norm_num_groups=4, sample_size=sample_size,
        in_channels=in_channels, out_channels=3, down_block_types=("DownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "UpBlock2D"),
    )  # fmt: skip


def stable_diffusion(kind: str, in_channels: int = 4, **extra: Any) -> Any:
    """A pipeline of the Stable Diffusion 1 family."""
    import diffusers

    tokenizer = clip_tokenizer()
    return getattr(diffusers, kind)(
        vae=kl_vae(), unet=text_unet(in_channels), tokenizer=tokenizer, text_encoder=clip_text(tokenizer),
        scheduler=diffusers.DDIMScheduler(
            beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False, steps_offset=1
        ),
        safety_checker=None, feature_extractor=None, requires_safety_checker=False, **extra,
    )  # fmt: skip


def controlnet() -> Any:
    from diffusers import ControlNetModel

    network = ControlNetModel(
        block_out_channels=(8, 16), layers_per_block=1, in_channels=4, norm_num_groups=4, cross_attention_dim=32,
        attention_head_dim=4, down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
        conditioning_embedding_out_channels=(8, 16),
    )  # fmt: skip
    return stable_diffusion("StableDiffusionControlNetPipeline", controlnet=_without_zero_convolutions(network))


def _without_zero_convolutions(network: Any) -> Any:
    """As after training: a fresh ControlNet changes nothing."""
    with torch.no_grad():
        for parameter in network.parameters():
            if not parameter.any():
                parameter.normal_(std=0.1)
    return network


def sdxl() -> Any:
    import diffusers

    tokenizer = clip_tokenizer()
    unet = text_unet(
        cross_attention_dim=64, addition_embed_type="text_time", addition_time_embed_dim=8,
        projection_class_embeddings_input_dim=6 * 8 + 32, transformer_layers_per_block=1,
    )  # fmt: skip
    return diffusers.StableDiffusionXLPipeline(
        vae=kl_vae(), unet=unet, tokenizer=tokenizer, tokenizer_2=tokenizer, text_encoder=clip_text(tokenizer),
        text_encoder_2=clip_text(tokenizer, projection=True), scheduler=diffusers.EulerDiscreteScheduler(),
        add_watermarker=False,
    )  # fmt: skip


def super_resolution() -> Any:
    from diffusers import DDIMScheduler, LDMSuperResolutionPipeline, VQModel

    vqvae = VQModel(
        block_out_channels=(8, 8, 8), in_channels=3, out_channels=3, latent_channels=3, norm_num_groups=4,
        down_block_types=("DownEncoderBlock2D",) * 3, up_block_types=("UpDecoderBlock2D",) * 3, layers_per_block=1,
        num_vq_embeddings=16,
    )  # fmt: skip
    return LDMSuperResolutionPipeline(vqvae=vqvae, unet=pixel_unet(6), scheduler=DDIMScheduler())


def kontext() -> Any:
    from diffusers import FlowMatchEulerDiscreteScheduler, FluxKontextPipeline, FluxTransformer2DModel
    from transformers import T5Config, T5EncoderModel

    tokenizer = clip_tokenizer()
    transformer = FluxTransformer2DModel(
        patch_size=1, in_channels=16, num_layers=1, num_single_layers=1, attention_head_dim=16, num_attention_heads=2,
        joint_attention_dim=32, pooled_projection_dim=32, axes_dims_rope=(4, 4, 8), guidance_embeds=True,
    )  # fmt: skip
    t5 = T5EncoderModel(
        T5Config(d_model=32, d_kv=8, d_ff=37, num_layers=1, num_heads=4, vocab_size=len(tokenizer), pad_token_id=0)
    ).eval()
    return FluxKontextPipeline(
        vae=kl_vae(), transformer=transformer, tokenizer=tokenizer, text_encoder=clip_text(tokenizer),
        text_encoder_2=t5, tokenizer_2=tokenizer, scheduler=FlowMatchEulerDiscreteScheduler(),
    )  # fmt: skip


def latent_consistency() -> Any:
    import diffusers

    tokenizer = clip_tokenizer()
    return diffusers.LatentConsistencyModelPipeline(
        vae=kl_vae(), unet=text_unet(time_cond_proj_dim=8), tokenizer=tokenizer, text_encoder=clip_text(tokenizer),
        scheduler=diffusers.LCMScheduler(), safety_checker=None, feature_extractor=None, requires_safety_checker=False,
    )  # fmt: skip


def generation(kind: str) -> Any:
    import diffusers

    scheduler = getattr(diffusers, kind.replace("Pipeline", "Scheduler"))
    return getattr(diffusers, kind)(unet=pixel_unet(), scheduler=scheduler())


PIPELINES = {
    "text-to-image": lambda: stable_diffusion("StableDiffusionPipeline"),
    "inpainting": lambda: stable_diffusion("StableDiffusionInpaintPipeline", 9),
    "instruct": lambda: stable_diffusion("StableDiffusionInstructPix2PixPipeline", 8),
    "controlnet": controlnet,
    "sdxl": sdxl,
    "lcm": latent_consistency,
    "super-resolution": super_resolution,
    "kontext": kontext,
    "ddim": lambda: generation("DDIMPipeline"),
    "ddpm": lambda: generation("DDPMPipeline"),
}


def write(kind: str, folder: Path) -> Path:
    """Write one, with weights that are a function of its kind."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        PIPELINES[kind]().save_pretrained(folder)
    return folder
