"""The two shapes that the benchmarks run: the sizes of released models, from their config.json."""
import dataclasses


@dataclasses.dataclass(frozen=True)
class Shape:
    name: str
    architecture: str  # as GGUF names it
    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    ffn: int
    context: int = 32768
    vocabulary: int = 151936

    def matrices(self):
        """(name in a GGUF's layer, rows, columns) of a layer's matrices."""
        query, key = self.heads * self.head_dim, self.kv_heads * self.head_dim
        return (("attn_q", query, self.hidden), ("attn_k", key, self.hidden), ("attn_v", key, self.hidden),
                ("attn_output", self.hidden, query), ("ffn_gate", self.ffn, self.hidden),
                ("ffn_up", self.ffn, self.hidden), ("ffn_down", self.hidden, self.ffn))

    def prefill_operations(self, tokens):
        """Multiplications and additions in the matrices for a prompt: its last row alone meets the vocabulary.
        Attention is not in it, so a share of peak counts attention's time as lost."""
        layer = sum(rows * columns for _, rows, columns in self.matrices())
        return 2 * (tokens * self.layers * layer + self.vocabulary * self.hidden)


SHAPES = {shape.name: shape for shape in (
    Shape("qwen2.5-0.5b", "qwen2", layers=24, hidden=896, heads=14, kv_heads=2, head_dim=64, ffn=4864),
    Shape("qwen3-0.6b", "qwen3", layers=28, hidden=1024, heads=16, kv_heads=8, head_dim=128, ffn=3072),
)}
