//! `textClass`, which tells what a text is like without keeping it, and `unknown`, by which an
//! expression says that its question has no answer here.

use cel::{
    Env, ExecutionError,
    common::{
        types::{CelString, STRING_TYPE},
        value::CowVal,
    },
};

use super::{Library, text};
use crate::model::{Projection, classify, is_class};

/// The name of the function whose failure means that the answer is not known.
pub const UNKNOWN: &str = "unknown";

pub(super) const LIBRARY: Library = Library {
    register: |env: &mut Env| {
        env.add_overload("textClass", "text_class", vec![STRING_TYPE], text_class)?;
        env.add_overload(UNKNOWN, "unknown_string", vec![STRING_TYPE], unknown)
    },
    globals: &["textClass", UNKNOWN],
    members: &[],
};

/// Sources keep the class alone of what `textClass` reads.
pub(super) fn reads() -> Projection {
    Projection {
        class_only: true,
        ..Projection::default()
    }
}

/// `textClass(text)`: the class of a text. A source may have put it in the place of the text
/// already; a class names itself.
fn text_class<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    let text = text(&args, 0)?;
    let class = is_class(text).unwrap_or_else(|| classify(text));
    Ok(CowVal::owned(CelString::from(class)))
}

/// `unknown(reason)`: the verdict is unknown, with this reason.
fn unknown<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Result<CowVal<'b, 'v>, ExecutionError> {
    Err(ExecutionError::function_error(UNKNOWN, text(&args, 0)?))
}
