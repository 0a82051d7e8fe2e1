//! Parsing within limits, and where a mistake is.

use std::{fmt, ops::Range, panic};

use promql_parser::parser::{self, Expr};
use regex::RegexBuilder;

/// Longest expression, in bytes.
const MAX_LENGTH: usize = 16 * 1024;
/// Most brackets and operators: the deepest tree there can be, since all that walks it recurses.
const MAX_NESTING: usize = 500;
/// Most regular expressions, each of which is compiled.
const MAX_PATTERNS: usize = 100;
/// Largest compiled regular expression, in bytes.
const MAX_PATTERN: usize = 256 * 1024;
/// Longest time, in seconds.
const MAX_TIME: f64 = 1e10;
/// Most parts that are tried when the place of a mistake is looked for.
const MAX_TRIES: usize = 64;

/// An expression that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct Broken {
    /// What is wrong.
    pub message: String,
    /// Line, counted from 1.
    pub line: usize,
    /// Character of the line, counted from 1.
    pub column: usize,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "line {}, column {}: {}",
            self.line, self.column, self.message
        )
    }
}

impl Broken {
    fn at(text: &str, byte: usize, message: impl Into<String>) -> Self {
        let before = &text[..byte];
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Broken {
            message: message.into(),
            line: before.matches('\n').count() + 1,
            column: before[line_start..].chars().count() + 1,
        }
    }
}

/// Parses an expression that is neither too long nor too deep.
pub(super) fn parse(text: &str) -> Result<Expr, Broken> {
    if text.len() > MAX_LENGTH {
        let message = format!("longer than {MAX_LENGTH} bytes");
        return Err(Broken::at(text, 0, message));
    }
    let tokens = tokens(text);
    let nesting = |token: &&Range<usize>| {
        let word = &text[(*token).clone()];
        !word.starts_with(|c: char| c.is_alphanumeric() || "_:.,\"'`)}]".contains(c))
            || matches!(word, "and" | "or" | "unless" | "atan2" | "offset")
    };
    if let Some(token) = tokens.iter().filter(nesting).nth(MAX_NESTING) {
        let message = format!("more than {MAX_NESTING} brackets and operators");
        return Err(Broken::at(text, token.start, message));
    }
    if tokens.is_empty() {
        return Err(Broken::at(text, 0, "no expression"));
    }
    bound_patterns(text, &tokens)?;
    bound_times(text, &tokens)?;
    parsed(text).map_err(|message| place(text, &tokens, &message))
}

/// Parses; what the parser does not survive is an error, too.
fn parsed(text: &str) -> Result<Expr, String> {
    panic::catch_unwind(|| parser::parse(text))
        .unwrap_or_else(|_| Err("not understood by the parser".to_owned()))
}

/// Refuses times that are no durations: the parser panics at them.
fn bound_times(text: &str, tokens: &[Range<usize>]) -> Result<(), Broken> {
    let word = |at: usize| tokens.get(at).map_or("", |token| &text[token.clone()]);
    for at in 0..tokens.len() {
        if !matches!(&*word(at).to_ascii_lowercase(), "offset" | "[" | ":" | "@") {
            continue;
        }
        let time = (at + 1..tokens.len()).find(|&next| !matches!(word(next), "-" | "+" | "("));
        let Some(time) = time else { continue };
        let number: f64 = word(time).parse().unwrap_or_default();
        let sensible = number.abs() < MAX_TIME;
        if !sensible || word(time).len() > 24 {
            let message = format!(
                "`{}` is no time",
                word(time).chars().take(24).collect::<String>()
            );
            return Err(Broken::at(text, tokens[time].start, message));
        }
    }
    Ok(())
}

/// Refuses regular expressions that would take long to compile.
fn bound_patterns(text: &str, tokens: &[Range<usize>]) -> Result<(), Broken> {
    let patterns = tokens.windows(2).filter(|pair| {
        matches!(&text[pair[0].clone()], "=~" | "!~") && text[pair[1].clone()].len() > 1
    });
    for (at, pair) in patterns.enumerate() {
        let literal = &text[pair[1].start + 1..pair[1].end - 1];
        let compiled = RegexBuilder::new(literal).size_limit(MAX_PATTERN).build();
        let too_large = matches!(compiled, Err(regex::Error::CompiledTooBig(_)));
        if at >= MAX_PATTERNS || too_large {
            let message = "too many or too large regular expressions";
            return Err(Broken::at(text, pair[1].start, message));
        }
    }
    Ok(())
}

