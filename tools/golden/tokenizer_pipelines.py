#!/usr/bin/env python3
"""Small tokenizer.json files of every kind that is read, and the ids that Hugging Face's tokenizers gives with them."""
import json
import pathlib
import random
import sys

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from tokenizer_strings import text

CORPUS = ["the cat sat on the mat and the other cats sat there too", "飞轮 飞轮 女孩 the 女孩", "low lower lowest new newer newest",
          "Straße naïve café 12 123 1234", "don't won't can't! (really?) yes.", "a  b   c\td\n\ne", "가나다 가나 다",
          "under_score http://example.org/path?x=1&y=2"] * 3
FIXED = ["", " ", "  the  cat ", "the cat sat", "THE CAT", "naïve café Straße", "飞轮女孩", "don't stop!!", "lowest123newest",
         "\u0301the", "ﬁne Ⅻ ① ｈｅｌｌｏ", "a\u0000b\ufffdc\u200bd", "İstanbul ẞ", "x" * 101 + " the", "\t\n the \r\n", "▁the ▁ cat",
         "the<x>cat", "the <x> cat", " <x>", "<x>the", "thecat<w>cat", "the <w> cat", "a<l>  b", "a  <l>b", "a<r>  b", "a  <n>B", "a <N> b",
         "<s>the</s>", "[CLS] the [SEP]", "<pad><unk>", "1234567 12 a1b2", "can't CAN'T ʼn", "🙂🙂 é́"]


def bpe(normalizer=None, pre=None, byte_level=False, size=150, **options):
    tokenizer = Tokenizer(models.BPE(**options))
    alphabet = pre_tokenizers.ByteLevel.alphabet() if byte_level else []
    special = [t for t in [options.get("unk_token")] if t]
    if options.get("byte_fallback"):
        special += [f"<0x{b:02X}>" for b in range(256)]
    tokenizer.normalizer = normalizer
    if pre is not None:
        tokenizer.pre_tokenizer = pre
    tokenizer.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=size + 200 * byte_level + 256 * options.get("byte_fallback", 0),
                                                              special_tokens=special, initial_alphabet=alphabet, show_progress=False))
    return without_added_bytes(tokenizer) if options.get("byte_fallback") else tokenizer


def without_added_bytes(tokenizer):
    """The trainers make added tokens of the bytes' names; in the models they are plain ones."""
    state = json.loads(tokenizer.to_str())
    state["model"]["byte_fallback"] = True
    state["added_tokens"] = [token for token in state["added_tokens"] if not token["content"].startswith("<0x")]
    return Tokenizer.from_str(json.dumps(state))


def unigram(normalizer=None, pre=None, byte_fallback=False):
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre
    special = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256) if byte_fallback]
    tokenizer.train_from_iterator(CORPUS, trainers.UnigramTrainer(vocab_size=150 + len(special), special_tokens=special, unk_token="<unk>",
                                                                  show_progress=False))
    return without_added_bytes(tokenizer) if byte_fallback else tokenizer


def word_piece(normalizer, **options):
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]", **options))
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokenizer.train_from_iterator(CORPUS, trainers.WordPieceTrainer(vocab_size=180, special_tokens=special, show_progress=False))
    tokenizer.decoder = decoders.WordPiece()
    return tokenizer


def split(pattern, behavior, invert=False):
    return pre_tokenizers.Split(pattern, behavior, invert)


def byte_words(*steps):
    return pre_tokenizers.Sequence([*steps, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def with_added(tokenizer):
    tokenizer.add_tokens([AddedToken("<x>"), AddedToken("<w>", single_word=True), AddedToken("<l>", lstrip=True, normalized=False),
                          AddedToken("<r>", rstrip=True, normalized=False), AddedToken("<N>", normalized=True),
                          AddedToken("thecat", normalized=False, single_word=True)])
    tokenizer.add_special_tokens([AddedToken("<s>", normalized=False), AddedToken("</s>", normalized=False, rstrip=True)])
    return tokenizer


def framed(tokenizer, single, names):
    tokenizer.post_processor = processors.TemplateProcessing(single=single, special_tokens=[(n, tokenizer.token_to_id(n)) for n in names])
    return tokenizer


def pipelines():
    meta = pre_tokenizers.Metaspace
    marks = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    cls = ["[CLS]", "[SEP]"]
    yield "word piece, lower case", framed(word_piece(normalizers.BertNormalizer()), "[CLS] $A [SEP]", cls)
    yield "word piece, cased, short words", word_piece(
        normalizers.BertNormalizer(clean_text=False, handle_chinese_chars=False, strip_accents=False, lowercase=False),
        max_input_chars_per_word=6)
    yield "unigram", framed(unigram(pre=meta()), "$A </s>", ["</s>"])
    yield "unigram of bytes", unigram(normalizers.Sequence([normalizers.NFKC(), normalizers.Replace(Regex(" {2,}"), " ")]),
                                      meta(prepend_scheme="first", split=False), True)
    yield "unigram, cut at white space", unigram(normalizers.Sequence([normalizers.Lowercase(), normalizers.Strip()]),
                                                 pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), meta()]))
    yield "pieces", with_added(bpe(marks, unk_token="<unk>", fuse_unk=True))
    yield "pieces of bytes", with_added(bpe(marks, unk_token="<unk>", byte_fallback=True))
    yield "pieces, unknown apart", bpe(None, meta(prepend_scheme="never"), unk_token="<unk>")
    yield "pieces, whole words", bpe(normalizers.NFKD(), meta(prepend_scheme="first"), ignore_merges=True)
    yield "bytes, gpt-2", with_added(bpe(None, pre_tokenizers.ByteLevel(add_prefix_space=True), True))
    yield "bytes, stripped accents", with_added(bpe(normalizers.Sequence([normalizers.NFD(), normalizers.StripAccents(), normalizers.Lowercase()]),
                                                    byte_words(pre_tokenizers.Digits(False), pre_tokenizers.Punctuation("contiguous")), True))
    yield "bytes, unknown pattern", bpe(normalizers.NFC(), byte_words(split(Regex(r"(?i:n't)|\p{Lu}?\p{Ll}+|\d{2}(?=\d)|\w|[^\w\s]+|\s(?!\s)|^|$"), "isolated")),
                                        True, ignore_merges=True)
    yield "bytes, merged", bpe(None, byte_words(split(" ", "merged_with_next"), split(Regex("[aeiou]"), "merged_with_previous"),
                                                split(Regex(r"\d"), "contiguous"), pre_tokenizers.Digits(True)), True)
    yield "bytes, kept", bpe(None, byte_words(split(Regex(r"\p{L}+|\p{N}{1,2}|\p{Han}|\s+$"), "removed", True)), True)
    yield "bytes, dropped", bpe(None, byte_words(split(Regex(r"[\s\p{P}]"), "removed")), True)


def main():
    golden = pathlib.Path(sys.argv[2])
    rng = random.Random(7)
    texts = FIXED + [text(rng) for _ in range(25)]
    entries = []
    for name, tokenizer in pipelines():
        cases = [[tokenizer.encode(t, add_special_tokens=False).ids, tokenizer.encode(t).ids] for t in texts]
        entries.append({"name": name, "tokenizer": json.loads(tokenizer.to_str()),
                        "ids": [ids for ids, _ in cases], "framed": cases[1][1]})
    lines = ",\n".join(json.dumps(entry, ensure_ascii=False, separators=(",", ":")) for entry in entries)
    head = json.dumps(texts, ensure_ascii=True)
    (golden / "tokenizer_pipelines.json").write_text(f'{{"texts":{head},\n"pipelines":[\n{lines}\n]}}\n')


main()
