//! A sequence classifier as a reader of stance: any encoder under a head of Hugging Face transformers' `…ForSequenceClassification`.
//!
//! It is asked about pieces of an article, one at a time: windows of whole sentences, and each sentence alone
//! (`crate::stance::pieces`). Each answer becomes a share for each of the four stances. Those of the pieces become the article's so:
//! *supports* and *refutes* are those of the most decisive piece, where they are largest together; *unrelated* is the smallest share
//! that any piece gives it; *discusses* is the rest. An NLI head is asked of all pieces, since it was trained on sentences (after
//! Laban et al. 2022, arXiv 2111.09525, who found the surest sentence a better witness than the whole text); a stance head of windows.
//!
//! What an NLI head's answer means:
//!
//! - *entailment* supports, *contradiction* refutes. *Neutral* says nothing of whether the text is about the claim: it is split between
//!   *discusses* and *unrelated* by [`Window::relevance`], the share of the claim's own words that the piece has.
//! - A head that knows *entailment* alone is asked the claim and its denial, with shares `p` and `q`: supports is `p(1 − q)`, refutes
//!   `q(1 − p)`, and the rest is neutral: neither, or both.

use super::config::{Config, Family};
use super::manifest::{Label, Manifest};
use super::weights::Weights;
use super::{Reading, Window};
use crate::error::{Error, Result};
use crate::kernel;
use crate::stance::Stance;

/// No share is smaller, so that its logarithm is a number.
const LEAST: f32 = 1e-9;
/// No sentence is surer than this to decide, or not to.
const LEAST_EVIDENCE: f32 = 1e-6;

/// A head, and what its logits mean.
pub struct Classifier {
    head: Head,
    labels: Vec<Label>,
    temperature: f32,
}

/// `out(norm(act(dense(x))))`, where `x` is the first token's state, or the mean of all; only ModernBERT has the norm.
struct Head {
    mean: bool,
    dense: Vec<f32>,
    dense_bias: Vec<f32>,
    activation: Activation,
    /// Scale and what is added to the variance.
    norm: Option<(Vec<f32>, f32)>,
    out: Vec<f32>,
    out_bias: Vec<f32>,
}

#[derive(Clone, Copy)]
enum Activation {
    Tanh,
    Relu,
    Gelu,
}

impl Classifier {
    /// Takes the head's tensors.
    ///
    /// # Errors
    /// [`Error::Model`] that names the tensor, or says that head and labels do not fit.
    pub fn load(weights: &Weights, config: &Config, manifest: &Manifest) -> Result<Self> {
        let labels = manifest.labels.clone();
        if !config.labels.is_empty() && config.labels.len() != labels.len() {
            return Err(Error::Model(format!(
                "the manifest names {} labels, {} has {}: {}",
                labels.len(),
                manifest.config,
                config.labels.len(),
                config.labels.join(", ")
            )));
        }
        // A name that means one of ours, but another one than the manifest says: one of the two is wrong.
        for (label, name) in labels.iter().zip(&config.labels) {
            if Label::parse(name).is_some_and(|said| said != *label) {
                return Err(Error::Model(format!(
                    "the manifest names a label {} where {} has `{name}`: one of them has the wrong order",
                    label.name(),
                    manifest.config
                )));
            }
        }
        Ok(Self {
            head: Head::load(weights, config, labels.len())?,
            labels,
            temperature: manifest.temperature,
        })
    }

    /// Whether the head reads the states of all tokens; else the first token's alone, and no other need be copied from a GPU.
    pub fn reads_all(&self) -> bool {
        self.head.mean
    }

    /// What the head says of a window with these states.
    pub fn logits(&self, states: &[f32]) -> Vec<f32> {
        self.head.forward(states)
    }

