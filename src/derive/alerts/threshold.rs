//! From which state on an alert fires: its expression is evaluated over made-up series, since there
//! are too many ways to write `1 - available / capacity > 0.8`.

use promql_parser::parser::{BinaryExpr, Expr};

use super::promql::{arithmetic, constant};

/// Series of the moment at which a certificate expires, in seconds.
const EXPIRIES: [&str; 4] = [
    "certmanager_certificate_expiration_timestamp_seconds",
    "probe_ssl_earliest_cert_expiry",
    "x509_cert_not_after",
    "x509_cert_expires_in_seconds",
];
/// Longest remaining lifetime that is tried, in seconds: ten years.
const LONGEST: f64 = 10.0 * 365.0 * 86_400.0;

/// What an expression yields.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Found {
    /// One series with this value.
    Value(f64),
    /// No series.
    Nothing,
    /// Something that the made-up series do not decide.
    Unknown,
}

/// The share of a volume's capacity, 0 to 1, from which on the alert fires; nothing if it is not
/// about that.
pub fn used_share(tree: &Expr) -> Option<f64> {
    let fires = |used: f64| {
        holds(tree, &|metric| match metric {
            "kubelet_volume_stats_available_bytes" => Some(1.0 - used),
            "kubelet_volume_stats_used_bytes" => Some(used),
            "kubelet_volume_stats_capacity_bytes" => Some(1.0),
            _ => None,
        })
    };
    let border = border(0.0, 1.0, &fires)?;
    Some((border * 1_000.0).round() / 1_000.0)
}

/// The remaining lifetime of a certificate, in seconds, from which down the alert fires; nothing if
/// it is not about that.
pub fn lead_seconds(tree: &Expr) -> Option<i64> {
    let fires = |left: f64| holds(tree, &|metric| EXPIRIES.contains(&metric).then_some(left));
    // Falls from firing to not firing, so the two ends change places.
    let border = border(LONGEST, 1.0, &fires)?;
    #[expect(clippy::cast_possible_truncation, reason = "at most LONGEST")]
    Some(border.round() as i64)
}

/// Where `fires` begins to hold between a quiet and a firing end.
fn border(quiet: f64, firing: f64, fires: &dyn Fn(f64) -> bool) -> Option<f64> {
    if fires(quiet) || !fires(firing) {
        return None;
    }
    let (mut quiet, mut firing) = (quiet, firing);
    for _ in 0..50 {
        let middle = f64::midpoint(quiet, firing);
        match fires(middle) {
            true => firing = middle,
            false => quiet = middle,
        }
    }
    Some(firing)
}

fn holds(tree: &Expr, series: &dyn Fn(&str) -> Option<f64>) -> bool {
    find(tree, series) != Found::Nothing
}

fn find(tree: &Expr, series: &dyn Fn(&str) -> Option<f64>) -> Found {
    use Found::{Nothing, Unknown, Value};
    match tree {
        Expr::NumberLiteral(number) => Value(number.val),
        Expr::Paren(paren) => find(&paren.expr, series),
        Expr::Subquery(subquery) => find(&subquery.expr, series),
        Expr::Unary(unary) => match find(&unary.expr, series) {
            Value(value) => Value(-value),
            other => other,
        },
        Expr::VectorSelector(selector) => selector
            .name
            .as_deref()
            .and_then(series)
            .map_or(Unknown, Value),
        Expr::MatrixSelector(matrix) => {
            let name = matrix.vs.name.as_deref();
            name.and_then(series).map_or(Unknown, Value)
        }
        Expr::Aggregate(aggregate) => match &*aggregate.op.to_string() {
            "count" | "group" | "count_values" | "stddev" | "stdvar" => {
                match find(&aggregate.expr, series) {
                    Nothing => Nothing,
                    _ => Unknown,
                }
            }
            _ => find(&aggregate.expr, series),
        },
        Expr::Call(call) => match call.func.name {
            "time" => Value(0.0),
            "vector" | "scalar" | "abs" | "ceil" | "floor" | "round" | "sort" | "sort_desc"
            | "label_replace" | "label_join" | "avg_over_time" | "min_over_time"
            | "max_over_time" | "last_over_time" => {
                let first = call.args.args.first();
                first.map_or(Unknown, |argument| find(argument, series))
            }
            _ => Unknown,
        },
        Expr::Binary(binary) => combine(binary, series),
        Expr::StringLiteral(_) | Expr::Extension(_) => Unknown,
    }
}

