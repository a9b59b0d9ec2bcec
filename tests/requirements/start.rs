//! What the command `portcullis` refuses to start with.

use std::process::{Command, Output};

use portcullis_tests::{binary_path, free_port};

fn serve(settings: &[(&str, &str)]) -> Output {
    let port = free_port().to_string();
    let mut command = Command::new(binary_path());
    command.args(["serve", "--host", "127.0.0.1", "--port", &port, "--ops-addr", "127.0.0.1:0"]);
    command.env_remove("JWT_SECRET").envs(settings.iter().copied());
    command.output().expect("the command runs")
}

#[test]
fn r_28_bug_40_c_15_a_sample_secret_or_a_lost_rotation_stops_the_start() {
    let good = "an operator's secret of more than 32 bytes";
    let refused: [&[(&str, &str)]; 5] = [
        &[],
        &[("JWT_SECRET", "your-super-secret-key-min-32-chars")],
        &[("JWT_SECRET", "0123456789abcdef0123456789abcde")],
        &[("JWT_SECRET", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")],
        &[("JWT_SECRET", good), ("REFRESH_TOKEN_ROTATION", "false")],
    ];
    for settings in refused {
        let output = serve(settings);
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{settings:?} {told}");
        let name = settings.last().map_or("JWT_SECRET", |setting| setting.0);
        assert!(told.contains(name), "{settings:?} {told}");
        let is_shown =
            settings.iter().any(|(name, value)| *name == "JWT_SECRET" && told.contains(value));
        assert!(!is_shown, "{told}");
    }
}
