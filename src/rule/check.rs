//! As written → as meant. Every problem of a file is found, not only the first.

mod examples;
mod expressions;
mod fields;
mod params;
mod place;

use std::{collections::BTreeMap, ops::Range};

use sha2::{Digest, Sha256};

use self::{
    expressions::Names,
    fields::{Checker, Fields},
};
use super::{ParamType, Relation, RelationKind, Rule, SubjectKind, Theme, file::Address};
use crate::{
    cel::Scope,
    derive,
    model::{
        Aggregate, KindQuery, Problem,
        yaml::{Source, Value, Written},
    },
};

pub(super) use self::fields::{did_you_mean, is_slug};

/// Most relations of a rule; each is a kind to read.
const MAX_RELATIONS: usize = 32;

/// What every rule of a theme shares.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Shared<'t> {
    /// The theme, if it has a file of its own that is right.
    pub theme: Option<&'t Theme>,
    /// Text of the theme's file.
    pub text: &'t str,
    /// Whether that file is wrong, so that nobody knows what its parameters are.
    pub broken: bool,
}

/// A rule that is right by itself, and where it names other rules.
#[derive(Debug)]
pub(super) struct Checked {
    /// The rule.
    pub rule: Rule,
    /// Places of [`Rule::aliases`].
    pub aliases: Vec<Range<usize>>,
    /// Places of [`Rule::requires`].
    pub requires: Vec<Range<usize>>,
}

/// Checks a theme file.
pub(super) fn check_theme(
    source: &Source,
    address: &Address,
    written: &Written,
) -> Result<Theme, Vec<Problem>> {
    let mut checker = Checker::new(source);
    let Some(mut fields) = checker.fields(written, "a theme") else {
        return Err(checker.problems);
    };
    let title = checker.required_text(&mut fields, "title");
    let params = checker.params(fields.take("params")).params;
    checker.unknown(&fields);
    checker.finish(Theme {
        id: address.theme.as_str().into(),
        category: address.category,
        title,
        params,
    })
}

/// Checks a rule file on its own; what it says of other rules is checked by the loader.
pub(super) fn check_rule(
    source: &Source,
    address: &Address,
    shared: Shared<'_>,
    written: &Written,
) -> Result<Checked, Vec<Problem>> {
    let mut checker = Checker::new(source);
    checker.id(&address.id, 0..0);
    let Some(mut fields) = checker.fields(written, "a rule") else {
        return Err(checker.problems);
    };
    let f = &mut fields;

    let title = checker.required_text(f, "title");
    let severity = checker.required_word(f, "severity");
    let effort = checker.required_word(f, "effort");
    let since = checker.since(f);
    let why = checker.required_text(f, "why");
    let fix = checker.required_text(f, "fix");
    let references = checker
        .required(f, "references")
        .map_or_else(Vec::new, |written| checker.texts(written, "references"));
    let aliases = checker.ids(f, "aliases");
    let weight = checker.weight(f);
    let aggregate = f
        .take("aggregate")
        .and_then(|written| checker.word(written, "aggregate"));
    let requires = checker.ids(f, "requires");
    let subject = checker.subject(f);
    let with = checker.relations(f.take("with"), subject.as_ref());
    let promql = checker.named_expressions(f.take("promql"));
    let declared = checker.params(f.take("params"));
    let attestation = checker.optional_text(f, "attestation");

    let mut names = Names {
        scope: Scope::default(),
        known: !shared.broken,
    };
    let scope = &mut names.scope;
    scope.roots.extend(with.keys().cloned());
    scope.readable.extend(
        with.keys()
            .chain(promql.iter().map(|(name, _)| &name.name))
            .cloned(),
    );
    scope
        .queries
        .extend(promql.iter().map(|(name, _)| name.name.clone()));
    let attested = attestation.is_some().then_some("attestations");
    let is_practice = subject == Some(SubjectKind::Attestation);
    let attested = attested
        .into_iter()
        .chain(is_practice.then_some("attestation"));
    let roots = roots(subject.as_ref())
        .chain(["now", "server"])
        .chain(attested);
    scope.roots.extend(roots.map(str::to_owned));
    let of_theme = shared.theme.iter().flat_map(|theme| &theme.params);
    let mut types: BTreeMap<&str, ParamType> = of_theme
        .map(|(name, param)| (name.as_str(), param.kind))
        .collect();
    scope
        .params
        .extend(types.keys().map(|name| (*name).to_owned()));
    scope.params.extend(declared.names.iter().cloned());
    let promql = checker.queries(&promql, &names);
    checker.attestable(f, is_practice, attestation.is_some(), &names);

    let variables = checker.variables(f.take("variables"), &mut names);
    let when = checker.expression(f, "when", &names);
    let expression = checker.required_expression(f, "expression", &names);
    let partial = checker.partial(f.take("partial"), &names);
    let message = checker.expression(f, "messageExpression", &names);
    let inert = checker.expression(f, "inert", &names);
    let manifests = checker.boolean(f, "manifests");

    let of_rule = declared.params.iter();
    types.extend(of_rule.map(|(name, param)| (name.as_str(), param.kind)));
    let all_known = !shared.broken && declared.params.len() == declared.names.len();
    let types = all_known.then_some(types);
    let examples = checker
        .required(f, "examples")
        .map_or_else(Vec::new, |written| {
            checker.examples(written, types.as_ref())
        });
    checker.unknown(f);

    let with = with
        .into_iter()
        .filter_map(|(alias, relation)| Some((alias, relation?)))
        .collect();
    let (Some(severity), Some(effort), Some(subject), Some(expression)) =
        (severity, effort, subject, expression)
    else {
        return Err(checker.problems);
    };
    let (aliases, alias_places): (Vec<_>, Vec<_>) = aliases.into_iter().unzip();
    let (requires, require_places): (Vec<_>, Vec<_>) = requires.into_iter().unzip();
    checker.finish(Checked {
        aliases: alias_places,
        requires: require_places,
        rule: Rule {
            id: address.id.as_str().into(),
            aliases: aliases.iter().map(|id| id.as_str().into()).collect(),
            category: address.category,
            theme: address.theme.as_str().into(),
            title,
            severity,
            effort,
            since,
            why,
            fix,
            references: references.into_iter().map(|(text, _)| text).collect(),
            weight,
            aggregate: aggregate.unwrap_or(Aggregate::Share),
            requires: requires.iter().map(|id| id.as_str().into()).collect(),
            subject,
            with,
            promql,
            attestation,
            params: declared.params,
            variables,
            when,
            expression,
            partial,
            message,
            inert,
            manifests,
            examples,
            file: source.file.clone(),
            digest: digest(&source.text, shared.text),
        },
    })
}

