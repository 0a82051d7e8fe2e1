//! The functions rules can call: CEL's own, the ones Kubernetes adds, and ours.
//!
//! Kubernetes' functions keep their names and semantics, so that an expression can move between a
//! ValidatingAdmissionPolicy and a rule.

use std::{collections::BTreeSet, sync::LazyLock};

use cel::{
    Env, ExecutionError,
    common::{
        types::{CelString, Type},
        value::{CowVal, FromVal, Val},
    },
    extensions,
};

use crate::model::Projection;

/// Makes a Rust type a CEL value whose inside only functions know: it has a name and equality.
macro_rules! opaque_value {
    ($type:ty, $name:literal) => {
        impl cel::common::value::Val for $type {
            fn get_type(&self) -> &cel::common::types::Type {
                <Self as cel::common::value::Val>::cel_type()
            }
            fn cel_type() -> &'static cel::common::types::Type {
                static TYPE: cel::common::types::Type =
                    cel::common::types::Type::new_unspecified_type($name);
                &TYPE
            }
            fn equals(&self, other: &dyn cel::common::value::Val) -> bool {
                other.downcast_ref::<Self>() == Some(self)
            }
            fn clone_as_boxed<'v>(&self) -> Box<dyn cel::common::value::Val + 'v> {
                Box::new(self.clone())
            }
            fn as_any(&self) -> Option<&dyn std::any::Any> {
                Some(self)
            }
        }
        impl cel::common::value::StaticVal for $type {}
    };
}

mod budget;
mod cron;
mod lists;
mod memo;
mod network;
mod objects;
mod pods;
mod quantity;
mod regex;
mod semver;
mod sets;
mod texts;
mod url;

pub use budget::refill as refill_budget;
pub use quantity::compare_quantities;
pub use texts::UNKNOWN;

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

/// The extension libraries of the CEL crate, as Kubernetes enables them. Names with `@` are what
/// their macros (`math.greatest`, `math.least`, `sortBy`) expand to.
const EXTENSIONS: Library = Library {
    register: |env| {
        env.add_extension(extensions::strings)?;
        env.add_extension(extensions::lists)?;
        env.add_extension(extensions::math)
    },
    globals: &[
        "lists.range",
        "math.@max",
        "math.@min",
        "math.abs",
        "math.bitAnd",
        "math.bitNot",
        "math.bitOr",
        "math.bitShiftLeft",
        "math.bitShiftRight",
        "math.bitXor",
        "math.ceil",
        "math.floor",
        "math.isFinite",
        "math.isInf",
        "math.isNaN",
        "math.round",
        "math.sign",
        "math.sqrt",
        "math.trunc",
        "strings.quote",
    ],
    members: &[
        "@sortByAssociatedKeys",
        "charAt",
        "distinct",
        "flatten",
        "format",
        "indexOf",
        "join",
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

const LIBRARIES: &[Library] = &[
    STANDARD,
    EXTENSIONS,
    budget::LIBRARY,
    cron::LIBRARY,
    lists::LIBRARY,
    network::LIBRARY,
    objects::LIBRARY,
    pods::LIBRARY,
    quantity::LIBRARY,
    regex::LIBRARY,
    semver::LIBRARY,
    sets::LIBRARY,
    texts::LIBRARY,
    url::LIBRARY,
];

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
        "ip" | "lists" | "math" | "optional" | "sets" | "strings"
    )
}

/// Every name, for suggestions.
pub fn names() -> &'static BTreeSet<&'static str> {
    &NAMES
}

/// What a function reads of its first argument, where that is less than all of it.
pub fn reads(name: &str) -> Option<Projection> {
    match name {
        "podRequests" => Some(pods::reads()),
        "textClass" => Some(texts::reads()),
        _ => None,
    }
}

/// The type of a Rust type's values, to declare overloads with.
fn type_of<T: Val>() -> Type {
    T::cel_type().to_owned()
}

