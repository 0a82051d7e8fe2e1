//! What a Prometheus answers.

use super::Node;

/// The group of kinds that a Prometheus answers for, rather than an API server: `Query` (one
/// object per question, named by its PromQL), `AlertingRule`, `Target` and `Selector`.
pub const PROMETHEUS: &str = "prometheus";

/// One series of an instant vector.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// Its labels, as a map.
    pub labels: Node,
    /// Its value; never NaN.
    pub value: f64,
}
