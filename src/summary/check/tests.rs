#![allow(clippy::unwrap_used)]
use proptest::prelude::*;

use super::words::{number, stem};
use super::*;

/// A sentence, a tab, and what somebody might make of it: untrue, misleading or no sentence. Written to get past the rules.
const UNTRUE: &str = include_str!("untrue.tsv");

const TALKS: &str = "Arvenia's foreign minister, Tomas Rovik, said on Monday that talks with Borland would open in Esker on 14 March if the ceasefire holds.";

fn kind(text: &str, source: &str) -> Option<FlawKind> {
    check(text, source).err().map(|flaw| flaw.kind)
}

#[test]
fn what_can_be_left_out_may_be() {
    for (source, text) in [
        (TALKS, TALKS),
        (
            TALKS,
            "Arvenia's foreign minister said on Monday that talks with Borland would open in Esker on 14 March if the ceasefire holds.",
        ),
        (
            TALKS,
            "Arvenia's foreign minister said that talks with Borland would open in Esker on 14 March if the ceasefire holds.",
        ),
        (
            "Rovik, who leads the union, spoke on Tuesday evening of a strike.",
            "Rovik spoke on Tuesday evening of a strike.",
        ),
        (
            "The bank (founded in 1904) closed its branch in Lorne.",
            "The bank closed its branch in Lorne.",
        ),
        (
            "The prime minister, a cautious man who is praised by his rivals, signed the treaty.",
            "The prime minister signed the treaty.",
        ),
        (
            "The cup, named for the mine that pays for it, went to Lorne.",
            "The cup went to Lorne.",
        ),
        (
            "The fund sold its share of the airport, which lies on the border.",
            "The fund sold its share of the airport.",
        ),
        (
            "No talks are planned, his office said in a statement on Monday.",
            "No talks are planned, his office said.",
        ),
        (
            "“No talks are planned,” said an official in Lorne on Monday, “none.”",
            "“No talks are planned,” said an official in Lorne, “none.”",
        ),
        (
            "The minister told reporters on Monday that no talks were planned.",
            "The minister told reporters that no talks were planned.",
        ),
        (
            "On Monday the minister announced that no talks were planned.",
            "The minister announced that no talks were planned.",
        ),
        (
            "Anna Marsh, 54, leads the union.",
            "Anna Marsh leads the union.",
        ),
        (
            "The talks failed, a clerk who attended the meeting said on Monday.",
            "The talks failed, a clerk said on Monday.",
        ),
        (
            "Arvenia signed the treaty, the first in nine years.",
            "Arvenia signed the treaty.",
        ),
        (
            "The minister said on Monday that no talks were planned.",
            "The minister said that no talks were planned.",
        ),
        (
            "The office announced late on Monday that the talks were over.",
            "The office announced that the talks were over.",
        ),
        (
            "In a joint statement on Tuesday they said that they had ended the talks.",
            "They said that they had ended the talks.",
        ),
        (
            "The visit has not been planned, the office said in a text message.",
            "The visit has not been planned, the office said.",
        ),
        (
            "Tomas Rovik, Arvenia's foreign minister, signed the treaty.",
            "Tomas Rovik signed the treaty.",
        ),
        (
            "“We had their answer at noon,” said Anna Marsh, the union's general secretary.",
            "“We had their answer at noon,” said Anna Marsh.",
        ),
        (
            "The ministry also said that the border was open.",
            "The ministry said that the border was open.",
        ),
        (
            "All the same, the ministers meet in Esker.",
            "The ministers meet in Esker.",
        ),
    ] {
        assert_eq!(
            check(text, source).map_err(|flaw| flaw.to_string()),
            Ok(()),
            "{text}"
        );
        let found = shortenings(source);
        assert!(
            text == source || found.iter().any(|shorter| shorter == text),
            "{text}\n{found:?}"
        );
    }
}

#[test]
fn there_are_so_many_ways_to_say_a_sentence_shorter() {
    let source = "Rovik, 54, met the envoy in Esker, the first talks in years.";
    assert_eq!(
        shortenings(source),
        [
            "Rovik met the envoy in Esker, the first talks in years.",
            "Rovik, 54, met the envoy in Esker.",
            "Rovik met the envoy in Esker.",
        ]
    );
    assert_eq!(
        shortenings("The ministers of Arvenia met in Esker."),
        [""; 0]
    );
    assert_eq!(shortenings(""), [""; 0]);
    let endless = "Rovik, who leads the union, said, ".repeat(10_000);
    assert_eq!(shortenings(&endless), [""; 0]);
}

/// Words and marks that the rules look for, and others, cut off anywhere.
fn pieces() -> impl Strategy<Value = String> {
    let known = "Rovik minister , , , . ( ) – ' ’ “ ” \" ! said told reporters that which who whose on in Monday May 14 1904 yesterday a an the \
        statement video 54 first born was is not if resigned leads of and or — … é 1,200 's x";
    let known: Vec<&str> = known.split_whitespace().collect();
    let piece = prop_oneof![
        20 => prop::sample::select(known).prop_map(str::to_string),
        1 => any::<String>(),
    ];
    let gap = prop_oneof![9 => Just(" "), 1 => Just("")];
    prop::collection::vec((piece, gap), 0..16)
        .prop_map(|pieces| pieces.into_iter().map(|(a, b)| a + b).collect())
}

