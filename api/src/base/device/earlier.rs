//! User-Agents as they were read before what is no browser had a name of its own (F-27).
//!
//! Sessions that began then are known by fingerprints of this reading. Once the last of them has
//! expired (`SESSION_EXPIRES_IN` after the service was brought up to date), this file may go, and
//! with it whoever uses it.

use super::words::{BOTS, BROWSERS, TELEVISIONS, UNKNOWN, first, says, system};

/// Browser, system and kind.
pub(super) fn read(ua: &str) -> [&'static str; 3] {
    let os = system(ua);
    [first(&BROWSERS, ua), os, kind(ua, os)]
}

fn kind(ua: &str, os: &str) -> &'static str {
    if says(ua, &BOTS) {
        return "Bot";
    }
    if says(ua, &TELEVISIONS) {
        return "TV";
    }
    match os {
        "Xbox" | "PlayStation" | "Nintendo" => "Console",
        "tvOS" | "webOS" => "TV",
        "iOS" if says(ua, &["iPad", "Macintosh"]) => "Tablet",
        "iOS" | "Windows Phone" | "KaiOS" => "Mobile",
        "Windows" => "Desktop",
        _ if says(ua, &["Tablet", "PlayBook", "Kindle"]) => "Tablet",
        _ if ua.contains("Mobi") => "Mobile",
        "Android" | "HarmonyOS" => "Tablet",
        UNKNOWN => UNKNOWN,
        _ => "Desktop",
    }
}