    /// What an article says whose `windows` have these logits.
    pub fn read(&self, windows: &[Window], logits: &[Vec<f32>]) -> Reading {
        let asked = self.questions();
        let pieces: Vec<(&Window, [f32; 4])> = windows
            .chunks(asked)
            .zip(logits.chunks(asked))
            .map(|(windows, logits)| {
                // What is asked first of a piece says what it is.
                (&windows[0], self.shares(logits, windows[0].relevance))
            })
            .collect();
        let read = pieces
            .iter()
            .filter(|(window, _)| self.is_nli() || window.article);
        let article = pool(read.map(|(_, shares)| *shares));
        let likeliest = Stance::likeliest(&article);
        let sentences = pieces.iter().filter(|(window, _)| !window.spans.is_empty());
        Reading {
            stance: logarithms(article),
            evidence: sentences
                .map(|(_, shares)| evidence(shares, likeliest))
                .collect(),
        }
    }

    /// Questions about each piece: the claim, and its denial where *entailment* is all that the head knows.
    pub fn questions(&self) -> usize {
        match self.labels.contains(&Label::NotEntailment) {
            true => 2,
            false => 1,
        }
    }

    fn is_nli(&self) -> bool {
        self.labels.contains(&Label::Entailment)
    }

    /// The four stances' shares of a piece, in the order of [`Stance::ALL`].
    fn shares(&self, logits: &[Vec<f32>], relevance: f32) -> [f32; 4] {
        let share = |question: usize, label: Label| {
            let mut shares: Vec<f32> = logits[question]
                .iter()
                .map(|logit| logit / self.temperature)
                .collect();
            kernel::softmax(&mut shares);
            let place = self.labels.iter().position(|l| *l == label);
            place.map_or(0.0, |at| shares[at])
        };
        let (supports, refutes) = match (self.is_nli(), self.questions()) {
            (false, _) => return Stance::ALL.map(|stance| share(0, Label::Stance(stance))),
            (true, 1) => (share(0, Label::Entailment), share(0, Label::Contradiction)),
            (true, _) => {
                let (p, q) = (share(0, Label::Entailment), share(1, Label::Entailment));
                (p * (1.0 - q), q * (1.0 - p))
            }
        };
        let neutral = (1.0 - supports - refutes).max(0.0);
        let discusses = neutral * relevance;
        [supports, refutes, discusses, neutral - discusses]
    }
}

/// Logits whose softmax the shares are.
pub(super) fn logarithms(shares: [f32; 4]) -> [f32; 4] {
    shares.map(|share| share.max(LEAST).ln())
}

/// The article's shares from those of its pieces.
pub(super) fn pool(pieces: impl Iterator<Item = [f32; 4]>) -> [f32; 4] {
    let mut found: Option<[f32; 4]> = None;
    let mut unrelated = 1f32;
    for piece in pieces {
        unrelated = unrelated.min(piece[3]);
        // Of equals the first.
        if found.is_none_or(|best| piece[0] + piece[1] > best[0] + best[1]) {
            found = Some(piece);
        }
    }
    let [supports, refutes, ..] = found.unwrap_or([0.0, 0.0, 0.0, 1.0]);
    let discusses = (1.0 - supports - refutes - unrelated).max(0.0);
    [supports, refutes, discusses, unrelated]
}

/// The evidence logit of a sentence: its share for what the article as a whole says, or, where that is *unrelated*, for anything else.
fn evidence(shares: &[f32; 4], article: Stance) -> f32 {
    let share = match article {
        Stance::Unrelated => 1.0 - shares[3],
        stance => shares[stance as usize],
    };
    let share = share.clamp(LEAST_EVIDENCE, 1.0 - LEAST_EVIDENCE);
    (share / (1.0 - share)).ln()
}

