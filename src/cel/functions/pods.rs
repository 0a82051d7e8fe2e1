//! `podRequests(pods, resource)` and `sumQuantities(texts)`: what pods reserve on their nodes.

use cel::{
    Env, ExecutionError,
    common::{
        types::{CelString, LIST_TYPE, STRING_TYPE},
        value::{CowVal, Val},
    },
};

use super::{Library, each, quantity::Quantity, text};
use crate::model::Projection;

pub(super) const LIBRARY: Library = Library {
    register: |env: &mut Env| {
        env.add_overload(
            "podRequests",
            "pod_requests_list_string",
            vec![LIST_TYPE, STRING_TYPE],
            pod_requests,
        )?;
        env.add_overload(
            "sumQuantities",
            "sum_quantities_list",
            vec![LIST_TYPE],
            sum_quantities,
        )
    },
    globals: &["podRequests", "sumQuantities"],
    members: &[],
};

/// What `podRequests` reads of a list of pods.
pub(super) fn reads() -> Projection {
    let mut reads = Projection::default();
    for list in ["containers", "initContainers"] {
        let container = reads.path(&["*", "spec", list, "*"]);
        container.path(&["resources", "requests"]).all = true;
        container.field("restartPolicy").all = true;
    }
    reads.path(&["*", "spec", "overhead"]).all = true;
    reads.path(&["*", "spec", "resources", "requests"]).all = true;
    reads.path(&["*", "status", "phase"]).all = true;
    reads
}

/// The sum of texts that are quantities; 0 of an empty list.
fn sum_quantities<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let mut sum = Quantity::default();
    for list in &args {
        each(&**list, |item| {
            sum += &Quantity::from_value(item)?;
            Ok(())
        })?;
    }
    Ok(CowVal::owned(sum))
}

/// The sum of what the pods that are not finished request, as the scheduler counts it.
fn pod_requests<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let resource = text(&args, 1)?;
    let mut sum = Quantity::default();
    for pods in args.iter().take(1) {
        each(&**pods, |pod| {
            if !is_finished(pod) {
                sum += &requests(pod, resource)?;
            }
            Ok(())
        })?;
    }
    Ok(CowVal::owned(sum))
}

fn is_finished(pod: &dyn Val) -> bool {
    at(pod, &["status", "phase"], |phase| {
        is_text(phase, "Succeeded") || is_text(phase, "Failed")
    })
    .unwrap_or(false)
}

/// What one pod requests: its main and sidecar containers together, or, if that is more, what an
/// init container needs beside the sidecars started before it; the pod's own request instead
/// where it has one; and the overhead of its runtime class.
fn requests(pod: &dyn Val, resource: &str) -> Result<Quantity, ExecutionError> {
    let own = at(pod, &["spec", "resources", "requests", resource], quantity);
    let mut requests = match own {
        Some(own) if is_pod_level(resource) => own?,
        _ => container_requests(pod, resource)?,
    };
    if let Some(overhead) = at(pod, &["spec", "overhead", resource], quantity) {
        requests += &overhead?;
    }
    Ok(requests)
}

fn container_requests(pod: &dyn Val, resource: &str) -> Result<Quantity, ExecutionError> {
    let of = |container: &dyn Val| {
        at(container, &["resources", "requests", resource], quantity)
            .unwrap_or_else(|| Ok(Quantity::default()))
    };
    let (mut running, mut sidecars) = (Quantity::default(), Quantity::default());
    let mut starting = Quantity::default();
    if let Some(result) = at(pod, &["spec", "containers"], |containers| {
        each(containers, |container| {
            running += &of(container)?;
            Ok(())
        })
    }) {
        result?;
    }
    if let Some(result) = at(pod, &["spec", "initContainers"], |containers| {
        each(containers, |container| {
            let mut needs = of(container)?;
            let sidecar = at(container, &["restartPolicy"], |policy| {
                is_text(policy, "Always")
            });
            if sidecar == Some(true) {
                running += &needs;
                sidecars += &needs;
            } else {
                needs += &sidecars;
                starting = std::mem::take(&mut starting).max(needs);
            }
            Ok(())
        })
    }) {
        result?;
    }
    Ok(running.max(starting))
}

