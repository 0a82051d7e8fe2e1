//! Parameters: their declarations and the values that fit them.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    fields::{Checker, did_you_mean},
    is_name,
};
use crate::{
    model::{
        Node,
        yaml::{Value, Written},
    },
    rule::{Param, ParamType},
};

/// Most parameters of a file.
const MAX_PARAMS: usize = 64;

/// Names that may not follow `params.` in CEL.
const UNSELECTABLE: [&str; 4] = ["in", "true", "false", "null"];

/// Parameters of a file, and the names of those too that are wrong, lest every use of theirs be
/// reported.
#[derive(Default)]
pub(super) struct Declared {
    pub params: BTreeMap<String, Param>,
    pub names: BTreeSet<String>,
}

impl Checker<'_> {
    /// Declarations of parameters.
    pub fn params(&mut self, written: Option<&Written>) -> Declared {
        let mut declared = Declared::default();
        let Some(named) = written.and_then(|written| self.fields(written, "`params`")) else {
            return declared;
        };
        for (at, (name, written)) in named.named().enumerate() {
            if at == MAX_PARAMS {
                let message = format!("more than {MAX_PARAMS} parameters");
                self.report(name.span.clone(), message);
                break;
            }
            if !is_name(&name.name) || UNSELECTABLE.contains(&name.name.as_str()) {
                let message = format!("`{}` cannot be the name of a parameter", name.name);
                self.report(name.span.clone(), message);
            }
            declared.names.insert(name.name.clone());
            if let Some(param) = self.param(&name.name, written) {
                declared.params.insert(name.name.clone(), param);
            }
        }
        declared
    }

    fn param(&mut self, name: &str, written: &Written) -> Option<Param> {
        let mut fields = self.fields(written, "a parameter")?;
        let kind = self
            .required(&mut fields, "type")
            .and_then(|written| self.param_type(name, written));
        let default = self
            .required(&mut fields, "default")
            .and_then(|written| self.param_value(name, kind?, written));
        let mut profiles = BTreeMap::new();
        let by_profile = fields
            .take("profiles")
            .and_then(|written| self.fields(written, "`profiles`"));
        for (profile, written) in by_profile.iter().flat_map(|fields| fields.named()) {
            if let Some(value) = kind.and_then(|kind| self.param_value(name, kind, written)) {
                profiles.insert(profile.name.clone(), value);
            }
        }
        let description = self.required_text(&mut fields, "description");
        self.unknown(&fields);
        Some(Param {
            kind: kind?,
            description,
            default: default?,
            profiles,
        })
    }

    fn param_type(&mut self, name: &str, written: &Written) -> Option<ParamType> {
        let word = match &written.value {
            Value::Text(word) => word.as_str(),
            _ => "",
        };
        let Some(kind) = ParamType::ALL
            .into_iter()
            .find(|kind| kind.as_str() == word)
        else {
            self.wrong(
                written,
                "type",
                "bool, int, number, string, duration or strings",
            );
            return None;
        };
        // The two parameters that the score itself understands.
        let wanted = match name {
            "minRatio" => ParamType::Number,
            "tolerance" => ParamType::Int,
            _ => return Some(kind),
        };
        if kind != wanted {
            let message = format!("parameter `{name}` must be of type {}", wanted.as_str());
            self.report(written.span.clone(), message);
            return None;
        }
        Some(kind)
    }

    /// A value of a parameter.
    pub fn param_value(&mut self, name: &str, kind: ParamType, written: &Written) -> Option<Node> {
        let node = written.node();
        if !kind.accepts(&node) {
            self.wrong(written, name, kind.describe());
            return None;
        }
        let misfit = match (name, &node) {
            ("minRatio", Node::Int(number)) => !(0..=1).contains(number),
            ("minRatio", Node::Float(number)) => !(0.0..=1.0).contains(number),
            ("tolerance", Node::Int(number)) => u32::try_from(*number).is_err(),
            _ => false,
        };
        if misfit {
            let message = match name {
                "minRatio" => "`minRatio` must lie between 0 and 1",
                _ => "`tolerance` must be a number of subjects",
            };
            self.report(written.span.clone(), message);
            return None;
        }
        Some(node)
    }

    /// Values that an example gives. `known` is nothing where the declarations are not known.
    pub fn param_values(
        &mut self,
        written: &Written,
        known: Option<&BTreeMap<&str, ParamType>>,
    ) -> BTreeMap<String, Node> {
        let mut values = BTreeMap::new();
        let Some(fields) = self.fields(written, "`params`") else {
            return values;
        };
        for (key, written) in fields.named() {
            let value = match known.map(|known| known.get(key.name.as_str())) {
                Some(Some(kind)) => self.param_value(&key.name, *kind, written),
                Some(None) => {
                    let names = known.into_iter().flat_map(BTreeMap::keys).copied();
                    let help = did_you_mean(&key.name, names);
                    let message = format!("the rule has no parameter `{}`", key.name);
                    self.report(key.span.clone(), message).help = help;
                    None
                }
                None => Some(written.node()),
            };
            values.extend(value.map(|value| (key.name.clone(), value)));
        }
        values
    }
}

impl ParamType {
    /// Every type.
    pub const ALL: [ParamType; 6] = [
        ParamType::Bool,
        ParamType::Int,
        ParamType::Number,
        ParamType::String,
        ParamType::Duration,
        ParamType::Strings,
    ];

    /// The type's name in rule files.
    pub fn as_str(self) -> &'static str {
        match self {
            ParamType::Bool => "bool",
            ParamType::Int => "int",
            ParamType::Number => "number",
            ParamType::String => "string",
            ParamType::Duration => "duration",
            ParamType::Strings => "strings",
        }
    }

    /// What a value must be, for messages.
    fn describe(self) -> &'static str {
        match self {
            ParamType::Bool => "true or false",
            ParamType::Int => "a whole number",
            ParamType::Number => "a number",
            ParamType::String => "a string",
            ParamType::Duration => "a time span such as `24h` or `1h30m`",
            ParamType::Strings => "a list of strings",
        }
    }

    /// Whether a value is of the type.
    pub fn accepts(self, node: &Node) -> bool {
        match (self, node) {
            (ParamType::Bool, Node::Bool(_))
            | (ParamType::Int | ParamType::Number, Node::Int(_))
            | (ParamType::String, Node::String(_)) => true,
            (ParamType::Number, Node::Float(number)) => number.is_finite(),
            (ParamType::Duration, Node::String(text)) => is_span(text),
            (ParamType::Strings, Node::List(items)) => {
                items.iter().all(|item| matches!(item, Node::String(_)))
            }
            _ => false,
        }
    }
}

/// Whether a text is a time span in hours, minutes and seconds, in this order: what Go, CEL and
/// people read alike.
fn is_span(text: &str) -> bool {
    let mut rest = text;
    for unit in ['h', 'm', 's'] {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        if digits > 0 && rest[digits..].starts_with(unit) {
            rest = &rest[digits + 1..];
        }
    }
    !text.is_empty() && rest.is_empty() && text.parse::<jiff::SignedDuration>().is_ok()
}
