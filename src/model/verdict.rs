//! Verdicts: what each rule found of each subject.

use num_rational::Ratio;

use super::{GroupKind, Place, RuleId, Unreadable, Untrusted};

/// An exact share between 0 and 1.
pub type Fraction = Ratio<i64>;

/// What one verdict is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Subject {
    /// Its kind; `Cluster` in the group `seaworthy` for the cluster itself.
    pub kind: GroupKind,
    /// Its namespace, if it lives in one.
    pub namespace: Option<Untrusted>,
    /// Its name.
    pub name: Untrusted,
    /// Where it was written, for subjects read from manifests.
    pub place: Option<Place>,
}

impl Subject {
    /// The subject that stands for the whole cluster.
    pub fn cluster() -> Self {
        Subject {
            kind: GroupKind::new("seaworthy", "Cluster"),
            namespace: None,
            name: "cluster".into(),
            place: None,
        }
    }
}

/// Position of a subject in [`Verdicts::subjects`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SubjectId(pub u32);

/// Outcome of one rule on one subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Outcome {
    /// Observed, and it holds.
    Pass,
    /// Observed, and it does not hold, or only in part.
    Fail,
    /// The rule is not about this subject, as observed.
    NotApplicable,
    /// The data could not be read.
    Unknown,
    /// The expression failed.
    Error,
    /// No API shows it, and somebody has signed that it holds.
    Attested,
}

/// A class of finding that reports single out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// The thing exists and does nothing.
    InstalledButInert,
}

/// What a verdict rests on.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Evidence {
    /// Sentences for people; one per failing container for workloads.
    pub messages: Vec<Untrusted>,
    /// Class of the finding, if it has one.
    pub reason: Option<Reason>,
    /// Kinds that would have to be readable for a better answer; empty unless unknown.
    pub unread: Vec<GroupKind>,
}

/// One rule's finding on one subject.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// The subject.
    pub subject: SubjectId,
    /// What was found.
    pub outcome: Outcome,
    /// What the subject earns: 1 for a pass, 0 for a failure unless the rule knows half measures,
    /// what an attestation is worth, and 0 for every other outcome.
    pub credit: Fraction,
    /// Why; nothing for a plain pass.
    pub evidence: Option<Box<Evidence>>,
}

/// One rule's findings.
#[derive(Clone, Debug, PartialEq)]
pub struct RuleVerdicts {
    /// The rule.
    pub rule: RuleId,
    /// One verdict per subject, in the order of the subjects.
    pub verdicts: Vec<Verdict>,
    /// Lists of subjects that could not be read completely. While there are any, subjects are
    /// missing and the rule as a whole is unknown, whatever the verdicts that are there.
    pub unread: Vec<(GroupKind, Unreadable)>,
    /// Why the source cannot answer this rule at all, if it cannot; there are no verdicts then.
    pub not_assessable: Option<String>,
    /// Share from which the rule counts as fulfilled, from its `minRatio` parameter.
    pub min_ratio: Option<Fraction>,
    /// Failing subjects that a `count` rule tolerates, from its `tolerance` parameter.
    pub tolerance: u32,
}

/// Everything the evaluation found.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Verdicts {
    /// Subjects, sorted; verdicts refer to them by position.
    pub subjects: Vec<Subject>,
    /// One entry per rule that was evaluated, sorted by id.
    pub rules: Vec<RuleVerdicts>,
}

impl Verdicts {
    /// The subject a verdict is about.
    pub fn subject(&self, id: SubjectId) -> &Subject {
        &self.subjects[id.0 as usize]
    }
}
