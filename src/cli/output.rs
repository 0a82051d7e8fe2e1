//! Where results go: standard output, or files that are whole or not there.

use std::{
    ffi::{OsStr, OsString},
    io::{self, IsTerminal, Write},
    path::{Path, PathBuf},
    str::FromStr,
};

use clap::{
    ValueEnum,
    builder::{PossibleValue, StringValueParser, TypedValueParser},
};

/// A format and where it goes; standard output if no file is given.
#[derive(Clone, Debug)]
pub struct Output {
    /// The format.
    pub format: Format,
    /// The file.
    pub file: Option<PathBuf>,
}

/// Formats of an audit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For a terminal
    Table,
    /// For a terminal, with every gap and subject
    Wide,
    /// JSON, version 1
    Json,
    /// The same document as YAML
    Yaml,
    /// For the comment on a pull request
    #[value(alias = "md")]
    Markdown,
    /// One page for a browser, which loads nothing
    Html,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// JUnit XML, for test reports
    Junit,
    /// For spreadsheets
    Csv,
    /// Metrics for a node exporter's textfile collector or a Pushgateway
    Openmetrics,
    /// PolicyReport and ClusterPolicyReport (wgpolicyk8s.io/v1alpha2)
    Policyreport,
    /// Report and ClusterReport (openreports.io/v1alpha1)
    Openreports,
    /// GitLab's code-quality JSON
    Codequality,
}

impl FromStr for Output {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, file) = match text.split_once('=') {
            Some((name, "")) => return Err(format!("`{name}=` names no file")),
            Some((name, file)) => (name, Some(PathBuf::from(file))),
            None => (text, None),
        };
        match Format::from_str(name, false) {
            Ok(format) => Ok(Output { format, file }),
            Err(_) => Err(unknown(name)),
        }
    }
}

/// What to say of a format that there is not.
fn unknown(name: &str) -> String {
    let known: Vec<String> = Format::value_variants()
        .iter()
        .filter_map(|format| Some(format.to_possible_value()?.get_name().to_owned()))
        .collect();
    let near = known
        .iter()
        .map(|known| (strsim::damerau_levenshtein(known, name), known))
        .filter(|(distance, _)| *distance <= 2)
        .min();
    match near {
        Some((_, near)) => format!("unknown format `{name}`; did you mean `{near}`?"),
        None if Path::new(name).extension().is_some() => format!(
            "`{name}` is a file; write FORMAT={name} with one of {}",
            known.join(", ")
        ),
        None => format!("unknown format `{name}`; there are {}", known.join(", ")),
    }
}

/// Reads `FORMAT[=FILE]`, and tells completion scripts the formats.
#[derive(Clone)]
pub struct OutputParser;

impl TypedValueParser for OutputParser {
    type Value = Output;

