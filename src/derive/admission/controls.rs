//! The controls that admission can hold, and who is known to hold them.

use super::text;
use crate::model::Object;

/// Something that admission refuses, or sees to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Control {
    RequireNonRoot,
    DenyPrivilegeEscalation,
    DropAllCapabilities,
    ReadOnlyRootfs,
    RequireLimits,
    RestrictRegistries,
    DenyLatestTag,
    RequireProbes,
    RequireNetpol,
    DenyPrivileged,
    /// Images must be signed by somebody who is trusted.
    VerifySignatures,
    /// What else ties pods to their environment; only an annotation says so.
    EnvRestrictions,
}

use Control::*;

/// Annotation by which a policy says which controls it implements, separated by commas.
const ANNOTATION: &str = "readiness/control";

impl Control {
    /// All of them.
    pub const ALL: [Control; 12] = [
        RequireNonRoot,
        DenyPrivilegeEscalation,
        DropAllCapabilities,
        ReadOnlyRootfs,
        RequireLimits,
        RestrictRegistries,
        DenyLatestTag,
        RequireProbes,
        RequireNetpol,
        DenyPrivileged,
        VerifySignatures,
        EnvRestrictions,
    ];

    /// What rules and annotations call it.
    pub fn id(self) -> &'static str {
        match self {
            RequireNonRoot => "require-non-root",
            DenyPrivilegeEscalation => "deny-privilege-escalation",
            DropAllCapabilities => "drop-all-capabilities",
            ReadOnlyRootfs => "read-only-rootfs",
            RequireLimits => "require-limits",
            RestrictRegistries => "restrict-registries",
            DenyLatestTag => "deny-latest-tag",
            RequireProbes => "require-probes",
            RequireNetpol => "require-netpol",
            DenyPrivileged => "deny-privileged",
            VerifySignatures => "verify-signatures",
            EnvRestrictions => "env-restrictions",
        }
    }

    /// Names that policies of the public libraries have for it.
    fn names(self) -> &'static [&'static str] {
        match self {
            RequireNonRoot => &[
                "require-run-as-nonroot",
                "require-run-as-non-root-user",
                "check-runasnonroot",
            ],
            DenyPrivilegeEscalation => &[
                "restrict-privilege-escalation",
                "disallow-privilege-escalation",
                "allow-privilege-escalation",
            ],
            DropAllCapabilities => &[
                "require-drop-all",
                "require-drop-all-capabilities",
                "disallow-capabilities-strict",
            ],
            ReadOnlyRootfs => &[
                "require-readonly-filesystem",
                "require-ro-rootfs",
                "readonly-rootfs",
            ],
            RequireLimits => &[
                "require-resource-limits",
                "require-requests-limits",
                "require-resources",
            ],
            RestrictRegistries => &["restrict-image-registries", "allowed-image-registries"],
            DenyLatestTag => &["disallow-latest-tag", "disallow-latest-image-tag"],
            RequireProbes => &["require-health-probes", "require-pod-probes"],
            RequireNetpol => &[
                "require-network-policy-label",
                "require-network-policy",
                "add-networkpolicy",
                "generate-default-deny",
            ],
            DenyPrivileged => &["disallow-privileged-containers", "privileged-containers"],
            VerifySignatures => &["verify-image", "verify-images", "check-image-signatures"],
            EnvRestrictions => &[],
        }
    }

    /// The controls that one of the names of a policy stands for: its own and its rules'.
    pub fn named(names: &[&str]) -> Vec<Control> {
        let named = |control: &Control| {
            names
                .iter()
                .any(|name| *name == control.id() || control.names().contains(name))
        };
        Control::ALL.into_iter().filter(named).collect()
    }

    /// The controls that a policy says it implements.
    pub fn annotated(policy: &Object) -> Vec<Control> {
        let said = text(&policy.root, &["metadata", "annotations", ANNOTATION]);
        let said: Vec<&str> = said.split(',').map(str::trim).collect();
        let all = Control::ALL.into_iter();
        all.filter(|control| said.contains(&control.id())).collect()
    }
}
