//! The arguments, as typed.

use std::{path::PathBuf, str::FromStr};

use clap::{
    ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum,
    builder::BoolishValueParser, error::ErrorKind, parser::ValueSource,
};
use jiff::{Timestamp, civil::Date};

use super::{
    exit,
    output::{self, Output, OutputParser},
};
use crate::{
    audit::Options,
    model::{Category, Fraction, Severity},
    score::{Points, Target},
    scorecard::{self, Thresholds},
    source::{
        Source,
        attestations::AttestationSource,
        cluster::ClusterOptions,
        overlay::{Deletion, Overlay},
        prometheus::{Address, PrometheusOptions},
    },
};

/// Scores how ready a Kubernetes cluster is, from 0 to 100, with evidence for every point.
#[derive(Debug, Parser)]
#[command(
    name = "seaworthy",
    version,
    propagate_version = true,
    max_term_width = 100,
    after_help = exit::HELP
)]
pub struct Arguments {
    #[command(subcommand)]
    pub command: Command,
}

impl Arguments {
    /// Reads the arguments of the process.
    ///
    /// # Errors
    /// They make no sense, or only ask for help or the version.
    pub fn read() -> Result<Arguments, clap::Error> {
        // What the environment holds is nobody's business who only asks for help.
        let shy = |command: clap::Command| command.mut_args(|arg| arg.hide_env_values(true));
        let matches = Arguments::command()
            .mut_subcommands(|command| shy(command).mut_subcommands(shy))
            .try_get_matches()?;
        let mut arguments = Arguments::from_arg_matches(&matches)?;
        if let Some((name, typed)) = matches.subcommand() {
            arguments.command.settle(typed).map_err(|message| {
                let mut command = Arguments::command();
                command.build();
                command
                    .find_subcommand_mut(name)
                    .unwrap_or(&mut Arguments::command())
                    .error(ErrorKind::ArgumentConflict, message)
            })?;
        }
        Ok(arguments)
    }
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Audits a cluster, a snapshot or manifests
    Audit(AuditArgs),
    /// Finds the cheapest fixes that reach a score or a level
    Plan(PlanArgs),
    /// Shows what moved the score between two reports, snapshots or states of a cluster
    Diff(DiffArgs),
    /// Saves what an audit would read to a file, without judging it
    Snapshot(SnapshotArgs),
    /// Explains a rule; with a source, also what it finds there
    Explain(ExplainArgs),
    /// Lists, checks, tests and documents rules
    #[command(subcommand)]
    Rules(RulesCommand),
    /// Lists and shows scorecards
    #[command(subcommand)]
    Scorecards(ScorecardsCommand),
    /// Writes an attestation: what somebody signs for that no API shows
    Attest(AttestArgs),
    /// Prints the least-privilege ClusterRole that the chosen rules need
    Rbac(RbacArgs),
    /// Prints the JSON Schema of a file format, for editors
    Schema(SchemaArgs),
    /// Prints a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Prints the man page, or writes one for each command into a folder
    Man {
        /// Folder to write to, such as /usr/local/share/man/man1
        folder: Option<PathBuf>,
    },
}

impl Command {
    fn settle(&mut self, matches: &ArgMatches) -> Result<(), String> {
        match self {
            Command::Audit(arguments) => {
                output::check(&arguments.output)?;
                arguments.clock.settle()?;
                arguments.source.settle(matches)
            }
            Command::Snapshot(arguments) => {
                arguments.clock.settle()?;
                arguments.source.settle(matches)
            }
            Command::Diff(arguments) => {
                arguments.settle()?;
                arguments.clock.settle()?;
                arguments.source.settle(matches)
            }
            Command::Plan(arguments) => {
                arguments.clock.settle()?;
                arguments.source.settle(matches)
            }
            Command::Explain(arguments) => {
                arguments.clock.settle()?;
                arguments.source.settle(matches)
            }
            _ => Ok(()),
        }
    }
}

