use super::*;

const VOTE: &str = "Dock workers at the port of Lorne, which lies in the south, voted by 412 to 67 to end their six-week strike, the union said.";

/// The sentence, after the rewriter wrote that.
fn after(written: Option<&str>) -> Sentence {
    let mut sentence = Sentence {
        text: VOTE.to_owned(),
        sources: std::iter::once(7..7 + VOTE.len()).collect(),
        made: Made::Copied,
        refused: None,
    };
    sentence.take(written);
    sentence
}

#[test]
fn what_passes_is_taken() {
    let shorter = "Dock workers at the port of Lorne voted by 412 to 67 to end their six-week strike, the union said.";
    let sentence = after(Some(shorter));
    assert_eq!((&sentence.text[..], &sentence.refused), (shorter, &None));
    assert!(matches!(sentence.made, Made::Rewritten { support } if support > 0.5));
    assert_eq!(sentence.sources, after(None).sources);
}

#[test]
fn what_does_not_pass_stays_and_says_why() {
    for (written, says) in [
        (
            Some("Dock workers voted to end their long strike, the union said."),
            "word: long",
        ),
        (
            Some(
                "Dock workers at the port of Lorne voted by 412 to 76 to end their strike, the union said.",
            ),
            "number: 76",
        ),
        (Some(""), "form: nothing was written"),
        (None, "form: it does not end"),
    ] {
        let sentence = after(written);
        assert_eq!((&sentence.text[..], sentence.made), (VOTE, Made::Copied));
        assert_eq!(
            sentence.refused.map(|flaw| flaw.to_string()).as_deref(),
            Some(says)
        );
    }
    let copy = after(Some(VOTE));
    assert_eq!(
        (copy.made, copy.refused),
        (Made::Copied, None),
        "nothing could be left out"
    );
}
