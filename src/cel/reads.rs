//! Which fields of which root an expression reads, from its syntax tree.
//!
//! This is what makes rules the query: the plan merges the projections found here per kind, and
//! sources keep nothing else. The walk follows values rather than text: a field path through an
//! index, an optional, a comprehension variable or one of the rule's `variables` is the same path.
//! Where a value escapes into something the walk does not understand, such as a function's
//! argument, the whole value is kept.

use std::{collections::BTreeMap, sync::Arc};

use cel::common::ast::{
    CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedExpr, LiteralValue, operators,
};

use super::{Expression, functions, prepare};
use crate::model::Projection;

/// Collects what the expressions of one rule read.
#[derive(Default)]
pub struct FieldReads {
    roots: BTreeMap<String, Projection>,
    variables: BTreeMap<String, Shape>,
}

/// What is known of where a value comes from.
#[derive(Clone, Debug, Default, PartialEq)]
struct Shape {
    /// Places in the roots that the value may be.
    places: Vec<Place>,
    /// For lists made by the expression itself: what their elements may be.
    items: Option<Box<Shape>>,
}

#[derive(Clone, Debug, PartialEq)]
struct Place {
    root: Arc<str>,
    steps: Vec<Step>,
}

#[derive(Clone, Debug, PartialEq)]
enum Step {
    Field(Arc<str>),
    Items,
    Entries,
}

impl Shape {
    fn root(name: &str) -> Self {
        Shape {
            places: vec![Place {
                root: name.into(),
                steps: Vec::new(),
            }],
            items: None,
        }
    }

    fn step(&self, step: &Step) -> Self {
        let mut places = self.places.clone();
        for place in &mut places {
            place.steps.push(step.clone());
        }
        Shape {
            places,
            items: None,
        }
    }

    /// The elements of the value, as a comprehension sees them.
    fn elements(&self) -> Self {
        let mut elements = self.step(&Step::Items);
        if let Some(items) = &self.items {
            elements.join(items);
        }
        elements
    }

    fn join(&mut self, other: &Shape) {
        for place in &other.places {
            if !self.places.contains(place) {
                self.places.push(place.clone());
            }
        }
        if let Some(other) = &other.items {
            self.items.get_or_insert_default().join(other);
        }
    }

    fn joined(mut self, other: &Shape) -> Self {
        self.join(other);
        self
    }
}

/// Shapes of the names that comprehensions bind.
type Local<'e> = Vec<(&'e str, Shape)>;

impl FieldReads {
    /// Learns a variable, so that expressions which use it read what it stands for.
    pub fn define(&mut self, name: &str, expression: &Expression) {
        let shape = self.visit(&expression.tree, &mut Vec::new());
        self.variables.insert(name.to_owned(), shape);
    }

    /// Learns an expression whose result is used.
    pub fn read(&mut self, expression: &Expression) {
        let shape = self.visit(&expression.tree, &mut Vec::new());
        self.consume(&shape);
    }

    /// What is read of each root.
    pub fn finish(self) -> BTreeMap<String, Projection> {
        self.roots
    }

    fn branch(&mut self, place: &Place) -> &mut Projection {
        let root = self.roots.entry(place.root.to_string()).or_default();
        place.steps.iter().fold(root, |branch, step| match step {
            Step::Field(name) => branch.fields.entry(name.clone()).or_default(),
            Step::Items => branch.items(),
            Step::Entries => branch.entries(),
        })
    }

    /// The value's presence matters.
    fn touch(&mut self, shape: &Shape) {
        for place in &shape.places {
            self.branch(place);
        }
    }

    /// The value matters, whatever it is.
    fn consume(&mut self, shape: &Shape) {
        for place in &shape.places {
            self.branch(place).all = true;
        }
        if let Some(items) = &shape.items {
            self.consume(items);
        }
    }

    /// Only how many elements, fields or characters it has matters.
    fn measure(&mut self, shape: &Shape) {
        for place in &shape.places {
            self.branch(place).keys = true;
        }
    }

