//! Remembers what is costly to make from a text that is nearly always a constant of a rule.

use std::{cell::RefCell, collections::HashMap, thread::LocalKey};

use cel::ExecutionError;

use super::budget::{BYTES_PER_STEP, evaluation, spend};

/// Results that a thread keeps.
const KEPT: usize = 512;

/// Results by the text they were made from, with the evaluation that last used each.
pub(super) type Memo<V> = RefCell<HashMap<String, (u64, V)>>;

/// Looks a text up, or makes its result. Each evaluation pays the steps for each text, whether an
/// earlier one left the result or not, so that what it costs does not depend on its thread.
pub(super) fn recall<V: Clone>(
    memo: &'static LocalKey<Memo<V>>,
    text: &str,
    steps: u64,
    make: impl FnOnce(&str) -> V,
) -> Result<V, ExecutionError> {
    let now = evaluation();
    let steps = steps + text.len() as u64 / BYTES_PER_STEP;
    memo.with_borrow_mut(|known| {
        if let Some((used, value)) = known.get_mut(text) {
            if *used != now {
                spend(steps)?;
                *used = now;
            }
            return Ok(value.clone());
        }
        spend(steps)?;
        if known.len() >= KEPT {
            known.retain(|_, (used, _)| *used == now);
        }
        let value = make(text);
        known.insert(text.to_owned(), (now, value.clone()));
        Ok(value)
    })
}
