//! Rules: found as written (`file`), checked one by one (`check`) and as a set ([`load`](load())),
//! and documented (`docs`, `schema`).

mod check;
mod docs;
mod file;
mod load;
mod params;
mod schema;

use std::{collections::BTreeMap, sync::Arc};

pub use docs::{about, catalogue, rule_page};
pub use load::{LoadedRules, lint, load};
pub use params::{Params, bound_params, default_params, params_by_profile, queries};
pub use schema::schema;

use crate::{
    cel::Expression,
    model::{
        Aggregate, Attestation, Category, Effort, Fraction, KindQuery, Node, RuleId, Series,
        Severity, ThemeId,
    },
};

/// One declarative check, as meant. What it is worth is the scorecard's business.
#[derive(Debug)]
pub struct Rule {
    /// Id, equal to the file's stem.
    pub id: RuleId,
    /// Earlier ids that waivers and flags may still use.
    pub aliases: Vec<RuleId>,
    /// First folder of its path.
    pub category: Category,
    /// Second folder of its path.
    pub theme: ThemeId,
    /// What is true when the rule passes, as a headline.
    pub title: String,
    /// How bad a failure is.
    pub severity: Severity,
    /// How much work the fix is.
    pub effort: Effort,
    /// Version that introduced it.
    pub since: String,
    /// Why it matters, in Markdown.
    pub why: String,
    /// What to do, in Markdown.
    pub fix: String,
    /// Links and ids of other catalogues (`CIS 5.2.2`).
    pub references: Vec<String>,
    /// Weight inside the theme, where it is not the severity's.
    pub weight: Option<u32>,
    /// How the subjects' credits become one.
    pub aggregate: Aggregate,
    /// Rules that should be fixed before this one.
    pub requires: Vec<RuleId>,
    /// What it is about.
    pub subject: SubjectKind,
    /// Relations by alias.
    pub with: BTreeMap<String, Relation>,
    /// Questions to a Prometheus by name: expressions over the parameters that yield PromQL.
    pub promql: BTreeMap<String, Expression>,
    /// The statement that people may sign where no API shows whether the rule holds. It is valid
    /// for as many days as the parameter `attestationDays` says.
    pub attestation: Option<String>,
    /// Parameters by name.
    pub params: BTreeMap<String, Param>,
    /// Named expressions, in the order written; each may use the ones before it.
    pub variables: Vec<(String, Expression)>,
    /// Subjects for which this is false are not applicable.
    pub when: Option<Expression>,
    /// The check: true passes.
    pub expression: Expression,
    /// Half measures, tried in order where the check is false; the first that holds earns its
    /// credit.
    pub partial: Vec<Partial>,
    /// Says why the check is false; a string.
    pub message: Option<Expression>,
    /// Where true, the failure is of a thing that exists and does nothing.
    pub inert: Option<Expression>,
    /// Whether manifests alone can answer it; the plan decides if not said.
    pub manifests: Option<bool>,
    /// Documentation that is run as a test.
    pub examples: Vec<Example>,
    /// The file it was read from, as named in diagnostics.
    pub file: Arc<str>,
    /// SHA-256 of the file and its theme's, in hex: reports carry it, since a changed rule changes
    /// scores.
    pub digest: String,
}

impl Rule {
    /// Every expression about subjects, in the order in which they are evaluated.
    pub fn expressions(&self) -> impl Iterator<Item = &Expression> {
        let variables = self.variables.iter().map(|(_, expression)| expression);
        let partial = self
            .partial
            .iter()
            .flat_map(|partial| std::iter::once(&partial.expression).chain(&partial.message));
        variables
            .chain(&self.when)
            .chain([&self.expression])
            .chain(partial)
            .chain(&self.message)
            .chain(&self.inert)
    }

    /// Whether some expression asks `readable.NAME`.
    pub fn asks_readable(&self, name: &str) -> bool {
        self.expressions()
            .any(|expression| expression.asks_readable(name))
    }

    /// Weight inside its theme.
    pub fn weight(&self) -> u32 {
        self.weight.unwrap_or(self.severity.weight())
    }
}

/// What the verdicts of a rule are about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SubjectKind {
    /// Each controlled set of pods, by its top owner.
    Workload,
    /// Each container of each workload; folds into the workload's verdict.
    Container,
    /// Each namespace.
    Namespace,
    /// The cluster itself, once.
    Cluster,
    /// A practice that only people can attest, once.
    Attestation,
    /// Each object of these kinds.
    Kinds(Vec<KindQuery>),
}

/// Objects that a rule sees beside its subject.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relation {
    /// Which objects.
    pub kind: KindQuery,
    /// How they hang together with the subject.
    pub relation: RelationKind,
}

/// How a related object is found; Rust computes each by an index (`evaluate::relations`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RelationKind {
    /// Its label selector matches the subject's pods (for workloads and pods) or the subject's
    /// labels, in the same namespace; or, if the subject is the one with a selector, the subject's
    /// selector matches it.
    Selects,
    /// Its `scaleTargetRef` or `targetRef` names the subject; or the subject's names it.
    Targets,
    /// Its controller chain ends at the subject.
    OwnedBy,
    /// It lies in the subject's namespace (for a namespace subject: in that namespace).
    InNamespace,
    /// The subject names it in one of the well-known reference fields (volumes, `serviceAccountName`,
    /// `priorityClassName`, `storageClassName`, …), or it names the subject in one.
    References,
    /// Every object of the kind.
    Any,
}

