#![allow(clippy::unwrap_used)]
use super::words::{number, stem};
use super::*;

const TALKS: &str = "Arvenia's foreign minister, Tomas Rovik, said on Monday that talks with Borland would open in Esker on 14 March if the \
                     ceasefire holds.";
const DENIAL: &str =
    "A spokesman for the government of Borland denied that any invitation had been received.";
const STRIKE: &str = "Dock workers at the port of Lorne voted by 412 to 67 to end their six-week strike, the union said.";

fn kind(text: &str, sources: &[&str]) -> Option<FlawKind> {
    check(&[text], sources).err().map(|flaw| flaw.kind)
}

#[test]
fn a_shortening_passes() {
    for (text, source) in [
        (
            "Arvenia's foreign minister said on Monday that talks would open in Esker on 14 March if the ceasefire holds.",
            TALKS,
        ),
        (
            "A spokesman denied that any invitation had been received.",
            DENIAL,
        ),
        (
            "Workers at the port of Lorne voted by 412 to 67 to end their strike, the union said.",
            STRIKE,
        ),
        (STRIKE, STRIKE),
    ] {
        assert_eq!(
            check(&[text], &[source]).map_err(|flaw| flaw.to_string()),
            Ok(vec![BTreeSet::from([0])]),
            "{text}"
        );
    }
}

#[test]
fn what_the_sources_do_not_say_is_named() {
    for (text, source, expected) in [
        // Other names, numbers, words, quotations.
        (
            "Arvenia's foreign minister said talks with Corland would open in Esker if the ceasefire holds.",
            TALKS,
            FlawKind::Name,
        ),
        (
            "Arvenia's foreign minister said talks would open in Esker on 15 March if the ceasefire holds.",
            TALKS,
            FlawKind::Number,
        ),
        (
            "Arvenia's foreign minister said peace talks would open in Esker if the ceasefire holds.",
            TALKS,
            FlawKind::Word,
        ),
        (
            "Workers voted to end their “long” strike, the union said.",
            STRIKE,
            FlawKind::Word,
        ),
        (
            "Workers voted to “end strike”, the union said.",
            STRIKE,
            FlawKind::Quotation,
        ),
        (
            "Dock workers voted by 67 to 412 to end their strike, the union said.",
            STRIKE,
            FlawKind::Joined,
        ),
        // Whether.
        (
            "A spokesman said that any invitation had been received.",
            DENIAL,
            FlawKind::Joined,
        ),
        (
            "An invitation had been received by the government.",
            DENIAL,
            FlawKind::Joined,
        ),
        (
            "Arvenia's foreign minister said that talks would open in Esker on 14 March.",
            TALKS,
            FlawKind::Condition,
        ),
        (
            "Arvenia's foreign minister said that talks will open in Esker on 14 March if the ceasefire holds.",
            TALKS,
            FlawKind::Joined,
        ),
        (
            "Arvenia's foreign minister said talks would not open in Esker on 14 March if the ceasefire holds.",
            TALKS,
            FlawKind::Joined,
        ),
        // Who.
        (
            "Talks would open in Esker on 14 March if the ceasefire holds.",
            TALKS,
            FlawKind::Attribution,
        ),
        (
            "Borland said that talks would open in Esker on 14 March if the ceasefire holds.",
            TALKS,
            FlawKind::Joined,
        ),
        // Not when the talks are, but when he said so.
        (
            "Arvenia's foreign minister said talks would open in Esker on Monday if the ceasefire holds.",
            TALKS,
            FlawKind::Joined,
        ),
        // No sentence.
        ("Talks in Esker", TALKS, FlawKind::Form),
        (
            "He said talks would open in Esker on 14 March if the ceasefire holds.",
            TALKS,
            FlawKind::Form,
        ),
        (
            "Would talks open in Esker on 14 March if the ceasefire holds?",
            TALKS,
            FlawKind::Form,
        ),
        ("", TALKS, FlawKind::Form),
    ] {
        assert_eq!(
            kind(text, &[source]),
            Some(expected),
            "{text}: {:?}",
            check(&[text], &[source])
        );
    }
}

#[test]
fn a_denial_in_a_sentence_of_its_own_may_not_be_dropped() {
    let claim = "Talks between Arvenia and Borland open on Monday, a newspaper reported.";
    let sources = [claim, DENIAL];
    assert_eq!(kind(claim, &sources), Some(FlawKind::Denial));
    let both = check(
        &[
            claim,
            "A spokesman denied that any invitation had been received.",
        ],
        &sources,
    );
    assert_eq!(both.unwrap(), [BTreeSet::from([0]), BTreeSet::from([1])]);
}

#[test]
fn what_is_said_in_an_aside_may_be_left_out_with_its_own_denial() {
    let source = "The Lorne river treaty, which was not signed in spring, takes effect on Friday.";
    assert_eq!(
        kind("The Lorne river treaty takes effect on Friday.", &[source]),
        None
    );
    // But the aside is nothing of itself.
    assert_eq!(
        kind("The Lorne river treaty was signed in spring.", &[source]),
        Some(FlawKind::Joined)
    );
}

