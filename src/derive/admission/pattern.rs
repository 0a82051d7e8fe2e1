//! Kyverno's patterns: whether an object is as a policy wants it.
//!
//! See <https://kyverno.io/docs/policy-types/cluster-policy/validate/>, and the code that decides:
//! `pkg/engine/validate` and `pkg/engine/pattern` of Kyverno.

use std::cmp::Ordering;

use wildmatch::WildMatch;

use crate::{
    cel::functions::compare_quantities,
    model::{Map, Node},
};

/// Deepest nesting of a pattern that is looked into.
const MAX_DEPTH: usize = 32;

/// What a pattern says of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fit {
    /// It is as wanted.
    Fits,
    /// It is not.
    Differs,
    /// A condition of the pattern does not hold, so it says nothing.
    Silent,
}

/// Compares an object with a pattern.
pub(super) fn fit(resource: &Node, pattern: &Node) -> Fit {
    element(Some(resource), pattern, 0)
}

fn element(resource: Option<&Node>, pattern: &Node, depth: usize) -> Fit {
    if depth > MAX_DEPTH {
        return Fit::Differs;
    }
    match (pattern, resource) {
        (Node::Map(pattern), Some(Node::Map(resource))) => fields(resource, pattern, depth),
        (Node::List(patterns), Some(Node::List(resources))) => list(resources, patterns, depth),
        (Node::Map(_) | Node::List(_), _) => Fit::Differs,
        // A plain value against a list wants it of every element.
        (_, Some(Node::List(resources))) => of(resources
            .iter()
            .all(|resource| value(Some(resource), pattern))),
        _ => of(value(resource, pattern)),
    }
}

fn of(fits: bool) -> Fit {
    match fits {
        true => Fit::Fits,
        false => Fit::Differs,
    }
}