/// Where the objects come from.
#[derive(Args, Debug)]
#[command(next_help_heading = "Source")]
pub struct SourceArgs {
    /// Kubeconfig file; otherwise $KUBECONFIG, ~/.kube/config, or the pod's service account
    #[arg(long, value_name = "FILE", env = "SEAWORTHY_KUBECONFIG")]
    kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig
    #[arg(long, value_name = "NAME", env = "SEAWORTHY_CONTEXT")]
    context: Option<String>,
    /// Namespaces to read one by one where the whole cluster may not be listed; may be repeated
    #[arg(
        short,
        long = "namespace",
        visible_alias = "namespaces",
        value_name = "NS",
        env = "SEAWORTHY_NAMESPACE",
        value_delimiter = ','
    )]
    namespaces: Vec<String>,
    /// Longest time for reading the cluster, in seconds
    #[arg(
        long,
        value_name = "SECONDS",
        env = "SEAWORTHY_TIMEOUT",
        default_value_t = 300
    )]
    timeout: u64,
    /// Snapshot file instead of a cluster
    #[arg(long, value_name = "FILE", env = "SEAWORTHY_SNAPSHOT")]
    snapshot: Option<PathBuf>,
    /// Manifest files and folders instead of a cluster; `-` is standard input
    #[arg(long, value_name = "PATH", env = "SEAWORTHY_MANIFESTS", num_args = 1.., value_delimiter = ',')]
    manifests: Vec<PathBuf>,
    /// The snapshot inside the program, to try it without a cluster
    #[arg(long, env = "SEAWORTHY_DEMO", value_parser = BoolishValueParser::new())]
    demo: bool,
    /// Prometheus to ask: a URL, or NAMESPACE/SERVICE:PORT to go through the API server
    #[arg(long, value_name = "ADDRESS", env = "SEAWORTHY_PROMETHEUS")]
    prometheus: Option<Address>,
    /// File with a bearer token for the Prometheus
    #[arg(long, value_name = "FILE", env = "SEAWORTHY_PROMETHEUS_TOKEN_FILE", requires = "prometheus", value_parser = token)]
    prometheus_token_file: Option<Token>,
    /// Manifests to lay over the source, as if they were applied; may be repeated
    #[arg(
        long,
        value_name = "PATH",
        env = "SEAWORTHY_OVERLAY",
        value_delimiter = ','
    )]
    overlay: Vec<PathBuf>,
    /// Objects to leave out, as if they were deleted: Kind/namespace/name; may be repeated
    #[arg(
        long,
        value_name = "OBJECT",
        env = "SEAWORTHY_OVERLAY_DELETE",
        value_delimiter = ','
    )]
    overlay_delete: Vec<Deletion>,
}

/// A token, which is never shown.
#[derive(Clone)]
pub struct Token(String);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token")
    }
}

/// Reads a file that holds a token.
fn token(path: &str) -> Result<Token, String> {
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string())?;
    match text.trim() {
        "" => Err("it is empty".to_owned()),
        text => Ok(Token(text.to_owned())),
    }
}

/// Flags by which a source is told, and which source they tell.
const SOURCES: [(&str, &str); 5] = [
    ("kubeconfig", "cluster"),
    ("context", "cluster"),
    ("snapshot", "snapshot"),
    ("manifests", "manifests"),
    ("demo", "demo"),
];