#[test]
fn nothing_that_was_written_to_get_past_the_rules_does() {
    let mut pairs = 0;
    for line in UNTRUE.lines() {
        let (source, text) = line.split_once('\t').unwrap();
        assert_eq!(
            check(source, source)
                .map_err(|flaw| flaw.kind)
                .err()
                .filter(|kind| *kind != FlawKind::Form),
            None
        );
        assert!(check(text, source).is_err(), "{source}\n{text}");
        pairs += 1;
    }
    assert!(pairs > 150);
}

#[test]
fn what_is_wrong_is_named() {
    for (text, expected, words) in [
        (
            "Arvenia's foreign minister said on Monday that talks with Corland would open in Esker if the ceasefire holds.",
            FlawKind::Name,
            "Corland",
        ),
        (
            "Arvenia's foreign minister said on Monday that talks with Borland would open in Esker on 15 March if the ceasefire holds.",
            FlawKind::Number,
            "15",
        ),
        (
            "Arvenia's foreign minister said on Monday that peace talks with Borland would open in Esker if the ceasefire holds.",
            FlawKind::Word,
            "peace",
        ),
        (
            "Talks with Borland would open in Esker if the ceasefire holds.",
            FlawKind::LeftOut,
            "Arvenia's foreign minister , Tomas",
        ),
        (
            "Arvenia's foreign minister said on Monday that talks with Borland would open in Esker on 14 March.",
            FlawKind::LeftOut,
            "if the ceasefire holds .",
        ),
        (
            "Arvenia's foreign Borland, Tomas Rovik, said talks would open in Esker.",
            FlawKind::LeftOut,
            "minister , Tomas Rovik ,",
        ),
        (
            "Arvenia's foreign minister, Rovik Tomas, said talks would open.",
            FlawKind::LeftOut,
            "Tomas Rovik , said on",
        ),
        (
            "Arvenia's foreign minister said on Monday that talks with Borland would open in Esker on 14 March if the ceasefire holds!",
            FlawKind::Order,
            "!",
        ),
        ("Talks in Esker", FlawKind::Form, "Talks in Esker"),
        ("", FlawKind::Form, ""),
    ] {
        let flaw = check(text, TALKS).unwrap_err();
        assert_eq!((flaw.kind, &flaw.words[..]), (expected, words), "{text}");
    }
}

#[test]
fn marks_numbers_and_quotations_are_as_they_stand() {
    for (source, text) in [
        (
            "The fire cost 1,200 families their homes.",
            "The fire cost 200 families their homes.",
        ),
        (
            "The firm lost €3.5bn in the strike.",
            "The firm lost $3.5bn in the strike.",
        ),
        (
            "The mayor called the deal “a failure” on Monday.",
            "The mayor called the deal a failure.",
        ),
        (
            "The mayor called the deal a failure on Monday.",
            "The mayor called the deal “a failure”.",
        ),
        (
            "“We will leave on Monday,” the mayor said.",
            "“We will leave,” the mayor said.",
        ),
    ] {
        assert!(kind(text, source).is_some(), "{text}");
    }
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
        ("arvenia's", "arvenia"),
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
    let source =
        "Dock workers at the port of Lorne voted to end their six-week strike, the union said.";
    let half = "Dock workers at the port of Lorne voted to end their strike.";
    let new = "Angry dock workers at the port of Lorne voted to end their long strike.";
    let of = |text: &str| support(text, &[source]);
    assert!((of(source) - 1.0).abs() < 1e-6);
    assert!(of(half) < of(source) && of(new) < of(half) && of(new) > 0.0);
    assert_eq!(of(""), 0.0);
    // A word made from a source's own is not new, but a number is itself.
    assert!(of("Unionists ended the strike.") > of("Doctors ended the strike."));
    assert!(support("It cost 12345 euros.", &["It cost 12346 euros."]) < 0.5);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 5000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever the text: what passes has no word that its source lacks, a copy passes if it has words enough, and so does each shortening,
    /// which is shorter.
    #[test]
    fn any_text_has_a_verdict(text in prop_oneof![pieces(), "\\PC{0,200}"], source in prop_oneof![pieces(), "\\PC{0,200}"]) {
        if check(&text, &source).is_ok() {
            let theirs = tokens(&source);
            let known = |token: &Token<'_>| !token.is_word() || theirs.iter().any(|other| other.lower == token.lower);
            prop_assert!(tokens(&text).iter().all(known));
        }
        prop_assert!(kind(&text, &text).is_none_or(|kind| kind == FlawKind::Form));
        prop_assert!((0.0..=1.0).contains(&support(&text, &[&source])));
        let _ = sources(&text, &[&source]);
        let found = shortenings(&text);
        prop_assert!(found.len() <= MOST_SHORTENINGS);
        for shorter in found {
            prop_assert!(shorter.len() < text.len(), "{shorter:?}");
            prop_assert_eq!(kind(&shorter, &text), None, "{}", shorter);
        }
    }
}