/// Tokens, as far as brackets, operators and words go; spaces and comments are none.
fn tokens(text: &str) -> Vec<Range<usize>> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(first) = text[at..].chars().next() {
        let rest = &text[at..];
        let length = if first.is_whitespace() {
            at += first.len_utf8();
            continue;
        } else if first == '#' {
            at += rest.find('\n').unwrap_or(rest.len());
            continue;
        } else if "\"'`".contains(first) {
            string(rest, first)
        } else if first.is_ascii_digit() || first == '.' {
            number(rest)
        } else if first.is_ascii_alphabetic() || first == '_' {
            let word = |c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':');
            rest.find(word).unwrap_or(rest.len())
        } else if ["==", "!=", ">=", "<=", "=~", "!~"]
            .iter()
            .any(|op| rest.starts_with(op))
        {
            2
        } else {
            first.len_utf8()
        };
        tokens.push(at..at + length);
        at += length;
    }
    tokens
}

/// Length of a string with its quotes; of one that does not end, of all that is left.
fn string(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' if quote != '`' => escaped = true,
            c if c == quote => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// Length of a number or a duration.
fn number(rest: &str) -> usize {
    let mut before = ' ';
    for (at, c) in rest.char_indices() {
        let exponent = "+-".contains(c) && "eE".contains(before) && !rest.starts_with("0x");
        if !(c.is_ascii_alphanumeric() || c == '.' || c == '_' || exponent) {
            return at;
        }
        before = c;
    }
    rest.len()
}

/// Finds where the mistake is: the parser does not say.
fn place(text: &str, tokens: &[Range<usize>], message: &str) -> Broken {
    if !is_syntax_error(text, message) {
        return Broken::at(text, innermost(text, tokens, message), message);
    }
    // Up to the mistake there is some way to go on; from it on there is none.
    let viable = |count: usize| count == 0 || can_go_on(text, &tokens[..count]);
    let (mut good, mut bad) = (0, tokens.len() + 1);
    while bad - good > 1 {
        let middle = (good + bad) / 2;
        match viable(middle) {
            true => good = middle,
            false => bad = middle,
        }
    }
    match tokens.get(good) {
        Some(token) => {
            let word = &text[token.clone()];
            let unended = word.starts_with(['"', '\'', '`']) && string(word, '\n') == word.len();
            let ends = word.len() > 1 && word.chars().next() == word.chars().last();
            let message = match unended && !ends {
                true => "a string that does not end".to_owned(),
                false => format!("unexpected `{}`", word.chars().take(40).collect::<String>()),
            };
            Broken::at(text, token.start, message)
        }
        None => Broken::at(text, text.trim_end().len(), "the expression ends too early"),
    }
}

/// Whether the grammar, rather than a type or a function's name, is what is wrong.
fn is_syntax_error(text: &str, message: &str) -> bool {
    message == "invalid promql query" || parser::lexer(text).is_err()
}

/// Whether something can follow the first tokens so that an expression results.
fn can_go_on(text: &str, tokens: &[Range<usize>]) -> bool {
    const NEXT: [&str; 10] = [
        "", " x", "(x)", "(x)(x)", "(x) x", " 1m", "=\"x\"", "\"x\"", " x=\"x\"", ":",
    ];
    const AFTER_BRACKET: [&str; 3] = ["", "(x)", " x"];
    let start = tokens.last().map_or("", |last| &text[..last.end]);
    let mut open: Vec<char> = Vec::new();
    for token in tokens {
        match &text[token.clone()] {
            "(" => open.push(')'),
            "{" => open.push('}'),
            "[" => open.push(']'),
            ")" | "}" | "]" => {
                open.pop();
            }
            _ => {}
        }
    }
    let closing: String = open.iter().rev().collect();
    let (first, others) = closing.split_at(closing.len().min(1));
    NEXT.iter().any(|next| {
        AFTER_BRACKET.iter().any(|after| {
            let whole = format!("{start}{next}{first}{after}{others}");
            parsed(&whole)
                .err()
                .is_none_or(|message| !is_syntax_error(&whole, &message))
        })
    })
}