impl SourceArgs {
    /// Makes the flags tell one source. What is typed wins over the environment, so that an
    /// exported `SEAWORTHY_SNAPSHOT` does not stand in the way of `--demo`.
    ///
    /// # Errors
    /// The flags, or else the environment, name several sources.
    pub fn settle(&mut self, matches: &ArgMatches) -> Result<(), String> {
        let mut told: Vec<(&str, &str)> = Vec::new();
        for wanted in [ValueSource::CommandLine, ValueSource::EnvVariable] {
            let from = |flag: &str| match flag {
                "demo" if !self.demo => None,
                flag => matches.value_source(flag),
            };
            told = SOURCES
                .into_iter()
                .filter(|(flag, _)| from(flag) == Some(wanted))
                .collect();
            if !told.is_empty() {
                break;
            }
        }
        let Some((first, source)) = told.first().copied() else {
            return Ok(());
        };
        if let Some((other, _)) = told.iter().find(|(_, other)| *other != source) {
            return Err(format!(
                "--{first} and --{other} name different sources; give one"
            ));
        }
        if source != "cluster"
            && matches.value_source("namespaces") == Some(ValueSource::CommandLine)
        {
            return Err(format!(
                "--namespace is for clusters, and --{first} is none"
            ));
        }
        if source != "cluster" {
            (self.kubeconfig, self.context) = (None, None);
            self.namespaces.clear();
        }
        if source != "snapshot" {
            self.snapshot = None;
        }
        if source != "manifests" {
            self.manifests.clear();
        }
        self.demo &= source == "demo";
        Ok(())
    }

    /// Whether a source was named, rather than left to the kubeconfig.
    pub fn is_named(&self) -> bool {
        self.demo
            || self.snapshot.is_some()
            || !self.manifests.is_empty()
            || self.kubeconfig.is_some()
            || self.context.is_some()
    }

    /// What is laid over the source.
    pub fn overlay(&self) -> Overlay {
        Overlay {
            apply: self.overlay.clone(),
            delete: self.overlay_delete.clone(),
        }
    }

    /// The Prometheus that is meant.
    pub fn prometheus(&self) -> Option<PrometheusOptions> {
        Some(PrometheusOptions {
            address: self.prometheus.clone()?,
            token: self.prometheus_token_file.clone().map(|token| token.0),
        })
    }

    /// The source that is meant.
    pub fn source(&self) -> Source {
        if self.demo {
            return Source::Demo;
        }
        if let Some(file) = &self.snapshot {
            return Source::Snapshot(file.clone());
        }
        if !self.manifests.is_empty() {
            return Source::Manifests(self.manifests.clone());
        }
        let defaults = ClusterOptions::default();
        let total = std::time::Duration::from_secs(self.timeout.max(1));
        Source::Live(Box::new(ClusterOptions {
            kubeconfig: self.kubeconfig.clone(),
            context: self.context.clone(),
            namespaces: self.namespaces.clone(),
            list_deadline: defaults.list_deadline.min(total),
            total_deadline: total,
            ..defaults
        }))
    }
}

/// Which rules, and what they are worth.
#[derive(Args, Debug)]
#[command(next_help_heading = "Yardstick")]
pub struct YardstickArgs {
    /// Scorecard: a name (see `scorecards list`) or a file
    #[arg(
        long,
        value_name = "NAME|FILE",
        env = "SEAWORTHY_SCORECARD",
        default_value = "platform-stack"
    )]
    scorecard: String,
    /// Profile whose parameters hold: dev, staging or prod
    #[arg(long, value_name = "PROFILE", env = "SEAWORTHY_PROFILE")]
    profile: Option<String>,
    /// Waivers: accepted failures with owner, reason and expiry
    #[arg(long, value_name = "FILE", env = "SEAWORTHY_WAIVERS")]
    waivers: Option<PathBuf>,
    /// Attestations: what people have signed for that no API shows; a file, or
    /// configmap:NAMESPACE/NAME of the cluster
    #[arg(long, value_name = "FILE", env = "SEAWORTHY_ATTESTATIONS")]
    attestations: Option<AttestationSource>,
    #[command(flatten)]
    pub rules: RuleArgs,
}

/// Which rules.
#[derive(Args, Debug)]
pub struct RuleArgs {
    /// Directory with rules of your own, as <category>/<theme>/<id>.yaml
    #[arg(
        long = "rules",
        value_name = "DIR",
        env = "SEAWORTHY_RULES",
        value_delimiter = ','
    )]
    pub directories: Vec<PathBuf>,
    /// Only these rules, themes or categories
    #[arg(
        long,
        value_name = "NAME",
        env = "SEAWORTHY_ONLY",
        value_delimiter = ','
    )]
    pub only: Vec<String>,
    /// All but these rules, themes or categories
    #[arg(
        long,
        value_name = "NAME",
        env = "SEAWORTHY_SKIP",
        value_delimiter = ','
    )]
    pub skip: Vec<String>,
}

