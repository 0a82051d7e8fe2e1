//! As written → as meant. Every problem of a file is found, not only the first.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    str::FromStr,
};

use super::{
    Example, Expectation, Param, ParamType, Partial, Relation, RelationKind, Rule, SubjectKind,
    Theme,
};
use crate::{
    cel::{Expression, Scope},
    model::{
        Aggregate, Category, Fraction, KindQuery, Node, Problem,
        yaml::{Key, Source, Value, Written},
    },
};

/// Longest id of a rule.
const MAX_ID: usize = 40;

/// Where a file lies: what its path says of it.
#[derive(Clone, Debug)]
pub struct Address {
    /// First folder.
    pub category: Category,
    /// Second folder.
    pub theme: String,
    /// Stem of the file.
    pub id: String,
}

/// Checks a theme file.
pub fn check_theme(
    source: &Source,
    address: &Address,
    written: &Written,
) -> Result<Theme, Vec<Problem>> {
    let mut checker = Checker::new(source);
    let mut fields = checker.fields(written, "a theme");
    let title = checker.required_text(&mut fields, "title");
    let params = checker.params(&mut fields);
    checker.unknown(&fields, &["title", "params"]);
    checker.finish(Theme {
        id: address.theme.as_str().into(),
        category: address.category,
        title,
        params,
    })
}

/// Checks a rule file on its own; what it says of other rules is checked by the loader.
pub fn check_rule(
    source: &Source,
    address: &Address,
    theme: Option<&Theme>,
    written: &Written,
) -> Result<Rule, Vec<Problem>> {
    let mut checker = Checker::new(source);
    checker.id(&address.id, 0..0);
    let mut fields = checker.fields(written, "a rule");
    let f = &mut fields;

    let title = checker.required_text(f, "title");
    let severity = checker.required_word(f, "severity");
    let effort = checker.required_word(f, "effort");
    let since = checker.required_text(f, "since");
    let why = checker.required_text(f, "why");
    let fix = checker.required_text(f, "fix");
    let references = checker.texts(f, "references", true);
    let aliases = checker.texts(f, "aliases", false);
    let requires = checker.texts(f, "requires", false);
    let weight = checker.weight(f);
    let aggregate = checker.word(f, "aggregate").unwrap_or(Aggregate::Share);
    let subject = checker.subject(f);
    let with = checker.relations(f);
    let params = checker.params(f);
    checker.known_params(&params);
    let manifests = checker.boolean(f, "manifests");

    let mut scope = scope(subject.as_ref(), &with);
    scope.params = params.keys().cloned().collect();
    scope
        .params
        .extend(theme.iter().flat_map(|theme| theme.params.keys().cloned()));

    let variables = checker.variables(f, &mut scope);
    let when = checker.expression(f, "when", &scope);
    let expression = checker.expression(f, "expression", &scope);
    if expression.is_none() && f.taken("expression").is_none() {
        checker.missing(written, "expression");
    }
    let partial = checker.partial(f, &scope);
    let message = checker.expression(f, "messageExpression", &scope);
    let inert = checker.expression(f, "inert", &scope);
    let examples = checker.examples(f, written);
    checker.unknown(
        f,
        &[
            "title",
            "severity",
            "effort",
            "since",
            "why",
            "fix",
            "references",
            "aliases",
            "weight",
            "aggregate",
            "requires",
            "subject",
            "kinds",
            "with",
            "params",
            "variables",
            "when",
            "expression",
            "partial",
            "messageExpression",
            "inert",
            "manifests",
            "examples",
        ],
    );

    let (Some(severity), Some(effort), Some(subject), Some(expression)) =
        (severity, effort, subject, expression)
    else {
        return Err(checker.problems);
    };
    let ids = |names: Vec<String>| names.into_iter().map(|name| name.as_str().into()).collect();
    checker.finish(Rule {
        id: address.id.as_str().into(),
        aliases: ids(aliases),
        category: address.category,
        theme: address.theme.as_str().into(),
        title,
        severity,
        effort,
        since,
        why,
        fix,
        references,
        weight,
        aggregate,
        requires: ids(requires),
        subject,
        with,
        params,
        variables,
        when,
        expression,
        partial,
        message,
        inert,
        manifests,
        examples,
        file: source.file.clone(),
        digest: digest(&source.text),
    })
}

