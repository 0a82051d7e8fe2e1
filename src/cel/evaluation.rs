//! Evaluates expressions over borrowed values.

use std::sync::atomic::{AtomicBool, Ordering};

use cel::{
    Context, ExecutionError, Value,
    common::{
        types::{CelBool, CelString},
        value::{CowVal, Val},
    },
    context::VariableResolver,
};

use super::{Boxed, ENV, Expression, functions};

/// Why an evaluation has no result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It needs a list that could not be read.
    Unread,
    /// It says itself that this cannot be known, and why (`unknown('…')`).
    Unknown(String),
    /// The expression failed: what the interpreter says of it.
    Failed(String),
}

/// What the names of a scope stand for, for one subject.
#[derive(Default)]
pub struct Bindings<'a> {
    names: Vec<(&'a str, Bound<'a>)>,
    /// Set when an expression asked for something unread.
    missed: AtomicBool,
}

enum Bound<'a> {
    Own(Boxed<'a>),
    Lent(&'a (dyn Val + 'a)),
    Unread,
}

impl<'a> Bindings<'a> {
    /// Binds a name to a value; a later binding of the same name wins.
    pub fn bind(&mut self, name: &'a str, value: Boxed<'a>) {
        self.names.push((name, Bound::Own(value)));
    }

    /// Binds a name anew; the value it had is dropped.
    pub fn rebind(&mut self, name: &'a str, value: Boxed<'a>) {
        self.names.retain(|(bound, _)| *bound != name);
        self.bind(name, value);
    }

    /// Binds a name to a value that several subjects share.
    pub fn lend(&mut self, name: &'a str, value: &'a (dyn Val + 'a)) {
        self.names.push((name, Bound::Lent(value)));
    }

    /// Binds a name to something that could not be read: an expression whose result depends on it
    /// fails with [`Failure::Unread`].
    pub fn bind_unread(&mut self, name: &'a str) {
        self.names.push((name, Bound::Unread));
    }
}

impl VariableResolver for Bindings<'_> {
    fn resolve<'b>(&'b self, variable: &str) -> Option<CowVal<'b, 'b>> {
        let (_, bound) = self
            .names
            .iter()
            .rev()
            .find(|(name, _)| *name == variable)?;
        match bound {
            Bound::Own(value) => Some(CowVal::Borrowed(&**value)),
            Bound::Lent(value) => Some(CowVal::Borrowed(*value)),
            Bound::Unread => {
                self.missed.store(true, Ordering::Relaxed);
                None
            }
        }
    }
}

/// Evaluates the expressions of one rule on one subject; each variable at most once, and only
/// if an expression uses it.
pub struct Evaluation<'v> {
    context: Context<'v, 'v>,
    bindings: &'v Bindings<'v>,
    variables: &'v [(String, Expression)],
    failed: Vec<(String, Failure)>,
    evaluated: Vec<bool>,
}

impl<'v> Evaluation<'v> {
    /// Starts with nothing evaluated.
    pub fn new(bindings: &'v Bindings<'v>, variables: &'v [(String, Expression)]) -> Self {
        let mut context = Context::with_env(ENV.clone());
        context.set_variable_resolver(bindings);
        Evaluation {
            context,
            bindings,
            variables,
            failed: Vec::new(),
            evaluated: vec![false; variables.len()],
        }
    }

    /// The result of an expression that must be a boolean.
    pub fn truth(&mut self, expression: &'v Expression) -> Result<bool, Failure> {
        let value = self.value(expression)?;
        match value.downcast_ref::<CelBool>() {
            Some(truth) => Ok(*truth.inner()),
            None => Err(wrong_type("bool", &*value)),
        }
    }

    /// The result of an expression that must be a string.
    pub fn text(&mut self, expression: &'v Expression) -> Result<String, Failure> {
        let value = self.value(expression)?;
        match value.downcast_ref::<CelString>() {
            Some(text) => Ok(text.inner().to_owned()),
            None => Err(wrong_type("string", &*value)),
        }
    }

    fn value(&mut self, expression: &'v Expression) -> Result<Boxed<'v>, Failure> {
        self.define_variables(expression);
        self.bindings.missed.store(false, Ordering::Relaxed);
        functions::refill_budget();
        match Value::resolve_val(&expression.tree, &self.context) {
            Ok(value) => Ok(value.into_owned()),
            Err(error) => Err(self.failure(error)),
        }
    }

    /// Evaluates the variables that an expression uses, the ones they use first.
    fn define_variables(&mut self, expression: &'v Expression) {
        for name in &expression.variables {
            let Some(at) = self.variables.iter().position(|(n, _)| n == name) else {
                continue;
            };
            if std::mem::replace(&mut self.evaluated[at], true) {
                continue;
            }
            let variables = self.variables;
            let qualified = format!("variables.{name}");
            match self.value(&variables[at].1) {
                Ok(value) => self.context.add_variable_as_val(qualified, value),
                Err(failure) => self.failed.push((qualified, failure)),
            }
        }
    }

    /// A variable that failed is unbound, so that an expression which does not need its value
    /// (`a || variables.b`) can still succeed; if the expression fails, the variable's own failure
    /// is the better explanation.
    fn failure(&self, error: ExecutionError) -> Failure {
        if self.bindings.missed.load(Ordering::Relaxed) {
            return Failure::Unread;
        }
        if let ExecutionError::FunctionError { function, message } = &error
            && function == functions::UNKNOWN
        {
            return Failure::Unknown(message.clone());
        }
        if let ExecutionError::UndeclaredReference(name) = &error
            && let Some((_, failure)) = self.failed.iter().find(|(failed, _)| failed == &**name)
        {
            return failure.clone();
        }
        Failure::Failed(error.to_string())
    }
}

fn wrong_type(want: &str, value: &dyn Val) -> Failure {
    Failure::Failed(format!(
        "the result is a {}, not a {want}",
        value.get_type().name()
    ))
}
