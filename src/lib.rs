//! Seaworthy audits a Kubernetes cluster for readiness and scores it from 0 to 100, with evidence
//! for every point.
//!
//! Start reading at [`audit`]: the pipeline, in order. Data flows one way,
//! `arguments → (RuleSet, Scorecard) → Request → Inventory → Verdicts → Score → Report`; a later
//! stage is given a value, never a handle to an earlier stage.
//!
//! # Map
//!
//! A module imports only from those above it.
//!
//! - [`model`]: nouns that all share: kinds, the object tree and its projection, inventory, verdicts.
//! - [`cel`]: the only module that knows the CEL crate: compile, field reads, evaluate.
//! - [`derive`]: kinds of our own, computed from the cluster's: graphs and mappings that CEL cannot say.
//! - [`rule`]: rule files, as written and as meant, with every problem at once.
//! - [`scorecard`]: what rules are worth: weights, levels, profiles, waivers.
//! - [`plan`]: rules → the kinds and fields to read, and the permissions that takes.
//! - [`source`]: live clusters, snapshots and manifests, decoded through the projection.
//! - [`evaluate`]: rules × inventory → verdicts; subjects and indexed relations.
//! - [`score`]: verdicts × scorecard → the score tree, gaps and level; exact.
//! - [`gate`]: score × thresholds → met, not met or inconclusive.
//! - [`report`]: the audit as plain data, and one writer per format.
//! - [`audit`]: the pipeline.
//! - [`cli`]: the command line; the only module that prints.
//!
//! # Invariants
//!
//! 1. [`evaluate`], [`score`] and the report writers are pure; the clock is a field of the inventory.
//! 2. No `kube` type leaves `source::cluster`.
//! 3. There are no points in `rules/` and no expressions in `scorecards/`.
//! 4. A rule that errors costs a verdict, never the run. Unread is unknown, never pass.
//! 5. Machine formats own their structs and a version.
//! 6. Only `cli` prints or picks the exit code.
//! 7. A new rule is one file; rules are embedded by directory.
//! 8. Nothing is written to a cluster, and nothing reads Secret data.

pub mod audit;
pub mod cel;
pub mod cli;
pub mod derive;
pub mod evaluate;
pub mod gate;
pub mod model;
pub mod plan;
pub mod report;
pub mod rule;
pub mod score;
pub mod scorecard;
pub mod source;