fn digest(text: &str) -> String {
    use sha2::{Digest, Sha256};
    let hash = Sha256::digest(text.as_bytes());
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The names that a rule's expressions may use.
fn scope(subject: Option<&SubjectKind>, with: &BTreeMap<String, Relation>) -> Scope {
    let mut roots: BTreeSet<String> = with.keys().cloned().collect();
    roots.extend(["now".to_owned(), "server".to_owned()]);
    let names: &[&str] = match subject {
        Some(SubjectKind::Cluster) => &[],
        // Which names there are depends on a subject that is wrong: no name is reported for it.
        None => {
            roots.insert("container".to_owned());
            WORKLOAD_ROOTS
        }
        Some(SubjectKind::Namespace | SubjectKind::Kinds(_)) => &["object"],
        Some(SubjectKind::Workload) => WORKLOAD_ROOTS,
        Some(SubjectKind::Container) => {
            roots.insert("container".to_owned());
            WORKLOAD_ROOTS
        }
    };
    roots.extend(names.iter().map(|name| (*name).to_owned()));
    Scope {
        roots,
        ..Scope::default()
    }
}

const WORKLOAD_ROOTS: &[&str] = &["object", "workload", "podMeta", "podSpec", "containers"];

/// A mapping whose keys are taken one by one; what is left over is unknown.
struct Fields<'w> {
    entries: Vec<(&'w Key, &'w Written, bool)>,
}

impl<'w> Fields<'w> {
    fn take(&mut self, name: &str) -> Option<&'w Written> {
        let entry = self
            .entries
            .iter_mut()
            .find(|(key, _, _)| key.name == name)?;
        entry.2 = true;
        Some(entry.1)
    }

    /// A value that was taken before, to tell a missing key from a wrong value.
    fn taken(&self, name: &str) -> Option<&'w Written> {
        self.entries
            .iter()
            .find(|(key, _, taken)| *taken && key.name == name)
            .map(|(_, value, _)| *value)
    }
}

struct Checker<'s> {
    source: &'s Source,
    problems: Vec<Problem>,
}

impl<'s> Checker<'s> {
    fn new(source: &'s Source) -> Self {
        Checker {
            source,
            problems: Vec::new(),
        }
    }

    fn finish<T>(self, meant: T) -> Result<T, Vec<Problem>> {
        if self.problems.is_empty() {
            Ok(meant)
        } else {
            Err(self.problems)
        }
    }

    fn report(&mut self, span: Range<usize>, message: impl Into<String>) {
        self.problems.push(self.source.error(span, message));
    }

    fn missing(&mut self, whole: &Written, name: &str) {
        let start = whole.span.start;
        self.report(start..start, format!("`{name}` is missing"));
    }

    fn wrong(&mut self, written: &Written, name: &str, want: &str) {
        let kind = written.kind();
        self.report(
            written.span.clone(),
            format!("`{name}` must be {want}, not {kind}"),
        );
    }

