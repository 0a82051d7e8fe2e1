//! Rights that lead to more rights than were given.

use super::roles::PolicyRule;

/// A right by which a subject can get at others' rights.
struct Path {
    /// What it is called in `spec.escalations`.
    text: &'static str,
    verbs: &'static [&'static str],
    group: &'static str,
    resources: &'static [&'static str],
    /// Whether it is one within a namespace, too.
    in_namespace: bool,
    /// Names with which even a grant that is restricted to names is a way up.
    names: &'static [&'static str],
}

const PATHS: &[Path] = &[
    Path {
        text: "bind roles",
        verbs: &["bind"],
        group: "rbac.authorization.k8s.io",
        resources: &["clusterroles", "roles"],
        in_namespace: true,
        names: &["cluster-admin"],
    },
    Path {
        text: "escalate roles",
        verbs: &["escalate"],
        group: "rbac.authorization.k8s.io",
        resources: &["clusterroles", "roles"],
        in_namespace: true,
        names: &["cluster-admin"],
    },
    Path {
        text: "impersonate",
        verbs: &["impersonate"],
        group: "",
        resources: &["users", "groups"],
        in_namespace: false,
        names: &["system:masters"],
    },
    Path {
        text: "impersonate service accounts",
        verbs: &["impersonate"],
        group: "",
        resources: &["serviceaccounts"],
        in_namespace: true,
        names: &[],
    },
    Path {
        text: "create serviceaccounts/token",
        verbs: &["create"],
        group: "",
        resources: &["serviceaccounts/token"],
        in_namespace: true,
        names: &[],
    },
    Path {
        text: "create pods cluster-wide",
        verbs: &["create"],
        group: "",
        resources: &["pods"],
        in_namespace: false,
        names: &[],
    },
    Path {
        text: "create pods/exec cluster-wide",
        verbs: &["create"],
        group: "",
        resources: &["pods/exec"],
        in_namespace: false,
        names: &[],
    },
    // Any verb will do: `get` opens the kubelet's exec endpoint by a websocket.
    Path {
        text: "nodes/proxy",
        verbs: &["get", "create", "update", "patch", "delete"],
        group: "",
        resources: &["nodes/proxy"],
        in_namespace: false,
        names: &[],
    },
    Path {
        text: "approve CSRs",
        verbs: &["update", "patch"],
        group: "certificates.k8s.io",
        resources: &["certificatesigningrequests/approval"],
        in_namespace: false,
        names: &[],
    },
    Path {
        text: "write webhook configurations",
        verbs: &["create", "update", "patch", "delete", "deletecollection"],
        group: "admissionregistration.k8s.io",
        resources: &[
            "validatingwebhookconfigurations",
            "mutatingwebhookconfigurations",
        ],
        in_namespace: false,
        names: &[],
    },
    Path {
        text: "create persistentvolumes",
        verbs: &["create"],
        group: "",
        resources: &["persistentvolumes"],
        in_namespace: false,
        names: &[],
    },
];

/// The ways up that rules give, in the whole cluster or within a namespace.
pub(super) fn paths(rules: &[PolicyRule<'_>], clusterwide: bool) -> Vec<&'static str> {
    if rules.iter().any(|rule| rule.is_everything()) {
        return vec!["everything"];
    }
    let gives = |path: &&Path| {
        (clusterwide || path.in_namespace)
            && rules.iter().any(|rule| {
                path.resources
                    .iter()
                    .any(|resource| rule.covers(path.group, resource))
                    && path.verbs.iter().any(|verb| rule.allows(verb))
                    && (rule.is_unrestricted()
                        || path
                            .names
                            .iter()
                            .any(|name| rule.has("resourceNames", name)))
            })
    };
    PATHS.iter().filter(gives).map(|path| path.text).collect()
}
