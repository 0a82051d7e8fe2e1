//! The only module that knows the CEL crate: compile, check, list the fields an expression reads,
//! evaluate.
//!
//! An [`Expression`] is compiled once. What it reads is known from its syntax tree
//! ([`FieldReads`]), so that sources fetch nothing else. It is evaluated over values that borrow
//! the object tree ([`Bindings`], [`Evaluation`]).

mod evaluation;
pub mod functions;
mod prepare;
mod reads;
mod values;

use std::{
    collections::BTreeSet,
    ops::Range,
    sync::{Arc, LazyLock},
};

use cel::{
    Env,
    common::ast::{CallExpr, Expr, IdedExpr, SourceInfo},
};

pub use evaluation::{Bindings, Evaluation, Failure};
pub use reads::FieldReads;
pub use values::{
    Boxed, container, duration, empty_map, int, list, node, object, owned, record, text, timestamp,
};

/// Longest expression, in bytes.
const MAX_LENGTH: usize = 8 * 1024;
/// Deepest nesting of brackets.
const MAX_BRACKETS: u16 = 48;
/// Deepest syntax tree. Evaluation recurses over it; see [`EVALUATION_STACK`].
const MAX_DEPTH: usize = 64;
/// Stack for parsing what might be nested deeply: the parser recurses some ten frames a level.
const PARSER_STACK: usize = 256 << 20;
/// Stack, in bytes, that a thread needs to evaluate the deepest expression in a debug build.
pub const EVALUATION_STACK: usize = 32 << 20;
/// Deepest nesting of comprehensions (`all`, `map`, …) in each other.
const MAX_COMPREHENSIONS: usize = 4;

/// The functions and macros that rules can use.
static ENV: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(functions::environment()));

/// A compiled CEL expression.
pub struct Expression {
    source: String,
    tree: IdedExpr,
    places: SourceInfo,
    /// Names of the `variables` it uses.
    variables: BTreeSet<String>,
    /// Names after `readable.` that it uses.
    readable: BTreeSet<String>,
}

/// Something that is wrong with an expression.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Byte range in the expression's source.
    pub span: Range<usize>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

/// The names an expression may use.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    /// Variables, such as `object` and the aliases of relations.
    pub roots: BTreeSet<String>,
    /// Names that may follow `params.`
    pub params: BTreeSet<String>,
    /// Names that may follow `variables.`
    pub variables: BTreeSet<String>,
    /// Names that may follow `prom.`
    pub queries: BTreeSet<String>,
    /// Names that may follow `readable.`
    pub readable: BTreeSet<String>,
}

impl Expression {
    /// Compiles an expression, or says everything that is wrong with its syntax, its size and the
    /// functions it calls.
    pub fn compile(source: &str) -> Result<Expression, Vec<Fault>> {
        if source.len() > MAX_LENGTH {
            return Err(vec![Fault {
                span: 0..source.len(),
                message: format!(
                    "the expression is {} bytes long; {MAX_LENGTH} is the limit",
                    source.len()
                ),
                help: Some("name parts of it under `variables`".to_owned()),
            }]);
        }
        if is_plain(source) {
            return Expression::parse(source);
        }
        let parse = || Expression::parse(source);
        std::thread::scope(|scope| {
            let parser = std::thread::Builder::new().stack_size(PARSER_STACK);
            match parser
                .spawn_scoped(scope, parse)
                .map(|thread| thread.join())
            {
                Ok(Ok(result)) => result,
                Ok(Err(_)) | Err(_) => Err(vec![Fault {
                    span: 0..source.len(),
                    message: "the expression cannot be parsed".to_owned(),
                    help: None,
                }]),
            }
        })
    }

    fn parse(source: &str) -> Result<Expression, Vec<Fault>> {
        let parser = ENV.parser().max_recursion_depth(MAX_BRACKETS);
        let (tree, places) = parser
            .parse_with_source_info(source)
            .map_err(|errors| syntax_faults(source, errors))?;
        let mut expression = Expression {
            source: source.to_owned(),
            tree,
            places,
            variables: BTreeSet::new(),
            readable: BTreeSet::new(),
        };
        if depth(&expression.tree) > MAX_DEPTH {
            return Err(vec![Fault {
                span: 0..source.len(),
                message: format!("the expression is nested more than {MAX_DEPTH} levels deep"),
                help: Some("name parts of it under `variables`".to_owned()),
            }]);
        }
        let faults = expression.structural_faults();
        if !faults.is_empty() {
            return Err(faults);
        }
        expression.tree = prepare::prepare(expression.tree);
        expression.variables = expression.names_after("variables.");
        expression.readable = expression.names_after("readable.");
        Ok(expression)
    }