impl Head {
    fn load(weights: &Weights, config: &Config, labels: usize) -> Result<Self> {
        let width = config.width;
        let (dense, activation, out) = match config.family {
            Family::Bert => ("bert.pooler.dense", Activation::Tanh, "classifier"),
            Family::Roberta { .. } => ("classifier.dense", Activation::Tanh, "classifier.out_proj"),
            Family::DistilBert => ("pre_classifier", Activation::Relu, "classifier"),
            Family::Deberta(_) => ("pooler.dense", Activation::Gelu, "classifier"),
            Family::ModernBert(_) => ("head.dense", Activation::Gelu, "classifier"),
        };
        let tensor = |name: &str, kind: &str, shape: &[usize]| {
            weights.float(&format!("{name}.{kind}"), shape)
        };
        let modern = match &config.family {
            Family::ModernBert(modern) => Some(modern),
            _ => None,
        };
        Ok(Self {
            mean: modern.is_some_and(|modern| modern.mean),
            dense: tensor(dense, "weight", &[width, width])?,
            dense_bias: match modern {
                Some(_) => vec![0.0; width],
                None => tensor(dense, "bias", &[width])?,
            },
            activation,
            norm: match modern {
                Some(_) => Some((tensor("head.norm", "weight", &[width])?, config.eps)),
                None => None,
            },
            out: tensor(out, "weight", &[labels, width])
                .map_err(|e| Error::Model(format!("{e} (the head for {labels} labels)")))?,
            out_bias: tensor(out, "bias", &[labels])?,
        })
    }

    fn forward(&self, states: &[f32]) -> Vec<f32> {
        let width = self.dense_bias.len();
        let mut x = states[..width].to_vec();
        if self.mean {
            let mut rows = states.chunks_exact(width).skip(1);
            let count = rows.len() + 1;
            rows.by_ref().for_each(|row| add(&mut x, row));
            x.iter_mut().for_each(|v| *v /= count as f32);
        }
        let mut x = kernel::dense(&x, &self.dense, &self.dense_bias);
        match self.activation {
            Activation::Tanh => x.iter_mut().for_each(|v| *v = v.tanh()),
            // Not `max`, which would make a number of NaN.
            Activation::Relu => x
                .iter_mut()
                .for_each(|v| *v = if *v < 0.0 { 0.0 } else { *v }),
            Activation::Gelu => kernel::gelu(&mut x),
        }
        if let Some((gamma, eps)) = &self.norm {
            let zeros = vec![0.0; width];
            kernel::add_layer_norm(&mut x, &zeros, gamma, &zeros, *eps);
        }
        kernel::dense(&x, &self.out, &self.out_bias)
    }
}

