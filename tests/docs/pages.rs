//! The pages, their fenced blocks and their tables.

use std::fs;
use std::path::{Path, PathBuf};

use portcullis_tests::workspace;

/// A page of the documentation.
pub(crate) struct Page {
    /// Its path from the root of the checkout.
    pub(crate) path: PathBuf,
    pub(crate) text: String,
}

/// A fenced block.
pub(crate) struct Fence {
    /// `page.md:12`, for messages.
    pub(crate) place: String,
    /// What stands behind the opening fence: `redis`, `python`, `js ioredis`.
    pub(crate) kind: String,
    pub(crate) text: String,
}

impl Fence {
    /// Commands that a test types before it comes to those of a page.
    pub(crate) fn command(text: &str) -> Self {
        Self { place: "the test".to_owned(), kind: "sh".to_owned(), text: text.to_owned() }
    }
}

/// Every page: those beside the module and the service, and the README once there is one.
pub(crate) fn pages() -> Vec<Page> {
    let docs = Path::new("module/docs");
    let service = markdown_in(Path::new("api/docs"));
    let paths = [markdown_in(docs), markdown_in(&docs.join("commands")), service].concat();
    let readme = PathBuf::from("README.md");
    let readme = workspace().join(&readme).exists().then_some(readme);
    paths.into_iter().chain(readme).map(Page::read).collect()
}

/// The page of this name under `module/docs`.
pub(crate) fn page(name: &str) -> Page {
    Page::read(Path::new("module/docs").join(name))
}

/// The page of this name under `api/docs`.
pub(crate) fn service_page(name: &str) -> Page {
    Page::read(Path::new("api/docs").join(name))
}

fn markdown_in(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(workspace().join(folder)).expect("the folder of the pages is there");
    let names = entries.flatten().map(|entry| folder.join(entry.file_name()));
    let mut paths: Vec<_> =
        names.filter(|path| path.extension().is_some_and(|it| it == "md")).collect();
    paths.sort();
    paths
}

impl Page {
    /// The page at this path from the root of the checkout.
    pub(crate) fn at(path: &str) -> Self {
        Self::read(PathBuf::from(path))
    }

    fn read(path: PathBuf) -> Self {
        let text = fs::read_to_string(workspace().join(&path));
        let text = text.unwrap_or_else(|fault| panic!("{}: {fault}", path.display()));
        Self { path, text }
    }

    /// Every fenced block; one in a list is indented.
    pub(crate) fn fences(&self) -> Vec<Fence> {
        let mut fences = Vec::new();
        let mut open: Option<Fence> = None;
        let mut indent = "";
        for (number, line) in (1..).zip(self.text.lines()) {
            if open.is_none() {
                indent = &line[..line.len() - line.trim_start_matches(' ').len()];
            }
            let line = line.strip_prefix(indent).unwrap_or(line);
            match (line.strip_prefix("```"), &mut open) {
                (Some(_), Some(_)) => fences.extend(open.take()),
                (Some(kind), None) => {
                    let place = format!("{}:{number}", self.path.display());
                    open = Some(Fence { place, kind: kind.to_owned(), text: String::new() });
                }
                (None, Some(fence)) => fence.text.extend([line, "\n"]),
                (None, None) => {}
            }
        }
        assert!(open.is_none(), "{}: a fence is not closed", self.path.display());
        fences
    }

    /// The shell blocks under the heading that starts like this.
    pub(crate) fn commands_under(&self, heading: &str) -> Vec<Fence> {
        let (before, rest) =
            self.text.split_once(&format!("\n## {heading}")).unwrap_or_else(|| {
                panic!("no heading {heading} in {}", self.path.display());
            });
        let under = rest.split("\n## ").next().unwrap_or_default();
        // Where it stands in the page, so that places are right.
        let text = "\n".repeat(before.lines().count()) + "\n" + under;
        let mut fences = Self { path: self.path.clone(), text }.fences();
        fences.retain(|fence| fence.kind == "sh");
        assert!(!fences.is_empty(), "no commands under {heading}");
        fences
    }

    /// The one block of this kind.
    pub(crate) fn fence(&self, kind: &str) -> String {
        let mut of_kind = self.fences().into_iter().filter(|fence| fence.kind == kind);
        let fence =
            of_kind.next().unwrap_or_else(|| panic!("no ```{kind} in {}", self.path.display()));
        assert!(of_kind.next().is_none(), "more than one ```{kind} in {}", self.path.display());
        fence.text
    }

    /// The cells of every table row whose first cell begins like this; backticks are taken off.
    pub(crate) fn rows(&self, beginning: &str) -> Vec<Vec<String>> {
        let lines = self.text.lines().filter_map(|line| line.strip_prefix("| "));
        let cells = |row: &str| -> Vec<String> {
            row.trim_end_matches(" |")
                .split(" | ")
                .map(|cell| cell.trim().replace('`', ""))
                .collect()
        };
        lines.map(cells).filter(|row: &Vec<String>| row[0].starts_with(beginning)).collect()
    }
}
