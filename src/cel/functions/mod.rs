//! The functions rules can call: CEL's own, the ones Kubernetes adds, and ours.
//!
//! Kubernetes' functions keep their names and semantics, so that an expression can move between a
//! ValidatingAdmissionPolicy and a rule.

mod budget;
mod objects;

use std::{collections::BTreeSet, sync::LazyLock};

use cel::{Env, extensions};

use crate::model::Projection;

pub use budget::refill as refill_budget;

/// What a part of the library registers, and the names that exist because of it.
struct Library {
    register: fn(&mut Env) -> Result<(), cel::DeclarationError>,
    /// Called as `f(x)`, or as `namespace.f(x)`.
    globals: &'static [&'static str],
    /// Called as `x.f()`.
    members: &'static [&'static str],
}

/// CEL's standard library, which [`Env::stdlib`] registers.
const STANDARD: Library = Library {
    register: |_| Ok(()),
    globals: &[
        "bool",
        "bytes",
        "double",
        "duration",
        "dyn",
        "int",
        "optional.none",
        "optional.of",
        "optional.ofNonZeroValue",
        "size",
        "string",
        "timestamp",
        "type",
        "uint",
        "matches",
    ],
    members: &[
        "contains",
        "endsWith",
        "getDate",
        "getDayOfMonth",
        "getDayOfWeek",
        "getDayOfYear",
        "getFullYear",
        "getHours",
        "getMilliseconds",
        "getMinutes",
        "getMonth",
        "getSeconds",
        "hasValue",
        "matches",
        "or",
        "orValue",
        "size",
        "startsWith",
        "value",
    ],
};

/// The extension libraries of the CEL crate, as Kubernetes enables them.
const EXTENSIONS: Library = Library {
    register: |env| {
        env.add_extension(extensions::strings)?;
        env.add_extension(extensions::lists)?;
        env.add_extension(extensions::math)
    },
    globals: &[
        "lists.range",
        "math.abs",
        "math.ceil",
        "math.floor",
        "math.greatest",
        "math.least",
        "math.round",
        "math.sign",
        "math.sqrt",
        "math.trunc",
        "strings.quote",
    ],
    members: &[
        "charAt",
        "distinct",
        "first",
        "flatten",
        "format",
        "indexOf",
        "join",
        "last",
        "lastIndexOf",
        "lowerAscii",
        "replace",
        "reverse",
        "slice",
        "sort",
        "split",
        "substring",
        "trim",
        "upperAscii",
    ],
};

const LIBRARIES: &[Library] = &[STANDARD, EXTENSIONS, budget::LIBRARY, objects::LIBRARY];

static GLOBALS: LazyLock<BTreeSet<&str>> = LazyLock::new(|| {
    let globals = LIBRARIES.iter().flat_map(|library| library.globals);
    globals.copied().collect()
});

static MEMBERS: LazyLock<BTreeSet<&str>> = LazyLock::new(|| {
    let members = LIBRARIES.iter().flat_map(|library| library.members);
    members.copied().collect()
});

static NAMES: LazyLock<BTreeSet<&str>> =
    LazyLock::new(|| GLOBALS.union(&MEMBERS).copied().collect());

/// The environment that every expression is compiled for and evaluated in.
pub fn environment() -> Env {
    let mut env = Env::stdlib();
    for library in LIBRARIES {
        let registered = (library.register)(&mut env);
        debug_assert_eq!(registered, Ok(()), "two libraries declare one overload");
    }
    env
}

/// Whether a function of that name, namespaced or not, can be called without a target, or is an
/// operator.
pub fn is_global(name: &str) -> bool {
    GLOBALS.contains(name) || name.starts_with(['_', '!', '-', '@'])
}

/// Whether a function of that name can be called on a value.
pub fn is_member(name: &str) -> bool {
    MEMBERS.contains(name)
}

/// Whether functions are declared under `name.`.
pub fn is_namespace(name: &str) -> bool {
    matches!(
        name,
        "base64" | "cidr" | "ip" | "lists" | "math" | "optional" | "sets" | "strings"
    )
}

/// Every name, for suggestions.
pub fn names() -> &'static BTreeSet<&'static str> {
    &NAMES
}

/// What a function reads of its first argument, where that is less than all of it.
pub fn reads(name: &str) -> Option<Projection> {
    match name {
        "podRequests" => Some(objects::pod_requests_reads()),
        _ => None,
    }
}
