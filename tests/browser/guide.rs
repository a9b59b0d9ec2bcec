//! `api/docs/clients.md`: every sample runs as it stands there, in a browser or in Node.js.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use portcullis_tests::{NodePart, browser_package, workspace};

/// The samples of the page by the names of their files.
pub(crate) static SAMPLES: LazyLock<BTreeMap<String, String>> = LazyLock::new(|| {
    let page = fs::read_to_string(workspace().join("api/docs/clients.md")).expect("it is there");
    let mut samples = BTreeMap::new();
    for block in page.split("\n```js").skip(1) {
        let (head, rest) = block.split_once('\n').expect("a block has lines");
        let text = rest.split("\n```").next().expect("a block ends");
        let (_, name) = head.split_once(' ').unwrap_or(("", head));
        if name.contains('.') {
            samples.insert(name.to_owned(), format!("{text}\n"));
        }
    }
    samples
});

/// Those that are run here, and where.
const RUN: [&str; 19] = [
    "client.js",
    "page.js",
    "errors.js",
    "devices.js",
    "idle.js",
    "Hello.jsx",
    "api.js",
    "bearer.js",
    "server.js",
    "app.js",
    "login.js",
    "useAuth.jsx",
    "AuthManager.js",
    "handleTokenExpiration.js",
    "SessionManager.jsx",
    "MultiDeviceManager.js",
    "SessionTimeoutManager.js",
    "AuthErrorHandler.js",
    "checks.js",
];

#[test]
fn every_sample_of_the_guide_is_run_by_a_test() {
    let named: Vec<&str> = SAMPLES.keys().map(String::as_str).collect();
    let mut run = RUN;
    run.sort_unstable();
    assert_eq!(named, run);
    let page = fs::read_to_string(workspace().join("api/docs/clients.md")).unwrap();
    assert_eq!(page.matches("```js").count(), RUN.len(), "a block of scripts has no name");
}

/// The samples as files beside the package, whose name they import.
pub(crate) fn beside_the_package() -> Option<(&'static NodePart, PathBuf)> {
    static WRITTEN: LazyLock<Option<(&'static NodePart, PathBuf)>> = LazyLock::new(|| {
        let package = browser_package()?;
        let folder = package.path().join("samples");
        fs::create_dir(&folder).expect("the copy has none");
        for (name, text) in SAMPLES.iter() {
            fs::write(folder.join(name), text).expect("it is ours");
        }
        Some((package, folder))
    });
    WRITTEN.clone()
}

/// One script that exports all that these samples do, and what renders them.
pub(crate) fn bundle(names: &[&str]) -> Option<String> {
    let (package, _) = beside_the_package()?;
    let exports: Vec<String> =
        names.iter().map(|name| format!("export * from './{name}';\n")).collect();
    let more =
        "export { createElement } from 'react'; export { createRoot } from 'react-dom/client';";
    Some(package.run(&["--input-type=module", "--eval", BUNDLE, &(exports.concat() + more)]))
}

const BUNDLE: &str = "
import { build } from 'esbuild';
const { outputFiles } = await build({
  stdin: { contents: process.argv[1], resolveDir: 'samples' },
  bundle: true,
  format: 'esm',
  jsx: 'automatic',
  write: false,
  define: { 'process.env.NODE_ENV': '\"production\"' },
});
process.stdout.write(outputFiles[0].text);
";

/// A script of the test's own beside the samples.
pub(crate) fn script(name: &str, text: &str) -> Option<PathBuf> {
    let (_, folder) = beside_the_package()?;
    let path = Path::new(&folder).join(name);
    fs::write(&path, text).expect("it is ours");
    Some(path)
}
