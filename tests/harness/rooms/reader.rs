//! Reads one source file: what it imports and which paths it speaks of, in code and in macros.
//!
//! Knows no other file. What is only for tests is passed over, as are comments and strings.

use std::collections::BTreeSet;

use proc_macro2::{Delimiter, Spacing, Span, TokenStream, TokenTree};
use syn::ext::IdentExt as _;
use syn::visit::{self, Visit};
use syn::{Attribute, Item, Meta, UseTree, Visibility};

/// Where a module is, or what a path says: names from left to right.
pub(super) type Names = Vec<String>;

/// One file of a crate.
pub(super) struct Source {
    /// `["ledger", "line"]` of `ledger/line.rs`.
    pub(super) module: Names,
    pub(super) imports: Vec<Import>,
    pub(super) mentions: Vec<Mention>,
    /// Modules that are written out in the file.
    pub(super) inner: BTreeSet<Names>,
    /// Modules that are declared here and are files of their own.
    pub(super) declared: Vec<Names>,
    /// The same, only for tests.
    pub(super) for_tests: Vec<Names>,
    /// Whether nothing is here but modules and what is handed on from them.
    pub(super) only_lists: bool,
}

/// A path as it is written, and where.
pub(super) struct Mention {
    /// The module that it stands in.
    pub(super) within: Names,
    pub(super) path: Names,
    pub(super) line: usize,
}

/// One name out of a `use`.
pub(super) struct Import {
    pub(super) what: Mention,
    /// The name it has from here on; `*` if it is all that a module has.
    pub(super) name: String,
    /// `pub use` of any kind.
    pub(super) is_handed_on: bool,
}

/// # Errors
/// Tells why the text is no source.
pub(super) fn read(module: Names, text: &str) -> syn::Result<Source> {
    let file = syn::parse_file(text)?;
    let source = Source {
        module: module.clone(),
        imports: Vec::new(),
        mentions: Vec::new(),
        inner: BTreeSet::new(),
        declared: Vec::new(),
        for_tests: Vec::new(),
        only_lists: file.items.iter().all(only_lists),
    };
    let mut reader = Reader { within: module, source };
    reader.visit_file(&file);
    Ok(reader.source)
}

fn only_lists(item: &Item) -> bool {
    match item {
        Item::Mod(module) => module.content.is_none(),
        Item::Use(import) => !matches!(import.vis, Visibility::Inherited),
        _ => false,
    }
}

struct Reader {
    within: Names,
    source: Source,
}

impl Reader {
    fn mention(&mut self, path: Names, at: Span) {
        let line = at.start().line;
        self.source.mentions.push(Mention { within: self.within.clone(), path, line });
    }

    fn import(&mut self, path: Names, name: String, is_handed_on: bool, at: Span) {
        let line = at.start().line;
        let what = Mention { within: self.within.clone(), path, line };
        self.source.imports.push(Import { what, name, is_handed_on });
    }

    /// What the syntax tree leaves unread.
    fn read_tokens(&mut self, tokens: TokenStream) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            match token {
                TokenTree::Ident(_) => at = self.read_path(&tokens, at),
                TokenTree::Group(group) => {
                    self.read_tokens(group.stream());
                    at += 1;
                }
                TokenTree::Literal(literal) => {
                    self.read_types(&literal.to_string(), literal.span());
                    at += 1;
                }
                TokenTree::Punct(_) => at += 1,
            }
        }
    }

    /// In the text of a query the type of a column is code: `as "since: crate::clock::UnixMs"`.
    fn read_types(&mut self, text: &str, at: Span) {
        for path in text.split(": crate::").skip(1) {
            let path = path.split(|c: char| c != ':' && c != '_' && !c.is_alphanumeric()).next();
            let names = path.unwrap_or_default().split("::").map(str::to_owned);
            self.mention(std::iter::once("crate".to_owned()).chain(names).collect(), at);
        }
    }

    /// The path that begins here, and `::{…}` behind it; says where it ends.
    fn read_path(&mut self, tokens: &[TokenTree], first: usize) -> usize {
        let (mut path, mut at, mut goes_on) = (Names::new(), first, true);
        while let (true, Some(TokenTree::Ident(name))) = (goes_on, tokens.get(at)) {
            path.push(name.unraw().to_string());
            goes_on = is_double_colon(tokens, at + 1);
            at += if goes_on { 3 } else { 1 };
        }
        if !begins_path(tokens, first) {
            return at;
        }
        let list = tokens.get(at).filter(|token| goes_on && is_braced(token));
        if let Some(Ok(tree)) = list.map(|list| syn::parse2(list.clone().into())) {
            flatten(&tree, &path, &mut |path, _, span| self.mention(path, span));
            return at + 1;
        }
        self.mention(path, tokens[first].span());
        at
    }
}