/// What stands around the name of a field: `(name)`, `=(name)`, `^(name)`, …
enum Anchor<'a> {
    /// If the field fits, the rest must; if it does not, the pattern says nothing.
    Condition(&'a str),
    /// If the field is there, it must fit.
    Equality(&'a str),
    /// One of the field's elements must fit.
    Existence(&'a str),
    /// The field must not be there.
    Negation(&'a str),
    /// None: the field must fit. `+(name)` is for mutation only and means the same here.
    Plain(&'a str),
}

fn anchor(key: &str) -> Anchor<'_> {
    let inner = |prefix: &str| key.strip_prefix(prefix)?.strip_suffix(')');
    if let Some(name) = inner("(").or_else(|| inner("<(")) {
        Anchor::Condition(name)
    } else if let Some(name) = inner("=(") {
        Anchor::Equality(name)
    } else if let Some(name) = inner("^(") {
        Anchor::Existence(name)
    } else if let Some(name) = inner("X(") {
        Anchor::Negation(name)
    } else {
        Anchor::Plain(inner("+(").unwrap_or(key))
    }
}

/// Anchors come before the other fields.
fn fields(resource: &Map, pattern: &Map, depth: usize) -> Fit {
    let is_plain = |key: &str| matches!(anchor(key), Anchor::Plain(_));
    let anchors = pattern.iter().filter(|(key, _)| !is_plain(key));
    let plain = pattern.iter().filter(|(key, _)| is_plain(key));
    for (key, pattern) in anchors.chain(plain) {
        let fit = field(resource, key, pattern, depth + 1);
        if fit != Fit::Fits {
            return fit;
        }
    }
    Fit::Fits
}

fn field(resource: &Map, key: &str, pattern: &Node, depth: usize) -> Fit {
    match anchor(key) {
        Anchor::Condition(name) => match resource.get(name) {
            Some(found) if element(Some(found), pattern, depth) == Fit::Fits => Fit::Fits,
            _ => Fit::Silent,
        },
        Anchor::Equality(name) => match resource.get(name) {
            Some(found) => element(Some(found), pattern, depth),
            None => Fit::Fits,
        },
        Anchor::Existence(name) => {
            let Some(wanted) = pattern.items().first() else {
                return Fit::Differs;
            };
            let mut found = resource.get(name).map_or(&[][..], Node::items).iter();
            of(found.any(|found| element(Some(found), wanted, depth) == Fit::Fits))
        }
        Anchor::Negation(name) => of(resource.get(name).is_none()),
        Anchor::Plain(name) => match pattern.as_str() {
            Some("*") => of(resource.get(name).is_some()),
            _ => element(resource.get(name), pattern, depth),
        },
    }
}

/// The first pattern holds for every element; elements of which it says nothing do not count,
/// unless that are all.
fn list(resources: &[Node], patterns: &[Node], depth: usize) -> Fit {
    let Some(pattern) = patterns.first() else {
        return Fit::Differs;
    };
    if let Node::List(_) = pattern {
        let fits = |(resource, pattern): (&Node, &Node)| {
            element(Some(resource), pattern, depth + 1) == Fit::Fits
        };
        let enough = resources.len() >= patterns.len();
        return of(enough && resources.iter().zip(patterns).all(fits));
    }
    let mut silent = 0;
    for resource in resources {
        match element(Some(resource), pattern, depth + 1) {
            Fit::Fits => {}
            Fit::Silent => silent += 1,
            Fit::Differs => return Fit::Differs,
        }
    }
    match silent > 0 && silent == resources.len() {
        true => Fit::Silent,
        false => Fit::Fits,
    }
}

/// Whether a plain value is as a pattern wants it.
fn value(value: Option<&Node>, pattern: &Node) -> bool {
    match pattern {
        Node::String(pattern) => pattern.split('|').any(|either| {
            let mut all = either.split('&').map(str::trim);
            all.all(|condition| one(value, condition))
        }),
        // Kyverno takes nothing for what is written as nothing.
        Node::Null => matches!(value, None | Some(Node::Null)),
        Node::Int(wanted) => value.is_some_and(|value| written(value) == wanted.to_string()),
        Node::Float(wanted) => value.is_some_and(|value| written(value) == wanted.to_string()),
        pattern => value == Some(pattern),
    }
}

/// One condition of a pattern: an operator and a text with `*` and `?`, or a range.
fn one(value: Option<&Node>, condition: &str) -> bool {
    let (operator, wanted) = operator(condition);
    let Some(value) = value else {
        return operator == "!";
    };
    let value = written(value);
    let compared = |wanted: &str| compare_quantities(&value, wanted);
    match operator {
        ">=" => compared(wanted).is_some_and(Ordering::is_ge),
        "<=" => compared(wanted).is_some_and(Ordering::is_le),
        ">" => compared(wanted).is_some_and(Ordering::is_gt),
        "<" => compared(wanted).is_some_and(Ordering::is_lt),
        "!" => !equal(&value, wanted),
        _ => equal(&value, wanted) || in_range(wanted, compared),
    }
}

fn operator(condition: &str) -> (&str, &str) {
    let operators = [">=", "<=", ">", "<", "!"];
    let found = operators
        .into_iter()
        .find_map(|operator| Some((operator, condition.strip_prefix(operator)?.trim())));
    found.unwrap_or(("", condition))
}

fn equal(value: &str, wanted: &str) -> bool {
    WildMatch::new(wanted).matches(value)
        || compare_quantities(value, wanted) == Some(Ordering::Equal)
}

/// `1-10` holds from 1 to 10, `1!-10` outside of that.
fn in_range(range: &str, compared: impl Fn(&str) -> Option<Ordering>) -> bool {
    let Some((low, high)) = range.split_once('-') else {
        return false;
    };
    let (low, outside) = match low.strip_suffix('!') {
        Some(low) => (low, true),
        None => (low, false),
    };
    match (compared(low), compared(high)) {
        (Some(low), Some(high)) => (low.is_ge() && high.is_le()) != outside,
        _ => false,
    }
}

fn written(value: &Node) -> String {
    match value {
        Node::String(text) => text.to_string(),
        Node::Int(number) => number.to_string(),
        Node::Float(number) => number.to_string(),
        Node::Bool(truth) => truth.to_string(),
        Node::Null | Node::List(_) | Node::Map(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A pattern, an object, and what the one says of the other.
    #[test]
    fn patterns_mean_what_kyverno_documents() {
        let read = |text: &str| -> Node {
            serde_saphyr::from_str::<serde_json::Value>(text)
                .unwrap()
                .into()
        };
        let cases = [
            ("{a: '?*'}", "{a: x}", Fit::Fits),
            ("{a: '?*'}", "{a: ''}", Fit::Differs),
            ("{a: '?*'}", "{}", Fit::Differs),
            ("{a: '*'}", "{a: ''}", Fit::Fits),
            ("{a: '*'}", "{}", Fit::Differs),
            ("{a: '!*:latest'}", "{a: 'nginx:latest'}", Fit::Differs),
            ("{a: '!*:latest'}", "{a: nginx}", Fit::Fits),
            ("{a: '*:* & !*:latest'}", "{a: nginx}", Fit::Differs),
            ("{a: 'x/* | y/*'}", "{a: y/z}", Fit::Fits),
            ("{a: 'x/* | y/*'}", "{a: z/y}", Fit::Differs),
            ("{a: '>0'}", "{a: 10}", Fit::Fits),
            ("{a: '<=1Gi'}", "{a: 512Mi}", Fit::Fits),
            ("{a: '<=1Gi'}", "{a: 2Gi}", Fit::Differs),
            ("{a: '1-10'}", "{a: 10}", Fit::Fits),
            ("{a: '1!-10'}", "{a: 10}", Fit::Differs),
            ("{a: 1Gi}", "{a: 1024Mi}", Fit::Fits),
            ("{a: {}}", "{a: {b: 1}}", Fit::Fits),
            ("{a: {}}", "{}", Fit::Differs),
            ("{a: false}", "{a: false}", Fit::Fits),
            ("{a: false}", "{}", Fit::Differs),
            ("{=(a): false}", "{}", Fit::Fits),
            ("{=(a): false}", "{a: true}", Fit::Differs),
            ("{X(a): 'null'}", "{a: 1}", Fit::Differs),
            ("{X(a): 'null'}", "{b: 1}", Fit::Fits),
            ("{(a): x, b: 1}", "{a: x, b: 1}", Fit::Fits),
            ("{(a): x, b: 1}", "{a: x, b: 2}", Fit::Differs),
            ("{(a): x, b: 1}", "{a: y, b: 2}", Fit::Silent),
            (
                "{c: [{(a): x, b: 1}]}",
                "{c: [{a: y}, {a: x, b: 1}]}",
                Fit::Fits,
            ),
            ("{c: [{a: '!x'}]}", "{c: [{a: y}, {a: x}]}", Fit::Differs),
            ("{^(c): [{a: x}]}", "{c: [{a: y}, {a: x}]}", Fit::Fits),
            ("{^(c): [{a: x}]}", "{c: [{a: y}]}", Fit::Differs),
            ("{c: [ALL]}", "{c: [ALL]}", Fit::Fits),
            ("{c: [ALL]}", "{c: [ALL, NET_RAW]}", Fit::Differs),
            ("{c: [ALL]}", "{}", Fit::Differs),
        ];
        for (pattern, object, expected) in cases {
            let found = fit(&read(object), &read(pattern));
            assert_eq!(found, expected, "{pattern} of {object}");
        }
    }
}
