//! The words that browsers and systems are known by, most telling first.

/// What is said where nothing is known.
pub(super) const UNKNOWN: &str = "Unknown";

/// The first word found names the browser (BUG-19). Every browser also claims to be those further
/// down: Edge says Chrome, Chrome says Safari, and nearly all say Mozilla.
pub(super) const BROWSERS: [(&str, &str); 60] = [
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
pub(super) const SYSTEMS: [(&str, &str); 24] = [
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

/// First products of what is no browser, and how they are better known.
pub(super) const LIBRARIES: [(&str, &str); 4] = [
    ("okhttp", "OkHttp"),
    ("node", "Node.js"),
    ("python-httpx", "HTTPX"),
    ("Java-http-client", "Java"),
];

/// How apps and tools name a system that says nothing of the above.
pub(super) const SYSTEMS_OF_APPS: [(&str, &str); 11] = [
    ("watchOS", "watchOS"),
    ("visionOS", "visionOS"),
    ("tvOS", "tvOS"),
    ("iPadOS", "iOS"),
    ("macOS", "macOS"),
    ("MacOS", "macOS"),
    ("iOS", "iOS"),
    ("linux", "Linux"),
    ("win32", "Windows"),
    ("Darwin", "macOS"),
    ("darwin", "macOS"),
];

pub(super) const BOTS: [&str; 7] =
    ["bot", "Bot", "crawl", "spider", "Spider", "facebookexternalhit", "Headless"];
pub(super) const TELEVISIONS: [&str; 7] =
    ["SMART-TV", "SmartTV", "Smart TV", "BRAVIA", "GoogleTV", "CrKey", "; AFT"];

pub(super) fn first(table: &[(&str, &'static str)], ua: &str) -> &'static str {
    table.iter().find(|(word, _)| ua.contains(word)).map_or(UNKNOWN, |(_, name)| name)
}

pub(super) fn says(ua: &str, words: &[&str]) -> bool {
    words.iter().any(|word| ua.contains(word))
}

/// By the tables alone; some systems hide behind another's name.
pub(super) fn system(ua: &str) -> &'static str {
    // An iPad that asks for desktop pages claims to be a Mac; browsers other than Safari give it away.
    if ua.contains("Macintosh")
        && says(ua, &["CriOS/", "FxiOS/", "EdgiOS/", "OPiOS/", "GSA/", "Mobile/"])
    {
        return "iOS";
    }
    first(&SYSTEMS, ua)
}
