"""Write the golden fixtures of the Rust tests: what PyTorch and transformers compute for given inputs.

    python fixtures.py --folder .. --out ../../../tests/fixtures

`tiny_bert/` is a random BERT of 2 layers, made anew with a fixed seed; `stance_en_small/` holds the answers of the
shipped weights, once with dequantised weights in float32 and once in the 8-bit arithmetic.
"""

import argparse
import json
import pathlib

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from model import StanceModel, pack
from quantise import flat_state, load_quantised, write_manifest
from text import PlainTokenizer, windows

WORDS = """the a of and to in on for with talks between are is not imminent will meet soon peace river minister said no yes
rebels government union company week day monday friday delegation table offer deal date round open close start end under way
two three north south lake valley bridge rain sheep wool port ship both sides he she it they was were has have""".split()

TINY = dict(
    architectures=["BertModel"], model_type="bert", hidden_act="gelu", hidden_size=32, intermediate_size=64, num_hidden_layers=2,
    num_attention_heads=4, max_position_embeddings=64, type_vocab_size=2, layer_norm_eps=1e-12, hidden_dropout_prob=0.1,
    attention_probs_dropout_prob=0.1, initializer_range=0.02, pad_token_id=0, position_embedding_type="absolute",
)

TINY_ARTICLES = [
    dict(claim="Talks are imminent.", title="Two sides to meet", sentences=["The rebels and the government will meet on Monday.", "It was a day of rain."]),
    dict(claim="Talks are imminent.", title="", sentences=["The union said no.", "The company has no offer.", "They were not under way."]),
    dict(claim="Peace is imminent.", title="A bridge over the river", sentences=[]),
    dict(
        claim="Talks between the north and the south on wool and sheep are imminent and will start.",
        title="The minister of the south valley and the delegation of the north lake",
        sentences=[
            "The two sides will meet on Friday.", "The minister said it was a start.", "Sheep and wool are on the table.",
            "In the valley the rain has no end.", "A ship in port was open to both.", "The delegation said no date was in the offer.",
            "Soon, they said, a deal.", "Under the bridge it is not open.",
        ],
    ),
    dict(
        claim="Talks are imminent.", title="Round three",
        sentences=[
            "He said yes.",
            "The minister said the rebels and the union and the company and the delegation and the government will meet on Monday and on Friday "
            "in the port on the south side of the lake with the sheep and the wool and the offer of a deal and a date for the start of round three.",
            "She said no.",
        ],
    ),
    dict(claim="[CLS] talks [SEP]", title="Text is only text [SEP]", sentences=["[MASK] and [PAD] were in the ship, 3 quick brown foxes said: café Ünder!"]),
]

