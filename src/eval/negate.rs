//! The same claims denied. A model that reads the claim should turn its answer round; one that only looks for the article's mood
//! will not.

use super::labelled::{Question, Set};
use crate::error::{Error, Result};
use crate::stance::Stance;
use crate::words::{self, PLACE};

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
            Self::Template(template) => words::inside(template, claim),
            Self::Not => words::denied(claim),
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
