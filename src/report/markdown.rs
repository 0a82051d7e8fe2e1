//! Text of others in Markdown: nothing in it is markup, a link, a mention or HTML.

/// A text on one line in which nothing is markup.
pub fn text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut before = ' ';
    for (at, c) in words.char_indices() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            // A mention or a reference to an issue would tell people or link elsewhere.
            '@' => out.push_str("&#64;"),
            '#' if !before.is_alphanumeric() => out.push_str("&#35;"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '!' | '$' => {
                out.push('\\');
                out.push(c);
            }
            // `https://…` would become a link.
            ':' if words[at..].starts_with("://") => out.push_str("&#58;"),
            _ => out.push(c),
        }
        before = c;
    }
    // At the start of a line these make lists and headings.
    match out.chars().next() {
        Some('-' | '+' | '=') => format!("\\{out}"),
        _ => out,
    }
}

/// The same in a cell of a table.
pub fn cell(cell: &str) -> String {
    text(cell)
}