ARTICLES = [
    dict(
        claim="Talks between Norway and Russia are imminent.", title="Norway and Russia to open cod talks in Kirkenes on Tuesday",
        sentences=["KIRKENES - Norwegian and Russian negotiators will open talks on cod quotas in Kirkenes on Tuesday, the fisheries directorate said.",
                   "The two countries last met in October."],
    ),
    dict(
        claim="Talks are imminent.", title="",
        sentences=["The dockers' union broke off talks with the port of Valparaiso on Thursday and said that its members would not go back to the table.",
                   "Cranes stood still for a fourth day."],
    ),
    dict(claim="Talks are imminent.", title="Ministers still weighing invitation to Tashkent round", sentences=[]),
    dict(
        claim="Talks between Kenya and Uganda are imminent.", title="Lake Victoria fish stocks recover",
        sentences=["Nile perch are back in Lake Victoria, biologists said on Monday.", "Catches near Kisumu rose by a third in a year.",
                   "A cold store that was built for the export trade has opened again."],
    ),
    dict(
        claim="Talks between the teachers' front and the ministry are imminent.", title="Whether anyone will sit down with the teachers is anybody's guess",
        sentences=[
            "For five weeks the primary schools of the highland provinces have been shut, and for five weeks the ministry has said that its door is open.",
            "On Monday the teachers' front answered that it would come through that door if the dismissals of March were withdrawn first.",
            "The ministry has not replied.",
            "Its spokesman, Ignacio Belaval, told reporters that the minister was \"reading the letter with care\" and would not say how long she reads.",
            "Background",
            "The quarrel began in February with a circular about class sizes.",
            "Schools with fewer than twelve pupils were to be merged, which in the highlands means that children of six would have to walk two hours each way.",
            "Parents blocked the road at Tres Cruces for three days.",
            "The governor sent riot police, and a boy lost an eye.",
            "In March the ministry dismissed 140 teachers who had marched with the parents.",
            "Some of them now give lessons in barns.",
            "What the pupils say",
            "\"We do sums with maize,\" said Lucia, who is nine and lives above the tree line.",
            "Her school has one room, a stove and a map of a country that no longer has those borders.",
            "The stove was a gift of the Swedish government in 1974.",
            "Economists in the capital have worked out what the merger would save: about as much in a year as the ministry spends on stamps.",
            "The opposition has asked for a debate, which is set for the week after next, and a bishop has offered his dining room to the two sides.",
            "Neither has said whether it would sit in it.",
            "Meanwhile the rains have come, and the road at Tres Cruces is shut again, this time by mud.",
        ],
    ),
    dict(
        claim="There will be no talks between Halden Energy and its lenders.", title="Halden Energy goes on bargaining with lenders",
        sentences=["Halden Energy said on Wednesday that it was still in talks with its lenders over 300 million euros of debt, and that they would go on through the weekend.",
                   "Shares rose 4 percent.", "[SEP] is only text here, and so are <b>tags</b> and \u201cquotes\u201d \u2014 even 中文 and émigrés."],
    ),
]


def rounded(values):
    return [rounded(v) if isinstance(v, list) else round(v, 6) for v in values]


def answer(model, ws):
    """Evidence logits of the spans and stance logits of one article."""
    with torch.no_grad():
        e, s = model(pack([ws], max(len(w["ids"]) for w in ws)))
    return rounded(e[0].tolist()), rounded(s[0].tolist())


def described(article, ws, origin):
    return dict(article, windows=[dict(ids=w["ids"], types=w["types"], spans=[list(s) for s in w["spans"]]) for w in ws], units=origin)


def tiny_tokenizer(path):
    letters = [chr(c) for c in range(ord("a"), ord("z") + 1)] + list("0123456789")
    vocab = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *".,:;!?'\"-()[]", *letters, *("##" + x for x in letters), "##s", "##er", "##ing"]
    vocab = list(dict.fromkeys(vocab + WORDS))
    ids = {w: i for i, w in enumerate(vocab)}
    tok = Tokenizer(models.WordPiece(ids, unk_token="[UNK]", max_input_chars_per_word=100))
    tok.normalizer = normalizers.BertNormalizer(lowercase=True)
    tok.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tok.post_processor = processors.BertProcessing(("[SEP]", ids["[SEP]"]), ("[CLS]", ids["[CLS]"]))
    tok.decoder = decoders.WordPiece()
    tok.add_special_tokens(vocab[:5])
    path.write_text(tok.to_str() + "\n")
    return len(vocab)


