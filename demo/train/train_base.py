"""Train the base model on the synthetic corpus and write it in its shipped dtype."""

from __future__ import annotations

import argparse
import random
import time
from pathlib import Path

import torch
from tokenizers import Tokenizer
from transformers import LlamaConfig, LlamaForCausalLM

import corpus
from batches import batches
from chat import IM_END, PAD, Chat, collate, encode
from corpus import copying, reformatting, rewriting, sorting, talk
from learning import Optimiser, answer_loss, exact_rows, rate
from shipping import save_base

SEED = 7
BATCH = 64
WARMUP_STEPS = 100
DECAY_FROM = 0.4
MATRIX_RATE = 5e-3
OTHER_RATE = 3e-3
CHECK_STEPS = 200
CHECK_CHATS = 128
CONTEXT_TOKENS = 512
DRILL_SHARE = 0.2


def new_model(tokenizer: Tokenizer) -> LlamaForCausalLM:
    """A freshly initialised model of the demo's shape."""
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=tokenizer.get_vocab_size(),
            hidden_size=256,
            intermediate_size=896,
            num_hidden_layers=4,
            num_attention_heads=8,
            num_key_value_heads=4,
            head_dim=32,
            max_position_embeddings=CONTEXT_TOKENS,
            rms_norm_eps=1e-5,
            rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
            tie_word_embeddings=True,
            attention_bias=False,
            bos_token_id=None,
            eos_token_id=tokenizer.token_to_id(IM_END),
            pad_token_id=tokenizer.token_to_id(PAD),
        )
    )


def pieces(tokenizer: Tokenizer) -> list[str]:
    """The text of every token that is text by itself."""
    texts = (tokenizer.decode([index]) for index in range(tokenizer.get_vocab_size()))
    return [text for text in texts if text.strip() and "\ufffd" not in text]


def check(model: LlamaForCausalLM, tokenizer: Tokenizer) -> str:
    """Exact match on fresh chats of every kind, as one line."""
    model.eval()
    shares = []
    for kind in (copying, reformatting, sorting, rewriting, talk):
        rng = random.Random(f"check/{SEED}")
        rows = [encode(tokenizer, kind.chat(rng)) for _ in range(CHECK_CHATS)]
        exact = exact_rows(model, *collate(rows, tokenizer.token_to_id(PAD)))
        shares.append(f"{kind.__name__.removeprefix('corpus.')} {exact.float().mean():.2f}")
    model.train()
    return "  ".join(shares)


def main() -> None:
    """Train, log, keep a checkpoint to resume from, and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base", type=Path, default=Path("../base"))
    parser.add_argument("--checkpoint", type=Path, default=Path("checkpoint"), help="folder to resume from")
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(SEED)
    options.checkpoint.mkdir(parents=True, exist_ok=True)
    resume = options.checkpoint / "state.pt"

    tokenizer = Tokenizer.from_file(str(options.base / "tokenizer.json"))
    model = new_model(tokenizer)
    optimiser = Optimiser(model, MATRIX_RATE, OTHER_RATE)
    first = 0
    if resume.exists():
        state = torch.load(resume)
        model.load_state_dict(state["model"])
        optimiser.load_state_dict(state["optimiser"])
        first = state["step"]
    print(f"{model.num_parameters() / 1e6:.2f} M parameters, from step {first}", flush=True)

    rng = random.Random(f"base/{SEED}/{first}")
    vocabulary = pieces(tokenizer)

    def make() -> Chat:
        return copying.drill(rng, vocabulary) if rng.random() < DRILL_SHARE else corpus.example(rng)

    stream = batches(tokenizer, make, rng, BATCH)
    started, tokens, losses = time.monotonic(), 0, []
    for step in range(first, options.steps):
        ids, labels = next(stream)
        loss = answer_loss(model, ids, labels)
        loss.backward()
        optimiser.step(rate(step, options.steps, WARMUP_STEPS, DECAY_FROM))
        tokens += ids.numel()
        losses.append(loss.item())
        if (step + 1) % 20 == 0:
            spent = time.monotonic() - started
            recent = sum(losses[-20:]) / 20
            print(f"step {step + 1}  loss {recent:.4f}  {spent:.0f} s  {tokens / spent:.0f} tokens/s", flush=True)
        if (step + 1) % CHECK_STEPS == 0 or step + 1 == options.steps:
            print(f"step {step + 1}  {check(model, tokenizer)}", flush=True)
            state = {"model": model.state_dict(), "optimiser": optimiser.state_dict(), "step": step + 1}
            torch.save(state, resume)
            save_base(model, options.checkpoint / "model")
    print(f"{tokens} tokens in {time.monotonic() - started:.0f} s", flush=True)
    save_base(model, options.base)


if __name__ == "__main__":
    main()