fn combine(binary: &BinaryExpr, series: &dyn Fn(&str) -> Option<f64>) -> Found {
    use Found::{Nothing, Unknown, Value};
    let (left, right) = (find(&binary.lhs, series), find(&binary.rhs, series));
    let op = binary.op.to_string();
    match (&*op, left, right) {
        ("and", Nothing, _) | ("and", _, Nothing) => Nothing,
        ("and", left, _) => left,
        ("or", Nothing, right) => right,
        ("or", left, _) => left,
        // What excludes volumes from an alert is taken not to be there.
        ("unless", _, Value(_)) => Nothing,
        ("unless", left, _) => left,
        (_, Nothing, _) | (_, _, Nothing) => Nothing,
        (_, Value(a), Value(b)) => {
            let holds = match &*op {
                "==" => a == b,
                "!=" => a != b,
                "<" => a < b,
                "<=" => a <= b,
                ">" => a > b,
                ">=" => a >= b,
                _ => return arithmetic(&op, a, b).map_or(Unknown, Value),
            };
            let kept = match constant(&binary.lhs) {
                Some(_) => b,
                None => a,
            };
            match (
                holds,
                binary.modifier.as_ref().is_some_and(|m| m.return_bool),
            ) {
                (_, true) => Value(f64::from(u8::from(holds))),
                (true, false) => Value(kept),
                (false, false) => Nothing,
            }
        }
        _ => Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::{super::promql::read, *};

    #[test]
    fn volumes_however_it_is_written() {
        for (text, share) in [
            ("kubelet_volume_stats_available_bytes / kubelet_volume_stats_capacity_bytes < 0.1", Some(0.9)),
            ("100 * kubelet_volume_stats_used_bytes / kubelet_volume_stats_capacity_bytes >= 80", Some(0.8)),
            ("(1 - max by (pod) (kubelet_volume_stats_available_bytes) / kubelet_volume_stats_capacity_bytes) > 0.75", Some(0.75)),
            ("0.2 > kubelet_volume_stats_available_bytes / kubelet_volume_stats_capacity_bytes", Some(0.8)),
            (
                "(kubelet_volume_stats_available_bytes{job=\"kubelet\"} / kubelet_volume_stats_capacity_bytes) < 0.15
                 and kubelet_volume_stats_used_bytes > 0
                 and predict_linear(kubelet_volume_stats_available_bytes[6h], 4 * 24 * 3600) < 0
                 unless on(namespace, persistentvolumeclaim) kube_persistentvolumeclaim_access_mode{access_mode=\"ReadOnlyMany\"} == 1",
                Some(0.85),
            ),
            ("kubelet_volume_stats_available_bytes < 1e9", None),
            ("kubelet_volume_stats_used_bytes / kubelet_volume_stats_capacity_bytes > 80", None),
            ("up == 0", None),
        ] {
            assert_eq!(used_share(&read(text).unwrap().tree), share, "{text}");
        }
    }

    #[test]
    fn certificates_however_it_is_written() {
        for (text, days) in [
            (
                "certmanager_certificate_expiration_timestamp_seconds - time() < 604800",
                Some(7),
            ),
            (
                "(probe_ssl_earliest_cert_expiry - time()) / 86400 < 21",
                Some(21),
            ),
            ("x509_cert_not_after < time() + 14 * 24 * 3600", Some(14)),
            (
                "min(certmanager_certificate_expiration_timestamp_seconds) by (name) - time() < (90 * 86400) and up == 1",
                Some(90),
            ),
            ("certmanager_certificate_ready_status == 0", None),
        ] {
            let lead = lead_seconds(&read(text).unwrap().tree).map(|seconds| seconds / 86_400);
            assert_eq!(lead, days, "{text}");
        }
    }
}