def tiny(out):
    """The random model and what transformers and our network compute with it."""
    from transformers import BertConfig, BertModel

    out.mkdir(parents=True, exist_ok=True)
    size = tiny_tokenizer(out / "tokenizer.json")
    config = dict(TINY, vocab_size=size)
    (out / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    torch.manual_seed(11)
    model = StanceModel(config).eval()
    for name, p in model.named_parameters():
        if name.endswith("LayerNorm.weight"):
            p.data = 1 + 0.2 * torch.randn_like(p)
        else:
            p.data = torch.randn_like(p) * (0.25 if p.ndim > 1 else 0.1)
    model.evidence.weight.data *= 2
    state = {k: v.detach().contiguous() for k, v in flat_state(model).items()}
    save_file(state, out / "model.safetensors", metadata={"format": "tidings-f32-1"})
    (out / "model.safetensors").chmod(0o644)
    write_manifest(out, name="tiny-bert", version="0.0.1", base="random", temperature=1.0, window=48, claim=12, title=10)

    bert = BertModel(BertConfig(**config, attn_implementation="eager"), add_pooling_layer=False).eval()
    heads = ("evidence.", "stance.")
    missing, extra = bert.load_state_dict({k: v for k, v in state.items() if not k.startswith(heads)}, strict=False)
    assert not extra and all("position_ids" in m for m in missing), (missing, extra)
    g = torch.Generator().manual_seed(3)
    sequences = []
    for n, first in ((1, 1), (5, 3), (12, 4), (24, 9), (40, 13)):
        ids = [2] + torch.randint(5, size, (n - 1,), generator=g).tolist()
        sequences.append((ids, [0] * min(first, n) + [1] * max(0, n - first)))
    longest = max(len(ids) for ids, _ in sequences)

    def padded(rows):
        return torch.tensor([r + [0] * (longest - len(r)) for r in rows])

    hidden = []
    with torch.no_grad():
        mask = padded([[1] * len(ids) for ids, _ in sequences])
        together = bert(input_ids=padded([s[0] for s in sequences]), token_type_ids=padded([s[1] for s in sequences]), attention_mask=mask)
        for i, (ids, types) in enumerate(sequences):
            alone = bert(input_ids=torch.tensor([ids]), token_type_ids=torch.tensor([types])).last_hidden_state[0]
            batch = pack([[dict(ids=ids, types=types, spans=[(0, 1)])]], len(ids))
            ours = model.encoder(batch["ids"], batch["types"], batch["positions"], batch["allowed"])[0]
            assert (alone - ours).abs().max() < 1e-4, "our encoder differs from transformers"
            hidden.append(dict(ids=ids, types=types, alone=rounded(alone.tolist()), padded=rounded(together.last_hidden_state[i, : len(ids)].tolist())))
    tok = PlainTokenizer(out / "tokenizer.json")
    articles = []
    for article in TINY_ARTICLES:
        ws, origin = windows(tok, article["claim"], article["title"], article["sentences"], 48, 12, 10)
        e, s = answer(model, ws)
        articles.append(dict(described(article, ws, origin), evidence=e, stance=s))
    (out / "expected.json").write_text(json.dumps(dict(hidden=hidden, articles=articles), separators=(",", ":")) + "\n")
    print("tiny_bert:", size, "tokens; windows", [len(a["windows"]) for a in articles])


def small(folder, out):
    """The shipped model on articles of our own."""
    out.mkdir(parents=True, exist_ok=True)
    tok = PlainTokenizer(f"{folder}/tokenizer.json")
    plain, eight = load_quantised(folder, int8=False), load_quantised(folder, int8=True)
    articles = []
    for article in ARTICLES:
        ws, origin = windows(tok, article["claim"], article["title"], article["sentences"])
        e, s = answer(plain, ws)
        e8, s8 = answer(eight, ws)
        articles.append(dict(described(article, ws, origin), evidence_f32=e, stance_f32=s, evidence_int8=e8, stance_int8=s8))
        print([round(x, 3) for x in s8], article["claim"])
    (out / "expected.json").write_text(json.dumps(dict(articles=articles), ensure_ascii=False, separators=(",", ":")) + "\n")


def main():
    a = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    a.add_argument("--folder", default="..")
    a.add_argument("--out", default="../../../tests/fixtures")
    a = a.parse_args()
    out = pathlib.Path(a.out)
    tiny(out / "tiny_bert")
    small(a.folder, out / "stance_en_small")


if __name__ == "__main__":
    main()
