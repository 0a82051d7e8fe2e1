//! Rewrites of a parsed expression that make its evaluation bounded, symmetric and quick.

use cel::common::{
    ast::{CallExpr, EntryExpr, Expr, IdedExpr, LiteralValue, operators},
    types::CelString,
};

/// Names under which [`super::functions`] registers what this module inserts. They cannot be
/// written in CEL.
pub const CHARGE: &str = "@charge";
/// See [`CHARGE`].
pub const EQUAL: &str = "@equal";
/// See [`CHARGE`].
pub const REPLACE: &str = "@replace";
/// See [`CHARGE`].
pub const MATCHES: &str = "@matches";
/// See [`CHARGE`].
pub const DISTINCT: &str = "@distinct";

/// Prepares a whole expression:
///
/// * The range of every comprehension is charged against the step budget.
/// * Text and lists that grow (`+`, `join`, `replace`, `format`, …) are charged by their length,
///   so that doubling a string forty times is an error rather than a terabyte.
/// * Where the CEL crate is slow (`matches` compiles its pattern on every call, `distinct` compares
///   all with all), our own function is called.
/// * `==` between computed values asks both sides, because CEL's own lists do not know ours.
/// * `params.x`, `variables.x`, `prom.x` and `readable.x` become one name, and the first step of a field path an index,
///   since the interpreter would otherwise try every prefix of the path as a variable name.
pub fn prepare(mut node: IdedExpr) -> IdedExpr {
    match &mut node.expr {
        Expr::Unspecified | Expr::Ident(_) | Expr::Literal(_) | Expr::Struct(_) => {}
        Expr::Select(select) => {
            let operand = std::mem::take(&mut *select.operand);
            if let (Expr::Ident(root), false) = (&operand.expr, select.test) {
                if matches!(root.as_str(), "params" | "variables" | "prom" | "readable") {
                    node.expr = Expr::Ident(format!("{root}.{}", select.field));
                    return node;
                }
                let field = IdedExpr {
                    id: node.id,
                    expr: Expr::Literal(LiteralValue::String(CelString::from(std::mem::take(
                        &mut select.field,
                    )))),
                };
                node.expr = call(operators::INDEX, vec![operand, field]);
                return node;
            }
            *select.operand = prepare(operand);
        }
        Expr::Call(called) => {
            for argument in &mut called.args {
                *argument = prepare(std::mem::take(argument));
            }
            let namespaced = super::is_namespaced(called);
            if let Some(target) = &mut called.target
                && !namespaced
            {
                **target = prepare(std::mem::take(&mut **target));
            }
            match called.func_name.as_str() {
                operators::EQUALS | operators::NOT_EQUALS
                    if !called.args.iter().any(is_scalar_literal) =>
                {
                    let negate = called.func_name == operators::NOT_EQUALS;
                    let equal = call(EQUAL, std::mem::take(&mut called.args));
                    node.expr = if negate {
                        let inner = IdedExpr {
                            id: node.id,
                            expr: equal,
                        };
                        call(operators::LOGICAL_NOT, vec![inner])
                    } else {
                        equal
                    };
                }
                "replace" => {
                    REPLACE.clone_into(&mut called.func_name);
                    return charged(node);
                }
                "matches" => MATCHES.clone_into(&mut called.func_name),
                "distinct" => DISTINCT.clone_into(&mut called.func_name),
                operators::ADD | "flatten" | "format" | "join" | "range" | "split" => {
                    return charged(node);
                }
                _ => {}
            }
        }
        Expr::List(list) => {
            for element in &mut list.elements {
                *element = prepare(std::mem::take(element));
            }
        }
        Expr::Map(map) => {
            for entry in &mut map.entries {
                if let EntryExpr::MapEntry(entry) = &mut entry.expr {
                    entry.key = prepare(std::mem::take(&mut entry.key));
                    entry.value = prepare(std::mem::take(&mut entry.value));
                }
            }
        }
        Expr::Comprehension(comprehension) => {
            let range = prepare(std::mem::take(&mut comprehension.iter_range));
            comprehension.iter_range = charged(range);
            // The accumulator's own steps are left alone: the interpreter recognises their shape.
            prepare_step(&mut comprehension.loop_step);
            comprehension.loop_cond = prepare(std::mem::take(&mut comprehension.loop_cond));
            comprehension.result = prepare(std::mem::take(&mut comprehension.result));
        }
    }
    node
}

/// Prepares what the author wrote inside a comprehension, but not the `accumulator + [item]` that
/// the macro put around it.
fn prepare_step(step: &mut IdedExpr) {
    let Expr::Call(called) = &mut step.expr else {
        *step = prepare(std::mem::take(step));
        return;
    };
    match called.func_name.as_str() {
        operators::ADD if matches!(called.args.first(), Some(first) if is_accumulator(first)) => {
            if let Some(items) = called.args.get_mut(1) {
                *items = prepare(std::mem::take(items));
            }
        }
        operators::CONDITIONAL if matches!(called.args.get(2), Some(last) if is_accumulator(last)) =>
        {
            called.args[0] = prepare(std::mem::take(&mut called.args[0]));
            prepare_step(&mut called.args[1]);
        }
        _ => *step = prepare(std::mem::take(step)),
    }
}

/// Names that macros give their accumulators start with a character that CEL source cannot have.
fn is_accumulator(node: &IdedExpr) -> bool {
    matches!(&node.expr, Expr::Ident(name) if name.starts_with('@') || name.starts_with("__"))
}

fn is_scalar_literal(node: &IdedExpr) -> bool {
    matches!(node.expr, Expr::Literal(_))
}

fn charged(node: IdedExpr) -> IdedExpr {
    IdedExpr {
        id: node.id,
        expr: call(CHARGE, vec![node]),
    }
}

fn call(name: &str, args: Vec<IdedExpr>) -> Expr {
    Expr::Call(CallExpr {
        func_name: name.to_owned(),
        target: None,
        args,
    })
}