/// A theme's parameters change verdicts as a rule's own do.
fn digest(rule: &str, theme: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(rule.len().to_le_bytes());
    hash.update(rule);
    hash.update(theme);
    let hash = hash.finalize();
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

const WORKLOAD_ROOTS: [&str; 5] = ["object", "workload", "podMeta", "podSpec", "containers"];

/// The variables that a subject gives. For a subject that is wrong it is all of them, lest its
/// expressions be reported too.
fn roots(subject: Option<&SubjectKind>) -> impl Iterator<Item = &'static str> {
    let (workload, container) = match subject {
        Some(SubjectKind::Cluster | SubjectKind::Attestation) => (0, None),
        Some(SubjectKind::Namespace | SubjectKind::Kinds(_)) => (1, None),
        Some(SubjectKind::Workload) => (WORKLOAD_ROOTS.len(), None),
        Some(SubjectKind::Container) | None => (WORKLOAD_ROOTS.len(), Some("container")),
    };
    WORKLOAD_ROOTS.into_iter().take(workload).chain(container)
}

/// Names that CEL or the rules give a meaning of their own.
pub(super) const RESERVED: &[&str] = &[
    // Roots of any subject
    "object",
    "workload",
    "podMeta",
    "podSpec",
    "containers",
    "container",
    "now",
    "server",
    "params",
    "variables",
    "prom",
    "readable",
    "attestation",
    "attestations",
    // Words and types of CEL
    "as",
    "break",
    "const",
    "continue",
    "else",
    "false",
    "for",
    "function",
    "if",
    "import",
    "in",
    "let",
    "loop",
    "namespace",
    "null",
    "package",
    "return",
    "true",
    "var",
    "void",
    "while",
    "bool",
    "bytes",
    "double",
    "duration",
    "dyn",
    "int",
    "list",
    "map",
    "null_type",
    "string",
    "timestamp",
    "type",
    "uint",
];

/// Whether a text can be a name in CEL.
fn is_name(text: &str) -> bool {
    text.len() <= 64
        && text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_')
}

