//! Headlines: which line is the article's, and when two lines say the same.

/// Words that end the name of a paper or a site.
const OUTLETS: [&str; 44] = [
    "news",
    "times",
    "post",
    "daily",
    "herald",
    "tribune",
    "gazette",
    "journal",
    "telegraph",
    "guardian",
    "observer",
    "chronicle",
    "star",
    "sun",
    "mirror",
    "express",
    "standard",
    "independent",
    "reuters",
    "bbc",
    "cnn",
    "online",
    "today",
    "tv",
    "radio",
    "press",
    "report",
    "review",
    "monitor",
    "globe",
    "courier",
    "bulletin",
    "dispatch",
    "register",
    "weekly",
    "magazine",
    "wire",
    "network",
    "media",
    "agency",
    "com",
    "org",
    "net",
    "mail",
];

/// Whether `word`, in lower case, ends names of papers and stations.
pub(super) fn is_outlet(word: &str) -> bool {
    OUTLETS.contains(&word)
}

/// Letters and digits of a line in lower case, words apart by one space.
fn folded(line: &str) -> String {
    let (folded, words) = super::block::fold(line);
    let words: Vec<&str> = words
        .iter()
        .filter_map(|w| folded.get(w.span().0..w.span().1))
        .collect();
    words.join(" ")
}

/// Whether two lines are equal up to case, spaces, punctuation and a site's name after a bar or a dash ("… | The Example Times").
pub(super) fn same(a: &str, b: &str) -> bool {
    let (whole_a, whole_b) = (folded(a), folded(b));
    if whole_a == whole_b {
        return true;
    }
    let bare = |line: &str| {
        without_site(line)
            .map(folded)
            .filter(|line| !line.is_empty())
    };
    match (bare(a), bare(b)) {
        (Some(a), Some(b)) => a == b || a == whole_b || b == whole_a,
        (Some(a), None) => a == whole_b,
        (None, Some(b)) => b == whole_a,
        (None, None) => false,
    }
}

/// `line` up to a bar or dash that a short last part follows.
fn without_site(line: &str) -> Option<&str> {
    [" | ", " - ", " – ", " — ", " :: ", " » ", " · ", " • "]
        .iter()
        .filter_map(|bar| line.rsplit_once(bar))
        .filter(|(_, site)| site.split_whitespace().count() <= 6)
        .map(|(title, _)| title)
        .max_by_key(|title| title.len())
}

/// A headline without a site's name at its end, where it is one without doubt.
pub(super) fn trimmed(line: &str) -> &str {
    let Some(bare) = without_site(line) else {
        return line;
    };
    let site = line.get(bare.len()..).unwrap_or("");
    let bar = site.trim_start().starts_with(['|', '»']) || site.contains("::");
    let last = folded(site);
    let outlet = last.split(' ').any(|word| OUTLETS.contains(&word));
    let long = bare.split_whitespace().count() >= 4;
    let name = site
        .split_whitespace()
        .skip(1)
        .all(|w| w.starts_with(|c: char| c.is_uppercase()) || w.len() <= 3);
    if long && name && (bar || outlet && last.split(' ').count() <= 5) {
        bare.trim_end()
    } else {
        line
    }
}

#[cfg(test)]
mod tests {
    use super::{same, trimmed};

    #[test]
    fn a_site_name_does_not_make_another_headline() {
        assert!(same(
            "Ferry talks stall again",
            "FERRY TALKS STALL AGAIN | The Example Times"
        ));
        assert!(same(
            "Ferry talks stall again - Example News",
            "Ferry talks stall, again"
        ));
        assert!(!same("Ferry talks stall again", "Ferry talks resume"));
        assert!(!same("", "Ferry talks resume"));
    }

    #[test]
    fn only_a_site_name_is_cut() {
        assert_eq!(
            trimmed("Ferry talks stall once again | The Example Times"),
            "Ferry talks stall once again"
        );
        assert_eq!(
            trimmed("Ferry talks stall once again - Example News"),
            "Ferry talks stall once again"
        );
        assert_eq!(
            trimmed("Sun, sea and strikes - a summer of talks"),
            "Sun, sea and strikes - a summer of talks"
        );
    }
}
