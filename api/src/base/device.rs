//! What a User-Agent says about the device: browser, system, kind.
//!
//! A signal for people who look at their list of sessions, never a proof: anybody can send any
//! User-Agent. Only words from the tables here come out, so nothing a client writes reaches a log
//! or a page through this file. `device/user_agents.tsv` holds real strings and what they mean.

use std::borrow::Cow;

use portcullis_core::Digest;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Longer device ids are cut here.
const LONGEST_ID: usize = 128;
const UNKNOWN: &str = "Unknown";

/// A device as its owner would recognise it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Device {
    /// 64 hex digits that stay the same as long as browser, system, kind of device and the id sent by
    /// the client do.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    pub fingerprint: String,
    /// The browser's family.
    #[schema(value_type = String, example = "Firefox")]
    pub browser: Cow<'static, str>,
    /// The operating system's family.
    #[schema(value_type = String, example = "Linux")]
    pub os: Cow<'static, str>,
    /// `Desktop`, `Mobile`, `Tablet`, `TV`, `Console`, `Bot` or `Unknown`.
    #[schema(value_type = String, example = "Desktop")]
    pub device: Cow<'static, str>,
}

impl Device {
    /// Reads a User-Agent; `client_device_id` is what the client calls its device, if it does.
    #[must_use]
    pub fn from_user_agent(ua: Option<&str>, client_device_id: Option<&str>) -> Self {
        let ua = ua.unwrap_or_default();
        let (browser, os) = (first(&BROWSERS, ua), os(ua));
        let device = kind(ua, os);
        let id = client_device_id.unwrap_or_default().as_bytes();
        let id = id.get(..LONGEST_ID).unwrap_or(id);
        let parts = [browser.as_bytes(), os.as_bytes(), device.as_bytes(), id].join(&0);
        let fingerprint = String::from_utf8_lossy(&Digest::of(&parts).to_hex()).into_owned();
        Self { fingerprint, browser: browser.into(), os: os.into(), device: device.into() }
    }

    /// What is kept when the operator does not want devices recorded.
    #[must_use]
    pub fn unrecorded() -> Self {
        Self::from_user_agent(None, None)
    }
}