/// Start of the smallest call or bracket that has the same mistake as the whole.
fn innermost(text: &str, tokens: &[Range<usize>], message: &str) -> usize {
    let mut open: Vec<usize> = Vec::new();
    let mut parts: Vec<Range<usize>> = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        match &text[token.clone()] {
            "(" => open.push(at),
            ")" => {
                if let Some(from) = open.pop() {
                    let called = from.checked_sub(1).map(|before| &tokens[before]);
                    let is_name = |token: &&Range<usize>| {
                        text[(*token).clone()].starts_with(|c: char| c.is_ascii_alphabetic())
                    };
                    let start = called.filter(is_name).unwrap_or(&tokens[from]).start;
                    parts.push(start..token.end);
                }
            }
            _ => {}
        }
    }
    parts.sort_by_key(|part| part.len());
    let fails =
        |part: &&Range<usize>| parsed(&text[(*part).clone()]).is_err_and(|found| found == message);
    let part = parts.iter().take(MAX_TRIES).find(fails);
    part.map(|part| part.start)
        .or(tokens.first().map(|token| token.start))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::super::read;

    #[test]
    fn says_where_the_mistake_is() {
        for (text, place) in [
            ("sum(rate(x[5m]) > 1", "1:20 the expression ends too early"),
            ("rate(x[5m])) > 1", "1:12 unexpected `)`"),
            ("up == 0 foo", "1:9 unexpected `foo`"),
            ("up{job=\"a\" == 0", "1:12 unexpected `==`"),
            ("sum by (a b) (x)", "1:11 unexpected `b`"),
            ("x > 1\n  and\n  y >> 2", "3:6 unexpected `>`"),
            ("x{job=\"a} > 1", "1:7 a string that does not end"),
            ("über > 1", "1:1 unexpected `ü`"),
            ("sum(foo(x)) > 1", "1:5 unknown function with name 'foo'"),
            ("", "1:1 no expression"),
            ("# nothing", "1:1 no expression"),
            ("rate(x[5m]) > $threshold", "1:15 unexpected `$`"),
            ("{{ .Values.x }} > 1", "1:2 unexpected `{`"),
            ("x and * y", "1:7 unexpected `*`"),
        ] {
            let broken = read(text).unwrap_err();
            let told = format!("{}:{} {}", broken.line, broken.column, broken.message);
            assert_eq!(told, place, "{text}");
        }
        let broken = read("histogram_quantile(0.9, sum(rate(up)))").unwrap_err();
        assert_eq!(broken.column, 29, "{broken}");
    }

    #[test]
    fn hostile_expressions_are_refused() {
        for text in [
            "(".repeat(100_000),
            "(".repeat(8_000),
            format!("{}x{}", "(".repeat(499), ")".repeat(499)),
            format!("{}x{}", "sum(".repeat(2_000), ")".repeat(2_000)),
            format!("1{}", "+1".repeat(8_000)),
            format!("{}1", "-".repeat(16_000)),
            format!("x{}", "[5m:1m]".repeat(2_000)),
            format!("x{}", " or x".repeat(3_000)),
            format!("x{{{}}}", "a=~\"(\\\\pL{99}){99}\",".repeat(700)),
            "\\".repeat(500),
            "\"\\".to_owned(),
            "x{a=~\"(\"}".to_owned(),
            "0x".to_owned(),
            "1e".to_owned(),
            "x[999999999999y]".to_owned(),
            "x offset 99999999999999999999y".to_owned(),
            "x @ 1e400".to_owned(),
            "x offset inf".to_owned(),
            "x[NaN]".to_owned(),
            "x[1e300:-Inf]".to_owned(),
            "\u{0}\u{feff}é😀\"".to_owned(),
            "{}".to_owned(),
            "x @ -9e18".to_owned(),
        ] {
            let start = std::time::Instant::now();
            let _ = read(&text);
            assert!(
                start.elapsed().as_secs() < 5,
                "{}",
                &text[..20.min(text.len())]
            );
        }
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig { failure_persistence: None, ..proptest::prelude::ProptestConfig::with_cases(256) })]
        #[test]
        fn no_text_is_too_odd(words in proptest::collection::vec("[a-z(){}\\[\\]\"'=~!<>0-9.,:@#é \n-]{1,6}|sum|rate|by|on|offset|and|unless|bool|group_left|5m|inf|start|\\\\", 0..24)) {
            let text = words.concat();
            let _ = read(&text);
            let _ = read(&words.join(" "));
        }
    }
}
