//! Where a part of a scalar's value stands in the file.

use std::ops::Range;

use crate::model::yaml::Written;

/// The bytes of a file that `part`, a byte range of a scalar's value, was written as.
///
/// What YAML changes between the two is white space (indentation, folded lines) and escapes, so the
/// n-th character of the value that is no white space is the n-th such character of the scalar.
pub(super) fn locate(
    file: &str,
    written: &Written,
    value: &str,
    part: Range<usize>,
) -> Range<usize> {
    let whole = written.span.clone();
    let Some(raw) = file.get(whole.clone()) else {
        return 0..0;
    };
    let ink = ink(raw);
    let before = |at: usize| {
        let chars = value.char_indices().take_while(|(start, _)| *start < at);
        chars.filter(|(_, c)| !c.is_whitespace()).count()
    };
    let (first, last) = (before(part.start), before(part.end));
    if last > ink.len() || first > ink.len() {
        return whole;
    }
    let start = match ink.get(first) {
        Some(mark) => mark.start,
        None => ink.last().map_or(0, |mark| mark.end),
    };
    let end = match last.checked_sub(1).and_then(|last| ink.get(last)) {
        Some(mark) if last > first => mark.end,
        _ => start,
    };
    whole.start + start..whole.start + end
}

/// The bytes of each character that is no white space, in order, without quotes, block header
/// and escapes of white space.
fn ink(raw: &str) -> Vec<Range<usize>> {
    let quote = raw.chars().next().filter(|c| matches!(c, '\'' | '"'));
    let body = match raw.starts_with(['|', '>']) {
        true => raw.find('\n').map_or(raw.len(), |at| at + 1),
        false => quote.map_or(0, char::len_utf8),
    };
    let mut marks = Vec::new();
    let mut at = body;
    while let Some(c) = raw[at..].chars().next() {
        let (length, meant) = match (quote, c) {
            (Some('\''), '\'') if raw[at..].starts_with("''") => (2, Some('\'')),
            (Some('"'), '\\') => escape(&raw[at..]),
            (Some(quote), c) if c == quote => break,
            _ => (c.len_utf8(), Some(c)),
        };
        if meant.is_some_and(|c| !c.is_whitespace()) {
            marks.push(at..at + length);
        }
        at += length;
    }
    marks
}

/// Length of the escape that a double-quoted scalar goes on with, and what it means if anything.
fn escape(raw: &str) -> (usize, Option<char>) {
    let Some(letter) = raw[1..].chars().next() else {
        return (1, None);
    };
    let digits = match letter {
        'x' => 2,
        'u' => 4,
        'U' => 8,
        _ => {
            let space = matches!(letter, 'n' | 't' | 'r' | 'v' | 'f' | '_' | 'N' | 'L' | 'P');
            let meant = (!space && !letter.is_whitespace()).then_some(letter);
            return (1 + letter.len_utf8(), meant);
        }
    };
    let Some(code) = raw.get(2..2 + digits) else {
        return (1 + letter.len_utf8(), None);
    };
    let meant = u32::from_str_radix(code, 16).ok().and_then(char::from_u32);
    (2 + digits, meant)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::yaml::{self, Source};

    /// What `needle` of the value of `key` was written as.
    fn found(text: &str, needle: &str) -> String {
        let source = Source {
            file: "x".into(),
            text: text.into(),
        };
        let whole = yaml::parse(&source).unwrap();
        let written = whole.get("key").unwrap();
        let value = written.as_text().unwrap();
        let at = value.find(needle).unwrap();
        let place = locate(text, written, value, at..at + needle.len());
        text[place].to_owned()
    }

    #[test]
    fn a_place_is_found_in_every_style_of_scalar() {
        for text in [
            "key: a == 'é' && here\n",
            "key: \"a == 'é' && here\"\n",
            "key: 'a == ''é'' && here'\n",
            "key: \"a == \\\"\\u00e9\\\"\\n && here\"\n",
            "key: \"a == 'é' \\\n  && here\"\n",
            "key: a == 'é'\n  && here\n",
            "# é\nkey: |\n  a == 'é'\n\n    && here\n",
            "key: >-\n  a == 'é'\n  && here\n# here\n",
            "key: |2 # here\n    a == 'é' &&\n  here\n",
            "\r\nkey: |\r\n  a == 'é' &&\r\n  here\r\n",
            "\u{feff}key: a == 'é' && here\n",
        ] {
            assert_eq!(found(text, "here"), "here", "{text}");
        }
    }
}
