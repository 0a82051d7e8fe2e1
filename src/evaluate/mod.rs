//! Rules × inventory → verdicts. Pure: the clock is a field of the inventory.

mod attested;
mod bind;
pub mod examples;
mod relations;
mod subjects;

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use num_traits::{One, Zero};

use self::{
    attested::Attested,
    bind::{Bound, Related},
    relations::Relations,
    subjects::{Subjects, Unit},
};
use crate::{
    cel::{self, Bindings, Evaluation, Expression, Failure},
    model::{
        Evidence, Fraction, GroupKind, Inventory, Node, Object, Outcome, Reason, RuleVerdicts,
        SourceKind, SubjectId, Verdict, Verdicts,
    },
    plan,
    rule::{Params, Rule, RuleSet, SubjectKind, Theme},
    scorecard,
};

/// Evaluates every rule on every subject, in parallel over rules.
pub fn evaluate(rules: &RuleSet, params: &Params, inventory: &Inventory) -> Verdicts {
    let subjects = Subjects::of(rules, inventory);
    let relations = Relations::of(rules, inventory);
    let set = rules;
    let rules: Vec<&Rule> = rules.iter().map(|rule| &**rule).collect();
    let empty = BTreeMap::new();

    let next = AtomicUsize::new(0);
    let found = Mutex::new(Vec::with_capacity(rules.len()));
    let work = || {
        while let Some(rule) = rules.get(next.fetch_add(1, Ordering::Relaxed)) {
            let params = params.get(&rule.id).unwrap_or(&empty);
            let verdicts = Judge {
                rule,
                theme: set.theme(&rule.theme),
                params,
                inventory,
                subjects: &subjects,
                relations: &relations,
            }
            .judge();
            if let Ok(mut found) = found.lock() {
                found.push(verdicts);
            }
        }
    };
    std::thread::scope(|scope| {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        for _ in 0..threads {
            let builder = std::thread::Builder::new()
                .name("evaluate".to_owned())
                .stack_size(cel::EVALUATION_STACK);
            // Without a thread of our own the caller's does the work.
            if builder.spawn_scoped(scope, work).is_err() {
                work();
            }
        }
    });
    let mut found = found.into_inner().unwrap_or_default();
    found.sort_by(|a: &RuleVerdicts, b| a.rule.cmp(&b.rule));
    Verdicts {
        subjects: subjects.into_list(),
        rules: found,
    }
}

/// Why a source cannot answer a rule at all, if it cannot.
///
/// Manifests have no status, no server and no view of the whole cluster, so what a rule reads says
/// whether they can answer; the rule file may know better.
fn not_assessable(rule: &Rule, inventory: &Inventory) -> Option<String> {
    let source = inventory.source;
    if source != SourceKind::Manifests || rule.manifests == Some(true) {
        return None;
    }
    if rule.manifests == Some(false) {
        return Some("manifests alone cannot answer it".to_owned());
    }
    if matches!(rule.subject, SubjectKind::Cluster) {
        return Some("it is about the whole cluster".to_owned());
    }
    if rule.subject == SubjectKind::Attestation && inventory.attestations.is_empty() {
        return Some("it is attested of a cluster".to_owned());
    }
    if !rule.promql.is_empty() {
        return Some("it asks a Prometheus".to_owned());
    }
    let reads = plan::rule_reads(rule);
    if reads.contains_key("server") {
        return Some("it asks for the server's version".to_owned());
    }
    let reads_status = reads.iter().any(|(root, projection)| {
        let fields = match rule.with.contains_key(root) {
            true => projection.items.as_deref(),
            false => (root == "object").then_some(projection),
        };
        fields.is_some_and(|fields| fields.fields.contains_key("status"))
    });
    if reads_status {
        return Some("it reads status, which only a cluster has".to_owned());
    }
    let runtime_only = |group: &str, kind: &str| {
        matches!(
            (group, kind),
            ("", "Node" | "Event" | "Endpoints") | ("discovery.k8s.io", "EndpointSlice")
        )
    };
    let kinds = match &rule.subject {
        SubjectKind::Kinds(kinds) => &kinds[..],
        _ => &[],
    };
    kinds
        .iter()
        .chain(rule.with.values().map(|relation| &relation.kind))
        .find(|query| runtime_only(&query.group, &query.kind))
        .map(|query| format!("{} objects exist only in a cluster", query.kind))
}

/// One rule at work.
struct Judge<'a> {
    rule: &'a Rule,
    theme: Option<&'a Theme>,
    params: &'a BTreeMap<String, Node>,
    inventory: &'a Inventory,
    subjects: &'a Subjects<'a>,
    relations: &'a Relations<'a>,
}

/// What the rule finds of one subject, or of one container of it.
struct Finding {
    outcome: Outcome,
    credit: Fraction,
    message: Option<String>,
    inert: bool,
    unread: Vec<GroupKind>,
}