/// The clock.
#[derive(Args, Debug)]
pub struct ClockArgs {
    /// Clock of the audit, as RFC 3339, instead of the source's; $SOURCE_DATE_EPOCH works, too
    #[arg(long, value_name = "TIME", env = "SEAWORTHY_NOW")]
    now: Option<Timestamp>,
}

impl ClockArgs {
    /// Takes the clock of reproducible builds where no other is given.
    ///
    /// # Errors
    /// It is not a number of seconds. A clock that was meant and not used would change the score.
    fn settle(&mut self) -> Result<(), String> {
        let Some(epoch) = std::env::var_os("SOURCE_DATE_EPOCH").filter(|_| self.now.is_none())
        else {
            return Ok(());
        };
        let seconds = epoch.to_str().and_then(|text| text.parse().ok());
        self.now = seconds.and_then(|seconds| Timestamp::from_second(seconds).ok());
        match self.now {
            Some(_) => Ok(()),
            None => Err(format!(
                "SOURCE_DATE_EPOCH is {epoch:?}, not a number of seconds since 1970"
            )),
        }
    }

    /// The clock that was asked for.
    pub fn now(&self) -> Option<Timestamp> {
        self.now
    }
}

/// Thresholds for a pipeline.
#[derive(Args, Debug)]
#[command(next_help_heading = "Gate")]
pub struct GateArgs {
    /// Least score, of everything or of a category: 80, security=70; may be repeated
    #[arg(
        long,
        value_name = "[CATEGORY=]N",
        env = "SEAWORTHY_MIN_SCORE",
        value_delimiter = ','
    )]
    min_score: Vec<MinScore>,
    /// Lowest level, such as Production-ready
    #[arg(long, value_name = "LEVEL", env = "SEAWORTHY_MIN_LEVEL")]
    min_level: Option<String>,
    /// No open gap of this severity or a worse one: critical, high, medium, low
    #[arg(long, value_name = "SEVERITY", env = "SEAWORTHY_FAIL_ON")]
    fail_on: Option<Severity>,
    /// Least share of the points that could be assessed, in per cent
    #[arg(long, value_name = "PERCENT", env = "SEAWORTHY_MIN_COVERAGE", value_parser = percentage)]
    min_coverage: Option<Fraction>,
    /// Report in JSON or snapshot to compare with
    #[arg(long, value_name = "FILE", env = "SEAWORTHY_BASELINE")]
    pub baseline: Option<PathBuf>,
    /// Most points that the score may be below the baseline's
    #[arg(long, value_name = "N", env = "SEAWORTHY_MAX_DROP", value_parser = percentage)]
    max_drop: Option<Fraction>,
    /// Nothing may fail that did not fail in the baseline
    #[arg(long, env = "SEAWORTHY_NO_NEW_FAILURES", value_parser = BoolishValueParser::new())]
    no_new_failures: bool,
    /// Judge nothing, not even by the scorecard's own gate
    #[arg(long, env = "SEAWORTHY_NO_GATE", value_parser = BoolishValueParser::new())]
    no_gate: bool,
}

impl GateArgs {
    /// The thresholds that are meant: those given, and else those of the scorecard.
    pub fn thresholds(&self, scorecard: &Thresholds) -> Thresholds {
        if self.no_gate {
            return Thresholds::default();
        }
        let mut gate = Thresholds {
            min_level: self.min_level.clone(),
            fail_on: self.fail_on,
            min_coverage: self.min_coverage.map(|percent| percent / 100),
            max_drop: self.max_drop,
            no_new_failures: self.no_new_failures,
            ..Thresholds::default()
        };
        for least in &self.min_score {
            match least.category {
                Some(category) => drop(gate.min_category.insert(category, least.score)),
                None => gate.min_score = Some(least.score),
            }
        }
        gate.or(scorecard)
    }
}

