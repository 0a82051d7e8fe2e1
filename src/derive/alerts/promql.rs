//! What a PromQL expression asks for: metrics, selectors and the numbers it compares with.

use std::{collections::BTreeSet, fmt, ops::Range, panic};

use promql_parser::{
    label::MatchOp,
    parser::{self, BinaryExpr, Expr, VectorSelector},
};
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

/// What an expression asks for.
#[derive(Debug)]
pub struct Query {
    /// Names of metrics, those behind `{__name__="…"}` included.
    pub metrics: BTreeSet<String>,
    /// Distinct selectors, in the order in which they are written.
    pub selectors: Vec<Selector>,
    /// Comparisons with a number.
    pub comparisons: Vec<Comparison>,
    /// Regular expressions of the jobs whose `up` is asked for.
    pub jobs: Vec<String>,
    /// Functions that are called.
    pub functions: BTreeSet<String>,
    /// The syntax tree.
    pub tree: Expr,
}

/// One selector of series.
#[derive(Clone, Debug, PartialEq)]
pub struct Selector {
    /// The metric, if there is one name.
    pub metric: Option<String>,
    /// The selector without offset and range, as Prometheus writes it.
    pub text: String,
    /// Label, operator (`=`, `!=`, `=~`, `!~`) and value.
    pub labels: Vec<(String, String, String)>,
    /// Whether the expression can hold where there are no such series.
    pub optional: bool,
    /// The function its range is given to, if it is one.
    pub function: Option<String>,
}

/// A comparison with a number, turned so that the number stands on the right.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// The first metric of the compared side.
    pub metric: Option<String>,
    /// `==`, `!=`, `<`, `<=`, `>` or `>=`.
    pub op: String,
    /// The number.
    pub value: f64,
    /// The window that the compared side looks over, such as `1h`: of its range, or at the end of
    /// its metric's name as recording rules write it.
    pub window: Option<String>,
    /// The function around the metric, if there is one.
    pub function: Option<String>,
    /// Whether it is the metric's own value that is compared.
    pub direct: bool,
}

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

/// The selectors of an expression, each as a query of its own; empty if it cannot be read.
pub fn selectors(text: &str) -> Vec<String> {
    read(text).map_or_else(
        |_| Vec::new(),
        |query| query.selectors.into_iter().map(|one| one.text).collect(),
    )
}

/// Reads an expression.
pub fn read(text: &str) -> Result<Query, Broken> {
    let tree = parse(text)?;
    let mut reader = Reader::default();
    reader.walk(&tree, &Around::default());
    let metrics = reader.selectors.iter().flat_map(names).collect();
    let jobs = jobs(&reader.selectors);
    Ok(Query {
        metrics,
        selectors: reader.selectors,
        comparisons: reader.comparisons,
        jobs,
        functions: reader.functions,
        tree,
    })
}