#[test]
fn another_subject_does_not_get_the_verb() {
    let source = "Arvenia rejected the plan, and Borland will attend the meeting in Esker.";
    assert_eq!(
        kind("Arvenia will attend the meeting in Esker.", &[source]),
        Some(FlawKind::Joined)
    );
    assert_eq!(
        kind(
            "Arvenia rejected the plan, and will attend the meeting in Esker.",
            &[source]
        ),
        Some(FlawKind::Joined)
    );
    let source = "The mayor charged the contractor with hiding the cost of the bridge.";
    assert_eq!(
        kind(
            "The mayor charged the contractor with the cost of the bridge.",
            &[source]
        ),
        Some(FlawKind::Joined)
    );
}

#[test]
fn a_statement_begins_and_ends_where_one_does_in_its_source() {
    let source = "The wife of the president of Arvenia died on Monday, his office said.";
    assert_eq!(
        kind(
            "The president of Arvenia died on Monday, his office said.",
            &[source]
        ),
        Some(FlawKind::Joined)
    );
    let source = "The minister will fly to Esker for talks with his colleague and, it is hoped, the premier of Borland.";
    assert_eq!(
        kind(
            "The minister will fly to Esker for talks with his colleague and, it is hoped.",
            &[source]
        ),
        Some(FlawKind::Joined)
    );
    let source = "The council postponed the new rules for importers of gas by two years.";
    assert_eq!(
        kind("The council postponed the new.", &[source]),
        Some(FlawKind::Joined)
    );
    assert_eq!(
        kind("The council postponed the new rules.", &[source]),
        None
    );
    let source = "The former president of Arvenia met the deputy minister in Esker.";
    assert_eq!(
        kind(
            "The president of Arvenia met the deputy minister.",
            &[source]
        ),
        Some(FlawKind::Doubt)
    );
}

#[test]
fn who_says_so_may_come_first_or_last_but_stays_the_same() {
    let source = "Talks will open in Esker on Tuesday, the foreign minister of Borland said.";
    assert_eq!(
        kind(
            "The foreign minister of Borland said talks will open in Esker on Tuesday.",
            &[source]
        ),
        None
    );
    let source = "Arvenia said talks will open in Esker on Tuesday, but the minister of Borland said they would not.";
    assert!(
        kind(
            "Talks will open in Esker on Tuesday, the minister of Borland said.",
            &[source]
        )
        .is_some()
    );
}

#[test]
fn forms_of_a_word_are_the_same_and_other_words_are_not() {
    for (a, b) in [
        ("meets", "met"),
        ("meeting", "meet"),
        ("denied", "denies"),
        ("planned", "plans"),
        ("ministries", "ministry"),
        ("voting", "votes"),
        ("agreed", "agree"),
        ("Arvenia's".to_lowercase().leak(), "arvenia"),
        ("took", "taking"),
    ] {
        assert_eq!(stem(a), stem(b), "{a} {b}");
    }
    for (a, b) in [
        ("minister", "ministry"),
        ("protest", "protect"),
        ("general", "generation"),
        ("talks", "tales"),
    ] {
        assert_ne!(stem(a), stem(b), "{a} {b}");
    }
    assert_eq!(number("twelve").as_deref(), Some("12"));
    assert_eq!(number("14th").as_deref(), Some("14"));
    assert_eq!(number("ten-year"), None);
}

#[test]
fn support_falls_with_what_is_new() {
    let half = "Dock workers at the port of Lorne voted to end their strike.";
    let new = "Angry dock workers at the port of Lorne voted to end their long strike.";
    let of = |text: &str| support(text, &[STRIKE]);
    assert!((of(STRIKE) - 1.0).abs() < 1e-6);
    assert!(of(half) < of(STRIKE) && of(new) < of(half) && of(new) > 0.0);
    assert_eq!(of(""), 0.0);
}

proptest::proptest! {
    #[test]
    fn any_text_has_a_verdict_and_a_copy_has_all_support(text in "\\PC{0,200}", source in "\\PC{0,200}") {
        let _ = check(&[&text], &[&source]);
        let of_itself = support(&text, &[&text]);
        proptest::prop_assert!((0.0..=1.0).contains(&of_itself));
        proptest::prop_assert!((0.0..=1.0).contains(&support(&text, &[&source])));
        let _ = sources(&text, &[&source]);
    }
}

#[test]
fn an_aside_goes_as_a_whole() {
    let source = "Arvenia's prime minister, a cautious man who is not trusted by his opponents in Esker, said on Monday evening that there would be no embassy.";
    assert_eq!(
        kind(
            "Arvenia's prime minister said that there would be no embassy.",
            &[source]
        ),
        None
    );
    let list = "Arvenia, Borland, Corland signed the treaty of Esker.";
    assert_eq!(
        kind("Arvenia signed the treaty of Esker.", &[list]),
        Some(FlawKind::Joined)
    );
    let source = "Borland's fisheries ministry has denied a claim that it would open a large port.";
    assert_eq!(
        kind(
            "Borland's fisheries ministry denied a claim that it would open a port.",
            &[source]
        ),
        None
    );
}