impl Finding {
    fn plain(outcome: Outcome) -> Self {
        Finding {
            outcome,
            credit: match outcome {
                Outcome::Pass => Fraction::one(),
                _ => Fraction::zero(),
            },
            message: None,
            inert: false,
            unread: Vec::new(),
        }
    }
}

impl<'a> Judge<'a> {
    fn judge(&self) -> RuleVerdicts {
        let mut result = RuleVerdicts {
            rule: self.rule.id.clone(),
            verdicts: Vec::new(),
            unread: Vec::new(),
            not_assessable: not_assessable(self.rule, self.inventory),
            min_ratio: self.params.get("minRatio").and_then(scorecard::exact),
            tolerance: match self.params.get("tolerance") {
                Some(Node::Int(tolerance)) => u32::try_from(*tolerance).unwrap_or(0),
                _ => 0,
            },
        };
        if result.not_assessable.is_some() {
            return result;
        }
        result.unread = self.subjects.unread(&self.rule.subject, self.inventory);
        let mut bound = bind::bind_rule(self.rule, self.theme, self.params, self.inventory);
        let days = self.params.get("attestationDays");
        let attested = Attested::of(self.rule, days, self.inventory);
        if self.rule.attestation.is_some() {
            bound.bind_attestations(&attested);
        }
        let shared = self.relations.shared(self.rule);
        let reads = plan::rule_reads(self.rule);
        let needs_status = reads
            .get("object")
            .is_some_and(|o| o.fields.contains_key("status"));
        for (id, unit) in self.subjects.units(&self.rule.subject) {
            if needs_status && self.is_yet_to_come(unit) {
                result
                    .verdicts
                    .push(verdict(id, Finding::plain(Outcome::NotApplicable)));
                continue;
            }
            let verdict = match self.rule.subject {
                SubjectKind::Container => self.judge_containers(id, unit, &bound, &shared),
                SubjectKind::Attestation => {
                    let finding = self.judge_practice(unit, &bound, &shared, &attested);
                    verdict(id, finding)
                }
                _ => {
                    let mut finding = self.judge_unit(unit, &bound, &shared);
                    if finding.outcome == Outcome::Unknown {
                        let subject = self.subjects.subject(id);
                        finding = attested.fill_in(self.rule, subject, finding);
                    }
                    verdict(id, finding)
                }
            };
            result.verdicts.push(verdict);
        }
        result
    }

    /// One failing container fails its workload.
    fn judge_containers(
        &self,
        id: SubjectId,
        unit: &Unit<'a>,
        bound: &Bound,
        shared: &Related<'a>,
    ) -> Verdict {
        let mut folded = Finding::plain(Outcome::NotApplicable);
        let mut messages = Vec::new();
        let related = self.relations.of_unit(self.rule, unit);
        let mut bindings = self.bindings(unit, bound, shared, &related);
        for (map, role) in bind::containers(unit) {
            bindings.rebind("container", cel::container(map, role));
            let finding = self.find(unit, &bindings);
            if matches!(finding.outcome, Outcome::NotApplicable) {
                continue;
            }
            messages.extend(finding.message.clone());
            folded.inert |= finding.inert;
            folded.unread.extend(finding.unread.iter().cloned());
            folded.credit = match folded.outcome {
                Outcome::NotApplicable => finding.credit,
                _ => folded.credit.min(finding.credit),
            };
            if rank(finding.outcome) > rank(folded.outcome) {
                folded.outcome = finding.outcome;
            }
        }
        if folded.outcome == Outcome::Unknown || folded.outcome == Outcome::Error {
            folded.credit = Fraction::zero();
        }
        folded.unread.sort();
        folded.unread.dedup();
        let mut verdict = verdict(id, folded);
        if !messages.is_empty() {
            messages.dedup();
            verdict.evidence.get_or_insert_default().messages =
                messages.into_iter().map(Into::into).collect();
        }
        verdict
    }

    /// Whether an overlay brings the object, so that nothing is known yet of how it fares.
    fn is_yet_to_come(&self, unit: &Unit<'_>) -> bool {
        let overlaid =
            |object: &Object| object.place.is_some() && object.root.get("status").is_none();
        self.inventory.source != SourceKind::Manifests && unit.object.is_some_and(overlaid)
    }

