//! Follows the paths of a crate to the files that define what they name.
//!
//! Knows how Rust looks names up, as far as it is needed for that, and no rule of ours.

use std::collections::{BTreeMap, BTreeSet};

use super::reader::{Import, Mention, Names, Source, read};

/// So many names may stand for one another in a row; more is a fault of this reader.
const DEEP: usize = 8;

/// One file uses what another defines.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Arrow {
    pub(super) from: String,
    pub(super) to: String,
    /// What is used, by its own name, and the first line that says so.
    pub(super) names: BTreeMap<String, usize>,
}

/// All files of a crate, by their path below its `src`.
pub(super) struct Crate {
    /// What its own binary calls the library.
    name: String,
    sources: BTreeMap<String, Source>,
    files: BTreeMap<Names, String>,
    inner: BTreeSet<Names>,
    /// What a name stands for in a module.
    bound: BTreeMap<(Names, String), Names>,
}

/// What a line of a file makes use of.
struct Use<'a> {
    to: &'a str,
    name: String,
    line: usize,
}

/// Where a path leads: to a module, or to what is called so in it.
struct Place {
    module: Names,
    item: Option<String>,
}

impl Crate {
    /// Of files and their texts.
    pub(super) fn read(name: &str, texts: &BTreeMap<String, String>) -> Self {
        let mut sources = BTreeMap::new();
        for (file, text) in texts {
            let source = read(module_of(file), text);
            sources.insert(file.clone(), source.unwrap_or_else(|why| panic!("{file}: {why}")));
        }
        let for_tests: Vec<Names> =
            sources.values().flat_map(|source: &Source| source.for_tests.clone()).collect();
        sources.retain(|_, source| !for_tests.iter().any(|test| source.module.starts_with(test)));
        let mut all = Self {
            name: name.to_owned(),
            files: BTreeMap::new(),
            inner: sources.values().flat_map(|source| source.inner.clone()).collect(),
            bound: BTreeMap::new(),
            sources,
        };
        let files = all.sources.iter();
        all.files = files.map(|(file, source)| (source.module.clone(), file.clone())).collect();
        all.bind();
        all
    }

    fn bind(&mut self) {
        for Import { what, name, .. } in self.sources.values().flat_map(|source| &source.imports) {
            // `use time::time` means a crate, `pub(crate) use {standing}` what is defined here.
            let below = [what.within.as_slice(), std::slice::from_ref(name)].concat();
            if what.path[0] != *name || self.is_module(&below) {
                self.bound.insert((what.within.clone(), name.clone()), what.path.clone());
            }
        }
        // What the binary declares lies beside it, though it is the root of it.
        let main = self.sources.get("main.rs");
        for child in main.into_iter().flat_map(|main| &main.declared) {
            if let [main, name] = &child[..] {
                let beside = vec!["crate".to_owned(), name.clone()];
                self.bound.insert((vec![main.clone()], name.clone()), beside);
            }
        }
    }

    /// Whether a file has nothing but the list of what is in its folder.
    pub(super) fn only_lists(&self, file: &str) -> bool {
        self.sources.get(file).is_some_and(|source| source.only_lists)
    }

    /// Every arrow between two files.
    pub(super) fn arrows(&self) -> Vec<Arrow> {
        let mut found: BTreeMap<(String, String), BTreeMap<String, usize>> = BTreeMap::new();
        for (from, source) in &self.sources {
            for Use { to, name, line } in self.uses(source).filter(|used| used.to != from) {
                let names = found.entry((from.clone(), to.to_owned())).or_default();
                let first = names.entry(name).or_insert(line);
                *first = line.min(*first);
            }
        }
        let arrow = |((from, to), names)| Arrow { from, to, names };
        found.into_iter().map(arrow).collect()
    }