/// Resources that `spec.resources` of a pod may be about.
fn is_pod_level(resource: &str) -> bool {
    matches!(resource, "cpu" | "memory") || resource.starts_with("hugepages-")
}

fn quantity(value: &dyn Val) -> Result<Quantity, ExecutionError> {
    Quantity::from_value(value)
}

fn is_text(value: &dyn Val, wanted: &str) -> bool {
    value
        .downcast_ref::<CelString>()
        .is_some_and(|text| text.inner() == wanted)
}

/// Looks at the value at a path of fields, if it is there and not null.
fn at<R>(value: &dyn Val, path: &[&str], look: impl FnOnce(&dyn Val) -> R) -> Option<R> {
    let Some((field, rest)) = path.split_first() else {
        let null = value.downcast_ref::<cel::common::types::CelNull>();
        return null.is_none().then(|| look(value));
    };
    let value = value.as_indexer()?.get(&CelString::from(*field)).ok()?;
    at(&*value, rest, look)
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::{Value, json};

    use super::super::tests::*;

    fn container(cpu: &str) -> Value {
        json!({"resources": {"requests": {"cpu": cpu, "memory": "1Gi"}}})
    }

    fn sidecar(cpu: &str) -> Value {
        let mut sidecar = container(cpu);
        sidecar["restartPolicy"] = json!("Always");
        sidecar
    }

    pub(in super::super) fn pods() -> Value {
        json!({
            "plain": {"spec": {"containers": [container("100m"), container("0.2"), {}]}},
            "number": {"spec": {"containers": [{"resources": {"requests": {"cpu": 1.5}}}]}},
            "init": {"spec": {
                "containers": [container("100m")],
                "initContainers": [container("2"), container("1")],
            }},
            // The second init container runs beside the first sidecar only.
            "sidecars": {"spec": {
                "containers": [container("100m")],
                "initContainers": [sidecar("1"), container("500m"), sidecar("2")],
            }},
            "late": {"spec": {
                "containers": [container("100m")],
                "initContainers": [sidecar("1"), sidecar("2"), container("500m")],
            }},
            "pod": {"spec": {
                "containers": [container("1")],
                "resources": {"requests": {"cpu": "700m", "example.com/gpu": "3"}},
                "overhead": {"cpu": "50m"},
            }},
            "done": {"spec": {"containers": [container("1")]}, "status": {"phase": "Succeeded"}},
            "failed": {"spec": {"containers": [container("1")]}, "status": {"phase": "Failed"}},
            "running": {"spec": {"containers": [container("1")]}, "status": {"phase": "Running"}},
            "broken": {"spec": {"containers": [container("lots")]}},
            "empty": {"spec": {"containers": null}},
        })
    }

    #[test]
    fn requests_are_those_the_scheduler_sees() {
        for (pod, cpu) in [
            ("plain", "300m"),
            ("number", "1500m"),
            ("init", "2"),
            ("sidecars", "3100m"),
            ("late", "3500m"),
            ("pod", "750m"),
            ("done", "0"),
            ("failed", "0"),
            ("running", "1"),
            ("empty", "0"),
        ] {
            all_true(&[&format!(
                "podRequests([object.pods.{pod}], 'cpu') == quantity('{cpu}')"
            )]);
        }
        all_true(&[
            "podRequests([object.pods.plain, object.pods.init], 'cpu') == quantity('2300m')",
            "podRequests([object.pods.pod], 'memory') == quantity('1Gi')",
            "podRequests([object.pods.pod], 'example.com/gpu') == quantity('0')",
            "podRequests([], 'cpu') == quantity('0')",
            "sumQuantities(['1', '500m', '1Ki']) == quantity('1025.5')",
            "sumQuantities([]) == quantity('0')",
        ]);
        fails("podRequests([object.pods.broken], 'cpu')");
        fails("sumQuantities(['1', 'x'])");
    }

    #[test]
    fn what_it_reads_is_what_it_needs() {
        use crate::cel::{Expression, FieldReads};
        let mut reads = FieldReads::default();
        reads.read(&Expression::compile("podRequests(pods, 'cpu').sign() == 1").unwrap());
        assert_eq!(reads.finish()["pods"], super::reads());
    }
}
