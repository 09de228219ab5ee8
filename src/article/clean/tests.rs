//! Pages put together from invented articles and furniture in many voices: what belongs to the article stays, the rest goes.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use super::{Cleaned, clean, joined, one_line, same_line, titled};

const TITLE: &str = "Ferry operators and crews to resume wage talks on Monday";

const STORY: [&str; 7] = [
    "PORT HALVOR, March 3 - The two companies that run the island ferries will sit down with their crews again on Monday, the mediator said.",
    "Crews walked out nine days ago over night shifts. Since then only the mail boat has sailed.",
    "\"We share the wish to sail,\" said Ines Okoro, who speaks for the crews. \"If you subscribe to that, come to the table.\"",
    "What the islands want",
    "Shopkeepers on the outer islands have asked the navy for help. Bread is flown in.",
    "The companies follow the talks from the mainland, and their comments have been few.",
    "Rain is forecast.",
];

/// Furniture, each block by its place: before the article, within it, after it.
const HEAD: [&str; 8] = [
    "Skip to content\nMenu\nHome\nIslands\nSport\nLog in",
    "Home > News > Islands",
    "HomeNewsIslandsFerry operators and crews to...",
    "Saturday, March 1, 2025",
    "By Tora Lind\nPublished: 3 March 2025, 08:15 GMT",
    "EN | FR | DE",
    "Trending Now\nA goat elected mayor of a hill town\nTen soups for cold evenings",
    "A+ A-",
];
const WITHIN: [&str; 12] = [
    "Advertisement",
    "Also read: Harbour master quits after storm",
    "RELATED\nMail boat crew honoured\nHow the night shift came to be",
    "(Photo by Mo Abara/AFP)",
    "A crew member waits on the quay. Photograph: Liv Strand/Reuters",
    "Share this article\nFacebook\nWhatsApp\nCopy link",
    "Sign up for our weekly newsletter and get the islands in your inbox every Friday.",
    "You have 1 free article left this month. Already a subscriber? Log in",
    "We use cookies to improve your experience. Accept all | Manage choices",
    "Story continues below advertisement",
    "3 min read",
    "Download our app for alerts",
];
const TAIL: [&str; 17] = [
    "Leave a Reply\nYour email address will not be published. Required fields are marked *\nComment\nName *\nEmail *",
    "Deixe um comentário\nO seu endereço de email não será publicado. Campos obrigatórios são marcados com *",
    "Оставить комментарий\nВаш адрес email не будет опубликован.",
    "发表回复\n您的邮箱地址不会被公开。 必填项已用 * 标注",
    "Related Posts\nHarbour master quits after storm\nWhat a ferry costs",
    "You may also like\nCrews of tugboats threaten a strike of their own\nThe tugboat crews in the harbour have given their owners ten days and said that the ferries...\nA night on the quay\nOur writer spent a night with the pickets and found that the talk was mostly of fish and of...",
    "Most Popular\n1. Goat elected mayor\n2. Ten soups\n3. The last lamp-lighter",
    "About the author\nTora Lind is a reporter who covers the coast. She has been with the paper since 2009.\nView all posts",
    "Tora Lind is a senior reporter based in Port Halvor, where she covers shipping and fisheries.",
    "Tags: ferries, strikes, wages",
    "© 2025 The Halvor Post. All rights reserved.",
    "(Reporting by Tora Lind; Editing by Per Aasen)",
    "This story has been updated with comments from the mediator.",
    "Independent journalism costs money. If you value our work, please consider a donation.",
    "2 Comments\nseadog\n3 hours ago\nThey will never agree on anything, mark my words.\nReply",
    "Views: 312",
    "Follow us on Facebook, X and Instagram",
];

fn text(cleaned: &Cleaned) -> String {
    joined(cleaned)
}

fn expect_story(page: &str) {
    let cleaned = clean(page);
    assert_eq!(cleaned.title.as_deref(), Some(TITLE), "page:\n{page}");
    assert_eq!(cleaned.body, STORY.join("\n\n"), "page:\n{page}");
}

#[test]
fn an_article_without_furniture_is_left_as_it_is() {
    expect_story(&format!("{TITLE}\n\n{}", STORY.join("\n\n")));
    expect_story(&format!("{TITLE}\n{}", STORY.join("\n")));
}

#[test]
fn furniture_goes_wherever_it_stands() {
    for gap in ["\n", "\n\n"] {
        let story = STORY.join(gap);
        for block in HEAD {
            expect_story(&[&block.replace('\n', gap), TITLE, &story].join(gap));
        }
        for block in WITHIN {
            for at in [1, 2, 5] {
                let mut parts = STORY.to_vec();
                parts.insert(at, block);
                expect_story(&[TITLE, &parts.join(gap)].join(gap));
            }
        }
        for block in TAIL {
            expect_story(&[TITLE, &story, &block.replace('\n', gap)].join(gap));
        }
    }
}

#[test]
fn cleaning_twice_is_cleaning_once() {
    for (i, head) in HEAD.iter().enumerate() {
        let mut parts = STORY.to_vec();
        parts.insert(3, WITHIN[i]);
        let page = format!(
            "{head}\n\n{TITLE}\n\n{}\n\n{}\n\n{}",
            parts.join("\n\n"),
            TAIL[i],
            TAIL[i + 4]
        );
        let once = clean(&page);
        let twice = clean(&text(&once));
        assert_eq!(text(&twice), text(&once));
    }
}

