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


def control_network(kind: str = "ControlNetModel", **options: Any) -> Any:
    """As after training: a fresh ControlNet changes nothing."""
    import diffusers

    network = getattr(diffusers, kind)(**{
        "block_out_channels": (8, 16), "layers_per_block": 1, "in_channels": 4, "norm_num_groups": 4,
        "cross_attention_dim": 32, "attention_head_dim": 4, "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
        "conditioning_embedding_out_channels": (8, 16), **options,
    })  # fmt: skip
    with torch.no_grad():
        for parameter in network.parameters():
            if not parameter.any():
                parameter.normal_(std=0.1)
    return network


def controlnet(count: int = 1) -> Any:
    networks = [control_network() for _ in range(count)]
    return stable_diffusion("StableDiffusionControlNetPipeline", controlnet=networks if count > 1 else networks[0])


SDXL = {
    "cross_attention_dim": 64, "addition_embed_type": "text_time", "addition_time_embed_dim": 8,
    "projection_class_embeddings_input_dim": 6 * 8 + 32, "transformer_layers_per_block": 1,
}  # fmt: skip


def sdxl(kind: str = "StableDiffusionXLPipeline", **extra: Any) -> Any:
    import diffusers

    tokenizer = clip_tokenizer()
    return getattr(diffusers, kind)(
        vae=kl_vae(), unet=text_unet(**SDXL), tokenizer=tokenizer, tokenizer_2=tokenizer,
        text_encoder=clip_text(tokenizer), text_encoder_2=clip_text(tokenizer, projection=True),
        scheduler=diffusers.EulerDiscreteScheduler(), add_watermarker=False, **extra,
    )  # fmt: skip


def union_controlnet() -> Any:
    network = control_network(
        "ControlNetUnionModel", **SDXL, num_trans_channel=8, num_trans_head=2, num_proj_channel=8,
        conditioning_embedding_out_channels=(8, 8),
    )  # fmt: skip
    return sdxl("StableDiffusionXLControlNetUnionPipeline", controlnet=network)


def super_resolution() -> Any:
    from diffusers import DDIMScheduler, LDMSuperResolutionPipeline, VQModel

    vqvae = VQModel(
        block_out_channels=(8, 8, 8), in_channels=3, out_channels=3, latent_channels=3, norm_num_groups=4,
        down_block_types=("DownEncoderBlock2D",) * 3, up_block_types=("UpDecoderBlock2D",) * 3, layers_per_block=1,
        num_vq_embeddings=16,
    )  # fmt: skip
    return LDMSuperResolutionPipeline(vqvae=vqvae, unet=pixel_unet(6), scheduler=DDIMScheduler())


def t5_text(tokenizer: Any, width: int = 32) -> Any:
    from transformers import T5Config, T5EncoderModel

    return T5EncoderModel(
        T5Config(d_model=width, d_kv=8, d_ff=37, num_layers=1, num_heads=4, vocab_size=len(tokenizer), pad_token_id=0)
    ).eval()


def stable_diffusion_3() -> Any:
    import diffusers

    tokenizer = clip_tokenizer()
    transformer = diffusers.SD3Transformer2DModel(
        sample_size=16, patch_size=2, in_channels=4, out_channels=4, num_layers=1, attention_head_dim=8,
        num_attention_heads=4, joint_attention_dim=64, caption_projection_dim=32, pooled_projection_dim=64,
    )  # fmt: skip
    return diffusers.StableDiffusion3Pipeline(
        vae=kl_vae(), transformer=transformer, scheduler=diffusers.FlowMatchEulerDiscreteScheduler(),
        tokenizer=tokenizer, text_encoder=clip_text(tokenizer, projection=True),
        tokenizer_2=tokenizer, text_encoder_2=clip_text(tokenizer, projection=True),
        tokenizer_3=tokenizer, text_encoder_3=t5_text(tokenizer, width=64),
    )  # fmt: skip