    fn visit<'e>(&mut self, node: &'e IdedExpr, local: &mut Local<'e>) -> Shape {
        match &node.expr {
            Expr::Unspecified | Expr::Literal(_) | Expr::Struct(_) => Shape::default(),
            Expr::Ident(name) => self.name(name, local),
            Expr::Select(select) => {
                let operand = self.visit(&select.operand, local);
                let field = operand.step(&Step::Field(select.field.as_str().into()));
                self.touch(&field);
                if select.test { Shape::default() } else { field }
            }
            Expr::Call(call) => self.call(call, local),
            Expr::List(list) => {
                let mut items = Shape::default();
                for element in &list.elements {
                    items.join(&self.visit(element, local));
                }
                Shape {
                    places: Vec::new(),
                    items: Some(Box::new(items)),
                }
            }
            Expr::Map(map) => {
                // The values of a map literal are kept whole: following them by key is not worth
                // the code.
                for entry in &map.entries {
                    if let EntryExpr::MapEntry(entry) = &entry.expr {
                        let key = self.visit(&entry.key, local);
                        let value = self.visit(&entry.value, local);
                        self.consume(&key);
                        self.consume(&value);
                    }
                }
                Shape::default()
            }
            Expr::Comprehension(comprehension) => self.comprehension(comprehension, local),
        }
    }

    fn name(&mut self, name: &str, local: &Local<'_>) -> Shape {
        if let Some((_, shape)) = local.iter().rev().find(|(bound, _)| *bound == name) {
            return shape.clone();
        }
        if let Some(variable) = name.strip_prefix("variables.") {
            return self.variables.get(variable).cloned().unwrap_or_default();
        }
        if ["params.", "prom.", "readable."]
            .iter()
            .any(|root| name.starts_with(root))
        {
            return Shape::default();
        }
        let shape = Shape::root(name);
        self.touch(&shape);
        shape
    }

    fn call<'e>(&mut self, call: &'e CallExpr, local: &mut Local<'e>) -> Shape {
        let name = call.func_name.as_str();
        let namespaced = super::is_namespaced(call);
        let mut arguments: Vec<(&'e IdedExpr, Shape)> = Vec::new();
        if let Some(target) = &call.target
            && !namespaced
        {
            arguments.push((target, self.visit(target, local)));
        }
        for argument in &call.args {
            let shape = self.visit(argument, local);
            arguments.push((argument, shape));
        }
        let shape = |at: usize| {
            arguments
                .get(at)
                .map(|(_, s)| s.clone())
                .unwrap_or_default()
        };

        match name {
            operators::CONDITIONAL => {
                self.consume(&shape(0));
                shape(1).joined(&shape(2))
            }
            operators::INDEX | operators::OPT_INDEX | operators::OPT_SELECT => {
                let constant = arguments.get(1).and_then(|(node, _)| literal_text(node));
                let step = match constant {
                    Some(field) => vec![Step::Field(field.into())],
                    None if matches!(arguments.get(1), Some((node, _)) if is_number(node)) => {
                        vec![Step::Items]
                    }
                    None => {
                        self.consume(&shape(1));
                        vec![Step::Items, Step::Entries]
                    }
                };
                let mut result = Shape::default();
                for step in &step {
                    result.join(&shape(0).step(step));
                }
                if let Some(items) = shape(0).items {
                    result.join(&items);
                }
                self.touch(&result);
                result
            }
            operators::IN => {
                let container = shape(1);
                self.consume(&shape(0));
                match literal_text(arguments[0].0) {
                    // `'x' in map` asks for one key, `'x' in list` for the elements; the tree
                    // knows which it is only when the object comes.
                    Some(key) => self.touch(&container.step(&Step::Field(key.into()))),
                    None => self.measure(&container),
                }
                self.consume(&container.elements());
                Shape::default()
            }
            prepare::CHARGE | "dyn" | "optional.of" | "value" => shape(0),
            "of" | "ofNonZeroValue" if namespaced => shape(0),
            "first" | "last" => {
                self.measure(&shape(0));
                shape(0).elements()
            }
            "slice" | "reverse" => {
                self.measure(&shape(0));
                shape(0)
            }
            "flatten" if arguments.len() == 1 => {
                let outer = shape(0).elements();
                self.measure(&shape(0));
                self.measure(&outer);
                Shape {
                    places: Vec::new(),
                    items: Some(Box::new(outer.elements().joined(&outer))),
                }
            }
            "or" | "orValue" => shape(0).joined(&shape(1)),
            "hasValue" => Shape::default(),
            "size" => {
                self.measure(&shape(0));
                Shape::default()
            }
            operators::ADD => {
                // Lists keep their elements apart, so that what is read of a sum is what is read
                // of its elements; of anything else that can be added, the value itself is needed.
                let sum = shape(0).joined(&shape(1));
                self.measure(&sum);
                sum
            }
            _ => {
                let known = functions::reads(name);
                for (at, (_, argument)) in arguments.iter().enumerate() {
                    match (&known, at) {
                        (Some(projection), 0) => self.keep(argument, projection),
                        _ => self.consume(argument),
                    }
                }
                Shape::default()
            }
        }
    }

    /// Keeps part of a value.
    fn keep(&mut self, shape: &Shape, projection: &Projection) {
        for place in &shape.places {
            self.branch(place).merge(projection);
        }
        if let Some(items) = &shape.items
            && let Some(projection) = &projection.items
        {
            self.keep(items, projection);
        }
    }

    fn comprehension<'e>(
        &mut self,
        comprehension: &'e ComprehensionExpr,
        local: &mut Local<'e>,
    ) -> Shape {
        let range = self.visit(&comprehension.iter_range, local);
        // Iterating a map gives its keys, iterating an array its elements.
        self.measure(&range);
        let elements = range.elements();
        self.touch(&elements);
        let initial = self.visit(&comprehension.accu_init, local);

        let outer = local.len();
        local.push((&comprehension.iter_var, elements));
        if let Some(second) = &comprehension.iter_var2 {
            let values = range.step(&Step::Entries).joined(&range.elements());
            local.push((second, values));
        }
        local.push((&comprehension.accu_var, initial.clone()));
        let accumulator = local.len() - 1;
        let condition = self.visit(&comprehension.loop_cond, local);
        self.consume(&condition);
        // Twice, so that what the first round puts into the accumulator is seen by the second.
        for _ in 0..2 {
            let step = self.visit(&comprehension.loop_step, local);
            let joined = local[accumulator].1.clone().joined(&step);
            local[accumulator].1 = joined;
        }
        let result = self.visit(&comprehension.result, local);
        local.truncate(outer);
        result
    }
}

fn literal_text(node: &IdedExpr) -> Option<&str> {
    match &node.expr {
        Expr::Literal(LiteralValue::String(text)) => Some(text.inner()),
        _ => None,
    }
}

fn is_number(node: &IdedExpr) -> bool {
    matches!(
        &node.expr,
        Expr::Literal(LiteralValue::Int(_) | LiteralValue::UInt(_))
    )
}