#[test]
fn a_second_copy_and_a_doubled_headline_go() {
    let story = STORY.join("\n");
    expect_story(&format!("{TITLE}\n{TITLE}\n{story}\n***\n{story}"));
    expect_story(&format!(
        "{TITLE} | The Halvor Post\n{TITLE}\n{story}\n{}",
        STORY[2]
    ));
    let page = format!("{}\n{TITLE}\n{TITLE}\n{}", STORY[0], STORY[1..].join("\n"));
    expect_story(&page);
}

#[test]
fn a_wire_item_of_one_sentence_stays() {
    for item in [
        "LUMO (Agency) - The dam will open on Friday, the ministry said.",
        "Dam to open on Friday, ministry says",
        "No talks are planned.",
    ] {
        let cleaned = clean(item);
        assert_eq!(text(&cleaned), item);
    }
}

#[test]
fn news_about_sites_and_their_readers_stays() {
    let paragraphs = [
        "The company said on Tuesday that users may reject all cookies from next month.",
        "Its shares fell 4 percent, and subscribers were told to share passwords no longer.",
        "A related case is before the court, which has yet to comment.",
        "\"Follow us, like us, subscribe: that was their whole plan,\" the former editor told the inquiry.",
        "More than 40,000 readers had signed up for its newsletter by June, according to the report.",
    ];
    let page = paragraphs.join("\n\n");
    assert_eq!(clean(&page).body, page);
}

#[test]
fn interviews_lists_and_live_entries_stay() {
    let page = "Mediator: \"I have slept in worse chairs\"\n\nWhat was the hardest hour?\n\nThe fourth.\n\nWill they sign?\n\nNo.\n\nThe mediator named three conditions:\n\n- night shifts end at two\n\n- cooks are paid by the hour\n\n- the mail boat sails\n\n16:05\n\nThe mediator has left the building by a side door, and the crews cheered.";
    let cleaned = clean(page);
    assert_eq!(text(&cleaned), page);
}

#[test]
fn markdown_is_read_as_text() {
    let page = "---\ntitle: Dam opens\ndate: 2025-03-04\n---\n\nThe **dam** on the [Lume](https://example.org) opened on Tuesday.\n\n## What follows\n\nWater, said the *engineer* in charge of the gates.";
    let cleaned = clean(page);
    assert_eq!(cleaned.title.as_deref(), Some("Dam opens"));
    assert_eq!(cleaned.date.as_deref(), Some("2025-03-04"));
    assert_eq!(
        cleaned.body,
        "The dam on the Lume opened on Tuesday.\n\nWhat follows\n\nWater, said the engineer in charge of the gates."
    );
}

#[test]
fn the_stated_date_is_found_and_a_pages_calendar_is_not() {
    let story = STORY.join("\n\n");
    let date = |head: &str| clean(&format!("{head}\n\n{TITLE}\n\n{story}")).date;
    assert_eq!(
        date("Published: 3 March 2025, 08:15 GMT").as_deref(),
        Some("2025-03-03")
    );
    assert_eq!(date("Monday, July 7, 2025"), None);
}

#[test]
fn lines_are_folded_and_compared() {
    assert_eq!(one_line(" a\t b\u{202e}\n\u{200b} c "), "a b c");
    assert!(same_line("Dam opens", "DAM OPENS | The Example Times"));
}

#[test]
fn hostile_text_neither_stops_nor_slows_it() {
    let pages = [
        "a".repeat(300_000),
        "[".repeat(100_000) + &"](".repeat(100_000),
        "Related posts\n".repeat(40_000),
        "**a ".repeat(60_000),
        "“".repeat(100_000),
        "\u{0}\u{feff}\n".repeat(50_000),
        "Related posts\nA line of some words\nA blurb of some more words...\n".repeat(8_000),
        "> # ![](".repeat(30_000),
    ];
    for page in pages {
        let start = std::time::Instant::now();
        clean(&page);
        // Some hundred times what it needs; a quadratic step would take hours.
        assert!(start.elapsed().as_secs() < 60);
    }
}

#[test]
fn under_a_pages_head_a_line_that_is_not_the_known_title_is_another_storys() {
    let body = STORY[0];
    for head in [
        "Skip to content\n\nHome | World | Sport\n\nPilots and airline agree on a new round",
        "Sign in\n\nMenu\n\nPilots and airline agree on a new round - 3 hours ago\n\nNight trains to stop in May",
    ] {
        let found = titled(&format!("{head}\n\n{body}"), TITLE);
        assert_eq!((found.title, &found.body[..]), (None, body), "{head}");
    }
    // Its own headline, a standfirst under the byline, and lines with nothing above them stay.
    for (text, top) in [
        (format!("Sign in\n\nMenu\n\n{TITLE}\n\n{body}"), TITLE),
        (
            format!("By Tora Lind\n\nThe navy stands by with bread\n\n{body}"),
            "The navy stands by with bread",
        ),
        (
            format!("The navy stands by with bread\n\n{body}"),
            "The navy stands by with bread",
        ),
        (
            format!("Advertisement\n\nThe navy stands by with bread\n\n{body}"),
            "The navy stands by with bread",
        ),
        (
            format!("The navy stands by with bread and says that it\nwill bring more\n\n{body}"),
            "The navy stands by with bread and says that it will bring more",
        ),
        (
            format!("Bread &amp; butter are flown in\n\n{body}"),
            "Bread & butter are flown in",
        ),
    ] {
        assert_eq!(titled(&text, TITLE).title.as_deref(), Some(top), "{text}");
    }
}
