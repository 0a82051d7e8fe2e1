//! CEL validations, as ValidatingAdmissionPolicies and Kyverno have them, tried on the probes.

use super::{
    items,
    policy::Effects,
    probes::{REGISTRY, Shape},
    text,
};
use crate::{
    cel::{self, Bindings, Evaluation, Expression, Failure},
    model::Node,
};

/// Longest list of registries that are looked for in a policy.
const MAX_REGISTRIES: usize = 12;

/// The compiled `variables`, `matchConditions` and `validations` of a policy.
pub(super) struct Validations {
    variables: Vec<(String, Expression)>,
    conditions: Vec<Expression>,
    validations: Vec<Expression>,
    registries: Vec<String>,
}

impl Validations {
    /// Compiles them from a `spec` that has the fields of a ValidatingAdmissionPolicy.
    ///
    /// # Errors
    /// Which expression cannot be compiled, and why: it may use functions of its engine's own.
    pub fn compile(spec: &Node) -> Result<Self, String> {
        let mut variables = Vec::new();
        for variable in items(spec, &["variables"]) {
            let expression = compile(text(variable, &["expression"]))?;
            variables.push((text(variable, &["name"]).to_owned(), expression));
        }
        let all = |field: &str| -> Result<Vec<Expression>, String> {
            let expressions = items(spec, &[field]).iter();
            expressions
                .map(|item| compile(text(item, &["expression"])))
                .collect()
        };
        let (conditions, validations) = (all("matchConditions")?, all("validations")?);
        if validations.is_empty() {
            return Err("it has no validations".to_owned());
        }
        let sources = variables.iter().map(|(_, expression)| expression);
        let sources = sources.chain(&validations).map(Expression::source);
        let registries = sources.flat_map(quoted).flat_map(registry);
        let registries = [REGISTRY.to_owned()].into_iter().chain(registries);
        Ok(Validations {
            registries: registries.take(MAX_REGISTRIES).collect(),
            variables,
            conditions,
            validations,
        })
    }

    /// Tries them on the probes.
    ///
    /// # Errors
    /// Why they cannot be tried, or that they refuse the good workload.
    pub fn effects(&self, shapes: &[Shape]) -> Result<Effects, String> {
        let accepts = &mut |shape: Shape, object: &Node| self.accepts(shape, object);
        let tried = || Effects::tried(shapes, &self.registries, accepts);
        // Expressions may be nested deeply.
        std::thread::scope(|scope| {
            let thread = std::thread::Builder::new().stack_size(cel::EVALUATION_STACK);
            match thread
                .spawn_scoped(scope, tried)
                .map(|thread| thread.join())
            {
                Ok(Ok(effects)) => effects,
                Ok(Err(_)) | Err(_) => Err("its expressions cannot be evaluated".to_owned()),
            }
        })
    }

    fn accepts(&self, shape: Shape, object: &Node) -> Result<bool, String> {
        let request = Node::from(serde_json::json!({
            "operation": "CREATE", "namespace": "app", "name": "app", "dryRun": false,
            "kind": {"group": shape.group(), "version": "v1", "kind": shape.kind()},
            "resource": {"group": shape.group(), "version": "v1", "resource": shape.resource()},
            "userInfo": {"username": "jane", "groups": ["system:authenticated"]},
        }));
        let nothing = Node::Null;
        let mut bindings = Bindings::default();
        bindings.bind("object", cel::node(object));
        bindings.bind("oldObject", cel::node(&nothing));
        bindings.bind("request", cel::node(&request));
        for unread in ["namespaceObject", "params", "authorizer"] {
            bindings.bind_unread(unread);
        }
        let mut evaluation = Evaluation::new(&bindings, &self.variables);
        for condition in &self.conditions {
            // An error matches by failurePolicy, which is Fail unless somebody says otherwise.
            if evaluation.truth(condition) == Ok(false) {
                return Ok(true);
            }
        }
        for validation in &self.validations {
            match evaluation.truth(validation) {
                Ok(true) => {}
                Ok(false) => return Ok(false),
                // To read a field that is not there refuses the object.
                Err(Failure::Failed(why)) if why.contains("No such key") => return Ok(false),
                Err(Failure::Unread) => {
                    return Err("it depends on parameters or on more than the object".to_owned());
                }
                Err(Failure::Failed(why) | Failure::Unknown(why)) => return Err(why),
            }
        }
        Ok(true)
    }
}

fn compile(source: &str) -> Result<Expression, String> {
    Expression::compile(source).map_err(|faults| match faults.first() {
        Some(fault) => fault.message.clone(),
        None => "an expression cannot be compiled".to_owned(),
    })
}

/// The texts in quotes of an expression.
fn quoted(source: &str) -> impl Iterator<Item = &str> {
    source.split(['"', '\'']).skip(1).step_by(2)
}

/// A registry that a text of a policy could stand for, as the start of an image.
pub(super) fn registry(text: &str) -> Option<String> {
    let text = text.trim().trim_start_matches(['^', '(']);
    let text = text.replace("\\.", ".").replace(".*", "*");
    if text.starts_with('!') || !text.contains(['.', '/']) || text.contains([' ', '|', '(', '[']) {
        return None;
    }
    let host = text.split(['$', '+']).next().unwrap_or_default();
    let filled = host.trim_end_matches(['*', '/']).replace(['*', '?'], "x");
    (!filled.is_empty()).then(|| format!("{filled}/"))
}
