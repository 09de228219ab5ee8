//! The words of a manifest: what a model does, what shape it has, what its logits mean.

use serde::Deserialize;

use crate::stance::Stance;

/// What a model does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Task {
    /// Claim and article in; stance and sentence evidence out, by our own two heads.
    Stance,
    /// Claim and text in; one of the four stances out, by a sequence classifier.
    StanceClassifier,
    /// Text and claim in; whether the one entails the other out, by a sequence classifier.
    Nli,
    /// Text and claim in; how likely each of four answers is out, by a decoder.
    StanceDecoder,
    /// Text in; a shorter one out, by an encoder and a decoder.
    SummarySeq2seq,
    /// A sentence in; the same said shorter out, by a decoder that was trained for it.
    RewriteDecoder,
}

/// Shapes of network that can be loaded, by the names that Hugging Face's `model_type` gives them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Architecture {
    /// Devlin et al. 2018, arXiv 1810.04805.
    Bert,
    /// Liu et al. 2019, arXiv 1907.11692.
    Roberta,
    /// Conneau et al. 2019, arXiv 1911.02116.
    XlmRoberta,
    /// Sanh et al. 2019, arXiv 1910.01108.
    Distilbert,
    /// He et al. 2020 and 2021, arXiv 2006.03654 and 2111.09543: versions 2 and 3.
    DebertaV2,
    /// Warner et al. 2024, arXiv 2412.13663.
    Modernbert,
    /// Touvron et al. 2023, arXiv 2307.09288, to Llama 3.2: a decoder, as are those that follow.
    Llama,
    /// Jiang et al. 2023, arXiv 2310.06825.
    Mistral,
    /// Qwen team 2024, arXiv 2407.10671 and 2412.15115: Qwen2 and Qwen2.5.
    Qwen2,
    /// Qwen team 2025, arXiv 2505.09388.
    Qwen3,
    /// Gemma team 2025, arXiv 2503.19786: what reads text.
    Gemma3,
    /// Abdin et al. 2024 and 2025, arXiv 2404.14219 and 2503.01743: Phi-3, and Phi-4 as well.
    Phi3,
    /// Bakouch et al. 2025, "SmolLM3: smol, multilingual, long-context reasoner".
    Smollm3,
    /// Raffel et al. 2019, arXiv 1910.10683, to FLAN-T5: an encoder and a decoder, as have those that follow.
    T5,
    /// Lewis et al. 2019, arXiv 1910.13461, and DistilBART.
    Bart,
    /// Zhang et al. 2019, arXiv 1912.08777.
    Pegasus,
}

impl Architecture {
    /// Those of encoders.
    pub const ENCODERS: [Self; 6] = [
        Self::Bert,
        Self::Roberta,
        Self::XlmRoberta,
        Self::Distilbert,
        Self::DebertaV2,
        Self::Modernbert,
    ];
    /// Those of summarisers.
    pub const SUMMARISERS: [Self; 3] = [Self::T5, Self::Bart, Self::Pegasus];

    /// Those of decoders.
    pub const DECODERS: [Self; 7] = [
        Self::Llama,
        Self::Mistral,
        Self::Qwen2,
        Self::Qwen3,
        Self::Gemma3,
        Self::Phi3,
        Self::Smollm3,
    ];

    /// The name in manifests and configurations.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bert => "bert",
            Self::Roberta => "roberta",
            Self::XlmRoberta => "xlm-roberta",
            Self::Distilbert => "distilbert",
            Self::DebertaV2 => "deberta-v2",
            Self::Modernbert => "modernbert",
            Self::Llama => "llama",
            Self::Mistral => "mistral",
            Self::Qwen2 => "qwen2",
            Self::Qwen3 => "qwen3",
            Self::Gemma3 => "gemma3",
            Self::Phi3 => "phi3",
            Self::Smollm3 => "smollm3",
            Self::T5 => "t5",
            Self::Bart => "bart",
            Self::Pegasus => "pegasus",
        }
    }
}

/// What one logit means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Label {
    /// A stance.
    Stance(Stance),
    /// The text entails the claim.
    Entailment,
    /// The text entails neither the claim nor its denial.
    Neutral,
    /// The text contradicts the claim.
    Contradiction,
    /// One of the last two.
    NotEntailment,
}

impl Label {
    /// The meaning that a name says without doubt, in whatever case.
    pub fn parse(name: &str) -> Option<Self> {
        let name = name.to_lowercase().replace(['_', ' '], "-");
        let stance = Stance::ALL.into_iter().find(|s| s.name() == name);
        match &name[..] {
            "entailment" => Some(Self::Entailment),
            "neutral" => Some(Self::Neutral),
            "contradiction" => Some(Self::Contradiction),
            "not-entailment" => Some(Self::NotEntailment),
            _ => stance.map(Self::Stance),
        }
    }

    /// The name in manifests.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stance(stance) => stance.name(),
            Self::Entailment => "entailment",
            Self::Neutral => "neutral",
            Self::Contradiction => "contradiction",
            Self::NotEntailment => "not-entailment",
        }
    }
}

impl TryFrom<String> for Label {
    type Error = String;

    fn try_from(name: String) -> std::result::Result<Self, String> {
        Self::parse(&name).ok_or_else(|| {
            format!(
                "`{name}` is no label: supports, refutes, discusses, unrelated; entailment, neutral, contradiction, not-entailment"
            )
        })
    }
}

impl Task {
    /// The name in manifests.
    pub fn name(self) -> &'static str {
        match self {
            Self::Stance => "stance",
            Self::StanceClassifier => "stance-classifier",
            Self::Nli => "nli",
            Self::StanceDecoder => "stance-decoder",
            Self::SummarySeq2seq => "summary-seq2seq",
            Self::RewriteDecoder => "rewrite-decoder",
        }
    }

    /// Whether its models write, and so tell no stance.
    pub fn writes(self) -> bool {
        matches!(self, Self::SummarySeq2seq | Self::RewriteDecoder)
    }

    /// The task of a classifier with these labels, if they are one's.
    pub fn of(labels: &[Label]) -> Option<Self> {
        [Self::StanceClassifier, Self::Nli]
            .into_iter()
            .find(|task| task.takes(labels))
    }

    /// Whether `labels` are those of the task, each once, in any order.
    pub(super) fn takes(self, labels: &[Label]) -> bool {
        let are = |wanted: &[Label]| {
            labels.len() == wanted.len() && wanted.iter().all(|label| labels.contains(label))
        };
        match self {
            Self::Stance | Self::StanceClassifier | Self::StanceDecoder => {
                are(&Stance::ALL.map(Label::Stance))
            }
            Self::Nli => {
                are(&[Label::Entailment, Label::Neutral, Label::Contradiction])
                    || are(&[Label::Entailment, Label::NotEntailment])
            }
            Self::SummarySeq2seq | Self::RewriteDecoder => labels.is_empty(),
        }
    }
}