fn add(sum: &mut [f32], row: &[f32]) {
    for (sum, v) in sum.iter_mut().zip(row) {
        *sum += v;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classifier(labels: &[Label]) -> Classifier {
        Classifier {
            head: Head {
                mean: false,
                dense: Vec::new(),
                dense_bias: Vec::new(),
                activation: Activation::Relu,
                norm: None,
                out: Vec::new(),
                out_bias: Vec::new(),
            },
            labels: labels.to_vec(),
            temperature: 1.0,
        }
    }

    /// A window of the article, a sentence of one, or both at once.
    fn window(article: bool, sentence: bool, relevance: f32) -> Window {
        Window {
            ids: vec![0, 1],
            first: 1,
            spans: (0..usize::from(sentence)).map(|_| 0..1).collect(),
            article,
            relevance,
        }
    }

    /// Logits whose softmax these shares are.
    fn logits(shares: &[f32]) -> Vec<f32> {
        shares.iter().map(|share| share.ln()).collect()
    }

    fn near(found: [f32; 4], wanted: [f32; 4]) {
        for (found, wanted) in found.iter().zip(wanted) {
            assert!((found - wanted).abs() < 1e-4, "{found} {wanted}");
        }
    }

    const NLI: [Label; 3] = [Label::Contradiction, Label::Entailment, Label::Neutral];

    #[test]
    fn neutral_is_split_by_relevance() {
        let nli = classifier(&NLI);
        let logits = [logits(&[0.1, 0.2, 0.7])];
        near(nli.shares(&logits, 0.75), [0.2, 0.1, 0.525, 0.175]);
        near(nli.shares(&logits, 0.0), [0.2, 0.1, 0.0, 0.7]);
        near(nli.shares(&logits, 1.0), [0.2, 0.1, 0.7, 0.0]);
    }

    #[test]
    fn the_order_of_labels_does_not_matter() {
        let orders = [
            (
                [Label::Entailment, Label::Neutral, Label::Contradiction],
                [0.2, 0.7, 0.1],
            ),
            (
                [Label::Contradiction, Label::Neutral, Label::Entailment],
                [0.1, 0.7, 0.2],
            ),
            (
                [Label::Neutral, Label::Entailment, Label::Contradiction],
                [0.7, 0.2, 0.1],
            ),
        ];
        for (labels, shares) in orders {
            near(
                classifier(&labels).shares(&[logits(&shares)], 0.5),
                [0.2, 0.1, 0.35, 0.35],
            );
        }
    }

    #[test]
    fn two_classes_are_asked_claim_and_denial() {
        let head = classifier(&[Label::NotEntailment, Label::Entailment]);
        assert_eq!(head.questions(), 2);
        let answers = [logits(&[0.1, 0.9]), logits(&[0.8, 0.2])];
        near(head.shares(&answers, 0.5), [0.72, 0.02, 0.13, 0.13]);
        // Both at once is no answer.
        let both = [logits(&[0.01, 0.99]), logits(&[0.01, 0.99])];
        near(head.shares(&both, 1.0), [0.0099, 0.0099, 0.9802, 0.0]);
    }

    #[test]
    fn the_most_decisive_piece_decides_and_the_most_related_relates() {
        let nli = classifier(&NLI);
        let windows = [
            window(true, false, 0.5),
            window(false, true, 0.0),
            window(false, true, 1.0),
        ];
        let answers = [
            logits(&[0.05, 0.05, 0.9]),
            logits(&[0.6, 0.1, 0.3]),
            logits(&[0.05, 0.15, 0.8]),
        ];
        let reading = nli.read(&windows, &answers);
        near(reading.stance.map(f32::exp), [0.1, 0.6, 0.3, 0.0]);
        // Evidence is of the two sentences, for what the article says: that it is not so.
        let evidence: Vec<f32> = reading
            .evidence
            .iter()
            .map(|e| kernel::sigmoid(*e))
            .collect();
        assert_eq!(evidence.len(), 2);
        assert!((evidence[0] - 0.6).abs() < 1e-3 && (evidence[1] - 0.05).abs() < 1e-3);
    }

    #[test]
    fn a_stance_head_is_believed_of_windows_and_asked_of_sentences() {
        let stance = classifier(&Stance::ALL.map(Label::Stance));
        // The last window is one sentence.
        let windows = [
            window(true, false, 0.0),
            window(false, true, 0.0),
            window(true, true, 0.0),
        ];
        let answers = [
            logits(&[0.03, 0.02, 0.9, 0.05]),
            logits(&[0.9, 0.05, 0.03, 0.02]),
            logits(&[0.04, 0.02, 0.02, 0.92]),
        ];
        let reading = stance.read(&windows, &answers);
        near(reading.stance.map(f32::exp), [0.04, 0.02, 0.89, 0.05]);
        let evidence: Vec<f32> = reading
            .evidence
            .iter()
            .map(|e| kernel::sigmoid(*e))
            .collect();
        assert_eq!(evidence.len(), 2);
        assert!((evidence[0] - 0.03).abs() < 1e-3 && (evidence[1] - 0.02).abs() < 1e-3);
    }

    #[test]
    fn a_head_that_overflows_does_not_answer() {
        for activation in [Activation::Tanh, Activation::Relu, Activation::Gelu] {
            let head = Head {
                mean: false,
                // An infinity less an infinity.
                dense: vec![f32::MAX, f32::MAX, f32::MAX, -f32::MAX],
                dense_bias: vec![0.0; 2],
                activation,
                norm: None,
                out: vec![1.0; 2],
                out_bias: vec![0.0],
            };
            let [logit] = head.forward(&[4.0, 4.0])[..] else {
                unreachable!("one logit")
            };
            assert!(logit.is_nan(), "{logit}");
        }
    }
}