fn parse(text: &str) -> Result<Expr, Broken> {
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
        if !(number.abs() < MAX_TIME) || word(time).len() > 24 {
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

/// What stands around a part of the tree.
#[derive(Clone, Default)]
struct Around {
    optional: bool,
    function: Option<String>,
}

#[derive(Default)]
struct Reader {
    selectors: Vec<Selector>,
    comparisons: Vec<Comparison>,
    functions: BTreeSet<String>,
}

impl Reader {
    fn walk(&mut self, tree: &Expr, around: &Around) {
        match tree {
            Expr::Aggregate(aggregate) => {
                self.functions.insert(aggregate.op.to_string());
                if let Some(param) = &aggregate.param {
                    self.walk(param, around);
                }
                self.walk(&aggregate.expr, around);
            }
            Expr::Unary(unary) => self.walk(&unary.expr, around),
            Expr::Paren(paren) => self.walk(&paren.expr, around),
            Expr::Subquery(subquery) => self.walk(&subquery.expr, around),
            Expr::Binary(binary) => self.binary(binary, around),
            Expr::Call(call) => {
                let name = call.func.name.to_owned();
                let around = Around {
                    optional: around.optional || name.starts_with("absent"),
                    function: Some(name.clone()),
                };
                self.functions.insert(name);
                for argument in &call.args.args {
                    self.walk(argument, &around);
                }
            }
            Expr::VectorSelector(selector) => self.selector(selector, around),
            Expr::MatrixSelector(matrix) => self.selector(&matrix.vs, around),
            Expr::NumberLiteral(_) | Expr::StringLiteral(_) | Expr::Extension(_) => {}
        }
    }

    fn binary(&mut self, binary: &BinaryExpr, around: &Around) {
        let op = binary.op.to_string();
        // Without its right side `unless` takes nothing away, and `or` still has its left one.
        let right = Around {
            optional: around.optional || op == "unless" || op == "or",
            function: around.function.clone(),
        };
        if binary.op.is_comparison_operator() {
            let flipped = match &*op {
                "<" => ">",
                "<=" => ">=",
                ">" => "<",
                ">=" => "<=",
                same => same,
            };
            match (constant(&binary.lhs), constant(&binary.rhs)) {
                (None, Some(value)) => self.compare(&binary.lhs, &op, value),
                (Some(value), None) => self.compare(&binary.rhs, flipped, value),
                _ => {}
            }
        }
        self.walk(&binary.lhs, around);
        self.walk(&binary.rhs, &right);
    }

    fn compare(&mut self, side: &Expr, op: &str, value: f64) {
        let mut inner = Reader::default();
        inner.walk(side, &Around::default());
        let first = inner.selectors.first();
        self.comparisons.push(Comparison {
            metric: first.and_then(|selector| names(selector).into_iter().next()),
            op: op.to_owned(),
            value,
            window: window(side).or_else(|| {
                let name = first?.metric.as_deref()?;
                recorded_window(name).map(str::to_owned)
            }),
            function: first.and_then(|selector| selector.function.clone()),
            direct: is_selector(side),
        });
    }

    fn selector(&mut self, selector: &VectorSelector, around: &Around) {
        let bare = VectorSelector {
            offset: None,
            at: None,
            ..selector.clone()
        };
        let matchers = || {
            let alternatives = selector.matchers.or_matchers.iter().flatten();
            selector.matchers.matchers.iter().chain(alternatives)
        };
        let named = matchers()
            .find(|matcher| matcher.name == "__name__" && matches!(matcher.op, MatchOp::Equal))
            .map(|matcher| matcher.value.clone());
        let selector = Selector {
            metric: selector.name.clone().or(named),
            text: bare.to_string(),
            labels: matchers()
                .map(|m| (m.name.clone(), m.op.to_string(), m.value.clone()))
                .collect(),
            optional: around.optional,
            function: around.function.clone(),
        };
        if !self.selectors.contains(&selector) {
            self.selectors.push(selector);
        }
    }
}

/// Names of the metrics that a selector can select: one, or those that `{__name__=~"a|b"}` lists.
fn names(selector: &Selector) -> Vec<String> {
    let plain = |name: &&str| {
        !name.is_empty()
            && name
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "_:".contains(c))
    };
    match &selector.metric {
        Some(name) => vec![name.clone()],
        None => selector
            .labels
            .iter()
            .filter(|(label, op, _)| label == "__name__" && op == "=~")
            .flat_map(|(_, _, value)| value.split('|').filter(plain).map(str::to_owned))
            .collect(),
    }
}

fn jobs(selectors: &[Selector]) -> Vec<String> {
    let ups = selectors
        .iter()
        .filter(|one| one.metric.as_deref() == Some("up"));
    let mut jobs: Vec<String> = ups
        .map(|up| {
            let job = up
                .labels
                .iter()
                .find(|(label, op, _)| label == "job" && !op.starts_with('!'));
            job.map_or_else(|| ".*".to_owned(), |(_, _, value)| value.clone())
        })
        .collect();
    jobs.sort();
    jobs.dedup();
    jobs
}

/// The value of an expression without series.
pub fn constant(tree: &Expr) -> Option<f64> {
    match tree {
        Expr::NumberLiteral(number) => Some(number.val),
        Expr::Paren(paren) => constant(&paren.expr),
        Expr::Unary(unary) => constant(&unary.expr).map(|value| -value),
        Expr::Call(call) if matches!(call.func.name, "vector" | "scalar") => {
            constant(call.args.args.first()?)
        }
        Expr::Binary(binary) => arithmetic(
            &binary.op.to_string(),
            constant(&binary.lhs)?,
            constant(&binary.rhs)?,
        ),
        _ => None,
    }
}

/// The result of an arithmetic operator.
pub fn arithmetic(op: &str, left: f64, right: f64) -> Option<f64> {
    Some(match op {
        "+" => left + right,
        "-" => left - right,
        "*" => left * right,
        "/" => left / right,
        "%" => left % right,
        "^" => left.powf(right),
        _ => return None,
    })
}

fn is_selector(tree: &Expr) -> bool {
    match tree {
        Expr::Paren(paren) => is_selector(&paren.expr),
        Expr::VectorSelector(_) => true,
        _ => false,
    }
}

/// The first range in a tree.
fn window(tree: &Expr) -> Option<String> {
    match tree {
        Expr::MatrixSelector(matrix) => Some(short(matrix.range)),
        Expr::Subquery(subquery) => Some(short(subquery.range)),
        Expr::Aggregate(aggregate) => window(&aggregate.expr),
        Expr::Paren(paren) => window(&paren.expr),
        Expr::Unary(unary) => window(&unary.expr),
        Expr::Binary(binary) => window(&binary.lhs).or_else(|| window(&binary.rhs)),
        Expr::Call(call) => call.args.args.iter().find_map(|argument| window(argument)),
        _ => None,
    }
}

fn short(range: std::time::Duration) -> String {
    let seconds = range.as_secs();
    match seconds {
        _ if seconds % 86_400 == 0 => format!("{}d", seconds / 86_400),
        _ if seconds % 3_600 == 0 => format!("{}h", seconds / 3_600),
        _ if seconds % 60 == 0 => format!("{}m", seconds / 60),
        _ => format!("{seconds}s"),
    }
}

/// The window at the end of a recording rule's name, such as `1h` of `job:errors:ratio_rate1h`.
pub fn recorded_window(name: &str) -> Option<&str> {
    let unit = name.strip_suffix(['s', 'm', 'h', 'd', 'w'])?;
    let start = unit.trim_end_matches(|c: char| c.is_ascii_digit()).len();
    (start < unit.len() && name.contains(':')).then(|| &name[start..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_an_alert_asks_for() {
        let query = read(
            r#"(kubelet_volume_stats_available_bytes{job="kubelet"} / kubelet_volume_stats_capacity_bytes) < 0.03
               and 0 < rate(x:y{a=~"b|c"}[5m] offset 1d) unless on (pod) {__name__="gone"} == 1 # why"#,
        )
        .unwrap();
        let metrics: Vec<&str> = query.metrics.iter().map(String::as_str).collect();
        assert_eq!(
            metrics,
            [
                "gone",
                "kubelet_volume_stats_available_bytes",
                "kubelet_volume_stats_capacity_bytes",
                "x:y"
            ]
        );
        let texts: Vec<(&str, bool)> = query
            .selectors
            .iter()
            .map(|one| (&*one.text, one.optional))
            .collect();
        assert_eq!(
            texts[0],
            (
                r#"kubelet_volume_stats_available_bytes{job="kubelet"}"#,
                false
            )
        );
        assert_eq!(texts[2], (r#"x:y{a=~"b|c"}"#, false));
        assert_eq!(texts[3], (r#"{__name__="gone"}"#, true));
        let told: Vec<String> = query
            .comparisons
            .iter()
            .map(|c| {
                format!(
                    "{:?} {} {} {:?} {:?}",
                    c.metric, c.op, c.value, c.window, c.function
                )
            })
            .collect();
        assert!(
            told.contains(&r#"Some("x:y") > 0 Some("5m") Some("rate")"#.to_owned()),
            "{told:?}"
        );
        assert!(told.contains(
            &r#"Some("kubelet_volume_stats_available_bytes") < 0.03 None None"#.to_owned()
        ));
    }

    #[test]
    fn folds_thresholds_and_finds_windows() {
        let query = read("sum(apiserver_request:burnrate1h) > (14.40 * 0.01000)").unwrap();
        let one = &query.comparisons[0];
        assert!((one.value - 0.144).abs() < 1e-9);
        assert_eq!(one.window.as_deref(), Some("1h"));
        assert_eq!(recorded_window("node_cpu_seconds_total"), None);
        assert_eq!(
            read(r#"up{job=~"a|b"} == 0 or up == 0"#).unwrap().jobs,
            [".*", "a|b"]
        );
        assert!(
            read(r#"absent(up{job="apiserver"} == 1)"#)
                .unwrap()
                .selectors[0]
                .optional
        );
    }

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
