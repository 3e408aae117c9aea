"""Muon for the matrices inside the layers, AdamW for everything else.

Muon takes the momentum of a matrix's gradient and replaces it by the nearest matrix whose
singular values are all about one (five Newton–Schulz steps), so every direction of the weight
learns at the same pace. On this small budget it needs about half the tokens that AdamW needs.
"""

import torch


def orthogonalised(g: torch.Tensor, precision: torch.dtype) -> torch.Tensor:
    """An approximation of U·Vᵀ where g = U·S·Vᵀ."""
    a, b, c = 3.4445, -4.7750, 2.0315
    x = (g / (g.norm() + 1e-7)).to(precision)
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    for _ in range(5):
        s = x @ x.T
        x = a * x + (b * s + c * (s @ s)) @ x
    return (x.T if tall else x).to(g.dtype)


class Muon(torch.optim.Optimizer):
    def __init__(self, params, lr: float, momentum: float = 0.95, weight_decay: float = 0.0, precision=torch.float32):
        self.precision = precision
        super().__init__(params, dict(lr=lr, momentum=momentum, weight_decay=weight_decay))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                velocity = self.state[p].setdefault("velocity", torch.zeros_like(p))
                velocity.lerp_(p.grad, 1 - group["momentum"])
                update = orthogonalised(p.grad.lerp(velocity, group["momentum"]), self.precision)
                p.mul_(1 - group["lr"] * group["weight_decay"])
                p.add_(update, alpha=-group["lr"] * max(1, p.shape[0] / p.shape[1]) ** 0.5)


def optimizers_for(model, lr_matrix: float, lr_other: float, precision: torch.dtype) -> list[torch.optim.Optimizer]:
    inner = [p for n, p in model.named_parameters() if p.ndim == 2 and "embed" not in n]
    other = [p for n, p in model.named_parameters() if p.ndim != 2 or "embed" in n]
    return [
        Muon(inner, lr=lr_matrix, weight_decay=0.02, precision=precision),
        torch.optim.AdamW(other, lr=lr_other, betas=(0.9, 0.97), weight_decay=0.0),
    ]
