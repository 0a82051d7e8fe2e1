//! Where a policy holds.

use wildmatch::WildMatch;

use super::policy::Place;
use crate::model::{Node, labels};

/// A set of namespaces.
#[derive(Clone, Debug)]
pub(super) enum Scope<'a> {
    Everywhere,
    /// Those with a name that one of the patterns (`*`, `?`) matches.
    Named(Vec<&'a str>),
    /// Those with labels that a LabelSelector matches.
    Labelled(&'a Node),
    /// Those with this label.
    HasLabel(&'static str, &'static str),
    All(Vec<Scope<'a>>),
    Any(Vec<Scope<'a>>),
    Not(Box<Scope<'a>>),
}

impl Scope<'_> {
    /// No namespace.
    pub const NOWHERE: Self = Scope::Any(Vec::new());

    /// Whether a namespace is in it.
    pub fn holds(&self, place: &Place<'_>) -> bool {
        match self {
            Scope::Everywhere => true,
            Scope::Named(patterns) => {
                let mut patterns = patterns.iter();
                patterns.any(|pattern| WildMatch::new(pattern).matches(place.name))
            }
            Scope::Labelled(selector) => labelled(selector, place),
            Scope::HasLabel(name, value) => {
                let label = place.labels.and_then(|labels| labels.get(name)?.as_str());
                label == Some(*value)
            }
            Scope::All(all) => all.iter().all(|scope| scope.holds(place)),
            Scope::Any(any) => any.iter().any(|scope| scope.holds(place)),
            Scope::Not(scope) => !scope.holds(place),
        }
    }
}

/// Every namespace has its name as a label, whether it is written or not.
fn labelled(selector: &Node, place: &Place<'_>) -> bool {
    const NAME: &str = "kubernetes.io/metadata.name";
    let written = place.labels.and_then(Node::as_map);
    if written.is_some_and(|labels| labels.get(NAME).is_some()) {
        return labels::selects(selector, place.labels);
    }
    let fields = written.into_iter().flat_map(|labels| labels.iter());
    let fields = fields.map(|(name, value)| (name.into(), value.clone()));
    let own = (NAME.into(), Node::String(place.name.into()));
    labels::selects(selector, Some(&Node::Map(fields.chain([own]).collect())))
}
