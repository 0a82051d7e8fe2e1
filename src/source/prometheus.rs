//! Prometheus as a source.

use crate::model::{GroupKind, ListState, Node, Object, Series, Unreadable, UnreadableCause};
use crate::plan::query_kind;

/// The state of what only a Prometheus can answer where none was named.
pub fn none() -> ListState {
    ListState::Unreadable(Unreadable {
        cause: UnreadableCause::NotCollected,
        detail: "no Prometheus was named: give --prometheus".into(),
    })
}

/// An answered question as an object: inventories and snapshots hold it like any other.
pub fn answered(promql: &str, series: &[Series]) -> Object {
    let series: Vec<serde_json::Value> = series
        .iter()
        .map(|one| {
            serde_json::json!({"labels": serde_json::Value::from(&one.labels), "value": one.value})
        })
        .collect();
    let query = query_kind();
    Object {
        kind: GroupKind::new(&query.group, &query.kind),
        version: "v1".into(),
        root: Node::from(serde_json::json!({
            "metadata": {"name": promql},
            "status": {"series": series},
        })),
        place: None,
    }
}
