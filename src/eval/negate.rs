//! The same claims denied. A model that reads the claim should turn its answer round; one that only looks for the article's mood
//! will not.

use super::labelled::{Question, Set};
use crate::error::{Error, Result};
use crate::stance::Stance;

/// Where a template has the claim.
const PLACE: &str = "{claim}";
/// Verbs that take a `not` behind them; `may not` would be a guess as `may` is, and is left to the sentence around the claim.
const VERBS: [&str; 14] = [
    "is", "are", "was", "were", "will", "would", "shall", "should", "can", "could", "must", "has",
    "have", "had",
];
/// First words that lose their capital inside a sentence; any other may be a name.
const COMMON: [&str; 12] = [
    "a",
    "an",
    "the",
    "this",
    "these",
    "there",
    "no",
    "nobody",
    "talks",
    "negotiations",
    "meetings",
    "both",
];

/// How claims are denied.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Negation {
    /// `not` behind the first verb that takes it, or gone from where it stands; else `It is not true that …`.
    #[default]
    Not,
    /// A sentence with `{claim}` in it, which stands for the claim without its full stop.
    Template(String),
}

impl Negation {
    /// A template.
    ///
    /// # Errors
    /// [`Error::Usage`] when the claim has no place in it.
    pub fn template(text: &str) -> Result<Self> {
        match text.contains(PLACE) {
            true => Ok(Self::Template(text.to_owned())),
            false => Err(Error::Usage(format!(
                "the template `{text}` has no place for the claim: write {PLACE} where it goes"
            ))),
        }
    }

    /// The claim denied.
    pub fn of(&self, claim: &str) -> String {
        match self {
            Self::Template(template) => inside(template, claim),
            Self::Not => {
                not(claim).unwrap_or_else(|| inside("It is not true that {claim}.", claim))
            }
        }
    }

    /// The same questions about the denied claims: what supports a claim refutes its denial; what leaves it open, or is about
    /// something else, stays.
    pub fn set(&self, set: &Set) -> Set {
        let mut set = set.clone();
        for question in set.cases.iter_mut().flat_map(|case| &mut case.questions) {
            *question = Question {
                claim: self.of(&question.claim),
                gold: opposite(question.gold),
                evidence: std::mem::take(&mut question.evidence),
                summary: None,
            };
        }
        set
    }
}

fn opposite(stance: Stance) -> Stance {
    match stance {
        Stance::Supports => Stance::Refutes,
        Stance::Refutes => Stance::Supports,
        other => other,
    }
}

/// `claim` with a `not` more or less; `None` where the words do not allow it.
fn not(claim: &str) -> Option<String> {
    let words: Vec<&str> = claim.split(' ').collect();
    let bare = |word: &str| {
        word.trim_matches(|c: char| !c.is_alphanumeric() && c != '\'' && c != '’')
            .to_lowercase()
    };
    let denies = |word: &str| {
        [
            "no", "never", "nobody", "none", "nothing", "neither", "nor", "may", "might", "cannot",
        ]
        .contains(&word)
            || word.ends_with("n't")
            || word.ends_with("n’t")
    };
    if words.iter().any(|word| denies(&bare(word))) {
        return None;
    }
    if let Some(at) = words.iter().position(|word| *word == "not") {
        return Some([&words[..at], &words[at + 1..]].concat().join(" "));
    }
    let at = words.iter().position(|word| VERBS.contains(word))?;
    Some(
        [&words[..=at], &["not"], &words[at + 1..]]
            .concat()
            .join(" "),
    )
}

fn inside(template: &str, claim: &str) -> String {
    let claim = claim.trim().trim_end_matches('.');
    let first = claim.split(' ').next().unwrap_or_default();
    let lower = first.to_lowercase();
    let opens = template.starts_with(PLACE);
    let claim = match COMMON.contains(&&lower[..]) && !opens {
        true => format!("{lower}{}", &claim[first.len()..]),
        false => claim.to_owned(),
    };
    template.replace(PLACE, &claim)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_not_comes_or_goes() {
        let not = |claim| Negation::Not.of(claim);
        assert_eq!(not("Talks are imminent."), "Talks are not imminent.");
        assert_eq!(
            not("Talks between Arvenia and Tolmere are imminent."),
            "Talks between Arvenia and Tolmere are not imminent."
        );
        assert_eq!(
            not("Tolmere will not meet Arvenia."),
            "Tolmere will meet Arvenia."
        );
        assert_eq!(not("A truce was signed."), "A truce was not signed.");
    }

    #[test]
    fn other_claims_are_denied_as_a_whole() {
        let not = |claim| Negation::Not.of(claim);
        assert_eq!(
            not("The ferries run again."),
            "It is not true that the ferries run again."
        );
        assert_eq!(
            not("Brenn Island refuses to pay."),
            "It is not true that Brenn Island refuses to pay."
        );
        // A second denial beside the first would be read either way.
        assert_eq!(
            not("No talks are planned."),
            "It is not true that no talks are planned."
        );
        assert_eq!(
            not("Talks aren't planned."),
            "It is not true that talks aren't planned."
        );
    }

    #[test]
    fn a_template_has_a_place_for_the_claim() {
        assert!(Negation::template("It is false.").is_err());
        let template = Negation::template("It is false that {claim}!").unwrap();
        assert_eq!(
            template.of("Talks are near."),
            "It is false that talks are near!"
        );
        let template = Negation::template("{claim}? No.").unwrap();
        assert_eq!(template.of("Talks are near."), "Talks are near? No.");
    }

    #[test]
    fn only_supports_and_refutes_change_places() {
        assert_eq!(
            Stance::ALL.map(opposite),
            [
                Stance::Refutes,
                Stance::Supports,
                Stance::Discusses,
                Stance::Unrelated
            ]
        );
    }
}
