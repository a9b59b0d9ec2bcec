//! What is packaged, as far as it can be checked without building packages: `make package-test` does
//! the rest.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use portcullis_tests::{find_program, tell, workspace};

const UNIT: &str = "api/package/portcullis.service";

fn text(path: &str) -> String {
    fs::read_to_string(workspace().join(path)).unwrap_or_else(|fault| panic!("{path}: {fault}"))
}

/// What stands between this and the next backtick, wherever this begins a code span.
fn spans<'a>(page: &'a str, beginning: &str) -> BTreeSet<&'a str> {
    let spans = page.split('`').skip(1).step_by(2);
    spans.filter_map(|span| span.strip_prefix(beginning)).collect()
}

#[test]
fn the_manual_page_of_the_module_names_every_setting_and_every_command() {
    let manual = text("module/package/portcullis-module.7");
    let operations = text("module/docs/operations.md");
    let rows = operations.lines().filter(|line| line.starts_with("| `portcullis."));
    let settings: BTreeSet<&str> = rows.flat_map(|row| spans(row, "portcullis.")).collect();
    assert!(settings.len() > 8, "{settings:?}");
    let lacking: Vec<_> =
        settings.iter().filter(|it| !manual.contains(&format!(".B {it}\n"))).collect();
    assert!(lacking.is_empty(), "portcullis-module(7) lacks the settings {lacking:?}");

    let pages = fs::read_dir(workspace().join("module/docs/commands")).unwrap();
    for page in pages {
        let name = page.unwrap().file_name().into_string().unwrap();
        let words = name.trim_end_matches(".md").replace('-', " ").to_uppercase();
        if !words.ends_with("HELP") {
            assert!(manual.contains(&words), "portcullis-module(7) lacks {words}");
        }
    }
}

#[test]
fn the_unit_is_as_confined_as_is_promised() {
    let Some(analyze) = find_program("systemd-analyze") else {
        return tell("systemd-analyze is missing: how confined the unit is was not judged");
    };
    let output = Command::new(analyze)
        .args(["security", "--offline=true", "--no-pager", "--threshold=20", UNIT])
        .current_dir(workspace())
        .output()
        .expect("it runs");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(told.contains("Overall exposure level"), "{told}{output:?}");
    assert!(output.status.success(), "more than 2.0: {told}");
}

#[test]
fn the_unit_leaves_the_service_as_long_to_stop_as_it_may_take() {
    // SHUTDOWN_GRACE may be ten minutes.
    let unit = text(UNIT);
    assert!(text(".env.sample").contains("when the service stops (0s to 10m)"));
    for line in
        ["Type=notify", "TimeoutStopSec=11min", "ExecStartPre=/usr/bin/portcullis check --offline"]
    {
        assert!(unit.lines().any(|it| it == line), "the unit lacks {line}");
    }
}

#[test]
fn what_kubernetes_runs_is_confined_and_has_no_secret_among_its_settings() {
    let base = text("api/package/kubernetes/base/deployment.yaml");
    let migrate = text("api/package/kubernetes/base/migrate.yaml");
    let redis = text("api/package/kubernetes/redis/redis.yaml");
    for (name, manifest) in [("deployment", &base), ("migrate", &migrate), ("redis", &redis)] {
        for line in [
            "runAsNonRoot: true",
            "readOnlyRootFilesystem: true",
            "allowPrivilegeEscalation: false",
            "automountServiceAccountToken: false",
        ] {
            assert!(manifest.contains(line), "{name} lacks {line}");
        }
    }
    // Secrets by reference: no value of one stands in the base.
    for secret in ["JWT_SECRET", "DB_PASSWORD", "REDIS_PASSWORD", "SMTP_URL", "REFRESH_TOKEN_KEY"] {
        let settings = text("api/package/kubernetes/base/settings.yaml");
        assert!(!settings.contains(&format!("{secret}:")), "{secret} belongs into the Secret");
    }
}

#[test]
fn every_setting_that_a_deployment_sets_exists() {
    let sample = text(".env.sample");
    let known: BTreeSet<&str> = sample
        .lines()
        .filter_map(|line| line.strip_prefix("# ")?.split_once('='))
        .map(|(name, _)| name)
        .collect();
    let files = [
        ("compose.yaml", "  environment: &settings\n", "\nservices:"),
        ("api/package/kubernetes/base/settings.yaml", "\ndata:\n", "\0"),
        ("api/package/kubernetes/overlays/production/settings.yaml", "\ndata:\n", "\0"),
    ];
    for (path, beginning, end) in files {
        let file = text(path);
        let (_, rest) =
            file.split_once(beginning).unwrap_or_else(|| panic!("{path} has no {beginning}"));
        let block = rest.split(end).next().unwrap_or_default();
        let names = block.lines().filter(|line| !line.trim_start().starts_with('#'));
        let names: Vec<&str> =
            names.filter_map(|line| Some(line.split_once(": ")?.0.trim())).collect();
        assert!(names.len() > 2, "{path}: {names:?}");
        let unknown: Vec<_> = names.iter().filter(|name| !known.contains(*name)).collect();
        assert!(unknown.is_empty(), "{path} sets what is no setting: {unknown:?}");
    }
}
