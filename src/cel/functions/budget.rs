//! Bounds what one evaluation may cost. [`prepare`](super::super::prepare) inserts the calls.

use std::cell::Cell;

use cel::{
    Env, ExecutionError,
    common::{
        types::{CelBool, CelInt, CelString, DYN_TYPE, INT_TYPE, STRING_TYPE},
        value::CowVal,
    },
};

use super::{
    super::prepare::{CHARGE, EQUAL, REPLACE},
    Library,
};

/// Elements that one evaluation may iterate, nested comprehensions multiplied out. A hundred
/// thousand pods with their containers fit; a runaway join costs about a second.
const STEPS: u64 = if cfg!(test) { 50_000 } else { 2_000_000 };

/// Bytes of text that count as one step.
pub(super) const BYTES_PER_STEP: u64 = 16;

thread_local! {
    /// Steps left to the evaluation that runs on this thread.
    static LEFT: Cell<u64> = const { Cell::new(STEPS) };
    /// Counts the evaluations of this thread.
    static EVALUATION: Cell<u64> = const { Cell::new(0) };
}

pub(super) const LIBRARY: Library = Library {
    register: |env: &mut Env| {
        env.add_overload(CHARGE, "charge_dyn", vec![DYN_TYPE], charge)?;
        env.add_overload(EQUAL, "equal_dyn_dyn", vec![DYN_TYPE, DYN_TYPE], equal)?;
        let two = vec![STRING_TYPE, STRING_TYPE];
        env.add_member_overload(REPLACE, "replace_string", STRING_TYPE, two, replace)?;
        let three = vec![STRING_TYPE, STRING_TYPE, INT_TYPE];
        env.add_member_overload(REPLACE, "replace_string_int", STRING_TYPE, three, replace)
    },
    globals: &[],
    members: &[],
};

/// Gives the next evaluation of this thread its full budget.
pub fn refill() {
    LEFT.set(STEPS);
    EVALUATION.set(EVALUATION.get().wrapping_add(1));
}

/// Tells the evaluations of this thread apart.
pub(super) fn evaluation() -> u64 {
    EVALUATION.get()
}

/// Takes steps from the evaluation that runs on this thread, or ends it if it has none left.
pub(super) fn spend(steps: u64) -> Result<(), ExecutionError> {
    match LEFT.get().checked_sub(steps) {
        Some(left) => {
            LEFT.set(left);
            Ok(())
        }
        None => Err(ExecutionError::function_error(
            "budget",
            format!("the expression takes more than {STEPS} steps"),
        )),
    }
}

/// Hands its argument back, after charging for its size.
fn charge<'b, 'v>(mut args: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let Some(value) = args.pop() else {
        return Err(ExecutionError::invalid_argument_count(1, 0));
    };
    if let Some(text) = value.downcast_ref::<CelString>() {
        spend(text.inner().len() as u64 / BYTES_PER_STEP)?;
    } else if let Some(sizer) = value.as_sizer() {
        spend(1 + u64::try_from(*sizer.size().inner()).unwrap_or(0))?;
    }
    Ok(value)
}

/// `==` that asks both sides.
fn equal<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let [left, right] = &args[..] else {
        return Err(ExecutionError::invalid_argument_count(2, args.len()));
    };
    Ok(CowVal::owned(CelBool::from(super::equal(
        &**left, &**right,
    ))))
}

/// `text.replace(old, new[, limit])` of Kubernetes' string library, charged before it allocates.
fn replace<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let text = |at: usize| -> Result<&str, ExecutionError> {
        args.get(at)
            .and_then(|arg| arg.downcast_ref::<CelString>())
            .map(CelString::inner)
            .ok_or_else(|| ExecutionError::function_error("replace", "arguments must be strings"))
    };
    let (whole, old, new) = (text(0)?, text(1)?, text(2)?);
    let limit = match args.get(3).and_then(|arg| arg.downcast_ref::<CelInt>()) {
        Some(limit) => usize::try_from(*limit.inner()).unwrap_or(usize::MAX),
        None => usize::MAX,
    };
    let places = whole.matches(old).take(limit).count() as u64;
    spend((places * new.len() as u64) / BYTES_PER_STEP)?;
    Ok(CowVal::owned(CelString::from(
        whole.replacen(old, new, limit),
    )))
}