/// A parameter: what a scorecard or profile may change.
#[derive(Clone, Debug, PartialEq)]
pub struct Param {
    /// Type of every value.
    pub kind: ParamType,
    /// What it means, in one sentence.
    pub description: String,
    /// Value where neither the scorecard nor the profile gives one.
    pub default: Node,
    /// Values by profile (`dev`, `staging`, `prod`), where they differ from the default.
    pub profiles: BTreeMap<String, Node>,
}

/// Type of a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParamType {
    /// `true` or `false`.
    Bool,
    /// A whole number.
    Int,
    /// A number; written values stay exact decimals where they become points.
    Number,
    /// A string.
    String,
    /// A time span such as `24h`, given to CEL as a duration.
    Duration,
    /// A list of strings.
    Strings,
}

/// A half measure.
#[derive(Debug)]
pub struct Partial {
    /// What it earns, between 0 and 1, both exclusive.
    pub credit: Fraction,
    /// Holds if the half measure is taken.
    pub expression: Expression,
    /// Says what is missing to full credit.
    pub message: Option<Expression>,
}

/// A documented case, run as a test.
#[derive(Clone, Debug, PartialEq)]
pub struct Example {
    /// What the rule must find of the manifests: the outcome and, for half measures, the credit.
    pub expect: Expectation,
    /// A few words on what the case shows; may be empty.
    pub title: String,
    /// The manifests, as YAML documents.
    pub manifests: String,
    /// Parameters that differ from the defaults.
    pub params: BTreeMap<String, Node>,
    /// What a Prometheus answers to the rule's queries, by their names; those not named have no
    /// answer. Nothing where there is no Prometheus.
    pub prometheus: Option<BTreeMap<String, Vec<Series>>>,
    /// What people have attested.
    pub attestations: Vec<Attestation>,
    /// The server's `gitVersion`, where the case needs a certain one.
    pub server: Option<String>,
    /// The clock, where the case needs a certain one.
    pub now: Option<jiff::Timestamp>,
    /// Line of the rule file on which the manifests start, from 1.
    pub line: usize,
}

/// What an example must show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expectation {
    /// Every applicable subject passes, and there is one.
    Pass,
    /// At least one subject fails.
    Fail,
    /// At least one subject earns exactly this, the others pass.
    Partial(Fraction),
    /// No subject is applicable.
    NotApplicable,
    /// At least one subject cannot be judged, and none fails.
    Unknown,
    /// At least one subject is attested, the others pass.
    Attested,
}

/// A theme's own file, `theme.yaml` in its folder.
#[derive(Clone, Debug, PartialEq)]
pub struct Theme {
    /// Id, equal to the folder's name.
    pub id: ThemeId,
    /// Category, the folder above.
    pub category: Category,
    /// Headline.
    pub title: String,
    /// Parameters that every rule of the theme sees beside its own.
    pub params: BTreeMap<String, Param>,
}

/// The rules of a run, sorted by id, and their themes.
#[derive(Debug, Default)]
pub struct RuleSet {
    rules: Vec<Arc<Rule>>,
    themes: BTreeMap<ThemeId, Theme>,
}

/// A selection of rules that cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum UnknownSelection {
    /// A name is no rule's, theme's or category's.
    #[error("`{0}` is no rule, theme or category; see `seaworthy rules list`")]
    Name(String),
    /// The names leave no rule.
    #[error("--only and --skip leave no rule")]
    Nothing,
}

impl RuleSet {
    /// Sorts rules into a set. Ids are unique; the checker saw to it.
    pub fn new(mut rules: Vec<Arc<Rule>>, themes: BTreeMap<ThemeId, Theme>) -> Self {
        rules.sort_by(|a, b| a.id.cmp(&b.id));
        RuleSet { rules, themes }
    }

    /// A theme of the set.
    pub fn theme(&self, id: &str) -> Option<&Theme> {
        self.themes.get(id)
    }

    /// The same set with only the rules that `keep` says yes to.
    pub fn filtered(&self, keep: impl Fn(&Rule) -> bool) -> Self {
        RuleSet {
            rules: self
                .rules
                .iter()
                .filter(|rule| keep(rule))
                .cloned()
                .collect(),
            themes: self.themes.clone(),
        }
    }

    /// The rules, sorted by id.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Arc<Rule>> {
        self.rules.iter()
    }

    /// The rules that are left by names to keep (all, if there are none) and names to leave out.
    /// A name is a rule's, a theme's or a category's.
    ///
    /// # Errors
    /// A name that is none of these, or no rule left.
    pub fn select(&self, only: &[String], skip: &[String]) -> Result<RuleSet, UnknownSelection> {
        let matches = |rule: &Rule, name: &String| {
            *rule.id == **name
                || *rule.theme == **name
                || rule.category.as_str() == name
                || rule.aliases.iter().any(|alias| **alias == **name)
        };
        for name in only.iter().chain(skip) {
            if !self.iter().any(|rule| matches(rule, name)) {
                return Err(UnknownSelection::Name(name.clone()));
            }
        }
        let selected = self.filtered(|rule| {
            (only.is_empty() || only.iter().any(|name| matches(rule, name)))
                && !skip.iter().any(|name| matches(rule, name))
        });
        match selected.is_empty() {
            true => Err(UnknownSelection::Nothing),
            false => Ok(selected),
        }
    }

    /// The rule with an id.
    pub fn get(&self, id: &str) -> Option<&Arc<Rule>> {
        let at = self
            .rules
            .binary_search_by(|rule| (*rule.id).cmp(id))
            .ok()?;
        Some(&self.rules[at])
    }

    /// The rule with an id or an alias.
    pub fn find(&self, name: &str) -> Option<&Arc<Rule>> {
        self.get(name).or_else(|| {
            self.iter()
                .find(|rule| rule.aliases.iter().any(|a| &**a == name))
        })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.rules.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rules.is_empty()
    }
}