    fn fields<'w>(&mut self, written: &'w Written, what: &str) -> Fields<'w> {
        let Value::Map(entries) = &written.value else {
            let kind = written.kind();
            self.report(
                written.span.clone(),
                format!("{what} must be a mapping, not {kind}"),
            );
            return Fields {
                entries: Vec::new(),
            };
        };
        Fields {
            entries: entries
                .iter()
                .map(|(key, value)| (key, value, false))
                .collect(),
        }
    }

    fn unknown(&mut self, fields: &Fields<'_>, known: &[&str]) {
        for (key, _, taken) in &fields.entries {
            if *taken {
                continue;
            }
            let close = known
                .iter()
                .map(|name| (strsim::damerau_levenshtein(&key.name, name), *name))
                .min()
                .filter(|(distance, name)| *distance <= 1 + name.len() / 4);
            let help = match close {
                Some((_, name)) => format!("did you mean `{name}`?"),
                None => format!("known keys: {}", known.join(", ")),
            };
            let problem = self
                .source
                .error(key.span.clone(), format!("unknown key `{}`", key.name));
            self.problems.push(problem.with_help(help));
        }
    }

    fn id(&mut self, id: &str, span: Range<usize>) {
        let words_ok = id.split('-').all(|word| {
            !word.is_empty()
                && word
                    .chars()
                    .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
        });
        if !words_ok || id.len() > MAX_ID {
            self.report(
                span,
                format!("`{id}` is no rule id: lower-case words joined by `-`, at most {MAX_ID} characters"),
            );
        }
    }

    fn text(&mut self, fields: &mut Fields<'_>, name: &str) -> Option<String> {
        let written = fields.take(name)?;
        match &written.value {
            Value::Text(text) if !text.trim().is_empty() => Some(text.clone()),
            Value::Text(_) => {
                self.report(written.span.clone(), format!("`{name}` is empty"));
                None
            }
            // A plain scalar such as `since: 0.1` is a number to YAML and a text to its author.
            Value::Int(_) | Value::Float(_) => {
                Some(self.source.text[written.span.clone()].to_owned())
            }
            _ => {
                self.wrong(written, name, "a string");
                None
            }
        }
    }

    fn required_text(&mut self, fields: &mut Fields<'_>, name: &str) -> String {
        let there = fields.entries.iter().any(|(key, _, _)| key.name == name);
        if !there {
            self.report(0..0, format!("`{name}` is missing"));
        }
        self.text(fields, name).unwrap_or_default()
    }

    fn word<W: FromStr<Err: ToString>>(
        &mut self,
        fields: &mut Fields<'_>,
        name: &str,
    ) -> Option<W> {
        let written = fields.take(name)?;
        let Value::Text(word) = &written.value else {
            self.wrong(written, name, "a word");
            return None;
        };
        match word.parse() {
            Ok(word) => Some(word),
            Err(error) => {
                self.report(
                    written.span.clone(),
                    format!("`{name}`: {}", error.to_string()),
                );
                None
            }
        }
    }

    fn required_word<W: FromStr<Err: ToString>>(
        &mut self,
        fields: &mut Fields<'_>,
        name: &str,
    ) -> Option<W> {
        if !fields.entries.iter().any(|(key, _, _)| key.name == name) {
            self.report(0..0, format!("`{name}` is missing"));
        }
        self.word(fields, name)
    }

    fn boolean(&mut self, fields: &mut Fields<'_>, name: &str) -> Option<bool> {
        let written = fields.take(name)?;
        match written.value {
            Value::Bool(value) => Some(value),
            _ => {
                self.wrong(written, name, "true or false");
                None
            }
        }
    }

    fn texts(&mut self, fields: &mut Fields<'_>, name: &str, required: bool) -> Vec<String> {
        let Some(written) = fields.take(name) else {
            if required {
                self.report(0..0, format!("`{name}` is missing"));
            }
            return Vec::new();
        };
        let Value::List(items) = &written.value else {
            self.wrong(written, name, "a list of strings");
            return Vec::new();
        };
        let mut texts = Vec::new();
        for item in items {
            match &item.value {
                Value::Text(text) => {
                    if name == "aliases" || name == "requires" {
                        self.id(text, item.span.clone());
                    }
                    texts.push(text.clone());
                }
                _ => self.wrong(item, name, "a list of strings"),
            }
        }
        texts
    }

    fn weight(&mut self, fields: &mut Fields<'_>) -> Option<u32> {
        let written = fields.take("weight")?;
        match written.value {
            Value::Int(weight @ 0..=100) => u32::try_from(weight).ok(),
            _ => {
                self.wrong(written, "weight", "a whole number from 0 to 100");
                None
            }
        }
    }

    fn subject(&mut self, fields: &mut Fields<'_>) -> Option<SubjectKind> {
        let kinds = fields.take("kinds");
        match (fields.take("subject"), kinds) {
            (Some(subject), None) => match &subject.value {
                Value::Text(word) => match word.as_str() {
                    "workload" => Some(SubjectKind::Workload),
                    "container" => Some(SubjectKind::Container),
                    "namespace" => Some(SubjectKind::Namespace),
                    "cluster" => Some(SubjectKind::Cluster),
                    _ => {
                        self.report(
                            subject.span.clone(),
                            format!(
                                "`{word}` is not one of workload, container, namespace, cluster"
                            ),
                        );
                        None
                    }
                },
                _ => {
                    self.wrong(subject, "subject", "a word");
                    None
                }
            },
            (None, Some(kinds)) => {
                let Value::List(items) = &kinds.value else {
                    self.wrong(kinds, "kinds", "a list of kinds");
                    return None;
                };
                if items.is_empty() {
                    self.report(kinds.span.clone(), "`kinds` is empty");
                }
                let kinds: Vec<KindQuery> =
                    items.iter().filter_map(|item| self.kind(item)).collect();
                (!kinds.is_empty()).then_some(SubjectKind::Kinds(kinds))
            }
            (Some(subject), Some(_)) => {
                self.report(
                    subject.span.clone(),
                    "`subject` and `kinds` exclude each other",
                );
                None
            }
            (None, None) => {
                self.report(0..0, "`subject` or `kinds` is missing");
                None
            }
        }
    }

    fn kind(&mut self, written: &Written) -> Option<KindQuery> {
        let Value::Text(text) = &written.value else {
            self.wrong(written, "kind", "a string");
            return None;
        };
        match text.parse() {
            Ok(kind) => Some(kind),
            Err(error) => {
                self.report(written.span.clone(), error.to_string());
                None
            }
        }
    }

    fn relations(&mut self, fields: &mut Fields<'_>) -> BTreeMap<String, Relation> {
        let mut relations = BTreeMap::new();
        let Some(written) = fields.take("with") else {
            return relations;
        };
        let aliases = self.fields(written, "`with`");
        for (alias, written, _) in aliases.entries {
            let taken = WORKLOAD_ROOTS.contains(&alias.name.as_str())
                || ["container", "now", "server", "params", "variables"]
                    .contains(&alias.name.as_str());
            if taken || !is_identifier(&alias.name) {
                self.report(
                    alias.span.clone(),
                    format!("`{}` cannot be the alias of a relation", alias.name),
                );
            }
            let mut fields = self.fields(written, "a relation");
            let kind = match fields.take("kind") {
                Some(kind) => self.kind(kind),
                None => {
                    self.missing(written, "kind");
                    None
                }
            };
            let relation = match fields.take("relation") {
                Some(word) => self.relation(word),
                None => {
                    self.missing(written, "relation");
                    None
                }
            };
            self.unknown(&fields, &["kind", "relation"]);
            if let (Some(kind), Some(relation)) = (kind, relation) {
                relations.insert(alias.name.clone(), Relation { kind, relation });
            }
        }
        relations
    }

    fn relation(&mut self, written: &Written) -> Option<RelationKind> {
        let word = match &written.value {
            Value::Text(word) => word.as_str(),
            _ => "",
        };
        let relation = match word {
            "selects" => RelationKind::Selects,
            "targets" => RelationKind::Targets,
            "owned-by" => RelationKind::OwnedBy,
            "in-namespace" => RelationKind::InNamespace,
            "references" => RelationKind::References,
            "any" => RelationKind::Any,
            _ => {
                self.report(
                    written.span.clone(),
                    format!(
                        "unknown relation `{word}`: selects, targets, owned-by, in-namespace, references or any"
                    ),
                );
                return None;
            }
        };
        Some(relation)
    }

    fn params(&mut self, fields: &mut Fields<'_>) -> BTreeMap<String, Param> {
        let mut params = BTreeMap::new();
        let Some(written) = fields.take("params") else {
            return params;
        };
        let named = self.fields(written, "`params`");
        for (name, written, _) in named.entries {
            if !is_identifier(&name.name) {
                self.report(name.span.clone(), format!("`{}` is no name", name.name));
            }
            let mut fields = self.fields(written, "a parameter");
            let Some(kind) = self.param_type(&mut fields, written) else {
                continue;
            };
            let description = match fields.take("description") {
                Some(Written {
                    value: Value::Text(text),
                    ..
                }) if !text.trim().is_empty() => text.clone(),
                _ => {
                    self.missing(written, "description");
                    String::new()
                }
            };
            let default = match fields.take("default") {
                Some(value) => self.param_value(kind, value),
                None => {
                    self.missing(written, "default");
                    None
                }
            };
            let mut profiles = BTreeMap::new();
            if let Some(written) = fields.take("profiles") {
                for (profile, value, _) in self.fields(written, "`profiles`").entries {
                    if let Some(value) = self.param_value(kind, value) {
                        profiles.insert(profile.name.clone(), value);
                    }
                }
            }
            self.unknown(&fields, &["type", "default", "profiles", "description"]);
            params.insert(
                name.name.clone(),
                Param {
                    kind,
                    description,
                    default: default.unwrap_or_default(),
                    profiles,
                },
            );
        }
        params
    }

    fn param_type(&mut self, fields: &mut Fields<'_>, whole: &Written) -> Option<ParamType> {
        let Some(written) = fields.take("type") else {
            self.missing(whole, "type");
            return None;
        };
        let word = match &written.value {
            Value::Text(word) => word.as_str(),
            _ => "",
        };
        let kind = match word {
            "bool" => ParamType::Bool,
            "int" => ParamType::Int,
            "number" => ParamType::Number,
            "string" => ParamType::String,
            "duration" => ParamType::Duration,
            "strings" => ParamType::Strings,
            _ => {
                self.report(
                    written.span.clone(),
                    format!(
                        "unknown type `{word}`: bool, int, number, string, duration or strings"
                    ),
                );
                return None;
            }
        };
        Some(kind)
    }

    fn param_value(&mut self, kind: ParamType, written: &Written) -> Option<Node> {
        let node = written.node();
        if kind.accepts(&node) {
            return Some(node);
        }
        self.wrong(written, "value", kind.as_str());
        None
    }

    /// The two parameters that the evaluation itself understands.
    fn known_params(&mut self, params: &BTreeMap<String, Param>) {
        for (name, kind) in [
            ("minRatio", ParamType::Number),
            ("tolerance", ParamType::Int),
        ] {
            if let Some(param) = params.get(name)
                && param.kind != kind
            {
                self.report(
                    0..0,
                    format!("parameter `{name}` must be of type {}", kind.as_str()),
                );
            }
        }
        let share = |node: &Node| match node {
            Node::Int(number) => (0..=1).contains(number),
            Node::Float(number) => (0.0..=1.0).contains(number),
            _ => true,
        };
        if let Some(param) = params.get("minRatio")
            && !(share(&param.default) && param.profiles.values().all(share))
        {
            self.report(0..0, "parameter `minRatio` must lie between 0 and 1");
        }
    }

    fn variables(
        &mut self,
        fields: &mut Fields<'_>,
        scope: &mut Scope,
    ) -> Vec<(String, Expression)> {
        let mut variables = Vec::new();
        let Some(written) = fields.take("variables") else {
            return variables;
        };
        let Value::List(items) = &written.value else {
            self.wrong(written, "variables", "a list");
            return variables;
        };
        for item in items {
            let mut fields = self.fields(item, "a variable");
            let name = match fields.take("name") {
                Some(Written {
                    value: Value::Text(name),
                    ..
                }) if is_identifier(name) => name.clone(),
                Some(written) => {
                    self.wrong(written, "name", "a name");
                    continue;
                }
                None => {
                    self.missing(item, "name");
                    continue;
                }
            };
            match self.expression(&mut fields, "expression", scope) {
                Some(expression) => variables.push((name.clone(), expression)),
                None if fields.taken("expression").is_none() => self.missing(item, "expression"),
                None => {}
            }
            self.unknown(&fields, &["name", "expression"]);
            if !scope.variables.insert(name.clone()) {
                self.report(
                    item.span.clone(),
                    format!("variable `{name}` is there twice"),
                );
            }
        }
        variables
    }

    fn partial(&mut self, fields: &mut Fields<'_>, scope: &Scope) -> Vec<Partial> {
        let mut partial = Vec::new();
        let Some(written) = fields.take("partial") else {
            return partial;
        };
        let Value::List(items) = &written.value else {
            self.wrong(written, "partial", "a list");
            return partial;
        };
        for item in items {
            let mut fields = self.fields(item, "a half measure");
            let credit = match fields.take("credit") {
                Some(written) => self.credit(written),
                None => {
                    self.missing(item, "credit");
                    None
                }
            };
            let expression = self.expression(&mut fields, "expression", scope);
            let message = self.expression(&mut fields, "messageExpression", scope);
            self.unknown(&fields, &["credit", "expression", "messageExpression"]);
            if let (Some(credit), Some(expression)) = (credit, expression) {
                partial.push(Partial {
                    credit,
                    expression,
                    message,
                });
            }
        }
        partial
    }

    /// A credit as the exact decimal that was written.
    fn credit(&mut self, written: &Written) -> Option<Fraction> {
        let text = &self.source.text[written.span.clone()];
        let credit = text.trim().split_once('.').and_then(|(whole, decimals)| {
            let digits: i64 = format!("{whole}{decimals}").parse().ok()?;
            let scale = 10_i64.checked_pow(u32::try_from(decimals.len()).ok()?)?;
            Some(Fraction::new(digits, scale))
        });
        let one = Fraction::from_integer(1);
        match credit.filter(|credit| *credit > Fraction::from_integer(0) && *credit < one) {
            Some(credit) => Some(credit),
            None => {
                self.report(
                    written.span.clone(),
                    "`credit` must be a decimal between 0 and 1, both excluded",
                );
                None
            }
        }
    }

    fn expression(
        &mut self,
        fields: &mut Fields<'_>,
        name: &str,
        scope: &Scope,
    ) -> Option<Expression> {
        let written = fields.take(name)?;
        let text = match &written.value {
            Value::Text(text) => text.clone(),
            // `expression: true` is a boolean to YAML and an expression to its author.
            Value::Bool(value) => value.to_string(),
            _ => {
                self.wrong(written, name, "a CEL expression");
                return None;
            }
        };
        let (expression, faults) = match Expression::compile(&text) {
            Ok(expression) => {
                let faults = expression.check(scope);
                (Some(expression), faults)
            }
            Err(faults) => (None, faults),
        };
        for fault in faults {
            let span = locate(&self.source.text, written, &text, fault.span);
            let mut problem = self.source.error(span, fault.message);
            problem.help = fault.help;
            self.problems.push(problem);
        }
        expression
    }

    fn examples(&mut self, fields: &mut Fields<'_>, whole: &Written) -> Vec<Example> {
        let mut examples = Vec::new();
        let Some(written) = fields.take("examples") else {
            self.missing(whole, "examples");
            return examples;
        };
        let Value::List(items) = &written.value else {
            self.wrong(written, "examples", "a list");
            return examples;
        };
        let before = self.problems.len();
        for item in items {
            examples.extend(self.example(item));
        }
        let has = |wanted: fn(&Expectation) -> bool| examples.iter().any(|e| wanted(&e.expect));
        let fails = has(|e| matches!(e, Expectation::Fail | Expectation::Partial(_)));
        if self.problems.len() == before && (!has(|e| *e == Expectation::Pass) || !fails) {
            self.report(
                written.span.start..written.span.start,
                "there must be an example that passes and one that fails",
            );
        }
        examples
    }

    fn example(&mut self, item: &Written) -> Option<Example> {
        let mut fields = self.fields(item, "an example");
        let cases = ["pass", "fail", "partial", "not-applicable"];
        let mut found = cases
            .into_iter()
            .filter_map(|case| Some((case, fields.take(case)?)))
            .collect::<Vec<_>>();
        let credit = fields.take("credit").map(|written| self.credit(written));
        let title = self.text(&mut fields, "title").unwrap_or_default();
        let server = self.text(&mut fields, "server");
        let now = fields.take("now").and_then(|written| {
            let text = match &written.value {
                Value::Text(text) => text.parse().ok(),
                _ => None,
            };
            if text.is_none() {
                self.wrong(written, "now", "an RFC 3339 time");
            }
            text
        });
        let params = match fields.take("params") {
            Some(written) => self
                .fields(written, "`params`")
                .entries
                .iter()
                .map(|(key, value, _)| (key.name.clone(), value.node()))
                .collect(),
            None => BTreeMap::new(),
        };
        self.unknown(
            &fields,
            &[
                "pass",
                "fail",
                "partial",
                "not-applicable",
                "credit",
                "title",
                "params",
                "server",
                "now",
            ],
        );
        let (Some((case, written)), true) = (found.pop(), found.is_empty()) else {
            self.report(
                item.span.clone(),
                "an example has one of `pass`, `fail`, `partial` and `not-applicable`",
            );
            return None;
        };
        let Value::Text(manifests) = &written.value else {
            self.wrong(written, case, "manifests as a block of text");
            return None;
        };
        let expect = match (case, credit) {
            ("pass", None) => Expectation::Pass,
            ("fail", None) => Expectation::Fail,
            ("not-applicable", None) => Expectation::NotApplicable,
            ("partial", Some(credit)) => Expectation::Partial(credit?),
            _ => {
                self.report(
                    item.span.clone(),
                    "`credit` belongs to `partial`, and only to it",
                );
                return None;
            }
        };
        let line = self.source.text[..written.span.start].matches('\n').count() + 2;
        Some(Example {
            expect,
            title,
            manifests: manifests.clone(),
            params,
            server,
            now,
            line,
        })
    }
}