/// A least score, of everything or of a category.
#[derive(Clone, Debug)]
struct MinScore {
    category: Option<Category>,
    score: Fraction,
}

impl FromStr for MinScore {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (category, score) = match text.split_once('=') {
            Some((category, score)) => {
                let category = category.parse::<Category>();
                (Some(category.map_err(|error| error.to_string())?), score)
            }
            None => (None, text),
        };
        let score = percentage(score)?;
        Ok(MinScore { category, score })
    }
}

/// A decimal between 0 and 100.
fn percentage(text: &str) -> Result<Fraction, String> {
    scorecard::decimal(text)
        .filter(|number| *number <= Fraction::from_integer(100))
        .ok_or_else(|| format!("`{text}` is no number from 0 to 100"))
}

#[derive(Args, Debug)]
#[command(after_help = "Examples:
  seaworthy audit --demo                         try it without a cluster
  seaworthy audit                                the current context of your kubeconfig
  seaworthy audit --context prod --scorecard prod
  helm template my-chart | seaworthy audit --manifests -
  seaworthy audit -o table -o json=report.json -o sarif=out.sarif -o junit=junit.xml
  seaworthy audit --min-score 80 --min-score security=70 --fail-on critical")]
pub struct AuditArgs {
    #[command(flatten)]
    pub source: SourceArgs,
    #[command(flatten)]
    pub yardstick: YardstickArgs,
    #[command(flatten)]
    pub clock: ClockArgs,
    #[command(flatten)]
    pub gate: GateArgs,
    /// Format, and the file it goes to; may be repeated, once without a file
    #[arg(
        short,
        long,
        help_heading = "Output",
        value_name = "FORMAT[=FILE]",
        env = "SEAWORTHY_OUTPUT",
        value_delimiter = ',',
        value_parser = OutputParser,
        default_value = "table"
    )]
    pub output: Vec<Output>,
    /// Every gap instead of the ten costliest
    #[arg(long, help_heading = "Output", env = "SEAWORTHY_ALL", value_parser = BoolishValueParser::new())]
    pub all: bool,
    /// Nothing on standard error but failures
    #[arg(short, long, help_heading = "Output", env = "SEAWORTHY_QUIET", value_parser = BoolishValueParser::new())]
    pub quiet: bool,
}

impl AuditArgs {
    /// What is meant.
    pub fn options(&self) -> Options {
        options(&self.source, &self.yardstick, &self.clock)
    }
}

/// What an audit's arguments mean.
pub fn options(source: &SourceArgs, yardstick: &YardstickArgs, clock: &ClockArgs) -> Options {
    Options {
        rules: yardstick.rules.directories.clone(),
        only: yardstick.rules.only.clone(),
        skip: yardstick.rules.skip.clone(),
        scorecard: yardstick.scorecard.clone(),
        profile: yardstick.profile.clone(),
        waivers: yardstick.waivers.clone(),
        attestations: yardstick.attestations.clone(),
        source: source.source(),
        prometheus: source.prometheus(),
        overlay: source.overlay(),
        now: clock.now(),
    }
}

#[derive(Args, Debug)]
#[command(
    after_help = "Secret data is never read. Environment values and ConfigMap entries are replaced by their class
(empty, literal, credential) before anything is written."
)]
pub struct SnapshotArgs {
    #[command(flatten)]
    pub source: SourceArgs,
    #[command(flatten)]
    pub rules: RuleArgs,
    #[command(flatten)]
    pub clock: ClockArgs,
    /// File to write
    #[arg(short, long, help_heading = "Output", value_name = "FILE")]
    pub output: PathBuf,
    /// Whole objects rather than the fields that rules read
    #[arg(long, help_heading = "Output", env = "SEAWORTHY_FULL", value_parser = BoolishValueParser::new())]
    pub full: bool,
    /// Nothing on standard error but failures
    #[arg(short, long, help_heading = "Output", env = "SEAWORTHY_QUIET", value_parser = BoolishValueParser::new())]
    pub quiet: bool,
}

