//! Characters that carry no text go, odd spaces and line ends become plain ones, and character references become characters.

/// One text with `\n` line ends and nothing in it that cannot be seen, except spaces.
pub(super) fn normalise(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\r' => {
                if chars.peek() != Some(&'\n') {
                    out.push('\n');
                }
            }
            '\u{2028}' | '\u{2029}' | '\u{85}' | '\u{b}' | '\u{c}' => out.push('\n'),
            '\n' => out.push('\n'),
            ';' => {
                out.push(';');
                reference(&mut out);
            }
            _ if dropped(c) => {}
            _ if c.is_whitespace() => out.push(' '),
            _ => out.push(c),
        }
    }
    out
}

/// Controls, soft hyphens, zero-width and direction marks, which show nothing (a joiner between letters of a script that needs it stays).
pub(super) fn dropped(c: char) -> bool {
    (c.is_control() && !c.is_whitespace())
        || matches!(
            c,
            '\u{ad}'
                | '\u{200b}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{61c}'
                | '\u{180e}'
                | '\u{feff}'
                | '\u{fffe}'
                | '\u{ffff}'
        )
        || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Turns a character reference at the end of `out` (`&quot;`) into its character. Working on the output, a reference made by
/// another (`&amp;quot;`) is turned too, so that a second cleaning finds nothing left.
fn reference(out: &mut String) {
    let bytes = out.as_bytes();
    let tail = bytes.len().saturating_sub(10);
    let Some(start) = bytes
        .iter()
        .skip(tail)
        .rposition(|&b| b == b'&')
        .map(|i| i + tail)
    else {
        return;
    };
    let Some(name) = out.get(start + 1..out.len() - 1) else {
        return;
    };
    let c = match name {
        "amp" => '&',
        "quot" => '"',
        "apos" => '\'',
        "lt" => '<',
        "gt" => '>',
        "nbsp" => ' ',
        "rsquo" => '’',
        "lsquo" => '‘',
        "rdquo" => '”',
        "ldquo" => '“',
        "ndash" => '–',
        "mdash" => '—',
        "hellip" => '…',
        "middot" => '·',
        "bull" => '•',
        "raquo" => '»',
        "laquo" => '«',
        "copy" => '©',
        _ => {
            let Some(number) = name.strip_prefix('#') else {
                return;
            };
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => number.parse(),
            };
            match code.ok().and_then(char::from_u32) {
                Some(c) if c.is_whitespace() => ' ',
                Some(c) if !dropped(c) && c != ';' => c,
                _ => return,
            }
        }
    };
    out.truncate(start);
    out.push(c);
}

#[cfg(test)]
mod tests {
    use super::normalise;

    #[test]
    fn what_cannot_be_seen_goes_and_what_can_stays() {
        assert_eq!(normalise("a\r\nb\rc"), "a\nb\nc");
        assert_eq!(
            normalise("cease\u{ad}fire\u{200b} \u{202e}talks\u{feff}\u{7}"),
            "ceasefire talks"
        );
        assert_eq!(normalise("5\u{a0}million"), "5 million");
        assert_eq!(normalise("“quoted” – it’s"), "“quoted” – it’s");
    }

    #[test]
    fn references_become_characters_once_and_for_all() {
        let once = normalise(
            "R&amp;D &quot;won&#39;t&quot; &amp;amp;lt; fish & chips; &nope; &#7; &#x2014;",
        );
        assert_eq!(once, "R&D \"won't\" < fish & chips; &nope; &#7; —");
        assert_eq!(normalise(&once), once);
    }
}
