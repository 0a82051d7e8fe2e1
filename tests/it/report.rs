//! The terminal report as its reader gets it.

use std::process::Command;

fn demo(columns: &str, arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_seaworthy"))
        .args(["audit", "--demo", "--now", "2026-01-01T00:00:00Z"])
        .args(arguments)
        .env("COLUMNS", columns)
        .output()
        .unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn the_first_screen_at_eighty_columns() {
    let report = demo("80", &["--only", "hart,wl-no-privileged,ha-control-plane"]);
    assert!(
        report.lines().all(|line| line.chars().count() <= 80),
        "{report}"
    );
    insta::assert_snapshot!(report);
}

#[test]
fn every_subject_where_there_is_room() {
    insta::assert_snapshot!(demo(
        "140",
        &[
            "-o",
            "wide",
            "--only",
            "ha-storage-replicated,wl-no-host-namespaces"
        ]
    ));
}