def kontext() -> Any:
    from diffusers import FlowMatchEulerDiscreteScheduler, FluxKontextPipeline, FluxTransformer2DModel

    tokenizer = clip_tokenizer()
    transformer = FluxTransformer2DModel(
        patch_size=1, in_channels=16, num_layers=1, num_single_layers=1, attention_head_dim=16, num_attention_heads=2,
        joint_attention_dim=32, pooled_projection_dim=32, axes_dims_rope=(4, 4, 8), guidance_embeds=True,
    )  # fmt: skip
    return FluxKontextPipeline(
        vae=kl_vae(), transformer=transformer, tokenizer=tokenizer, text_encoder=clip_text(tokenizer),
        text_encoder_2=t5_text(tokenizer), tokenizer_2=tokenizer, scheduler=FlowMatchEulerDiscreteScheduler(),
    )  # fmt: skip


def qwen_tokenizer() -> Any:
    """A Qwen2Tokenizer of single bytes."""
    from tokenizers.pre_tokenizers import ByteLevel
    from transformers import Qwen2Tokenizer

    names = ("endoftext", "im_start", "im_end", "vision_start", "vision_end", "image_pad", "video_pad")
    special = [f"<|{name}|>" for name in names]
    tokens = {token: index for index, token in enumerate([*sorted(ByteLevel.alphabet()), *special])}
    return Qwen2Tokenizer(vocab=tokens, merges=[], additional_special_tokens=special)


def qwen_text(tokenizer: Any) -> Any:
    from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

    size = {"hidden_size": 16, "intermediate_size": 16}
    config = Qwen2_5_VLConfig(
        text_config={
            **size, "num_hidden_layers": 1, "num_attention_heads": 2, "num_key_value_heads": 2,
            "vocab_size": len(tokenizer), "bos_token_id": None, "eos_token_id": tokenizer.eos_token_id,
            "rope_parameters": {"mrope_section": [1, 1, 2], "rope_type": "default", "rope_theta": 1e6},
        },
        vision_config={**size, "depth": 1, "num_heads": 2, "out_hidden_size": 16},
        **{
            f"{option}_token_id": tokenizer.convert_tokens_to_ids(f"<|{token}|>")
            for option, token in {
                "image": "image_pad", "video": "video_pad", "vision_start": "vision_start", "vision_end": "vision_end",
            }.items()
        },
    )  # fmt: skip
    return Qwen2_5_VLForConditionalGeneration(config).eval()


def qwen_edit(kind: str) -> Any:
    import diffusers
    from transformers import Qwen2VLImageProcessor, Qwen2VLProcessor, Qwen2VLVideoProcessor

    tokenizer = qwen_tokenizer()
    processor = Qwen2VLProcessor(Qwen2VLImageProcessor(max_pixels=56 * 56), tokenizer, Qwen2VLVideoProcessor())
    vae = diffusers.AutoencoderKLQwenImage(
        base_dim=4, z_dim=4, dim_mult=[1] * 4, num_res_blocks=1, temperal_downsample=[False] * 3,
        latents_mean=[0.0] * 4, latents_std=[1.0] * 4,
    )  # fmt: skip
    transformer = diffusers.QwenImageTransformer2DModel(
        in_channels=16, out_channels=4, num_layers=1, attention_head_dim=16, num_attention_heads=2,
        joint_attention_dim=16, axes_dims_rope=(8, 4, 4),
    )  # fmt: skip
    with torch.no_grad():  # fresh ones hardly look at the image and the prompt
        for parameter in (*vae.parameters(), *transformer.parameters()):
            if parameter.ndim > 1:
                parameter.normal_(std=0.3)
    return getattr(diffusers, kind)(
        vae=vae, transformer=transformer, tokenizer=tokenizer, text_encoder=qwen_text(tokenizer), processor=processor,
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(),
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
    "two-controlnets": lambda: controlnet(2),
    "union-controlnet": union_controlnet,
    "sdxl": sdxl,
    "sd3": stable_diffusion_3,
    "lcm": latent_consistency,
    "super-resolution": super_resolution,
    "kontext": kontext,
    "qwen-edit": lambda: qwen_edit("QwenImageEditPipeline"),
    "qwen-edit-plus": lambda: qwen_edit("QwenImageEditPlusPipeline"),
    "repaint": lambda: generation("RePaintPipeline"),
    "ddim": lambda: generation("DDIMPipeline"),
    "ddpm": lambda: generation("DDPMPipeline"),
}


def write(kind: str, folder: Path) -> Path:
    """Write one, with weights that are a function of its kind."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        PIPELINES[kind]().save_pretrained(folder)
    return folder