    /// The text it was compiled from.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Names that the scope does not have.
    pub fn check(&self, scope: &Scope) -> Vec<Fault> {
        let mut faults = Vec::new();
        walk(&self.tree, &mut Vec::new(), &mut |node, local| {
            let Expr::Ident(name) = &node.expr else {
                return;
            };
            if local.iter().any(|bound| bound == name) || is_type(name) {
                return;
            }
            let (kind, known, name) = match name.split_once('.') {
                Some(("params", name)) => ("parameter", &scope.params, name),
                Some(("variables", name)) => ("variable", &scope.variables, name),
                Some(("prom", name)) => ("query", &scope.queries, name),
                Some(("readable", name)) => ("relation or query", &scope.readable, name),
                _ => ("name", &scope.roots, name.as_str()),
            };
            if !known.contains(name) {
                let mut span = self.span(node.id);
                if let Expr::Ident(whole) = &node.expr
                    && whole.len() > name.len()
                {
                    // The parser places `params.x` at its dot.
                    span.start = span.start.saturating_sub(whole.len() - name.len() - 1);
                    span.end = (span.start + whole.len()).min(self.source.len());
                }
                faults.push(Fault {
                    span,
                    message: format!("unknown {kind} `{name}`"),
                    help: Some(did_you_mean(name, known)),
                });
            }
        });
        faults
    }

    /// Whether it asks `readable.NAME`.
    pub fn asks_readable(&self, name: &str) -> bool {
        self.readable.contains(name)
    }

    fn names_after(&self, root: &str) -> BTreeSet<String> {
        let mut names = BTreeSet::new();
        walk(&self.tree, &mut Vec::new(), &mut |node, _| {
            if let Expr::Ident(name) = &node.expr
                && let Some(name) = name.strip_prefix(root)
            {
                names.insert(name.to_owned());
            }
        });
        names
    }

    /// Whether it uses a root variable, such as `server`.
    pub fn uses(&self, root: &str) -> bool {
        let mut found = false;
        walk(&self.tree, &mut Vec::new(), &mut |node, local| {
            found |= matches!(&node.expr, Expr::Ident(name)
                if name == root && !local.iter().any(|bound| bound == name));
        });
        found
    }

    /// Calls to functions that do not exist, message literals, and comprehensions in too many
    /// comprehensions.
    fn structural_faults(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        let mut report = |id: u64, message: String, help: Option<String>| {
            faults.push(Fault {
                span: self.span(id),
                message,
                help,
            });
        };
        walk(
            &self.tree,
            &mut Vec::new(),
            &mut |node, local| match &node.expr {
                Expr::Call(call) => {
                    let called = match &call.target {
                        Some(_) if !is_namespaced(call) => functions::is_member(&call.func_name),
                        _ => functions::is_global(&full_name(call)),
                    };
                    if !called {
                        report(
                            node.id,
                            format!("unknown function `{}`", call.func_name),
                            Some(did_you_mean(&call.func_name, functions::names())),
                        );
                    }
                }
                Expr::Comprehension(_) if local.len() >= 3 * MAX_COMPREHENSIONS => report(
                    node.id,
                    format!("more than {MAX_COMPREHENSIONS} comprehensions in each other"),
                    Some("let a relation or a Rust function do the join".to_owned()),
                ),
                Expr::Struct(_) => report(
                    node.id,
                    "message literals are not supported".to_owned(),
                    None,
                ),
                _ => {}
            },
        );
        faults
    }

    /// Byte range of a node in the source.
    fn span(&self, id: u64) -> Range<usize> {
        let (start, last) = self.places.offset_for(id).unwrap_or((0, 0));
        let byte = |chars: usize| {
            self.source
                .char_indices()
                .nth(chars)
                .map_or(self.source.len(), |(at, _)| at)
        };
        byte(start as usize)..byte(last as usize + 1)
    }
}

impl std::fmt::Debug for Expression {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Expression").field(&self.source).finish()
    }
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source
    }
}

fn syntax_faults(source: &str, errors: cel::ParseErrors) -> Vec<Fault> {
    errors
        .errors
        .into_iter()
        .map(|error| {
            let (line, column) = error.pos;
            let line_start: usize = source
                .split_inclusive('\n')
                .take(usize::try_from(line).unwrap_or(1).saturating_sub(1))
                .map(str::len)
                .sum();
            let column = usize::try_from(column).unwrap_or(1).saturating_sub(1);
            let start = source[line_start..]
                .char_indices()
                .nth(column)
                .map_or(source.len(), |(at, _)| line_start + at);
            let end = source[start..]
                .chars()
                .next()
                .map_or(start, |c| start + c.len_utf8());
            Fault {
                span: start..end,
                message: error.msg.replace('\n', " "),
                help: None,
            }
        })
        .collect()
}

