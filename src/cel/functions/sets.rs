//! `sets.contains`, `sets.equivalent` and `sets.intersects`, as in cel-go's sets extension, over
//! lists of any kind.

use std::collections::HashSet;

use cel::{
    Env, ExecutionError,
    common::{
        types::{CelBool, CelString, LIST_TYPE},
        value::{CowVal, Val},
    },
};

use super::{Library, budget::spend, each, equal};

pub(super) const LIBRARY: Library = Library {
    register: |env: &mut Env| {
        let two = || vec![LIST_TYPE, LIST_TYPE];
        env.add_overload("sets.contains", "list_sets_contains_list", two(), |args| {
            compare(&args, |left, right| left.covers(right))
        })?;
        env.add_overload(
            "sets.equivalent",
            "list_sets_equivalent_list",
            two(),
            |args| {
                compare(&args, |left, right| {
                    Ok(left.covers(right)? && right.covers(left)?)
                })
            },
        )?;
        env.add_overload(
            "sets.intersects",
            "list_sets_intersects_list",
            two(),
            |args| compare(&args, |left, right| left.meets(right)),
        )
    },
    globals: &["sets.contains", "sets.equivalent", "sets.intersects"],
    members: &[],
};

/// The distinct elements of a list. Strings, which nearly all are, are looked up by hash; what
/// else there is can only be compared one by one.
#[derive(Default)]
pub(super) struct Set<'b, 'v> {
    texts: HashSet<&'b str>,
    others: Vec<&'b (dyn Val + 'v)>,
}

impl<'b, 'v> Set<'b, 'v> {
    fn of(list: &'b (dyn Val + 'v)) -> Result<Self, ExecutionError> {
        let mut set = Set::default();
        each(list, |item| set.insert(item).map(drop))?;
        Ok(set)
    }

    /// Adds an element; false if it was there.
    pub(super) fn insert(&mut self, item: &'b (dyn Val + 'v)) -> Result<bool, ExecutionError> {
        if let Some(text) = item.downcast_ref::<CelString>() {
            return Ok(self.texts.insert(text.inner()));
        }
        let new = !self.has(item)?;
        if new {
            self.others.push(item);
        }
        Ok(new)
    }

    fn has(&self, item: &(dyn Val + 'v)) -> Result<bool, ExecutionError> {
        spend(self.others.len() as u64)?;
        Ok(self.others.iter().any(|other| equal(*other, item)))
    }

    fn covers(&self, other: &Self) -> Result<bool, ExecutionError> {
        for item in &other.others {
            if !self.has(*item)? {
                return Ok(false);
            }
        }
        Ok(other.texts.is_subset(&self.texts))
    }

    fn meets(&self, other: &Self) -> Result<bool, ExecutionError> {
        for item in &other.others {
            if self.has(*item)? {
                return Ok(true);
            }
        }
        Ok(!self.texts.is_disjoint(&other.texts))
    }
}

fn compare<'b, 'v>(
    args: &[CowVal<'_, '_>],
    answer: impl FnOnce(&Set<'_, '_>, &Set<'_, '_>) -> Result<bool, ExecutionError>,
) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let [left, right] = args else {
        return Err(ExecutionError::invalid_argument_count(2, args.len()));
    };
    let answer = answer(&Set::of(&**left)?, &Set::of(&**right)?)?;
    Ok(CowVal::owned(CelBool::from(answer)))
}

#[cfg(test)]
mod tests {
    use super::super::tests::*;

    #[test]
    fn compares_lists_as_sets() {
        all_true(&[
            "sets.contains([], []) && !sets.contains([], [1]) && sets.contains([1, 2, 3, 4], [2, 3])",
            "sets.contains([1, 2.0, 3u], [1.0, 2u, 3])",
            "sets.equivalent([], []) && sets.equivalent([1], [1, 1]) && sets.equivalent([1], [1u, 1.0])",
            "sets.equivalent([1, 2, 3], [3u, 2.0, 1]) && !sets.equivalent([1, 2], [1])",
            "!sets.intersects([1], []) && sets.intersects([1], [1, 2])",
            "sets.intersects([[1], [2, 3]], [[1, 2], [2, 3.0]])",
            "sets.contains(['a', 1, 'b'], ['b', 1]) && !sets.contains(['a'], ['b'])",
            "sets.contains(object.list, ['b']) && sets.equivalent(['a', 'b'], object.list)",
            "sets.intersects([object.list], [['a', 'b']]) && sets.intersects([['a', 'b']], [object.list])",
        ]);
        fails("sets.contains(lists.range(2000), lists.range(2000))");
    }
}