#[derive(Args, Debug)]
#[command(after_help = "Example:
  seaworthy attest restore-tested --by jane@example.com --evidence restore.log --append attestations.yaml")]
pub struct AttestArgs {
    /// The rule whose statement is signed
    pub rule: String,
    /// Who signs
    #[arg(long, value_name = "NAME", env = "SEAWORTHY_BY")]
    pub by: String,
    /// The day on which it was found to be so; today unless given
    #[arg(long, value_name = "DATE")]
    pub at: Option<Date>,
    /// The last day on which it holds; as late as the rule's strictest profile allows unless given
    #[arg(long, value_name = "DATE")]
    pub expires: Option<Date>,
    /// What it is about, where not the whole cluster: a namespace, a repository
    #[arg(long, value_name = "SCOPE")]
    pub scope: Option<String>,
    /// Proof: a URI, URI#sha256=DIGEST, or a file whose digest is taken; may be repeated
    #[arg(long, value_name = "URI|FILE")]
    pub evidence: Vec<String>,
    /// What else the rule asks for; a value may be JSON; may be repeated
    #[arg(long = "detail", value_name = "NAME=VALUE")]
    pub details: Vec<String>,
    /// The statement was found not to hold
    #[arg(long)]
    pub fails: bool,
    /// Directory with rules of your own
    #[arg(
        long = "rules",
        value_name = "DIR",
        env = "SEAWORTHY_RULES",
        value_delimiter = ','
    )]
    pub rules: Vec<PathBuf>,
    /// File to add the attestation to, instead of standard output
    #[arg(long, value_name = "FILE")]
    pub append: Option<PathBuf>,
}

#[derive(Args, Debug)]
#[command(after_help = "Examples:
  seaworthy plan --target 92
  seaworthy plan --target Enterprise-grade --exclude ha-control-plane
  seaworthy plan --effort-budget 10 -o markdown")]
pub struct PlanArgs {
    #[command(flatten)]
    pub source: SourceArgs,
    #[command(flatten)]
    pub yardstick: YardstickArgs,
    #[command(flatten)]
    pub clock: ClockArgs,
    /// Score of 100, or level with all its gates; the scorecard's own target unless given
    #[arg(long, value_name = "N|LEVEL", env = "SEAWORTHY_TARGET")]
    target: Option<String>,
    /// The most effort to spend: S counts 1, M 3 and L 8
    #[arg(long, value_name = "N", env = "SEAWORTHY_EFFORT_BUDGET")]
    pub effort_budget: Option<u32>,
    /// Rules that will not be fixed
    #[arg(
        long,
        value_name = "RULE",
        env = "SEAWORTHY_EXCLUDE",
        value_delimiter = ','
    )]
    pub exclude: Vec<String>,
    /// Format: table, markdown or json
    #[arg(
        short,
        long,
        help_heading = "Output",
        value_name = "FORMAT",
        env = "SEAWORTHY_OUTPUT",
        value_enum,
        default_value = "table"
    )]
    pub output: PlanFormat,
    /// Every subject of each step instead of the first few
    #[arg(long, help_heading = "Output", env = "SEAWORTHY_ALL", value_parser = BoolishValueParser::new())]
    pub all: bool,
    /// Nothing on standard error but failures
    #[arg(short, long, help_heading = "Output", env = "SEAWORTHY_QUIET", value_parser = BoolishValueParser::new())]
    pub quiet: bool,
}

impl PlanArgs {
    /// What is meant.
    pub fn options(&self) -> Options {
        options(&self.source, &self.yardstick, &self.clock)
    }

    /// Where the plan should lead.
    pub fn target(&self, scorecard: &scorecard::Scorecard) -> Target {
        let points = |fraction: Fraction| {
            Target::Score(Points::new(
                (*fraction.numer()).into(),
                (*fraction.denom()).into(),
            ))
        };
        match &self.target {
            None => points(scorecard.target),
            Some(text) => match scorecard::decimal(text) {
                Some(score) => points(score),
                None => Target::Level(text.clone()),
            },
        }
    }
}