/// Whether an expression is too simple to be nested deeply, as nearly all are.
fn is_plain(source: &str) -> bool {
    let (mut open, mut deepest, mut steps) = (0_u32, 0, 0);
    for c in source.chars() {
        match c {
            '(' | '[' | '{' => {
                open += 1;
                deepest = deepest.max(open);
            }
            ')' | ']' | '}' => open = open.saturating_sub(1),
            '.' | '?' | '!' | '+' | '-' | '*' | '/' | '%' | '<' | '>' | '=' => steps += 1,
            _ => {}
        }
    }
    deepest <= 10 && steps <= 80
}

/// Depth of the syntax tree, where chains of one operator count once a link.
fn depth(node: &IdedExpr) -> usize {
    use cel::common::ast::EntryExpr;
    let deepest = |nodes: &mut dyn Iterator<Item = &IdedExpr>| nodes.map(depth).max().unwrap_or(0);
    1 + match &node.expr {
        Expr::Unspecified | Expr::Ident(_) | Expr::Literal(_) | Expr::Struct(_) => 0,
        Expr::Select(select) => depth(&select.operand),
        Expr::Call(call) => deepest(&mut call.args.iter().chain(call.target.as_deref())),
        Expr::List(list) => deepest(&mut list.elements.iter()),
        Expr::Map(map) => deepest(&mut map.entries.iter().flat_map(|entry| match &entry.expr {
            EntryExpr::MapEntry(entry) => vec![&entry.key, &entry.value],
            EntryExpr::StructField(field) => vec![&field.value],
        })),
        Expr::Comprehension(inner) => deepest(
            &mut [
                &inner.iter_range,
                &inner.accu_init,
                &inner.loop_cond,
                &inner.loop_step,
                &inner.result,
            ]
            .into_iter(),
        ),
    }
}

/// Names of CEL's own types, which an expression may use as values.
fn is_type(name: &str) -> bool {
    matches!(
        name,
        "bool"
            | "bytes"
            | "double"
            | "int"
            | "list"
            | "map"
            | "null_type"
            | "string"
            | "type"
            | "uint"
    )
}

/// A suggestion for a misspelt name, or the names there are.
fn did_you_mean<'a, S: AsRef<str> + 'a>(
    name: &str,
    known: impl IntoIterator<Item = &'a S>,
) -> String {
    let known: Vec<&str> = known.into_iter().map(AsRef::as_ref).collect();
    let close = known
        .iter()
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .min()
        .filter(|(distance, candidate)| *distance <= 1 + candidate.len() / 4);
    match close {
        Some((_, candidate)) => format!("did you mean `{candidate}`?"),
        None if known.is_empty() => "there are none here".to_owned(),
        None if known.len() > 12 => "see the rule format in the README".to_owned(),
        None => format!("known here: {}", known.join(", ")),
    }
}

/// Whether a call such as `sets.contains(…)` names a function rather than one of its target's.
fn is_namespaced(call: &CallExpr) -> bool {
    let namespace = matches!(call.target.as_deref(),
        Some(IdedExpr { expr: Expr::Ident(name), .. }) if functions::is_namespace(name));
    namespace && functions::is_global(&full_name(call))
}

/// The name of a called function with its namespace.
fn full_name(call: &CallExpr) -> String {
    match call.target.as_deref() {
        Some(IdedExpr {
            expr: Expr::Ident(namespace),
            ..
        }) => format!("{namespace}.{}", call.func_name),
        _ => call.func_name.clone(),
    }
}

