//! Text that came from a cluster or a file and may be hostile.

use std::{fmt, sync::Arc};

/// A name, message or value that somebody else chose.
///
/// An API server accepts escape codes, line feeds and bidirectional overrides in many names. The
/// type has no `Display`, so that no writer prints one by accident: each sink escapes
/// [`Untrusted::raw`] for its own syntax, and a terminal or log uses [`Untrusted::visible`].
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Untrusted(Arc<str>);

impl Untrusted {
    /// The text as it came. Only writers that escape for their own syntax may use it.
    pub fn raw(&self) -> &str {
        &self.0
    }

    /// The text on one line with every character that could move a cursor, hide or reorder other
    /// text shown as `\u{…}`.
    pub fn visible(&self) -> String {
        visible(&self.0)
    }

    /// Whether there is no text.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<&str> for Untrusted {
    fn from(text: &str) -> Self {
        Untrusted(text.into())
    }
}

impl From<String> for Untrusted {
    fn from(text: String) -> Self {
        Untrusted(text.into())
    }
}

impl fmt::Debug for Untrusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.visible())
    }
}

fn visible(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_treacherous(c) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}

/// Control characters (C0, DEL, C1), bidirectional controls, zero-width and other invisible ones.
fn is_treacherous(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{00ad}' | '\u{061c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_what_could_deceive_and_keeps_the_rest() {
        let hostile = Untrusted::from("a\u{1b}[31mb\nc\u{202e}d\u{9b}é日本");
        assert_eq!(
            hostile.visible(),
            "a\\u{1b}[31mb\\u{a}c\\u{202e}d\\u{9b}é日本"
        );
        assert_eq!(format!("{:?}", Untrusted::from("x\u{7}")), "\"x\\\\u{7}\"");
    }
}
