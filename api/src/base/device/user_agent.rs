//! A User-Agent, read.
//!
//! What the tables of `words.rs` do not know is known by the name of its first product, so that two
//! unknowns are not the same (F-27).

use std::borrow::Cow;

use super::words::{
    BOTS, BROWSERS, LIBRARIES, SYSTEMS_OF_APPS, TELEVISIONS, UNKNOWN, first, says, system,
};

/// The longest name of a product that is shown.
const LONGEST_NAME: usize = 40;
/// What nearly every browser says of itself before it says anything.
const SAID_BY_ALL: [&str; 7] =
    ["Mozilla", "AppleWebKit", "Gecko", "KHTML", "Version", "Mobile", "Safari"];

/// What a User-Agent says.
pub(super) struct Read<'u> {
    /// What it is, as it says it itself or as it is known.
    pub(super) family: Cow<'u, str>,
    pub(super) os: &'static str,
    pub(super) kind: &'static str,
}

pub(super) fn read(ua: &str) -> Read<'_> {
    let os = os(ua);
    Read { family: family(ua), os, kind: kind(ua, os) }
}

fn family(ua: &str) -> Cow<'_, str> {
    match first(&BROWSERS, ua) {
        UNKNOWN => {}
        "Android Browser" if !is_web(ua) => {}
        known => return known.into(),
    }
    // aiohttp names the language first.
    let name = if ua.contains("aiohttp/") { "aiohttp" } else { product(ua) };
    LIBRARIES.iter().find(|(word, _)| *word == name).map_or(name, |(_, known)| known).into()
}

/// Whether a page is behind it. Every engine since the first phones' says so.
fn is_web(ua: &str) -> bool {
    says(ua, &["AppleWebKit/", "AppleWebkit/", "Gecko/", "Presto/"])
}

/// The name of the first product that is not everybody's; empty if nothing is named at all.
fn product(ua: &str) -> &str {
    let own = |name: &&str| !name.is_empty() && !SAID_BY_ALL.contains(name);
    let outside = names(ua).find(own);
    // `Mozilla/5.0 (compatible; Name/1.0; +https://example.com)`
    let compatible = || ua.split_once("compatible;").map(|(_, rest)| name(rest.trim_start()));
    let any = || names(ua).find(|name| !name.is_empty());
    outside.or_else(|| compatible().filter(own)).or_else(any).unwrap_or_default()
}

/// The names of all products: what stands outside of comments, up to a slash.
fn names(ua: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_usize;
    let outside = ua.split_inclusive(['(', ')']).filter(move |part| {
        let is_outside = depth == 0;
        match part.as_bytes().last() {
            Some(b'(') => depth = depth.saturating_add(1),
            Some(b')') => depth = depth.saturating_sub(1),
            _ => {}
        }
        is_outside
    });
    outside.flat_map(|part| part.split_ascii_whitespace().map(name))
}

/// A word up to where its version or its comment begins.
fn name(word: &str) -> &str {
    word.split(|c: char| c.is_ascii_whitespace() || "/();,".contains(c)).next().unwrap_or_default()
}

/// A family as it may stand on a page, in a mail and in a log: nothing that could be a link or a
/// command.
pub(super) fn shown(family: &str) -> Cow<'static, str> {
    let known = BROWSERS.iter().chain(&LIBRARIES).find(|(_, known)| *known == family);
    if let Some((_, known)) = known {
        return Cow::Borrowed(known);
    }
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' { c } else { '_' };
    let name: String = family.chars().take(LONGEST_NAME).map(plain).collect();
    if name.is_empty() { UNKNOWN.into() } else { name.into() }
}

fn os(ua: &str) -> &'static str {
    match system(ua) {
        // Foundation names the kernel that Apple's systems share. On a Mac it also names the processor.
        UNKNOWN if ua.contains("CFNetwork/") && !ua.contains("x86_64") => "iOS",
        UNKNOWN => first(&SYSTEMS_OF_APPS, ua),
        known => known,
    }
}

/// BUG-21: tablets seldom say so. An Android browser that is not `Mobile` is on one.
fn kind(ua: &str, os: &str) -> &'static str {
    if is_bot(ua) {
        return "Bot";
    }
    if says(ua, &TELEVISIONS) {
        return "TV";
    }
    match os {
        "Xbox" | "PlayStation" | "Nintendo" => "Console",
        "tvOS" | "webOS" => "TV",
        "iOS" if says(ua, &["iPad", "Macintosh"]) => "Tablet",
        "iOS" | "watchOS" | "Windows Phone" | "KaiOS" => "Mobile",
        "Windows" => "Desktop",
        "HarmonyOS" if says(ua, &["(PC;", "; PC;", "2in1"]) => "Desktop",
        _ if says(ua, &["Tablet", "PlayBook", "Kindle"]) => "Tablet",
        _ if says(ua, &["Mobi", "(Phone;"]) => "Mobile",
        "Android" | "HarmonyOS" if is_web(ua) => "Tablet",
        // Apps do not say what they run on; most run on phones.
        "Android" | "HarmonyOS" => "Mobile",
        "visionOS" | UNKNOWN => UNKNOWN,
        _ => "Desktop",
    }
}

/// Cubot makes phones.
fn is_bot(ua: &str) -> bool {
    says(&ua.replace("Cubot", "").replace("cubot", ""), &BOTS)
}