#[derive(Args, Debug)]
#[command(after_help = "Examples:
  seaworthy diff monday.json friday.json          two reports (audit -o json)
  seaworthy diff before.snap after.snap           two snapshots, by the same yardstick
  seaworthy diff last-week.json --context prod    a report and the live cluster
  seaworthy diff --overlay manifests/ -o markdown what a pull request would change")]
pub struct DiffArgs {
    /// Report in JSON or snapshot to start from; without it, --overlay is compared with its base
    pub old: Option<PathBuf>,
    /// Report in JSON or snapshot to compare with; the source unless given
    pub new: Option<PathBuf>,
    #[command(flatten)]
    pub source: SourceArgs,
    #[command(flatten)]
    pub yardstick: YardstickArgs,
    #[command(flatten)]
    pub clock: ClockArgs,
    /// Format: table, markdown or json
    #[arg(
        short,
        long,
        help_heading = "Output",
        value_name = "FORMAT",
        env = "SEAWORTHY_OUTPUT",
        value_enum,
        default_value = "table"
    )]
    pub output: PlanFormat,
    /// Every subject of each rule instead of the first few
    #[arg(long, help_heading = "Output", env = "SEAWORTHY_ALL", value_parser = BoolishValueParser::new())]
    pub all: bool,
    /// Nothing on standard error but failures
    #[arg(short, long, help_heading = "Output", env = "SEAWORTHY_QUIET", value_parser = BoolishValueParser::new())]
    pub quiet: bool,
}

impl DiffArgs {
    fn settle(&self) -> Result<(), String> {
        match (&self.old, self.source.overlay().is_empty()) {
            (None, true) => Err("give OLD and NEW, OLD and a source, or --overlay".to_owned()),
            _ => Ok(()),
        }
    }

    /// What is meant.
    pub fn options(&self) -> Options {
        options(&self.source, &self.yardstick, &self.clock)
    }
}

/// Formats of a plan or a difference.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum PlanFormat {
    /// For a terminal
    Table,
    /// To be pasted into an issue
    Markdown,
    /// JSON, version 1
    Json,
}

#[derive(Args, Debug)]
pub struct ExplainArgs {
    /// The rule
    pub rule: String,
    #[command(flatten)]
    pub source: SourceArgs,
    #[command(flatten)]
    pub yardstick: YardstickArgs,
    #[command(flatten)]
    pub clock: ClockArgs,
}

#[derive(Debug, Subcommand)]
pub enum RulesCommand {
    /// Lists rules
    List(RuleArgs),
    /// Checks rule files and shows every problem
    Lint(RuleArgs),
    /// Runs the examples of rules
    Test(RuleArgs),
    /// Prints the documentation of rules as Markdown
    Docs(RuleArgs),
}

#[derive(Debug, Subcommand)]
pub enum ScorecardsCommand {
    /// Lists the scorecards in the program
    List,
    /// Shows what a scorecard gives to whom
    Show {
        /// Name or file
        #[arg(default_value = "platform-stack")]
        scorecard: String,
    },
}

#[derive(Args, Debug)]
#[command(after_help = "Example:
  seaworthy rbac | kubectl apply -f -
  kubectl create clusterrolebinding seaworthy --clusterrole=seaworthy --serviceaccount=seaworthy:seaworthy")]
pub struct RbacArgs {
    #[command(flatten)]
    pub rules: RuleArgs,
    /// Name of the ClusterRole
    #[arg(long, env = "SEAWORTHY_NAME", default_value = "seaworthy")]
    pub name: String,
}

#[derive(Args, Debug)]
pub struct SchemaArgs {
    /// The format
    pub format: SchemaFormat,
}

/// Formats that have a schema.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum SchemaFormat {
    /// Rule files
    Rule,
    /// Scorecards
    Scorecard,
    /// JSON reports
    Report,
    /// JSON plans
    Plan,
    /// JSON differences
    Diff,
    /// Waivers
    Waivers,
    /// Attestations
    Attestations,
}
