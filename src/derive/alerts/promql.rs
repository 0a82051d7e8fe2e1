//! What a PromQL expression asks for: metrics, selectors and the numbers it compares with.

mod parse;

use std::collections::BTreeSet;

use promql_parser::{
    label::MatchOp,
    parser::{BinaryExpr, Expr, VectorSelector},
};

pub use self::parse::Broken;
use self::parse::parse;

/// What an expression asks for.
#[derive(Debug)]
pub struct Query {
    /// Names of metrics, those behind `{__name__="…"}` included.
    pub metrics: BTreeSet<String>,
    /// Distinct selectors, in the order in which they are written.
    pub selectors: Vec<Selector>,
    /// Comparisons with a number.
    pub comparisons: Vec<Comparison>,
    /// Whether anything is compared at all.
    pub compares: bool,
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
        compares: reader.compares,
        jobs,
        functions: reader.functions,
        tree,
    })
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
    compares: bool,
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
            self.compares = true;
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
        _ if seconds.is_multiple_of(86_400) => format!("{}d", seconds / 86_400),
        _ if seconds.is_multiple_of(3_600) => format!("{}h", seconds / 3_600),
        _ if seconds.is_multiple_of(60) => format!("{}m", seconds / 60),
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
}
