//! Kubernetes' list library: `isSorted`, `sum`, `min`, `max`, `indexOf`, `lastIndexOf`; and
//! `first`, `last` of cel-go's optional library.

use std::cmp::Ordering;

use cel::{
    Env, ExecutionError,
    common::{
        functions::Function,
        types::{
            CelBool, CelDouble, CelDuration, CelInt, CelList, CelOptional, CelUInt, DYN_TYPE,
            LIST_TYPE,
        },
        value::{CowVal, Val},
    },
};

use super::{super::prepare::DISTINCT, Library, each, equal, sets::Set};

pub(super) const LIBRARY: Library = Library {
    register: |env: &mut Env| {
        let none: [(&str, &str, Function); 7] = [
            ("isSorted", "list_is_sorted", is_sorted),
            ("sum", "list_sum", sum),
            ("min", "list_min", |args| extreme(&args, Ordering::Less)),
            ("max", "list_max", |args| extreme(&args, Ordering::Greater)),
            ("first", "list_first", |args| end(&args, true)),
            ("last", "list_last", |args| end(&args, false)),
            (DISTINCT, "list_distinct", distinct),
        ];
        for (name, id, function) in none {
            env.add_member_overload(name, id, LIST_TYPE, vec![], function)?;
        }
        let item = || vec![DYN_TYPE];
        env.add_member_overload(
            "indexOf",
            "list_a_index_of_int",
            LIST_TYPE,
            item(),
            |args| index(&args, true),
        )?;
        env.add_member_overload(
            "lastIndexOf",
            "list_a_last_index_of_int",
            LIST_TYPE,
            item(),
            |args| index(&args, false),
        )
    },
    globals: &[],
    members: &[
        "first",
        "indexOf",
        "isSorted",
        "last",
        "lastIndexOf",
        "max",
        "min",
        "sum",
    ],
};

fn list<'a, 'v>(args: &'a [CowVal<'_, 'v>]) -> Result<&'a (dyn Val + 'v), ExecutionError> {
    match args.first() {
        Some(list) => Ok(&**list),
        None => Err(ExecutionError::invalid_argument_count(1, 0)),
    }
}

fn order(left: &dyn Val, right: &dyn Val) -> Result<Ordering, ExecutionError> {
    match left.as_comparer() {
        Some(comparer) => comparer.compare(right),
        None => Err(ExecutionError::function_error(
            "compare",
            format!("a {} has no order", left.get_type().name()),
        )),
    }
}

fn is_sorted<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let (mut sorted, mut before) = (true, None);
    each(list(&args)?, |item| {
        let order = order(before.unwrap_or(item), item)?;
        sorted &= order.is_le();
        before = Some(item);
        Ok(())
    })?;
    Ok(CowVal::owned(CelBool::from(sorted)))
}

/// The sum of numbers of one type, or of durations; 0 of an empty list.
fn sum<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let mut sum: Option<Box<dyn Val + 'v>> = None;
    each(list(&args)?, |item| {
        let summable = item.downcast_ref::<CelInt>().is_some()
            || item.downcast_ref::<CelUInt>().is_some()
            || item.downcast_ref::<CelDouble>().is_some()
            || item.downcast_ref::<CelDuration>().is_some();
        let before = sum.take();
        sum = Some(match before.as_deref().map(|sum| sum.as_adder()) {
            _ if !summable => {
                let problem = format!("a {} cannot be summed", item.get_type().name());
                return Err(ExecutionError::function_error("sum", problem));
            }
            Some(Some(adder)) => adder.add(item)?.into_owned(),
            _ => item.clone_as_boxed(),
        });
        Ok(())
    })?;
    Ok(CowVal::Owned(
        sum.unwrap_or_else(|| Box::new(CelInt::from(0))),
    ))
}

/// The element that is least or greatest, as `wanted` says; the first of equal ones.
fn extreme<'b, 'v>(
    args: &[CowVal<'b, 'v>],
    wanted: Ordering,
) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let mut found: Option<&(dyn Val + 'v)> = None;
    each(list(args)?, |item| {
        if order(item, found.unwrap_or(item))? == wanted || found.is_none() {
            found = Some(item);
        }
        Ok(())
    })?;
    match found {
        Some(item) => Ok(CowVal::Owned(item.clone_as_boxed())),
        None => Err(ExecutionError::function_error(
            if wanted.is_lt() { "min" } else { "max" },
            "called on an empty list",
        )),
    }
}

fn index<'b, 'v>(args: &[CowVal<'b, 'v>], first: bool) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let [list, wanted] = args else {
        return Err(ExecutionError::invalid_argument_count(2, args.len()));
    };
    let (mut at, mut found) = (0, -1);
    each(&**list, |item| {
        if !(first && found >= 0) && equal(item, &**wanted) {
            found = at;
        }
        at += 1;
        Ok(())
    })?;
    Ok(CowVal::owned(CelInt::from(found)))
}

/// The first or last element as an optional: none of an empty list.
fn end<'b, 'v>(args: &[CowVal<'b, 'v>], first: bool) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let mut found: Option<&(dyn Val + 'v)> = None;
    each(list(args)?, |item| {
        if !(first && found.is_some()) {
            found = Some(item);
        }
        Ok(())
    })?;
    Ok(CowVal::owned(match found {
        Some(item) => CelOptional::of(item.clone_as_boxed()),
        None => CelOptional::none(),
    }))
}

/// The elements without repetitions, in the order of their first. The CEL crate compares each
/// with all the others.
fn distinct<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let (mut seen, mut items) = (Set::default(), Vec::new());
    each(list(&args)?, |item| {
        if seen.insert(item)? {
            items.push(item.clone_as_boxed());
        }
        Ok(())
    })?;
    Ok(CowVal::owned(CelList::from(items)))
}

#[cfg(test)]
mod tests {
    use super::super::tests::*;

    #[test]
    fn answers_as_kubernetes_documents() {
        all_true(&[
            "[1, 2, 3].isSorted() && ['a', 'b', 'b', 'c'].isSorted() && ![2.0, 1.0].isSorted()",
            "[1].isSorted() && [].isSorted() && object.list.isSorted()",
            "[1, 3].sum() == 4 && [1.0, 3.0].sum() == 4.0 && [].sum() == 0",
            "[duration('1m'), duration('1s')].sum() == duration('1m1s')",
            "[1, 3].min() == 1 && [1, 3].max() == 3 && [1].min() == 1 && ([0] + []).min() == 0",
            "object.list.max() == 'b' && object.list.min() == 'a'",
            "[1, 2, 2, 3].indexOf(2) == 1 && ['a', 'b', 'b', 'c'].lastIndexOf('b') == 2",
            "[1.0].indexOf(1.1) == -1 && [].indexOf('string') == -1",
            "[['a', 'b']].indexOf(object.list) == 0 && 'abcb'.lastIndexOf('b') == 3",
            "[1, 2].first().value() == 1 && [1, 2].last().value() == 2 && !([].first().hasValue())",
            "[1, 'b', 2, 'b', 1u].distinct() == [1, 'b', 2] && [].distinct() == []",
            "lists.range(9000).map(i, string(i)).distinct().size() == 9000",
            "[3, 1, 2].sort() == [1, 2, 3] && ['bb', 'a'].sortBy(x, size(x)) == ['a', 'bb']",
        ]);
        for source in [
            "[].min()",
            "[].max()",
            "['a', 1].isSorted()",
            "[[1], [2]].max()",
            "['a', 'b'].sum()",
            "[1, 2.0].sum()",
            "[9223372036854775807, 1].sum()",
        ] {
            fails(source);
        }
    }
}
