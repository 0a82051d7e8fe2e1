//! The program in surroundings that are not what it would like.

use std::{
    fs::{self, File},
    process::{Command, Output, Stdio},
};

/// The program without anything of the surroundings that it would listen to.
fn seaworthy(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_seaworthy"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("SEAWORTHY_") {
            command.env_remove(name);
        }
    }
    for name in [
        "KUBECONFIG",
        "NO_COLOR",
        "CLICOLOR",
        "CLICOLOR_FORCE",
        "COLUMNS",
        "SOURCE_DATE_EPOCH",
    ] {
        command.env_remove(name);
    }
    command.env("HOME", "/nonexistent").args(arguments);
    command
}

fn run(command: &mut Command) -> Output {
    command.output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn every_command_explains_itself() {
    let commands: [&[&str]; 14] = [
        &[],
        &["audit"],
        &["snapshot"],
        &["explain"],
        &["rules"],
        &["rules", "list"],
        &["rules", "lint"],
        &["rules", "test"],
        &["rules", "docs"],
        &["scorecards"],
        &["scorecards", "show"],
        &["rbac"],
        &["schema"],
        &["completions"],
    ];
    for command in commands {
        let output = run(seaworthy(command).arg("--help"));
        assert_eq!(output.status.code(), Some(0), "{command:?}");
        assert!(output.stdout.len() > 100, "{command:?}");
        assert!(output.stderr.is_empty(), "{command:?}");
    }
    let help = run(&mut seaworthy(&["--help"]));
    let help = String::from_utf8(help.stdout).unwrap();
    assert!(help.contains("Exit status:"), "{help}");
}

#[test]
fn help_does_not_show_what_the_environment_holds() {
    let output = run(seaworthy(&["audit", "--help"]).env("SEAWORTHY_CONTEXT", "hidden-context"));
    let help = String::from_utf8(output.stdout).unwrap();
    assert!(help.contains("SEAWORTHY_CONTEXT"), "{help}");
    assert!(!help.contains("hidden-context"), "{help}");
}

#[test]
fn completions_are_there_for_each_shell() {
    for shell in ["bash", "zsh", "fish"] {
        let output = run(&mut seaworthy(&["completions", shell]));
        assert_eq!(output.status.code(), Some(0));
        let script = String::from_utf8(output.stdout).unwrap();
        assert!(script.contains("scorecards"), "{shell}");
    }
    assert_eq!(
        run(&mut seaworthy(&["completions", "cobol"])).status.code(),
        Some(2)
    );
}

#[test]
fn a_usage_error_is_2_and_says_what_is_wrong() {
    let wrong: [(&[&str], &str); 8] = [
        (&[], "Usage"),
        (&["audti"], "audit"),
        (&["audit", "-o", "xml"], "xml"),
        (&["audit", "-o", "json="], "names no file"),
        (
            &["audit", "--demo", "-o", "table", "-o", "json"],
            "standard output",
        ),
        (&["audit", "--demo", "--snapshot", "x"], "different sources"),
        (
            &["audit", "--demo", "-n", "shop"],
            "--namespace is for clusters",
        ),
        (
            &["explain", "wl-probe-configured"],
            "did you mean `wl-probes-configured`?",
        ),
    ];
    for (arguments, words) in wrong {
        let output = run(&mut seaworthy(arguments));
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
        assert!(
            stderr(&output).contains(words),
            "{arguments:?}: {}",
            stderr(&output)
        );
    }
}

#[test]
fn what_is_typed_wins_over_the_environment() {
    let code = |command: &mut Command| run(command).status.code();
    let quiet = ["audit", "-q", "-o", "json"];
    assert_eq!(code(seaworthy(&quiet).env("SEAWORTHY_DEMO", "1")), Some(0));
    let no_demo = seaworthy(&quiet)
        .env("SEAWORTHY_DEMO", "0")
        .output()
        .unwrap();
    assert!(
        stderr(&no_demo).contains("no cluster to read"),
        "{}",
        stderr(&no_demo)
    );
    let mut demo = seaworthy(&quiet);
    demo.arg("--demo")
        .env("SEAWORTHY_SNAPSHOT", "/nonexistent")
        .env("SEAWORTHY_CONTEXT", "prod");
    assert_eq!(code(&mut demo), Some(0));
    let mut two = seaworthy(&quiet);
    two.env("SEAWORTHY_SNAPSHOT", "/nonexistent")
        .env("SEAWORTHY_MANIFESTS", "/nonexistent");
    let two = run(&mut two);
    assert!(
        stderr(&two).contains("different sources"),
        "{}",
        stderr(&two)
    );
}

#[test]
fn the_clock_of_reproducible_builds_is_used_or_refused() {
    let time = |command: &mut Command| {
        let report: serde_json::Value = serde_json::from_slice(&run(command).stdout).unwrap();
        report["time"].as_str().unwrap().to_owned()
    };
    let audit = ["audit", "--demo", "-q", "-o", "json"];
    let at = |epoch: &str| {
        let mut command = seaworthy(&audit);
        command.env("SOURCE_DATE_EPOCH", epoch);
        command
    };
    assert_eq!(time(&mut at("1767225600")), "2026-01-01T00:00:00Z");
    let typed = time(at("1767225600").args(["--now", "2026-02-03T00:00:00Z"]));
    assert_eq!(typed, "2026-02-03T00:00:00Z");
    let output = run(&mut at("yesterday"));
    assert_eq!(output.status.code(), Some(2));
    assert!(
        stderr(&output).contains("SOURCE_DATE_EPOCH"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn quiet_leaves_standard_error_to_failures() {
    let output = run(&mut seaworthy(&["audit", "--demo", "-q"]));
    assert_eq!(
        (output.status.code(), stderr(&output)),
        (Some(0), String::new())
    );
    let output = run(&mut seaworthy(&[
        "audit",
        "-q",
        "--snapshot",
        "/nonexistent",
    ]));
    assert!(
        stderr(&output).starts_with("no audit was made"),
        "{}",
        stderr(&output)
    );
}

#[test]
fn colour_is_for_terminals_and_for_who_asks() {
    let coloured = |command: &mut Command| run(command).stdout.contains(&0x1b);
    let audit = ["audit", "--demo"];
    assert!(!coloured(&mut seaworthy(&audit)));
    assert!(coloured(seaworthy(&audit).env("CLICOLOR_FORCE", "1")));
    assert!(!coloured(
        seaworthy(&audit)
            .env("CLICOLOR_FORCE", "1")
            .env("NO_COLOR", "1")
    ));
}

#[test]
fn a_reader_that_has_seen_enough_is_no_failure() {
    let mut child = seaworthy(&["audit", "--demo", "-o", "json"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(
        (output.status.code(), stderr(&output)),
        (Some(0), String::new())
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_stream_that_is_full_is_no_crash() {
    let full = || File::options().write(true).open("/dev/full").unwrap();
    let failure = seaworthy(&["audit", "--snapshot", "/nonexistent"])
        .stderr(full())
        .status()
        .unwrap();
    assert_eq!(failure.code(), Some(2), "the failure stands, told or not");
    let output = run(seaworthy(&["audit", "--demo"]).stdout(full()));
    assert_eq!(
        output.status.code(),
        Some(2),
        "a result that is lost is a failure"
    );
}

#[cfg(unix)]
#[test]
fn a_report_can_go_to_a_device_and_others_may_read_the_file() {
    use std::os::unix::fs::PermissionsExt as _;
    let output = run(&mut seaworthy(&[
        "audit",
        "--demo",
        "-q",
        "-o",
        "json=/dev/stdout",
    ]));
    assert!(output.stdout.starts_with(b"{"), "{}", stderr(&output));
    let folder = tempfile::tempdir().unwrap();
    let (report, other) = (
        folder.path().join("report.json"),
        folder.path().join("other"),
    );
    let wanted = format!("json={}", report.display());
    assert!(
        run(&mut seaworthy(&["audit", "--demo", "-o", &wanted]))
            .status
            .success()
    );
    fs::write(&other, "").unwrap();
    let mode = |path| fs::metadata(path).unwrap().permissions().mode();
    assert_eq!(mode(&report), mode(&other), "as any new file");
}

#[test]
fn the_schema_of_waivers_accepts_what_an_audit_accepts() {
    let schema = run(&mut seaworthy(&["schema", "waivers"]));
    let schema = serde_json::from_slice(&schema.stdout).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("waivers.yaml");
    let good = "rule: wl-probes-configured, subject: {name: '*'}, reason: r, owner: o";
    let cases = [
        (format!("[{{{good}, expires: 2999-01-01}}]"), true),
        (format!("[{{{good}, expires: 2999-01-01T00:00:00Z}}]"), true),
        (format!("[{{{good}}}]"), false),
        (
            format!("[{{{good}, expires: 2999-01-01, until: 2}}]"),
            false,
        ),
        (
            format!("[{{{good}, expires: 2999-01-01}}]").replace("name: '*'", ""),
            false,
        ),
    ];
    for (text, is_good) in cases {
        fs::write(&file, &text).unwrap();
        let document: serde_json::Value = serde_saphyr::from_str(&text).unwrap();
        assert_eq!(schema.is_valid(&document), is_good, "the schema, of {text}");
        let audit = run(&mut seaworthy(&[
            "audit",
            "--demo",
            "--waivers",
            file.to_str().unwrap(),
        ]));
        assert_eq!(
            audit.status.success(),
            is_good,
            "the audit, of {text}: {}",
            stderr(&audit)
        );
    }
}