fn is_identifier(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// Where a part of a scalar's value stands in the file.
///
/// A scalar on one line is its own source, but for the quotes. A block scalar loses its
/// indentation, and perhaps its line breaks, so the part is looked up by the words it has: the
/// n-th non-space character of the value is the n-th non-space character of the block's lines.
fn locate(file: &str, written: &Written, value: &str, part: Range<usize>) -> Range<usize> {
    let raw = &file[written.span.clone()];
    if let Some(at) = raw.find(value) {
        let start = written.span.start + at;
        return start + part.start..start + part.end.min(value.len());
    }
    let body = match raw.starts_with(['|', '>']) {
        true => raw.find('\n').map_or(0, |at| at + 1),
        false => usize::from(raw.starts_with(['\'', '"'])),
    };
    let before = value[..part.start.min(value.len())]
        .chars()
        .filter(|c| !c.is_whitespace())
        .count();
    let start = raw[body..]
        .char_indices()
        .filter(|(_, c)| !c.is_whitespace())
        .nth(before)
        .map_or(raw.len(), |(at, _)| body + at);
    let length = part.end.saturating_sub(part.start);
    let start = written.span.start + start;
    let mut end = (start + length)
        .min(written.span.end.max(start))
        .min(file.len());
    while !file.is_char_boundary(end) {
        end -= 1;
    }
    start..end.max(start)
}

impl ParamType {
    /// The type's name in rule files.
    pub fn as_str(self) -> &'static str {
        match self {
            ParamType::Bool => "bool",
            ParamType::Int => "int",
            ParamType::Number => "number",
            ParamType::String => "string",
            ParamType::Duration => "duration",
            ParamType::Strings => "strings",
        }
    }

    /// Whether a value is of the type.
    pub fn accepts(self, node: &Node) -> bool {
        match (self, node) {
            (ParamType::Bool, Node::Bool(_))
            | (ParamType::Int, Node::Int(_))
            | (ParamType::Number, Node::Int(_) | Node::Float(_))
            | (ParamType::String, Node::String(_)) => true,
            (ParamType::Duration, Node::String(text)) => {
                text.parse::<jiff::SignedDuration>().is_ok()
            }
            (ParamType::Strings, Node::List(items)) => {
                items.iter().all(|item| matches!(item, Node::String(_)))
            }
            _ => false,
        }
    }
}
