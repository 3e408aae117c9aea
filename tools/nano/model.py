"""The network of feilun-nano: a Qwen3-shaped transformer, small enough to read in one sitting.

A token becomes a vector (its row of the embedding). Four layers then rewrite that vector:
attention lets it look back at earlier tokens, the feed-forward part looks things up. The last
vector is compared with every row of the embedding again (the weights are "tied"): the best match
is the next token. What makes it Qwen3 rather than any other transformer: RMSNorm before each part,
a second RMSNorm on every query and key head, fewer key/value heads than query heads, a SwiGLU
feed-forward, positions by half-split rotation (RoPE), and no biases anywhere.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn


@dataclass(frozen=True)
class Shape:
    """Sizes of the network. Each is a multiple of 32, so that every row fits Q8_0 blocks."""

    vocab: int = 3072
    hidden: int = 256
    layers: int = 4
    heads: int = 4
    kv_heads: int = 2
    head_dim: int = 64
    ffn: int = 640
    context: int = 1024
    rope_base: float = 10000.0
    eps: float = 1e-6


class RMSNorm(nn.Module):
    def __init__(self, width: int, eps: float):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.rms_norm(x, (x.shape[-1],), self.weight, self.eps)


def rope_tables(length: int, head_dim: int, base: float) -> tuple[torch.Tensor, torch.Tensor]:
    """cos and sin of position × frequency, each [length, head_dim], halves repeated."""
    frequency = base ** (-torch.arange(0, head_dim, 2, dtype=torch.float32) / head_dim)
    angle = torch.outer(torch.arange(length, dtype=torch.float32), frequency)
    angle = torch.cat([angle, angle], dim=-1)
    return angle.cos(), angle.sin()


def rotate(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """Half-split RoPE: element i of the first half pairs with element i of the second half."""
    first, second = x.chunk(2, dim=-1)
    return x * cos + torch.cat([-second, first], dim=-1) * sin


class Attention(nn.Module):
    def __init__(self, s: Shape):
        super().__init__()
        self.s = s
        self.q = nn.Linear(s.hidden, s.heads * s.head_dim, bias=False)
        self.k = nn.Linear(s.hidden, s.kv_heads * s.head_dim, bias=False)
        self.v = nn.Linear(s.hidden, s.kv_heads * s.head_dim, bias=False)
        self.out = nn.Linear(s.heads * s.head_dim, s.hidden, bias=False)
        self.q_norm = RMSNorm(s.head_dim, s.eps)
        self.k_norm = RMSNorm(s.head_dim, s.eps)

    def forward(self, x, cos, sin, past=None):
        batch, length, _ = x.shape
        split = lambda y, heads: y.view(batch, length, heads, self.s.head_dim).transpose(1, 2)
        q = rotate(self.q_norm(split(self.q(x), self.s.heads)), cos, sin)
        k = rotate(self.k_norm(split(self.k(x), self.s.kv_heads)), cos, sin)
        v = split(self.v(x), self.s.kv_heads)
        if past is not None and past[0] is not None:
            k, v = torch.cat([past[0], k], dim=2), torch.cat([past[1], v], dim=2)
        kept = (k, v)
        group = self.s.heads // self.s.kv_heads
        k, v = k.repeat_interleave(group, dim=1), v.repeat_interleave(group, dim=1)
        # One new token after a cache may see everything; a whole sequence sees only backwards.
        y = F.scaled_dot_product_attention(q, k, v, is_causal=length == k.shape[2] and length > 1)
        return self.out(y.transpose(1, 2).reshape(batch, length, -1)), kept


class Layer(nn.Module):
    def __init__(self, s: Shape):
        super().__init__()
        self.attn_norm = RMSNorm(s.hidden, s.eps)
        self.attn = Attention(s)
        self.ffn_norm = RMSNorm(s.hidden, s.eps)
        self.gate = nn.Linear(s.hidden, s.ffn, bias=False)
        self.up = nn.Linear(s.hidden, s.ffn, bias=False)
        self.down = nn.Linear(s.ffn, s.hidden, bias=False)

    def forward(self, x, cos, sin, past=None):
        y, kept = self.attn(self.attn_norm(x), cos, sin, past)
        x = x + y
        h = self.ffn_norm(x)
        return x + self.down(F.silu(self.gate(h)) * self.up(h)), kept


class Nano(nn.Module):
    def __init__(self, s: Shape = Shape()):
        super().__init__()
        self.s = s
        self.embed = nn.Embedding(s.vocab, s.hidden)
        self.layers = nn.ModuleList(Layer(s) for _ in range(s.layers))
        self.norm = RMSNorm(s.hidden, s.eps)
        cos, sin = rope_tables(s.context, s.head_dim, s.rope_base)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)
        nn.init.normal_(self.embed.weight, std=0.02)
        for name, weight in self.named_parameters():
            if weight.ndim == 2 and "embed" not in name:
                nn.init.normal_(weight, std=weight.shape[1] ** -0.5)
                if name.endswith(("out.weight", "down.weight")):
                    weight.data *= (2 * s.layers) ** -0.5

    def hidden(self, ids: torch.Tensor, past=None):
        """ids [batch, length] → vectors [batch, length, hidden] and the layers' keys and values."""
        start = past[0][0].shape[2] if past else 0
        cos, sin = (t[start : start + ids.shape[1]] for t in (self.cos, self.sin))
        x, kept = self.embed(ids), []
        for i, layer in enumerate(self.layers):
            x, kv = layer(x, cos, sin, past[i] if past else None)
            kept.append(kv)
        return self.norm(x), kept

    def logits(self, vectors: torch.Tensor) -> torch.Tensor:
        return F.linear(vectors, self.embed.weight)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.logits(self.hidden(ids)[0])


@torch.no_grad()
def greedy(model: Nano, ids: list[int], limit: int, stop: int):
    """Yields (token, logits) one at a time, the most likely token each step, up to `stop`."""
    step, past = torch.tensor([ids]), None
    for _ in range(min(limit, model.s.context - len(ids))):
        vectors, past = model.hidden(step, past)
        logits = model.logits(vectors[0, -1])
        token = int(logits.argmax())
        yield token, logits
        if token == stop:
            return
        step = torch.tensor([[token]])