    fn parse_ref(
        &self,
        command: &clap::Command,
        arg: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<Output, clap::Error> {
        StringValueParser::new()
            .try_map(|text| text.parse::<Output>())
            .parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        let all = Format::value_variants().iter();
        Some(Box::new(all.filter_map(ValueEnum::to_possible_value)))
    }
}

/// Refuses outputs that would mix: two formats on standard output, or in one file.
pub fn check(outputs: &[Output]) -> Result<(), String> {
    for (at, output) in outputs.iter().enumerate() {
        if outputs[..at].iter().any(|other| other.file == output.file) {
            return Err(match &output.file {
                None => "only one --output can go to standard output; write FORMAT=FILE".to_owned(),
                Some(file) => format!("two --output go to {}", file.display()),
            });
        }
    }
    Ok(())
}

/// Writes a result. A reader that has gone away, such as `head`, is no failure.
pub fn to_stdout(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush())
    {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// Writes beside the result. Where standard error is full or gone, there is nobody left to tell,
/// and that must not end the program: `eprint!` would panic.
pub fn to_stderr(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// Writes a file so that it is whole or not there, with the permissions that a new file gets.
///
/// # Errors
/// The file system's, with the name of the file.
pub fn to_file(path: &Path, text: &str) -> io::Result<()> {
    let failed = |error: io::Error| {
        let message = format!("{}: {error}", path.display());
        io::Error::new(error.kind(), message)
    };
    // A pipe or a device, such as /dev/stdout, is written to. Renaming a file over it would
    // replace it for everybody.
    if path.metadata().is_ok_and(|found| !found.is_file()) {
        return match std::fs::write(path, text) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            result => result.map_err(failed),
        };
    }
    replace(path, text).map_err(failed)
}

fn replace(path: &Path, text: &str) -> io::Result<()> {
    // What a link points to is what the user means.
    let target = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let folder = match target.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        // A temporary file is its owner's alone, but a report is for others, too. The umask takes
        // from these permissions; a file that is replaced keeps its own.
        let kept = target.metadata().map(|found| found.permissions());
        builder.permissions(kept.unwrap_or_else(|_| std::fs::Permissions::from_mode(0o666)));
    }
    let mut file = builder.tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(target)?;
    Ok(())
}

/// Whether to colour what goes to a stream, by the conventions of `NO_COLOR` and
/// `CLICOLOR_FORCE`.
pub fn colour(stream: &impl IsTerminal) -> bool {
    is_coloured(stream.is_terminal(), |name| std::env::var_os(name))
}

fn is_coloured(terminal: bool, variable: impl Fn(&str) -> Option<OsString>) -> bool {
    let is_set = |name: &str| variable(name).is_some_and(|value| !value.is_empty());
    // NO_COLOR counts whatever its value, CLICOLOR_FORCE unless it is 0.
    if is_set("NO_COLOR") {
        return false;
    }
    if is_set("CLICOLOR_FORCE") && variable("CLICOLOR_FORCE").is_some_and(|value| value != "0") {
        return true;
    }
    let is_off = variable("CLICOLOR").is_some_and(|value| value == "0");
    let is_dumb = variable("TERM").is_some_and(|term| term == "dumb");
    terminal && !is_off && !is_dumb
}

/// Columns of the terminal; 100 where output goes elsewhere.
pub fn width() -> u16 {
    let columns = std::env::var("COLUMNS")
        .ok()
        .and_then(|columns| columns.parse().ok());
    let terminal = comfy_table::Table::new().width();
    columns.or(terminal).unwrap_or(100).clamp(60, 200)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_follows_the_conventions() {
        let with = |terminal, name: &'static str, value: &'static str| {
            is_coloured(terminal, |asked| (asked == name).then(|| value.into()))
        };
        assert!(with(true, "", ""));
        assert!(!with(false, "", ""));
        assert!(!with(true, "NO_COLOR", "1"));
        assert!(!with(true, "NO_COLOR", "0"), "its value says nothing");
        assert!(with(true, "NO_COLOR", ""), "empty is not set");
        assert!(with(false, "CLICOLOR_FORCE", "1"));
        assert!(!with(false, "CLICOLOR_FORCE", "0"));
        assert!(!with(true, "CLICOLOR", "0"));
        assert!(!with(true, "TERM", "dumb"));
    }

    #[test]
    fn outputs_do_not_mix() {
        let outputs = |texts: &[&str]| -> Vec<Output> {
            texts.iter().map(|text| text.parse().unwrap()).collect()
        };
        assert!(check(&outputs(&["table", "json=a", "yaml=b"])).is_ok());
        assert!(check(&outputs(&["table", "json"])).is_err());
        assert!(check(&outputs(&["yaml=a", "json=a"])).is_err());
        assert!("json=".parse::<Output>().is_err());
        let error = |text: &str| text.parse::<Output>().unwrap_err();
        assert!(error("sound").contains("there are table, wide"));
        assert!(error("sariff=x").contains("did you mean `sarif`"));
        assert!(error("out.html").contains("FORMAT=out.html"));
    }

    #[test]
    fn a_file_is_replaced_whole_and_leaves_nothing_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("report.json");
        to_file(&file, "a longer first").unwrap();
        to_file(&file, "second").unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "second");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        let error = to_file(&folder.path().join("no/such"), "x").unwrap_err();
        assert!(error.to_string().contains("no/such"), "{error}");
    }

    #[cfg(unix)]
    #[test]
    fn links_and_permissions_stay() {
        use std::os::unix::fs::{PermissionsExt as _, symlink};
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        std::fs::write(&file, "old").unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
        symlink(&file, &link).unwrap();
        to_file(&link, "new").unwrap();
        assert!(link.symlink_metadata().unwrap().is_symlink());
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "new");
        let mode = file.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o640);
    }
}
