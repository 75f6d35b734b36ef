"""What the base's and the adapters' training share: the loss, the rate, the optimiser."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import LlamaForCausalLM

from chat import IGNORED

GRADIENT_NORM = 1.0


def answer_logits(model: LlamaForCausalLM, ids: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Logits `[answer tokens, vocabulary]` and their targets.

    The output layer runs on answer positions only: most of a chat is prompt.
    """
    hidden = model.model(input_ids=ids, use_cache=False).last_hidden_state[:, :-1]
    targets = labels[:, 1:]
    learnt = targets != IGNORED
    return model.lm_head(hidden[learnt]), targets[learnt]


def answer_loss(model: LlamaForCausalLM, ids: Tensor, labels: Tensor) -> Tensor:
    """Mean cross entropy of the answers' tokens."""
    logits, targets = answer_logits(model, ids, labels)
    return functional.cross_entropy(logits, targets)


@torch.no_grad()
def exact_rows(model: LlamaForCausalLM, ids: Tensor, labels: Tensor) -> Tensor:
    """For every row whether each answer token is the most likely one, `[batch]`.

    A chat of one answer passes exactly when greedy decoding would write it.
    """
    logits, targets = answer_logits(model, ids, labels)
    learnt = labels[:, 1:] != IGNORED
    wrong = torch.zeros_like(learnt)
    wrong[learnt] = logits.argmax(-1) != targets
    return ~wrong.any(1)


def rate(step: int, steps: int, warmup: int, decay_from: float) -> float:
    """The share of the peak rate: a ramp, a plateau, then a line down to zero."""
    if step < warmup:
        return (step + 1) / warmup
    start = int(steps * decay_from)
    return 1.0 if step < start else max(0.0, (steps - step) / (steps - start))


class Muon(torch.optim.Optimizer):
    """Muon (Keller Jordan, 2024) in f32, its update scaled like AdamW's (Moonlight, 2025).

    `torch.optim.Muon` orthogonalises in bf16, which takes seconds a step on a CPU
    without bf16 arithmetic.
    """

    COEFFICIENTS = (3.4445, -4.7750, 2.0315)
    STEPS = 5

    def __init__(self, parameters: list[nn.Parameter], lr: float, momentum: float = 0.95, decay: float = 0.01) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "decay": decay})

    @torch.no_grad()
    def step(self) -> None:
        """One step for every matrix that has a gradient."""
        for group in self.param_groups:
            for matrix in group["params"]:
                state = self.state[matrix]
                velocity = state.setdefault("velocity", torch.zeros_like(matrix))
                velocity.lerp_(matrix.grad, 1 - group["momentum"])
                update = self.orthogonal(matrix.grad.lerp(velocity, group["momentum"]))
                matrix.mul_(1 - group["lr"] * group["decay"])
                matrix.add_(update, alpha=-group["lr"] * 0.2 * max(matrix.shape) ** 0.5)

    @classmethod
    def orthogonal(cls, update: Tensor) -> Tensor:
        """The nearest orthogonal matrix, roughly, by the quintic Newton-Schulz iteration."""
        a, b, c = cls.COEFFICIENTS
        tall = update.shape[0] > update.shape[1]
        x = update.T if tall else update
        x = x / x.norm().clamp(min=1e-7)
        for _ in range(cls.STEPS):
            gram = x @ x.T
            x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
        return x.T if tall else x


class Optimiser:
    """Muon for the hidden matrices and AdamW for the rest, under one schedule."""

    def __init__(self, model: nn.Module, matrix_rate: float, other_rate: float) -> None:
        trained = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
        matrices = [p for name, p in trained if p.ndim == 2 and "embed" not in name]
        others = [p for name, p in trained if p.ndim != 2 or "embed" in name]
        self.parameters = matrices + others
        self.parts: list[torch.optim.Optimizer] = [Muon(matrices, matrix_rate)]
        if others:
            self.parts.append(torch.optim.AdamW(others, lr=other_rate, betas=(0.9, 0.95), weight_decay=0.0))
        self.peaks = [matrix_rate, other_rate][: len(self.parts)]

    def step(self, share: float) -> None:
        """Clip, step at `share` of the peak rates, and forget the gradients."""
        nn.utils.clip_grad_norm_(self.parameters, GRADIENT_NORM)
        for part, peak in zip(self.parts, self.peaks, strict=True):
            for group in part.param_groups:
                group["lr"] = peak * share
            part.step()
            part.zero_grad(set_to_none=True)

    def state_dict(self) -> list[dict]:
        """What `load_state_dict` needs to go on."""
        return [part.state_dict() for part in self.parts]

    def load_state_dict(self, states: list[dict]) -> None:
        """Go on from a checkpoint."""
        for part, state in zip(self.parts, states, strict=True):
            part.load_state_dict(state)