fn is_braced(token: &TokenTree) -> bool {
    matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::Brace)
}

fn is_double_colon(tokens: &[TokenTree], at: usize) -> bool {
    match tokens.get(at..).unwrap_or_default() {
        [TokenTree::Punct(one), TokenTree::Punct(other), ..] => {
            one.as_char() == ':' && one.spacing() == Spacing::Joint && other.as_char() == ':'
        }
        _ => false,
    }
}

/// Whether the name is no field, no lifetime, no variable of a macro and no later part of a path.
fn begins_path(tokens: &[TokenTree], at: usize) -> bool {
    let is_crate = matches!(&tokens[at], TokenTree::Ident(name) if name == "crate");
    let Some(TokenTree::Punct(before)) = at.checked_sub(1).map(|before| &tokens[before]) else {
        return true;
    };
    match before.as_char() {
        '.' => at > 1 && matches!(&tokens[at - 2], TokenTree::Punct(dot) if dot.as_char() == '.'),
        '\'' => false,
        '$' => is_crate,
        ':' => at < 2 || !is_double_colon(tokens, at - 2),
        _ => true,
    }
}

/// Every name of a `use`, with its whole path and the name it gets.
fn flatten(tree: &UseTree, before: &[String], found: &mut impl FnMut(Names, String, Span)) {
    let behind = |name: &syn::Ident| {
        let is_before = name == "self" && !before.is_empty();
        if is_before { before.to_vec() } else { [before, &[name.unraw().to_string()]].concat() }
    };
    match tree {
        UseTree::Path(path) => flatten(&path.tree, &behind(&path.ident), found),
        UseTree::Name(name) => {
            let path = behind(&name.ident);
            let last = path.last().cloned().unwrap_or_default();
            found(path, last, name.ident.span());
        }
        UseTree::Rename(name) => {
            found(behind(&name.ident), name.rename.unraw().to_string(), name.ident.span());
        }
        UseTree::Glob(all) => found(before.to_vec(), "*".to_owned(), all.star_token.spans[0]),
        UseTree::Group(group) => {
            group.items.iter().for_each(|tree| flatten(tree, before, found));
        }
    }
}

fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::List(list) => list.path.is_ident("cfg") && list.tokens.to_string() == "test",
        _ => false,
    })
}

macro_rules! pass_over_what_is_for_tests {
    ($($visit:ident: $kind:ident,)*) => { $(
        fn $visit(&mut self, item: &'ast syn::$kind) {
            if !is_for_tests(&item.attrs) {
                visit::$visit(self, item);
            }
        }
    )* };
}

impl<'ast> Visit<'ast> for Reader {
    pass_over_what_is_for_tests! {
        visit_item_const: ItemConst,
        visit_item_enum: ItemEnum,
        visit_item_fn: ItemFn,
        visit_item_impl: ItemImpl,
        visit_item_macro: ItemMacro,
        visit_item_static: ItemStatic,
        visit_item_struct: ItemStruct,
        visit_item_trait: ItemTrait,
        visit_item_type: ItemType,
        visit_impl_item_const: ImplItemConst,
        visit_impl_item_fn: ImplItemFn,
        visit_field: Field,
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        self.within.push(item.ident.unraw().to_string());
        match (&item.content, is_for_tests(&item.attrs)) {
            (None, false) => self.source.declared.push(self.within.clone()),
            (None, true) => self.source.for_tests.push(self.within.clone()),
            (Some(_), false) => {
                self.source.inner.insert(self.within.clone());
                visit::visit_item_mod(self, item);
            }
            (Some(_), true) => {}
        }
        self.within.pop();
    }

    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        // With `::` in front it is somebody else's crate.
        if item.leading_colon.is_none() && !is_for_tests(&item.attrs) {
            let is_handed_on = !matches!(item.vis, Visibility::Inherited);
            flatten(&item.tree, &[], &mut |path, name, span| {
                self.import(path, name, is_handed_on, span);
            });
        }
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        if let (None, Some(first)) = (path.leading_colon, path.segments.first()) {
            let names = path.segments.iter().map(|part| part.ident.unraw().to_string());
            self.mention(names.collect(), first.ident.span());
        }
        visit::visit_path(self, path);
    }

    /// Who may see an item is no use of a module.
    fn visit_visibility(&mut self, _: &'ast Visibility) {}

    /// What stands in a macro or in an attribute.
    fn visit_token_stream(&mut self, tokens: &'ast TokenStream) {
        self.read_tokens(tokens.clone());
    }
}