/// The first word found names the browser (BUG-19). Every browser also claims to be those further
/// down: Edge says Chrome, Chrome says Safari, and nearly all say Mozilla.
const BROWSERS: [(&str, &str); 60] = [
    ("Googlebot", "Googlebot"),
    ("bingbot", "Bingbot"),
    ("FBAN/", "Facebook"),
    ("FBAV/", "Facebook"),
    ("Instagram ", "Instagram"),
    ("MicroMessenger/", "WeChat"),
    ("Line/", "Line"),
    ("GSA/", "Google App"),
    ("OculusBrowser/", "Oculus Browser"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("EdgiOS/", "Edge"),
    ("EdgA/", "Edge"),
    ("Edg/", "Edge"),
    ("Edge/", "Edge"),
    ("OPR/", "Opera"),
    ("OPT/", "Opera"),
    ("OPX/", "Opera"),
    ("OPiOS/", "Opera"),
    ("Opera", "Opera"),
    ("Vivaldi/", "Vivaldi"),
    ("YaBrowser/", "Yandex Browser"),
    ("UCBrowser/", "UC Browser"),
    ("MiuiBrowser/", "MIUI Browser"),
    ("HuaweiBrowser/", "Huawei Browser"),
    ("VivoBrowser/", "Vivo Browser"),
    ("HeyTapBrowser/", "HeyTap Browser"),
    ("MQQBrowser/", "QQ Browser"),
    ("QQBrowser/", "QQ Browser"),
    ("Whale/", "Whale"),
    ("DuckDuckGo/", "DuckDuckGo"),
    ("Ddg/", "DuckDuckGo"),
    ("Brave/", "Brave"),
    ("Silk/", "Silk"),
    ("SeaMonkey/", "SeaMonkey"),
    ("PaleMoon/", "Pale Moon"),
    ("FxiOS/", "Firefox"),
    ("Focus/", "Firefox"),
    ("Firefox/", "Firefox"),
    ("Slack/", "Slack"),
    ("Slack_SSB/", "Slack"),
    ("Teams/", "Teams"),
    ("Electron/", "Electron"),
    ("; wv)", "Android WebView"),
    ("CriOS/", "Chrome"),
    ("HeadlessChrome/", "Headless Chrome"),
    ("Chromium/", "Chromium"),
    ("Chrome/", "Chrome"),
    ("MSIE ", "Internet Explorer"),
    ("Trident/", "Internet Explorer"),
    ("Android", "Android Browser"),
    ("Safari/", "Safari"),
    ("PostmanRuntime/", "Postman"),
    ("insomnia/", "Insomnia"),
    ("HTTPie/", "HTTPie"),
    ("curl/", "curl"),
    ("Wget/", "Wget"),
    ("python-requests/", "Python"),
    ("axios/", "axios"),
    ("Go-http-client/", "Go"),
    ("AppleWebKit/", "WebKit"),
];

/// The first word found names the system (BUG-20): Android also says Linux, an iPhone says it is
/// "like Mac OS X", an Xbox says Windows.
const SYSTEMS: [(&str, &str); 24] = [
    ("Xbox", "Xbox"),
    ("PlayStation", "PlayStation"),
    ("Nintendo", "Nintendo"),
    ("AppleTV", "tvOS"),
    ("Windows Phone", "Windows Phone"),
    ("Windows", "Windows"),
    ("iPhone", "iOS"),
    ("iPad", "iOS"),
    ("iPod", "iOS"),
    ("KAIOS", "KaiOS"),
    ("OpenHarmony", "HarmonyOS"),
    ("HarmonyOS", "HarmonyOS"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Tizen", "Tizen"),
    ("Web0S", "webOS"),
    ("webOS", "webOS"),
    ("Macintosh", "macOS"),
    ("Mac OS X", "macOS"),
    ("FreeBSD", "FreeBSD"),
    ("OpenBSD", "OpenBSD"),
    ("NetBSD", "NetBSD"),
    ("Linux", "Linux"),
    ("X11", "Linux"),
];

const BOTS: [&str; 7] =
    ["bot", "Bot", "crawl", "spider", "Spider", "facebookexternalhit", "Headless"];
const TELEVISIONS: [&str; 7] =
    ["SMART-TV", "SmartTV", "Smart TV", "BRAVIA", "GoogleTV", "CrKey", "; AFT"];

fn first(table: &[(&str, &'static str)], ua: &str) -> &'static str {
    table.iter().find(|(word, _)| ua.contains(word)).map_or(UNKNOWN, |(_, name)| name)
}

fn says(ua: &str, words: &[&str]) -> bool {
    words.iter().any(|word| ua.contains(word))
}

fn os(ua: &str) -> &'static str {
    // An iPad that asks for desktop pages claims to be a Mac; browsers other than Safari give it away.
    if ua.contains("Macintosh")
        && says(ua, &["CriOS/", "FxiOS/", "EdgiOS/", "OPiOS/", "GSA/", "Mobile/"])
    {
        return "iOS";
    }
    first(&SYSTEMS, ua)
}

/// BUG-21: tablets seldom say so. An Android that is not `Mobile` is one.
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

#[cfg(test)]
mod tests {
    use super::*;

    const REAL: &str = include_str!("device/user_agents.tsv");

    #[test]
    fn bug_19_bug_20_bug_21_real_user_agents_are_read_right() {
        let mut count = 0;
        for line in REAL.lines() {
            let [browser, os, kind, ua] = line.split('\t').collect::<Vec<_>>()[..] else {
                panic!("{line}");
            };
            let read = Device::from_user_agent(Some(ua), None);
            assert_eq!([&*read.browser, &*read.os, &*read.device], [browser, os, kind], "{ua}");
            count += 1;
        }
        assert!(count >= 60, "{count}");
    }

    #[test]
    fn nothing_a_client_writes_comes_out() {
        let long = "Chrome/".repeat(100_000);
        for ua in ["", "\r\n{\"fake\":1}", "\0\u{1b}[2J", "Chrome/\r\nSet-Cookie: a=b", &long] {
            let read = Device::from_user_agent(Some(ua), Some("\r\nid"));
            for word in [&*read.browser, &*read.os, &*read.device, &read.fingerprint] {
                assert!(
                    word.len() <= 64 && word.chars().all(|letter| !letter.is_control()),
                    "{ua:.30?}"
                );
            }
        }
    }

    #[test]
    fn bug_18_an_update_or_another_network_keeps_the_fingerprint() {
        let before = "Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0";
        let after = "Mozilla/5.0 (X11; Linux x86_64; rv:121.0) Gecko/20100101 Firefox/121.0";
        let print = |ua, id| Device::from_user_agent(Some(ua), id).fingerprint;
        assert_eq!(print(before, None), print(after, None));
        assert_ne!(print(before, None), print(before, Some("phone-1")));
        assert_ne!(print(before, Some("phone-1")), print(before, Some("phone-2")));
    }

    #[test]
    fn bug_18_the_parts_of_a_fingerprint_are_kept_apart() {
        let expected = Digest::of(b"Firefox\0Linux\0Desktop\0one").to_hex();
        let ua = "Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0";
        let read = Device::from_user_agent(Some(ua), Some("one"));
        assert_eq!(read.fingerprint.as_bytes(), expected);
    }

    #[test]
    fn a_device_survives_being_stored() {
        let device = Device::from_user_agent(Some("curl/8.5.0"), None);
        let json = serde_json::to_string(&device).unwrap();
        assert_eq!(serde_json::from_str::<Device>(&json).unwrap(), device);
    }
}