#[test]
fn a_clause_goes_on_after_an_aside() {
    let source = "The palace denied, a spokesman said, that talks would open in Esker.";
    assert!(kind("Talks would open in Esker, a spokesman said.", &[source]).is_some());
    let source = "No date, the minister said, has been set for talks in Esker.";
    assert!(
        kind(
            "A date has been set for talks in Esker, the minister said.",
            &[source]
        )
        .is_some()
    );
}

#[test]
fn what_looks_like_a_shortening_and_says_something_else_is_refused() {
    for (source, text) in [
        (
            "Borland's army attacked Arvenia's fleet near Lorne on Sunday.",
            "Arvenia's fleet near Lorne on Sunday.",
        ),
        (
            "Borland's army hit Arvenia's fleet near Lorne on Sunday.",
            "Arvenia's fleet near Lorne on Sunday.",
        ),
        (
            "The court said the minister had lied, and the prosecutor resigned on Monday.",
            "The court said the minister had lied and resigned on Monday.",
        ),
        (
            "The court said the minister had lied, and prosecutors resigned on Monday.",
            "The court said the minister had lied and resigned on Monday.",
        ),
        (
            "It is doubtful that the summit takes place in Esker.",
            "The summit takes place in Esker.",
        ),
        (
            "Talks start on Monday at the earliest, the ministry said.",
            "Talks start on Monday, the ministry said.",
        ),
        (
            "The fire killed at least 20 people in Lorne.",
            "The fire killed 20 people in Lorne.",
        ),
        (
            "Only three of the twelve ministers attended the meeting.",
            "Three of the twelve ministers attended the meeting.",
        ),
        (
            "The union said it will not only strike but also sue the company.",
            "The union said it will strike but also sue the company.",
        ),
        (
            "Nearly all members of the council voted against the plan.",
            "All members of the council voted against the plan.",
        ),
        (
            "A report that the king had died was false, the palace said.",
            "The king had died, the palace said.",
        ),
        (
            "President Marsh's brother was arrested on Friday in Esker.",
            "President Marsh was arrested on Friday in Esker.",
        ),
        (
            "Anna Marsh met the wife of Tomas Rovik in Esker.",
            "Anna Marsh met Tomas Rovik in Esker.",
        ),
        (
            "The strike at the mill ended and the one at the port goes on.",
            "The strike at the mill goes on.",
        ),
        (
            "The ceasefire has held except in Lorne, where fighting resumed.",
            "The ceasefire has held in Lorne.",
        ),
        (
            "Doctors tried to save the minister after the attack.",
            "Doctors save the minister after the attack.",
        ),
        (
            "According to the opposition, the president has fled to Borland.",
            "The president has fled to Borland.",
        ),
    ] {
        assert!(kind(text, &[source]).is_some(), "{text}");
    }
    for (source, text) in [
        (
            "Talks between Arvenia and Borland, which collapsed in May, resume on Friday.",
            "Talks between Arvenia and Borland resume on Friday.",
        ),
        (
            "Marsh, unlike Rovik, opposes the treaty with Borland.",
            "Marsh opposes the treaty with Borland.",
        ),
        (
            "The angry dock workers of Lorne ended a long strike on Friday.",
            "The dock workers of Lorne ended a strike on Friday.",
        ),
    ] {
        assert_eq!(
            check(&[text], &[source])
                .map_err(|flaw| flaw.to_string())
                .err(),
            None,
            "{text}"
        );
    }
}

#[test]
fn a_head_is_no_modifier_and_what_belongs_to_somebody_is_not_he() {
    for (source, text) in [
        (
            "The president's aide resigned over the affair on Tuesday.",
            "The president resigned over the affair on Tuesday.",
        ),
        (
            "The ministers' aides resigned over the affair on Tuesday.",
            "The ministers resigned over the affair on Tuesday.",
        ),
        (
            "The harbour master resigned over the affair on Tuesday.",
            "The harbour resigned over the affair on Tuesday.",
        ),
        (
            "A mock attack on the embassy took place in Lorne.",
            "An attack on the embassy took place in Lorne.",
        ),
        (
            "Subject to a vote, the crews will return on Monday, the union said.",
            "The crews will return on Monday, the union said.",
        ),
        (
            "The company hoped in vain for a quick end of the strike.",
            "The company hoped for a quick end of the strike.",
        ),
        (
            "Rovik will succeed Marsh as head of the council in May.",
            "Marsh will succeed Rovik as head of the council in May.",
        ),
        (
            "The army freed the town in May after rebels took it in March.",
            "The army freed the town in March.",
        ),
    ] {
        assert!(kind(text, &[source]).is_some(), "{text}");
    }
}
