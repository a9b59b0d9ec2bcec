//! The package by itself: its tests, its size, its types, and the file that is installed.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use portcullis_tests::{NodePart, binary_path, browser_package, find_program, workspace};
use serde_json::Value;

/// What the main entry may weigh on its way to a browser.
const MOST_BYTES: u64 = 5_000;

#[test]
fn the_packages_own_tests_pass() {
    let Some(package) = browser_package() else { return };
    let files = fs::read_dir(package.path().join("test")).expect("it has tests").flatten();
    let names = files.map(|file| format!("test/{}", file.file_name().display()));
    let names: Vec<_> = names.filter(|name| name.ends_with(".test.mjs")).collect();
    let options = ["--test", "--test-reporter=tap"].into_iter();
    let told = package.run(&options.chain(names.iter().map(String::as_str)).collect::<Vec<_>>());
    assert!(told.contains("\n# fail 0\n") && !told.contains("\n# pass 0\n"), "{told}");
}

#[test]
fn the_client_weighs_less_than_five_kilobytes_and_needs_no_other_package() {
    let Some(package) = browser_package() else { return };
    let script = "const { gzipSync } = require('zlib'); \
                  console.log(gzipSync(require('fs').readFileSync('dist/index.js')).length)";
    let bytes: u64 = package.run(&["-e", script]).trim().parse().expect("a number");
    assert!(bytes < MOST_BYTES, "{bytes} bytes gzipped");
    let manifest = fs::read_to_string(workspace().join("api/browser/package.json")).unwrap();
    let manifest: Value = serde_json::from_str(&manifest).unwrap();
    assert!(manifest["dependencies"].is_null(), "{manifest}");
}

#[test]
fn the_types_of_bodies_are_those_of_the_openapi_document() {
    let Some(part) = NodePart::copy_of("api/browser") else { return };
    let document = Command::new(binary_path()).arg("openapi").output();
    let document = document.expect("the service describes itself").stdout;
    let mut child = part
        .command()
        .args(["types.mjs", "made.ts"])
        .stdin(Stdio::piped())
        .spawn()
        .expect("node runs");
    child.stdin.take().expect("it is a pipe").write_all(&document).expect("it reads");
    assert!(child.wait().expect("it ends").success());
    let [made, committed] = ["made.ts", "src/schemas.ts"]
        .map(|file| fs::read_to_string(part.path().join(file)).expect("it is there"));
    assert!(
        made == committed,
        "run `portcullis openapi | npm run types` in api/browser and commit"
    );
}

#[test]
fn what_is_packed_is_complete_and_typed() {
    let Some(part) = NodePart::copy_of("api/browser") else { return };
    let npm = find_program("npm").expect("npm comes with node");
    let packed = Command::new(npm)
        .current_dir(part.path())
        .args(["pack", "--json", "--silent"])
        .env("npm_config_cache", part.path().join("cache"))
        .env("npm_config_offline", "true")
        .output()
        .expect("npm runs");
    assert!(packed.status.success(), "{}", String::from_utf8_lossy(&packed.stderr));
    let told = String::from_utf8_lossy(&packed.stdout).into_owned();
    for file in [
        "dist/index.js",
        "dist/index.d.ts",
        "dist/axios.js",
        "dist/axios.d.ts",
        "dist/react.js",
        "dist/react.d.ts",
        "dist/schemas.d.ts",
        "README.md",
        "package.json",
    ] {
        assert!(told.contains(&format!("\"{file}\"")), "{file} is not packed: {told}");
    }
    for file in ["src/", "test/", "node_modules"] {
        assert!(!told.contains(&format!("\"path\": \"{file}")), "{file} is packed: {told}");
    }
    // Somebody's program that uses all of it is checked against what was packed.
    fs::write(part.path().join("use.ts"), USE).unwrap();
    fs::write(part.path().join("use.json"), CHECKED).unwrap();
    part.run(&["node_modules/typescript/bin/tsc", "-p", "use.json"]);
}

/// As strict as somebody's program may be.
const CHECKED: &str = r#"{ "files": ["use.ts"], "compilerOptions": { "strict": true, "noEmit": true,
  "target": "es2022", "module": "nodenext", "lib": ["es2022", "dom"], "types": [], "jsx": "react-jsx",
  "exactOptionalPropertyTypes": true, "noUncheckedIndexedAccess": true } }"#;

const USE: &str = "
import axios from 'axios';
import { createClient, PortcullisError, type Sessions } from './dist/index.js';
import { attach } from './dist/axios.js';
import { useSession } from './dist/react.js';

const client = createClient({ base: 'https://auth.example.com', mode: 'cookie', onLoggedOut: ({ by, reason, at }) => {
  const said: [string, string | undefined, Date | undefined] = [by, reason, at];
  void said;
} });
const detach: () => void = attach(axios.create(), client);
const { user, tokens } = await client.login({ email: 'a@example.com', password: 'x' });
const id: number = user.id;
const csrf: string | undefined = tokens.csrf_token;
const sessions: Sessions = await client.sessions.list();
const idle: string | null | undefined = sessions.current_session?.idle_expires_at;
// @ts-expect-error: the service has no such field
sessions.current_session.nonsense;
// @ts-expect-error: it needs a password
await client.login({ email: 'a@example.com' });
try {
  await client.logout({ everywhere: true });
} catch (fault) {
  if (fault instanceof PortcullisError) void [fault.code, fault.status, fault.violations[0]?.pointer, fault.retryAfter];
}
export const Hello = () => {
  const { status, user, logout } = useSession(client);
  return status === 'in' ? user?.first_name : String(logout);
};
export { detach, id, csrf, idle };
";
