//! The nouns that every other module shares. This module imports nothing of ours.

mod attestation;
mod classify;
mod inventory;
mod kind;
pub mod known;
pub mod labels;
mod problem;
mod projection;
mod series;
mod tree;
mod untrusted;
mod verdict;
mod words;
pub mod yaml;

pub use attestation::{Attestation, Proof, moment};
pub use classify::{classify, is_class};
pub use inventory::{
    Cluster, Inventory, KindList, ListState, Object, Place, SourceKind, Unreadable, UnreadableCause,
};
pub use kind::{GroupKind, KindQuery, KindSyntax};
pub use problem::{Problem, Severity as ProblemSeverity};
pub use projection::Projection;
pub use series::{PROMETHEUS, Series};
pub use tree::{Map, Node};
pub use untrusted::Untrusted;
pub use verdict::{
    Evidence, Fraction, Outcome, Reason, RuleVerdicts, Subject, SubjectId, Verdict, Verdicts,
};
pub use words::{Aggregate, Category, Effort, RuleId, Severity, ThemeId, UnknownWord};