/// Visits every node with the names that comprehensions bind around it. Names that namespace a
/// function (`sets` in `sets.contains(…)`) are not visited: they are not values.
fn walk<'e>(
    node: &'e IdedExpr,
    local: &mut Vec<&'e str>,
    visit: &mut impl FnMut(&'e IdedExpr, &[&'e str]),
) {
    visit(node, local);
    match &node.expr {
        Expr::Unspecified | Expr::Ident(_) | Expr::Literal(_) => {}
        Expr::Select(select) => walk(&select.operand, local, visit),
        Expr::Call(call) => {
            if let Some(target) = &call.target
                && !is_namespaced(call)
            {
                walk(target, local, visit);
            }
            for argument in &call.args {
                walk(argument, local, visit);
            }
        }
        Expr::List(list) => {
            for element in &list.elements {
                walk(element, local, visit);
            }
        }
        Expr::Map(map) => {
            for entry in &map.entries {
                walk_entry(&entry.expr, local, visit);
            }
        }
        Expr::Struct(message) => {
            for entry in &message.entries {
                walk_entry(&entry.expr, local, visit);
            }
        }
        Expr::Comprehension(comprehension) => {
            walk(&comprehension.iter_range, local, visit);
            walk(&comprehension.accu_init, local, visit);
            let outer = local.len();
            local.push(&comprehension.iter_var);
            local.push(&comprehension.accu_var);
            local.push(comprehension.iter_var2.as_deref().unwrap_or_default());
            walk(&comprehension.loop_cond, local, visit);
            walk(&comprehension.loop_step, local, visit);
            walk(&comprehension.result, local, visit);
            local.truncate(outer);
        }
    }
}

