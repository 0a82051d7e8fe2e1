//! The form that the policies of all engines are read into.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    controls::Control,
    probes::{self, PROBES, Shape},
    scope::Scope,
};
use crate::model::Node;

/// What happens to an object that a policy is against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Action {
    /// Nothing.
    None,
    /// It is written down, or its author warned.
    Audit,
    /// It is refused.
    Block,
}

/// One policy of one engine.
#[derive(Debug)]
pub(super) struct Policy<'a> {
    pub engine: &'static str,
    pub kind: &'a str,
    /// Of policies that live in one.
    pub namespace: Option<&'a str>,
    pub name: &'a str,
    pub parts: Vec<Part<'a>>,
    /// Why it does nothing at all.
    pub broken: Option<String>,
    /// What its author may not know.
    pub notes: Vec<String>,
    /// The controls that its name or its annotation promise.
    pub promised: Vec<Control>,
}

impl Policy<'_> {
    /// What people call it.
    pub fn title(&self) -> String {
        match self.namespace {
            Some(namespace) => format!("{} {namespace}/{}", self.kind, self.name),
            None => format!("{} {}", self.kind, self.name),
        }
    }

    /// What it does in a namespace to the shapes of the probes (by number), and how sternly.
    pub fn effects<'p>(
        &'p self,
        place: &'p Place<'p>,
    ) -> impl Iterator<Item = (&'p Effects, Action)> + 'p {
        self.parts
            .iter()
            .filter(|part| self.broken.is_none() && part.scope.holds(place))
            .map(|part| (&part.effects, part.action(place)))
    }

    /// The controls that it implements.
    pub fn implements(&self) -> BTreeSet<Control> {
        let parts = self.parts.iter();
        parts.flat_map(|part| part.effects.controls()).collect()
    }

    /// The controls that it has to do with: it implements them, completes them, or promises to.
    pub fn about(&self) -> BTreeSet<Control> {
        let effects = || self.parts.iter().map(|part| &part.effects);
        let refused = effects().flat_map(|effects| &effects.refuses);
        let refused = refused.map(|(number, _)| PROBES[*number].control);
        let sees_to = effects().flat_map(|effects| effects.sees_to.keys().copied());
        refused
            .chain(sees_to)
            .chain(self.promised.iter().copied())
            .collect()
    }
}

/// A namespace, as policies see it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    pub name: &'a str,
    pub labels: Option<&'a Node>,
}

/// A rule of a policy.
#[derive(Debug)]
pub(super) struct Part<'a> {
    pub scope: Scope<'a>,
    pub action: Action,
    /// Where it is another: the first that holds counts.
    pub overrides: Vec<(Scope<'a>, Action)>,
    pub effects: Effects,
}

impl Part<'_> {
    fn action(&self, place: &Place<'_>) -> Action {
        let other = self.overrides.iter().find(|(scope, _)| scope.holds(place));
        other.map_or(self.action, |(_, action)| *action)
    }
}

/// What a rule does, apart from where and how sternly.
#[derive(Clone, Debug, Default)]
pub(super) struct Effects {
    /// The probes, by their number, that it refuses in each shape.
    pub refuses: BTreeSet<(usize, Shape)>,
    /// What holds for namespaces and images: in full, or by half and why.
    pub sees_to: BTreeMap<Control, Option<String>>,
    /// Further remarks on what it checks.
    pub notes: Vec<String>,
}

impl Effects {
    /// Of something that is known, or believed, to implement controls.
    pub fn of_controls(controls: impl IntoIterator<Item = Control>, shapes: &[Shape]) -> Self {
        let mut effects = Effects::default();
        for control in controls {
            let mut any = false;
            for (number, _) in numbered(control) {
                effects
                    .refuses
                    .extend(shapes.iter().map(|shape| (number, *shape)));
                any = true;
            }
            if !any {
                effects.sees_to.insert(control, None);
            }
        }
        effects
    }

    /// Of something that can be tried. `accepts` says whether an object of a shape is let
    /// through, or why that cannot be told.
    ///
    /// # Errors
    /// Why it cannot be told: it cannot be tried, or it refuses the good workload.
    pub fn tried(
        shapes: &[Shape],
        registries: &[String],
        accepts: &mut dyn FnMut(Shape, &Node) -> Result<bool, String>,
    ) -> Result<Self, String> {
        let mut effects = Effects::default();
        for shape in shapes {
            let mut good = None;
            for registry in registries {
                if accepts(*shape, &probes::good(*shape, registry))? {
                    good = Some(registry);
                    break;
                }
            }
            let Some(registry) = good else {
                return Err("it refuses a workload that has everything, too".to_owned());
            };
            for (number, probe) in PROBES.iter().enumerate() {
                if !accepts(*shape, &probes::bad(probe, *shape, registry))? {
                    effects.refuses.insert((number, *shape));
                }
            }
            let mut takes = |image: &str| accepts(*shape, &probes::with_image(*shape, image));
            if effects.notes.is_empty()
                && takes("docker.io/library/redis:7.2.4")?
                && !takes("redis:7.2.4")?
            {
                effects.notes.push(
                    "it takes docker.io/library/redis, and refuses redis, which is the same"
                        .to_owned(),
                );
            }
        }
        Ok(effects)
    }

    /// The controls that are at least begun.
    pub fn controls(&self) -> BTreeSet<Control> {
        let refused = self.refuses.iter().map(|(number, _)| &PROBES[*number]);
        let refused = refused
            .filter(|probe| !probe.minor)
            .map(|probe| probe.control);
        refused.chain(self.sees_to.keys().copied()).collect()
    }
}

/// The probes of a control with their numbers.
pub(super) fn numbered(control: Control) -> impl Iterator<Item = (usize, &'static probes::Probe)> {
    let all = PROBES.iter().enumerate();
    all.filter(move |(_, probe)| probe.control == control)
}

/// Why images go unverified, unless all are looked at.
pub(super) fn images_missed(globs: &[&str]) -> Option<String> {
    let all = globs.iter().any(|glob| ["*", "*/*", "**"].contains(glob));
    (!all).then(|| match globs.is_empty() {
        true => "it does not name the images it is about".to_owned(),
        false => format!("it looks at images like {} only", globs.join(", ")),
    })
}