    fn uses<'a>(&'a self, source: &'a Source) -> impl Iterator<Item = Use<'a>> {
        let imports = source.imports.iter();
        let imports =
            imports.filter_map(|import| Some((self.imported(source, import)?, import.what.line)));
        let mentions = source.mentions.iter();
        let mentions = mentions.filter_map(|said| Some((self.mentioned(said)?, said.line)));
        imports.chain(mentions).map(|(Place { module, item }, line)| {
            let name = item.or(module.last().cloned()).unwrap_or_default();
            Use { to: self.file_of(&module), name, line }
        })
    }

    /// Where a `use` leads, unless it is none: if it hands on what is in its own folder, or fetches
    /// a module whose names are used one by one.
    fn imported(&self, source: &Source, import: &Import) -> Option<Place> {
        let place = self.follow(&import.what.within, &import.what.path, 0)?;
        let is_own = place.module.starts_with(&source.module);
        let is_spoken_of = |mention: &Mention| {
            mention.path.len() > 1
                && mention.path[0] == import.name
                && mention.within == import.what.within
        };
        let is_split = place.item.is_none() && source.mentions.iter().any(is_spoken_of);
        (!(is_split || import.is_handed_on && is_own)).then_some(place)
    }

    /// Where a path in code leads. It never ends in a module: what is called like one is a variable
    /// if it stands alone, and else defined beside the module.
    fn mentioned(&self, mention: &Mention) -> Option<Place> {
        let (last, before) = mention.path.split_last()?;
        if before.is_empty() {
            let place = self.follow(&mention.within, &mention.path, 0)?;
            return place.item.is_some().then_some(place);
        }
        let place = self.follow(&mention.within, before, 0)?;
        if place.item.is_some() {
            return Some(place);
        }
        match self.follow(&place.module, std::slice::from_ref(last), 0) {
            Some(place) if place.item.is_some() => Some(place),
            None if self.has(&place.module, last) => None,
            _ => Some(Place { item: Some(last.clone()), ..place }),
        }
    }

    /// Where a path leads that stands in a module; `None` if out of this crate.
    fn follow(&self, within: &[String], path: &[String], depth: usize) -> Option<Place> {
        let first = path.first()?;
        let (mut module, rest) = match first.as_str() {
            "crate" => (Names::new(), &path[1..]),
            "self" => (within.to_vec(), &path[1..]),
            "super" => (within.to_vec(), path),
            name if name == self.name => (Names::new(), &path[1..]),
            name if self.has(within, name) => (within.to_vec(), path),
            _ => return None,
        };
        assert!(depth < DEEP, "{} of {} leads nowhere", path.join("::"), within.join("::"));
        for (place, name) in rest.iter().enumerate() {
            let below = [module.as_slice(), std::slice::from_ref(name)].concat();
            let stands_for = self.bound.get(&(module.clone(), name.clone()));
            let is_last = place + 1 == rest.len();
            match stands_for {
                _ if name == "super" => drop(module.pop()),
                Some(other) if is_last || !self.is_module(&below) => {
                    match self.follow(&module, other, depth + 1)? {
                        Place { module: there, item: None } => module = there,
                        there => return Some(there),
                    }
                }
                _ if self.is_module(&below) => module = below,
                _ => return Some(Place { module, item: Some(name.clone()) }),
            }
        }
        Some(Place { module, item: None })
    }

    /// Whether a module has a module or an import of that name.
    fn has(&self, module: &[String], name: &str) -> bool {
        let below = [module, &[name.to_owned()]].concat();
        self.is_module(&below) || self.bound.contains_key(&(module.to_vec(), name.to_owned()))
    }

    fn is_module(&self, module: &[String]) -> bool {
        self.files.contains_key(module) || self.inner.contains(module)
    }

    fn file_of(&self, module: &[String]) -> &str {
        let files = (0..=module.len()).rev().filter_map(|length| self.files.get(&module[..length]));
        files.map(String::as_str).next().expect("every crate has a root")
    }
}

/// `["ledger", "line"]` of `ledger/line.rs`. A binary stands beside the library like a module of it.
fn module_of(file: &str) -> Names {
    match file.trim_end_matches(".rs") {
        "lib" => Names::new(),
        path => path.split('/').map(str::to_owned).collect(),
    }
}