fn walk_entry<'e>(
    entry: &'e cel::common::ast::EntryExpr,
    local: &mut Vec<&'e str>,
    visit: &mut impl FnMut(&'e IdedExpr, &[&'e str]),
) {
    use cel::common::ast::EntryExpr;
    match entry {
        EntryExpr::MapEntry(entry) => {
            walk(&entry.key, local, visit);
            walk(&entry.value, local, visit);
        }
        EntryExpr::StructField(field) => walk(&field.value, local, visit),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Node, Projection};

    fn pod() -> Node {
        let json = r#"{"metadata": {"name": "web", "labels": {"app": "web", "tier": "front"}},
            "spec": {"replicas": 3, "containers": [
                {"name": "a", "image": "nginx:1.25", "args": ["-v", "x"]},
                {"name": "b", "image": "quay.io/x/y@sha256:12"}]}}"#;
        Node::from(serde_json::from_str::<serde_json::Value>(json).unwrap())
    }

    fn truth(source: &str) -> Result<bool, Failure> {
        let pod = pod();
        let expression = Expression::compile(source).unwrap_or_else(|faults| panic!("{faults:?}"));
        let variables = [
            ("names", "object.spec.containers.map(c, c.name)"),
            ("first", "variables.names[0]"),
            ("broken", "object.spec.nothing"),
            ("hidden", "size(secrets) > 0"),
        ]
        .map(|(name, source)| (name.to_owned(), Expression::compile(source).unwrap()));
        let mut bindings = Bindings::default();
        bindings.bind("object", node(&pod));
        bindings.bind("params.least", int(2));
        bindings.bind_unread("secrets");
        Evaluation::new(&bindings, &variables).truth(&expression)
    }

    #[test]
    fn evaluates_over_the_borrowed_tree() {
        for source in [
            "object.spec.replicas >= params.least",
            "object.spec.containers.all(c, has(c.image) && c.image.size() > 3)",
            "object.spec.containers.exists(c, has(c.args) && '-v' in c.args)",
            "object.metadata.labels.exists(k, k == 'tier') && 'app' in object.metadata.labels",
            "object.metadata.labels['app'] == object.metadata.name",
            "object.spec.containers.map(c, c.name) == ['a', 'b']",
            "['-v', 'x'] == object.spec.containers[0].args",
            "object.spec.containers[0].args + ['y'] == ['-v', 'x', 'y']",
            "object.spec.containers[0].args.join(' ') == '-v x'",
            "object.metadata.labels == {'app': 'web', 'tier': 'front'}",
            "object.spec.?priority.orValue(0) == 0",
            "variables.first == 'a' && size(variables.names) == 2",
            "image(object.spec.containers[0].image).full == 'docker.io/library/nginx:1.25'",
            "image(object.spec.containers[1].image).digest == 'sha256:12'",
            "selects({'matchExpressions': [{'key': 'app', 'operator': 'In', 'values': ['web']}]}, object.metadata.labels)",
            "!selects({'matchLabels': {'app': 'db'}}, object.metadata.labels)",
            "object.metadata.name.glob('w*b') && !object.metadata.name.glob('w')",
            "'a-b'.replace('-', '+') == 'a+b'",
            // What an expression does not need may be broken or unread.
            "true || variables.broken || variables.hidden",
            "variables.hidden || true",
        ] {
            assert_eq!(truth(source), Ok(true), "{source}");
        }
    }

    #[test]
    fn says_why_there_is_no_result() {
        assert_eq!(truth("size(secrets) == 0"), Err(Failure::Unread));
        assert_eq!(truth("variables.hidden"), Err(Failure::Unread));
        assert_eq!(
            truth("variables.broken"),
            Err(Failure::Failed("No such key: nothing".to_owned()))
        );
        assert_eq!(
            truth("object.metadata.name"),
            Err(Failure::Failed(
                "the result is a string, not a bool".to_owned()
            ))
        );
        let Err(Failure::Failed(message)) =
            truth("lists.range(3000).all(a, lists.range(3000).all(b, a + b >= 0))")
        else {
            panic!("a runaway join must fail");
        };
        assert!(message.contains("steps"), "{message}");
        let doubling =
            "['xxxxxxxxxxxxxxxx']".to_owned() + &".map(x, x + x)".repeat(20) + ".size() > 0";
        let thread = std::thread::Builder::new().stack_size(EVALUATION_STACK);
        let result = thread
            .spawn(move || truth(&doubling))
            .unwrap()
            .join()
            .unwrap();
        assert!(matches!(result, Err(Failure::Failed(_))), "{result:?}");
    }

    #[test]
    fn refuses_what_cannot_be_evaluated() {
        let message = |source: &str| Expression::compile(source).unwrap_err()[0].message.clone();
        assert!(
            message("object.").contains("Syntax error"),
            "{}",
            message("object.")
        );
        assert_eq!(message("sise(object)"), "unknown function `sise`");
        assert_eq!(
            message("object.containz('x')"),
            "unknown function `containz`"
        );
        assert!(message(&"x".repeat(9000)).contains("bytes long"));
        assert!(!message(&format!("{}x{}", "(".repeat(3000), ")".repeat(3000))).is_empty());
        assert!(message(&format!("x{}", ".a".repeat(4000))).contains("levels deep"));
        let nested = "a.all(a, a.all(b, b.all(c, c.all(d, d.all(e, true)))))";
        assert!(message(nested).contains("comprehensions in each other"));
    }

    #[test]
    fn names_must_be_in_scope() {
        let scope = Scope {
            roots: ["object".to_owned()].into(),
            params: ["least".to_owned()].into(),
            ..Scope::default()
        };
        let source = "object.x.all(c, c.y) && objekt.z > params.leest && sets == 1";
        let faults = Expression::compile(source).unwrap().check(&scope);
        let found: Vec<_> = faults
            .iter()
            .map(|fault| (&source[fault.span.clone()], fault.message.as_str()))
            .collect();
        assert_eq!(found[0], ("objekt", "unknown name `objekt`"));
        assert_eq!(found[1].1, "unknown parameter `leest`");
        assert_eq!(found[2].1, "unknown name `sets`");
        assert_eq!(faults[0].help.as_deref(), Some("did you mean `object`?"));
    }

    fn reads(source: &str) -> Projection {
        let mut reads = FieldReads::default();
        if source.contains("variables.main") {
            let main = "object.spec.containers.filter(c, c.role == 'main')";
            reads.define("main", &Expression::compile(main).unwrap());
        }
        reads.read(&Expression::compile(source).unwrap());
        reads.finish().remove("object").unwrap_or_default()
    }

    #[test]
    fn lists_the_fields_an_expression_reads() {
        let mut expected = Projection::default();
        let containers = expected.path(&["spec", "containers"]);
        containers.keys = true;
        containers.items().field("role").all = true;
        containers.items().field("image").all = true;
        containers.items().field("env");
        assert_eq!(
            reads("variables.main.all(m, m.image != '' && has(m.env))"),
            expected
        );

        let mut expected = Projection::default();
        let labels = expected.path(&["metadata", "labels"]);
        labels.field("app").all = true;
        expected.path(&["spec", "a"]).keys = true;
        expected.path(&["spec", "b"]).all = true;
        expected.path(&["spec", "c"]).all = true;
        assert_eq!(
            reads(
                "object.metadata.labels['app'] == 'x' && size(object.spec.a) > 0
                 && quantityless(object.spec.b) || object.spec.?c.orValue(1) == 2"
                    .replace("quantityless", "string")
                    .as_str()
            ),
            expected
        );
    }

    #[test]
    fn follows_values_out_of_comprehensions() {
        let found = reads("object.spec.containers.map(c, c.securityContext)[0].privileged");
        let context = &found.fields["spec"].fields["containers"]
            .items
            .as_ref()
            .unwrap()
            .fields["securityContext"];
        assert!(context.fields["privileged"].all);
        assert!(!context.all, "only one field of it is read");
    }
}