/// An argument as the Rust type that its overload was declared with.
fn argument<'a, 'v, T: FromVal<'a, 'v>>(
    args: &'a [CowVal<'_, 'v>],
    at: usize,
) -> Result<&'a T, ExecutionError> {
    args.get(at)
        .and_then(|arg| arg.downcast_ref::<T>())
        .ok_or_else(|| ExecutionError::function_error("argument", "is of the wrong type"))
}

/// An argument that is a string.
fn text<'a>(args: &'a [CowVal<'_, '_>], at: usize) -> Result<&'a str, ExecutionError> {
    argument::<CelString>(args, at).map(CelString::inner)
}

/// The start of a text from a cluster, quoted and escaped, for an error message.
fn quoted(text: &str) -> String {
    let start: String = text.chars().take(64).collect();
    let more = if start.len() < text.len() { "…" } else { "" };
    format!("{start:?}{more}")
}

/// Visits the elements of any list, or the keys of any map, until one is an error.
fn each<'b, 'v>(
    list: &'b (dyn Val + 'v),
    mut visit: impl FnMut(&'b (dyn Val + 'v)) -> Result<(), ExecutionError>,
) -> Result<(), ExecutionError> {
    let Some(iterable) = list.as_iterable() else {
        return Ok(());
    };
    let mut items = iterable.iter();
    while let Some(item) = items.next() {
        budget::spend(1)?;
        visit(item)?;
    }
    Ok(())
}

/// Equality that asks both sides, since CEL's own lists and maps only know their own kind.
fn equal(left: &dyn Val, right: &dyn Val) -> bool {
    left.equals(right) || right.equals(left)
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Bindings, Evaluation, Expression, Failure, node},
        *,
    };
    use crate::model::Node;

    /// Evaluates with `object.list` bound to `['a', 'b']` and `object.pods` to some pods.
    pub(super) fn truth(source: &str) -> Result<bool, Failure> {
        let object = Node::from(serde_json::json!({
            "list": ["a", "b"],
            "map": {"a": 1},
            "pods": super::pods::tests::pods(),
        }));
        let expression =
            Expression::compile(source).unwrap_or_else(|faults| panic!("{source}: {faults:?}"));
        let mut bindings = Bindings::default();
        bindings.bind("object", node(&object));
        Evaluation::new(&bindings, &[]).truth(&expression)
    }

    /// Each expression must be true.
    pub(super) fn all_true(sources: &[&str]) {
        for source in sources {
            assert_eq!(truth(source), Ok(true), "{source}");
        }
    }

    /// The expression must compile, and fail because of its values.
    pub(super) fn fails(source: &str) {
        match truth(source) {
            Err(Failure::Failed(message)) if !message.contains("ndeclared") => {}
            other => panic!("{source}: {other:?}"),
        }
    }

    #[test]
    fn every_listed_name_is_declared() {
        let object = Node::from(serde_json::json!({"x": 1}));
        let call = |source: &str| {
            let Ok(expression) = Expression::compile(source) else {
                return "does not compile".to_owned();
            };
            let mut bindings = Bindings::default();
            bindings.bind("object", node(&object));
            match Evaluation::new(&bindings, &[]).truth(&expression) {
                Err(Failure::Failed(message)) => message,
                other => format!("{other:?}"),
            }
        };
        for library in LIBRARIES {
            for name in library.globals.iter().filter(|name| !name.contains('@')) {
                let message = call(&format!("{name}(object, object, object, object, object)"));
                assert!(message.contains("verload"), "{name}: {message}");
            }
            for name in library.members.iter().filter(|name| !name.contains('@')) {
                let message = call(&format!("object.{name}(object, object, object, object)"));
                assert!(message.contains("verload"), "{name}: {message}");
            }
        }
        all_true(&[
            "math.greatest(1, 3, 2) == 3 && math.least([2, 1]) == 1 && math.greatest(-1.5) == -1.5",
            "[3, 1].sortBy(x, -x) == [3, 1]",
            "'%s is %d'.format(['a', 1]) == 'a is 1'",
            "optional.of(1).optMap(x, x + 1).value() == 2",
            "{'a': 1}.?b.optFlatMap(x, optional.of(x)).orValue(5) == 5",
        ]);
    }
}