    /// A practice is what its newest attestation says, if the rule accepts that.
    fn judge_practice(
        &self,
        unit: &Unit<'a>,
        bound: &Bound,
        shared: &Related<'a>,
        attested: &Attested<'a>,
    ) -> Finding {
        if !attested.valid.is_empty() {
            return attested.practice(self.judge_unit(unit, bound, shared));
        }
        let related = self.relations.of_unit(self.rule, unit);
        let bindings = self.bindings(unit, bound, shared, &related);
        let mut evaluation = Evaluation::new(&bindings, &self.rule.variables);
        match self.rule.when.as_ref().map(|when| evaluation.truth(when)) {
            Some(Ok(false)) => Finding::plain(Outcome::NotApplicable),
            Some(Err(Failure::Unread)) => Finding {
                unread: self.unread(unit),
                ..attested.nothing(self.rule)
            },
            _ => attested.nothing(self.rule),
        }
    }

    /// Kinds that would have to be readable for an answer.
    fn unread(&self, unit: &Unit<'a>) -> Vec<GroupKind> {
        let mut kinds = self.relations.unread(self.rule, unit);
        let queries = plan::query_kind().group_kind();
        let unanswered = self.inventory.state(&queries).unreadable().is_some();
        if !self.rule.promql.is_empty() && unanswered {
            kinds.push(queries);
        }
        kinds
    }

    fn judge_unit(&self, unit: &Unit<'a>, bound: &Bound, shared: &Related<'a>) -> Finding {
        let related = self.relations.of_unit(self.rule, unit);
        self.find(unit, &self.bindings(unit, bound, shared, &related))
    }

    /// What the names in the rule stand for, for one subject.
    fn bindings<'b>(
        &self,
        unit: &Unit<'a>,
        bound: &'b Bound,
        shared: &'b Related<'a>,
        related: &'b Related<'a>,
    ) -> Bindings<'b>
    where
        'a: 'b,
    {
        let mut bindings = Bindings::default();
        bound.lend_to(&mut bindings);
        shared.lend_to(&mut bindings);
        related.lend_to(&mut bindings);
        bind::bind_unit(unit, &mut bindings);
        bindings
    }

    fn find(&self, unit: &Unit<'a>, bindings: &Bindings<'_>) -> Finding {
        let mut evaluation = Evaluation::new(bindings, &self.rule.variables);
        let unread = || self.unread(unit);
        let failed = |failure: Failure| match failure {
            Failure::Unread => Finding {
                unread: unread(),
                ..Finding::plain(Outcome::Unknown)
            },
            Failure::Unknown(reason) => Finding {
                message: Some(reason),
                ..Finding::plain(Outcome::Unknown)
            },
            Failure::Failed(message) => Finding {
                message: Some(message),
                ..Finding::plain(Outcome::Error)
            },
        };
        if let Some(when) = &self.rule.when {
            match evaluation.truth(when) {
                Ok(true) => {}
                Ok(false) => return Finding::plain(Outcome::NotApplicable),
                Err(failure) => return failed(failure),
            }
        }
        match evaluation.truth(&self.rule.expression) {
            Ok(true) => return Finding::plain(Outcome::Pass),
            Ok(false) => {}
            Err(failure) => return failed(failure),
        }
        let mut finding = Finding::plain(Outcome::Fail);
        let mut message = self.rule.message.as_ref();
        for partial in &self.rule.partial {
            match evaluation.truth(&partial.expression) {
                Ok(true) => {
                    finding.credit = partial.credit;
                    message = partial.message.as_ref().or(message);
                    break;
                }
                Ok(false) => {}
                Err(failure) => return failed(failure),
            }
        }
        finding.message = message.map(|message| say(&mut evaluation, message));
        finding.inert = match &self.rule.inert {
            // A failure to tell whether the thing is inert does not change that the rule fails.
            Some(inert) => evaluation.truth(inert).unwrap_or(false),
            None => false,
        };
        finding
    }
}

/// Evaluates a message. The failure of a message costs the message, not the verdict.
fn say<'v>(evaluation: &mut Evaluation<'v>, message: &'v Expression) -> String {
    match evaluation.text(message) {
        Ok(text) => text,
        Err(Failure::Unread) => "its message needs a list that could not be read".to_owned(),
        Err(Failure::Unknown(reason)) => reason,
        Err(Failure::Failed(error)) => format!("its message failed: {error}"),
    }
}

fn verdict(subject: SubjectId, finding: Finding) -> Verdict {
    let evidence = Evidence {
        messages: finding.message.into_iter().map(Into::into).collect(),
        reason: finding.inert.then_some(Reason::InstalledButInert),
        unread: finding.unread,
    };
    Verdict {
        subject,
        outcome: finding.outcome,
        credit: finding.credit,
        evidence: (evidence != Evidence::default()).then(|| Box::new(evidence)),
    }
}

/// Which outcome wins where the containers of a workload differ: what was seen to fail, then what
/// could not be seen.
fn rank(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::NotApplicable => 0,
        Outcome::Pass => 1,
        Outcome::Attested => 2,
        Outcome::Unknown => 3,
        Outcome::Error => 4,
        Outcome::Fail => 5,
    }
}
