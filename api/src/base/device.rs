//! What a User-Agent says about the device: browser, system, kind.
//!
//! A signal for people who look at their list of sessions, never a proof: anybody can send any
//! User-Agent. `device/user_agents.tsv` holds real strings and what they mean.

mod earlier;
mod user_agent;
mod words;

use std::borrow::Cow;

use portcullis_core::Digest;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use user_agent::{Read, shown};
use words::UNKNOWN;

/// Longer device ids are cut here.
const LONGEST_ID: usize = 128;

/// A device as its owner would recognise it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Device {
    /// 64 hex digits that stay the same as long as browser, system, kind of device and the id sent by
    /// the client do.
    #[schema(pattern = "^[0-9a-f]{64}$")]
    pub fingerprint: String,
    /// The browser's family; of anything else the name it gives itself.
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
        let Read { family, os, kind } = user_agent::read(ua.unwrap_or_default());
        let fingerprint = fingerprint([&family, os, kind], client_device_id);
        Self { fingerprint, browser: shown(&family), os: os.into(), device: kind.into() }
    }

    /// `Firefox on Linux`, or as much of it as is known.
    #[must_use]
    pub fn named(&self) -> String {
        match (&*self.browser, &*self.os) {
            (UNKNOWN, UNKNOWN) => "unknown".to_owned(),
            (known, UNKNOWN) | (UNKNOWN, known) => known.to_owned(),
            (browser, os) => format!("{browser} on {os}"),
        }
    }

    /// What is kept when the operator does not want devices recorded.
    #[must_use]
    pub fn unrecorded() -> Self {
        Self::from_user_agent(None, None)
    }
}

/// The fingerprint that a session had which began on this device before F-27.
pub(crate) fn earlier_fingerprint(ua: &str, client_device_id: Option<&str>) -> String {
    fingerprint(earlier::read(ua), client_device_id)
}

fn fingerprint(words: [&str; 3], client_device_id: Option<&str>) -> String {
    let id = client_device_id.unwrap_or_default().as_bytes();
    let id = id.get(..LONGEST_ID).unwrap_or(id);
    let [browser, os, kind] = words.map(str::as_bytes);
    let parts = [browser, os, kind, id].join(&0);
    String::from_utf8_lossy(&Digest::of(&parts).to_hex()).into_owned()
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
    fn f_27_what_no_table_knows_is_known_by_the_name_it_gives_itself() {
        for (ua, browser) in [
            ("MyApp/2.3 (iPhone; iOS 17.0; Scale/3.00)", "MyApp"),
            ("my app 1.0", "my"),
            ("Mozilla/5.0 (compatible; Fetcher/1.0; +https://example.com)", "Fetcher"),
            ("Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Surfer/1.0", "Surfer"),
            ("Mozilla/5.0 (X11; Linux x86_64)", "Mozilla"),
            ("(nothing) but/1 comments", "but"),
            ("evil.example/1.0 https://evil.example", "evil_example"),
            ("Größe/1.0", "Gr__e"),
            (&"x".repeat(500), &"x".repeat(40)),
            ("", "Unknown"),
            ("()", "Unknown"),
        ] {
            assert_eq!(Device::from_user_agent(Some(ua), None).browser, browser, "{ua}");
        }
    }

    #[test]
    fn f_27_two_unknowns_are_not_the_same_device() {
        let unknown = [
            "",
            "okhttp/4.12.0",
            "python-httpx/0.27.0",
            "Dart/3.2 (dart:io)",
            "Java/17.0.1",
            "node",
            "AppOne/1 (Linux; Android 13; Pixel 7)",
            "AppTwo/1 (Linux; Android 13; Pixel 7)",
            "AppOne/1 CFNetwork/1474 Darwin/23.0.0",
            "AppTwo/1 CFNetwork/1474 Darwin/23.0.0",
            "com.example.one/1",
            "com-example-one/1",
        ];
        let print = |ua| Device::from_user_agent(Some(ua), None).fingerprint;
        let prints: std::collections::HashSet<_> = unknown.map(print).into();
        assert_eq!(prints.len(), unknown.len());
        assert_eq!(print("okhttp/4.12.0"), print("okhttp/5.0.0"), "an update keeps it");
        assert_eq!(print("AppOne/1 CFNetwork/1"), print("AppOne/2 CFNetwork/2"));
    }

    #[test]
    fn f_27_the_earlier_fingerprint_is_the_one_that_sessions_were_begun_with() {
        let before =
            |browser: &str, os: &str, kind: &str| fingerprint([browser, os, kind], Some("one"));
        for (ua, expected) in [
            ("okhttp/4.12.0", before("Unknown", "Unknown", "Unknown")),
            ("MyApp/1.0 CFNetwork/1474 Darwin/23.0.0", before("Unknown", "Unknown", "Unknown")),
            ("Dalvik/2.1.0 (Linux; U; Android 13)", before("Android Browser", "Android", "Tablet")),
            ("curl/8.5.0", before("curl", "Unknown", "Unknown")),
            ("", before("Unknown", "Unknown", "Unknown")),
        ] {
            assert_eq!(earlier_fingerprint(ua, Some("one")), expected, "{ua}");
        }
        for line in REAL.lines().take(60) {
            let ua = line.rsplit('\t').next().unwrap();
            let now = Device::from_user_agent(Some(ua), None).fingerprint;
            assert_eq!(earlier_fingerprint(ua, None), now, "a browser keeps its fingerprint: {ua}");
        }
    }

    #[test]
    fn f_27_a_device_is_named_by_what_is_known_of_it() {
        let named = |ua| Device::from_user_agent(Some(ua), None).named();
        assert_eq!(named("Dalvik/2.1.0 (Linux; U; Android 13; Pixel 7)"), "Dalvik on Android");
        assert_eq!(named("okhttp/4.12.0"), "OkHttp");
        assert_eq!(named(""), "unknown");
    }

    #[test]
    fn a_device_survives_being_stored() {
        let device = Device::from_user_agent(Some("curl/8.5.0"), None);
        let json = serde_json::to_string(&device).unwrap();
        assert_eq!(serde_json::from_str::<Device>(&json).unwrap(), device);
    }
}