impl Checker<'_> {
    fn since(&mut self, fields: &mut Fields<'_>) -> String {
        let Some(written) = self.required(fields, "since") else {
            return String::new();
        };
        match written.as_text() {
            Some(text) if semver::Version::parse(text).is_ok() => text.to_owned(),
            _ => {
                self.wrong(written, "since", "a version such as 0.1.0");
                String::new()
            }
        }
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
        match (fields.take("subject"), fields.take("kinds")) {
            (Some(written), None) => {
                let subject = match written.as_text() {
                    Some("workload") => SubjectKind::Workload,
                    Some("container") => SubjectKind::Container,
                    Some("namespace") => SubjectKind::Namespace,
                    Some("cluster") => SubjectKind::Cluster,
                    Some("attestation") => SubjectKind::Attestation,
                    _ => {
                        let want = "one of workload, container, namespace, cluster, attestation";
                        self.wrong(written, "subject", want);
                        return None;
                    }
                };
                Some(subject)
            }
            (None, Some(written)) => {
                let items = self.items(written, "kinds", 64);
                if matches!(written.value, Value::List(_)) && items.is_empty() {
                    self.report(written.span.clone(), "`kinds` is empty");
                }
                let kinds: Vec<KindQuery> =
                    items.iter().filter_map(|item| self.kind(item)).collect();
                (!kinds.is_empty()).then_some(SubjectKind::Kinds(kinds))
            }
            (Some(written), Some(_)) => {
                let message = "`subject` and `kinds` exclude each other";
                self.report(written.span.clone(), message);
                None
            }
            (None, None) => {
                self.missing(fields, "`subject` or `kinds`");
                None
            }
        }
    }

    /// What a rule needs that people may attest.
    fn attestable(&mut self, fields: &Fields<'_>, is_practice: bool, named: bool, names: &Names) {
        if is_practice && !named {
            self.missing(fields, "`attestation`, the statement to sign");
        }
        if named && names.known && !names.scope.params.contains("attestationDays") {
            self.missing(fields, "the parameter `attestationDays`");
        }
    }

    fn kind(&mut self, written: &Written) -> Option<KindQuery> {
        let text = self.text(written, "kind")?;
        match text.parse() {
            Ok(kind) => {
                let kind: KindQuery = kind;
                let derived = derive::is_derived(&kind.group_kind());
                if derived && derive::derivation(&kind.group_kind()).is_none() {
                    let help = did_you_mean(&kind.kind, derive::names());
                    let message = format!("`{}` is no derived kind", kind.kind);
                    self.report(written.span.clone(), message).help = help;
                }
                Some(kind)
            }
            Err(error) => {
                self.report(written.span.clone(), format!("{error}"));
                None
            }
        }
    }

    /// Relations by alias; nothing for one that is wrong, whose alias is still a name.
    fn relations(
        &mut self,
        written: Option<&Written>,
        subject: Option<&SubjectKind>,
    ) -> BTreeMap<String, Option<Relation>> {
        let mut relations = BTreeMap::new();
        let Some(aliases) = written.and_then(|written| self.fields(written, "`with`")) else {
            return relations;
        };
        for (at, (alias, written)) in aliases.named().enumerate() {
            if at == MAX_RELATIONS {
                let message = format!("more than {MAX_RELATIONS} relations");
                self.report(alias.span.clone(), message);
                break;
            }
            if RESERVED.contains(&alias.name.as_str()) || !is_name(&alias.name) {
                let message = format!("`{}` cannot be the alias of a relation", alias.name);
                self.report(alias.span.clone(), message);
            }
            let relation = self.related(written, subject);
            relations.insert(alias.name.clone(), relation);
        }
        relations
    }

    fn related(&mut self, written: &Written, subject: Option<&SubjectKind>) -> Option<Relation> {
        let mut fields = self.fields(written, "a relation")?;
        let kind = self
            .required(&mut fields, "kind")
            .and_then(|written| self.kind(written));
        let relation = self
            .required(&mut fields, "relation")
            .and_then(|written| self.relation(written, subject));
        self.unknown(&fields);
        Some(Relation {
            kind: kind?,
            relation: relation?,
        })
    }

    fn relation(
        &mut self,
        written: &Written,
        subject: Option<&SubjectKind>,
    ) -> Option<RelationKind> {
        let word = written.as_text().unwrap_or_default();
        let Some(relation) = RelationKind::ALL
            .into_iter()
            .find(|relation| relation.as_str() == word)
        else {
            let words = RelationKind::ALL.map(RelationKind::as_str);
            let help = did_you_mean(word, words.into_iter());
            let message = format!("unknown relation `{word}`: one of {}", words.join(", "));
            self.report(written.span.clone(), message).help = help;
            return None;
        };
        let whole = matches!(
            subject,
            Some(SubjectKind::Cluster | SubjectKind::Attestation)
        );
        if whole && relation != RelationKind::Any {
            let message = format!("the cluster is in no relation `{word}`: use `any`");
            self.report(written.span.clone(), message);
            return None;
        }
        Some(relation)
    }
}

impl RelationKind {
    /// Every relation.
    pub const ALL: [RelationKind; 6] = [
        RelationKind::Selects,
        RelationKind::Targets,
        RelationKind::OwnedBy,
        RelationKind::InNamespace,
        RelationKind::References,
        RelationKind::Any,
    ];

    /// The relation's name in rule files.
    pub fn as_str(self) -> &'static str {
        match self {
            RelationKind::Selects => "selects",
            RelationKind::Targets => "targets",
            RelationKind::OwnedBy => "owned-by",
            RelationKind::InNamespace => "in-namespace",
            RelationKind::References => "references",
            RelationKind::Any => "any",
        }
    }
}
